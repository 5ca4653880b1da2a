//! The engine from outside: given a definition, when commands come, then events.

mod callback;
mod cancel;
mod child;
mod cleanup;
mod delete;
mod failure;
mod flow;
mod force;
mod fork;
mod job;
pub(super) mod kit;
mod map_run;
mod model;
mod pause;
mod place;
mod progress;
mod properties;
mod redrive;
mod redrive_parts;
mod start;
mod state;
mod summary;
mod timer;

use serde_json::{Value, json};

/// A JSONPath machine of one state, which ends it.
fn only(state: Value) -> Value {
    json!({"StartAt": "A", "States": {"A": state}})
}

/// The same in JSONata.
fn only_jsonata(state: Value) -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}})
}

/// A Task with these further fields, which ends its machine.
fn task(mut fields: Value) -> Value {
    let object = fields.as_object_mut().unwrap();
    object.insert("Type".into(), "Task".into());
    object.insert("Resource".into(), "work".into());
    if !object.contains_key("Next") {
        object.insert("End".into(), true.into());
    }
    fields
}
