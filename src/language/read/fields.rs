//! Which fields may stand where.

use super::Reader;
use super::nearest::nearest;
use super::object::{At, Object};
use crate::language::diagnostic::{codes, quoted};
use crate::language::model::QueryLanguage;
use crate::language::source::Fault;

/// The values of `Type`.
pub(super) const TYPES: &[&str] =
    &["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"];

/// A set of state types: a bit for each, in the order of [`TYPES`].
type Types = u8;

const PASS: Types = 1;
const TASK: Types = 1 << 1;
const CHOICE: Types = 1 << 2;
const WAIT: Types = 1 << 3;
const FAIL: Types = 1 << 5;
const PARALLEL: Types = 1 << 6;
const MAP: Types = 1 << 7;

const ANY: Types = Types::MAX;
const NOT_FAIL: Types = ANY & !FAIL;
const LEADS_ON: Types = PASS | TASK | WAIT | PARALLEL | MAP;
const WORKS: Types = TASK | PARALLEL | MAP;
const HAS_RESULT: Types = WORKS | PASS;
const ASSIGNS: Types = LEADS_ON | CHOICE;

const BOTH: Option<QueryLanguage> = None;
const PATH: Option<QueryLanguage> = Some(QueryLanguage::JsonPath);
const JSONATA: Option<QueryLanguage> = Some(QueryLanguage::Jsonata);

/// A field of states: its name, the types that have it, the query language that has it.
struct Field(&'static str, Types, Option<QueryLanguage>);

const STATE_FIELDS: &[Field] = &[
    Field("Type", ANY, BOTH),
    Field("Comment", ANY, BOTH),
    Field("QueryLanguage", ANY, BOTH),
    Field("Title", ANY, BOTH),
    Field("Weight", ANY, BOTH),
    Field("Cleanup", ANY, BOTH),
    Field("CountErrors", MAP, BOTH),
    Field("Next", LEADS_ON, BOTH),
    Field("End", LEADS_ON, BOTH),
    Field("InputPath", NOT_FAIL, PATH),
    Field("OutputPath", NOT_FAIL, PATH),
    Field("Parameters", HAS_RESULT, PATH),
    Field("ResultSelector", WORKS, PATH),
    Field("ResultPath", HAS_RESULT, PATH),
    Field("Arguments", TASK | PARALLEL, JSONATA),
    Field("Output", NOT_FAIL, JSONATA),
    Field("Assign", ASSIGNS, BOTH),
    Field("Retry", WORKS, BOTH),
    Field("Catch", WORKS, BOTH),
    Field("Result", PASS, PATH),
    Field("Resource", TASK, BOTH),
    Field("Credentials", TASK, BOTH),
    Field("TimeoutSeconds", TASK, BOTH),
    Field("TimeoutSecondsPath", TASK, PATH),
    Field("HeartbeatSeconds", TASK, BOTH),
    Field("HeartbeatSecondsPath", TASK, PATH),
    Field("Choices", CHOICE, BOTH),
    Field("Default", CHOICE, BOTH),
    Field("Seconds", WAIT, BOTH),
    Field("SecondsPath", WAIT, PATH),
    Field("Timestamp", WAIT, BOTH),
    Field("TimestampPath", WAIT, PATH),
    Field("Error", FAIL, BOTH),
    Field("ErrorPath", FAIL, PATH),
    Field("Cause", FAIL, BOTH),
    Field("CausePath", FAIL, PATH),
    Field("Branches", PARALLEL, BOTH),
    Field("ItemProcessor", MAP, BOTH),
    Field("Iterator", MAP, PATH),
    Field("Items", MAP, JSONATA),
    Field("ItemsPath", MAP, PATH),
    Field("ItemSelector", MAP, BOTH),
    Field("ItemBatcher", MAP, BOTH),
    Field("MaxConcurrency", MAP, BOTH),
    Field("MaxConcurrencyPath", MAP, PATH),
    Field("ToleratedFailureCount", MAP, BOTH),
    Field("ToleratedFailureCountPath", MAP, PATH),
    Field("ToleratedFailurePercentage", MAP, BOTH),
    Field("ToleratedFailurePercentagePath", MAP, PATH),
    Field("ItemReader", MAP, BOTH),
    Field("ResultWriter", MAP, BOTH),
    Field("Label", MAP, BOTH),
];

/// Fields of Amazon States Language that cannot be used, and what to do instead.
const NOT_SUPPORTED: &[(&str, &str)] =
    &[("ManifestType", "manifests of S3 and Athena are not read; list the files instead")];

/// The bit of a state type.
fn bit(type_name: &str) -> Types {
    TYPES.iter().position(|name| *name == type_name).map_or(0, |index| 1 << index)
}

/// Whether states of this type and query language have a field called `name`.
pub(super) fn state_has(type_name: &str, language: QueryLanguage, name: &str) -> bool {
    STATE_FIELDS.iter().any(|Field(field, types, of)| {
        *field == name && types & bit(type_name) != 0 && of.is_none_or(|of| of == language)
    })
}

/// What to use in the other query language.
fn counterpart(name: &str) -> String {
    let other = match name {
        "InputPath" | "Parameters" => "use `Arguments`, or read `$states.input` in an expression",
        "ResultSelector" | "OutputPath" | "Result" => "use `Output`",
        "ResultPath" => "use `Output`, or keep the result in a variable with `Assign`",
        "ItemsPath" => "use `Items`",
        "Iterator" => "use `ItemProcessor`",
        "Arguments" => "use `Parameters`",
        "Output" => "use `ResultSelector`, `ResultPath` or `OutputPath`",
        "Items" => "use `ItemsPath`",
        "Condition" => "use `Variable` and a comparison",
        _ => match name.strip_suffix("Path") {
            Some(base) => return format!("write an expression: `\"{base}\": \"{{% … %}}\"`"),
            None => "use `Condition`",
        },
    };
    other.to_owned()
}

const fn language_name(language: QueryLanguage) -> &'static str {
    match language {
        QueryLanguage::JsonPath => "JSONPath",
        QueryLanguage::Jsonata => "JSONata",
    }
}

