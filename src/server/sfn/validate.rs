//! Checking definitions.

use serde_json::{Value, json};

use super::operation::{Member, Operation, Output, Request, Shape};
use super::settle::{DEFINITION, TYPE};
use crate::language::diagnostic::codes;
use crate::language::{self, Diagnostic, Format, Severity};
use crate::server::http::Role;

/// How many diagnostics are told when nobody says, or says 0; and the most.
const USUAL: usize = 100;
const MEMBERS: &[Member] = &[
    Member::required("definition", DEFINITION),
    TYPE,
    Member::new("severity", Shape::Word(&["ERROR", "WARNING"])),
    Member::new("maxResults", Shape::Whole(0, 100)),
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::shows("ValidateStateMachineDefinition", Role::Viewer, MEMBERS, validate)
            .refuses(&["ValidationException"]),
    ]
}

async fn validate(request: Request) -> Output {
    let input = &request.input;
    let text = input.need("definition");
    let options = language::Options::default();
    let mut checked = language::check(text, Format::Json, &options);
    let is_valid = checked.workflow.is_some();
    let wants_warnings = input.text("severity") == Some("WARNING");
    let mut diagnostics: Vec<Value> = checked.diagnostics.iter().map(told).collect();
    if wants_warnings && is_valid {
        // What runs here and would not there.
        let known = checked.diagnostics.len();
        checked.add_aws(text, Format::Json, &options);
        let of_aws = checked.diagnostics.iter().skip(known);
        diagnostics.extend(of_aws.map(|found| told(&as_warning(found))));
    }
    if !wants_warnings {
        diagnostics.retain(|diagnostic| diagnostic["severity"] == "ERROR");
    }
    let most = input.whole("maxResults").and_then(|most| usize::try_from(most).ok());
    let most = most.filter(|most| *most > 0).unwrap_or(USUAL);
    let truncated = diagnostics.len() > most;
    diagnostics.truncate(most);
    let result = if is_valid { "OK" } else { "FAIL" };
    Ok(json!({"result": result, "diagnostics": diagnostics, "truncated": truncated}))
}

fn as_warning(found: &Diagnostic) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..found.clone() }
}

fn told(found: &Diagnostic) -> Value {
    let severity = match found.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
    };
    let location = if found.pointer.is_empty() { "/" } else { &found.pointer };
    let hint = found.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
    json!({
        "severity": severity,
        "code": code(found),
        "message": format!("{}{hint} [{}]", found.message, found.code),
        "location": location,
    })
}

/// The code that AWS has for it, where it has one; ours stands at the end of the message.
fn code(found: &Diagnostic) -> &'static str {
    match (found.severity, found.code) {
        (_, codes::SYNTAX) => "INVALID_JSON_DESCRIPTION",
        (_, codes::UNKNOWN_STATE | codes::UNREACHABLE) => "MISSING_TRANSITION_TARGET",
        (Severity::Error, _) => "SCHEMA_VALIDATION_FAILED",
        (Severity::Warning, code) => code,
    }
}
