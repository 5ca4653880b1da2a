//! What there is to say of events.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::MOST_PAYLOAD_BYTES;
use crate::engine::Failure;
use crate::language::Json;

/// `name` and `nameDetails`, where payloads are wanted.
pub(super) fn payload(name: &str, data: &Json, is_wanted: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    if is_wanted {
        let (text, truncated) = cut(data.as_str());
        fields.insert(name.to_owned(), text.into());
        fields.insert(format!("{name}Details"), json!({"truncated": truncated}));
    }
    fields
}

/// A text, cut to the longest payload.
fn cut(text: &str) -> (&str, bool) {
    if text.len() <= MOST_PAYLOAD_BYTES {
        return (text, false);
    }
    let end = text.floor_char_boundary(MOST_PAYLOAD_BYTES);
    (text.get(..end).unwrap_or_default(), true)
}

/// A state was entered or left with this.
pub(super) fn state(name: &str, what: &str, data: &Json, is_wanted: bool) -> Map<String, Value> {
    let mut fields = payload(what, data, is_wanted);
    fields.insert("name".to_owned(), name.into());
    fields
}

/// Adds the variables that a state assigned.
pub(super) fn assign(fields: &mut Map<String, Value>, assigned: &[(Arc<str>, Json)]) {
    let mut left = MOST_PAYLOAD_BYTES;
    let fits = |(_, value): &&(Arc<str>, Json)| {
        let fits = value.len_bytes() <= left;
        left = left.saturating_sub(value.len_bytes());
        fits
    };
    let shown: Map<String, Value> = assigned
        .iter()
        .take_while(fits)
        .map(|(name, value)| (name.to_string(), value.as_str().into()))
        .collect();
    let truncated = shown.len() < assigned.len();
    fields.insert("assignedVariables".to_owned(), shown.into());
    fields.insert("assignedVariablesDetails".to_owned(), json!({"truncated": truncated}));
}

/// `error` and `cause`, those that there are.
pub(super) fn failure(failure: &Failure) -> Value {
    let mut fields = Map::new();
    for (name, text) in [("error", &failure.error), ("cause", &failure.cause)] {
        if !text.is_empty() {
            fields.insert(name.to_owned(), (&**text).into());
        }
    }
    fields.into()
}

/// Where in its state an expression stands, by what its failure says.
pub(super) fn location(cause: &str) -> Option<&str> {
    let (_, rest) = cause.split_once("for the field '")?;
    rest.split_once('\'').map(|(field, _)| field)
}