impl Reader<'_, '_> {
    /// Reports the fields that a state of this type cannot have.
    pub(super) fn check_state_fields(&mut self, object: &Object<'_>, type_name: &str) {
        for at in object.fields() {
            let name = at.key();
            match STATE_FIELDS.iter().find(|Field(field, ..)| *field == name) {
                Some(Field(_, types, _)) if types & bit(type_name) == 0 => {
                    let message = format!("`{name}` is not a field of {type_name} states");
                    self.not_allowed(&at, message, format!("it belongs to {}", owners(*types)));
                }
                Some(Field(_, _, Some(of))) if *of != object.language => {
                    self.wrong_language(&at, *of);
                }
                Some(_) => {}
                None => {
                    let known = STATE_FIELDS.iter().map(|Field(name, ..)| *name);
                    self.unknown(
                        &at,
                        known.filter(|name| state_has(type_name, object.language, name)),
                    );
                }
            }
        }
    }

    /// Reports every field that is not in `known`.
    pub(super) fn check_fields(&mut self, object: &Object<'_>, known: &[&str]) {
        for at in object.fields() {
            if !known.contains(&at.key()) {
                self.unknown(&at, known.iter().copied());
            }
        }
    }

    /// The same where some fields belong to one query language.
    pub(super) fn check_fields_of_language(&mut self, object: &Object<'_>, known: &[&str]) {
        for at in object.fields() {
            let of = match at.key() {
                "Arguments" => QueryLanguage::Jsonata,
                "Parameters" => QueryLanguage::JsonPath,
                key if key.ends_with("Path") => QueryLanguage::JsonPath,
                _ => at.language,
            };
            if !known.contains(&at.key()) {
                self.unknown(&at, known.iter().copied());
            } else if of != at.language {
                self.wrong_language(&at, of);
            }
        }
    }

    /// Reports a field of the language that cannot stand here.
    pub(super) fn not_allowed(&mut self, at: &At<'_>, message: String, hint: impl Into<String>) {
        let fault = Fault::new(codes::FIELD_NOT_ALLOWED, at.key_span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }

    /// Reports a field that only the other query language has.
    pub(super) fn wrong_language(&mut self, at: &At<'_>, of: QueryLanguage) {
        let name = at.key();
        let (of, here) = (language_name(of), language_name(at.language));
        let message = format!("`{name}` is a field of {of}, but this state is written in {here}");
        let fault = Fault::new(codes::FIELD_LANGUAGE, at.key_span, message).hint(counterpart(name));
        self.faults.report(&at.place, fault);
    }

    /// Reports a field that has no meaning here.
    pub(super) fn unknown<'n>(&mut self, at: &At<'_>, known: impl Iterator<Item = &'n str>) {
        let name = at.key();
        if let Some((_, instead)) = NOT_SUPPORTED.iter().find(|(field, _)| *field == name) {
            let message = format!("`{name}` is not supported yet");
            let fault = Fault::new(codes::NOT_SUPPORTED, at.key_span, message).hint(*instead);
            self.faults.report(&at.place, fault);
            return;
        }
        // Looking for near names is the slow part; it is left when nobody would see the result.
        let meant = if self.faults.is_full() { None } else { nearest(name, known) };
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "remove it, or put notes into `Comment`".to_owned(),
        };
        let message = format!("{} is not a field that is known here", quoted(name));
        let fault = Fault::new(codes::UNKNOWN_FIELD, at.key_span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }
}

/// The state types of a set, as people would list them.
fn owners(types: Types) -> String {
    let names: Vec<&str> = TYPES.iter().copied().filter(|name| types & bit(name) != 0).collect();
    match names.split_last() {
        Some((last, [])) => format!("{last} states"),
        Some((last, rest)) => format!("{} and {last} states", rest.join(", ")),
        None => "no states".to_owned(),
    }
}
