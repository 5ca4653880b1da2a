//! Checking definitions.

use axum::http::Method;
use serde::Serialize;

use super::super::http::{
    Access, Answer, Call, Document, Given, Kind, Param, Role, Route, Size, Taken, document,
};
use crate::language::{self, Diagnostic, Format, Workflow};

/// The content types of definitions.
pub(super) const DEFINITIONS: &[&str] = &["application/json", "application/yaml"];

const QUERY: &[Param] =
    &[Param::new("aws", Kind::Flag, "Also find what AWS Step Functions would refuse.")];

/// What was found in a definition.
#[derive(Serialize)]
struct Finding {
    is_valid: bool,
    /// The content hash, when it is valid.
    definition: Option<String>,
    states: Option<usize>,
    job_types: Vec<String>,
    /// Job types that nobody serves here, so that no execution of it could start.
    unserved: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::POST,
            Access::Role(Role::Viewer),
            "/api/v1/validate",
            "validate_definition",
            validate,
        )
        .about("Checks a definition, and changes nothing. Faults are an answer, and no error.")
        .query(QUERY)
        .takes(Taken::Text(DEFINITIONS), Size::Document)
        .gives(Given::Document("everstep.validation/v1")),
    ]
}

/// The definition that a request brings.
pub(super) fn definition(call: &Call) -> (&str, Format) {
    match &call.document {
        Document::Text { text, content_type: "application/yaml" } => (text, Format::Yaml),
        Document::Text { text, .. } => (text, Format::Json),
        Document::Nothing | Document::Fields(_) => ("", Format::Json),
    }
}

async fn validate(call: Call) -> Answer {
    let (text, format) = definition(&call);
    let options = language::Options::default();
    let mut checked = language::check(text, format, &options);
    if call.query.flag("aws") {
        checked.add_aws(text, format, &options);
    }
    let workflow = checked.workflow.as_ref();
    let job_types = workflow.map(Workflow::job_types).unwrap_or_default();
    let served = call.app.engine.job_types();
    let unserved = job_types.iter().filter(|job_type| !served.iter().any(|s| **s == ***job_type));
    let finding = Finding {
        is_valid: workflow.is_some(),
        definition: workflow.map(|workflow| workflow.hash.to_string()),
        states: workflow.map(|workflow| workflow.states.len()),
        unserved: unserved.map(ToString::to_string).collect(),
        job_types: job_types.iter().map(ToString::to_string).collect(),
        diagnostics: checked.diagnostics,
    };
    document("everstep.validation/v1", &finding)
}
