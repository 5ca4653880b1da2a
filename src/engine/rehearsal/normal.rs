//! The normal form of an event: what of it a definition decides.
//!
//! Left out are ids of executions and map runs, tokens, progress, which hangs on weights, the version
//! that ran, and deadlines that a limit sets. Times stay: they follow from the time of the command,
//! which is the recorded one.

use serde_json::{Map, Value};

use crate::engine::event::{Data, Event};
use crate::engine::execution::Execution;
use crate::engine::id::FrameId;
use crate::language::Json;

/// What a definition does not decide, in any event.
const LEFT_OUT: [&str; 5] = ["token", "callback", "progress", "definition", "run"];

/// An event as its name and what a definition decides of it, as it is written.
pub(super) fn form(event: &Event) -> (&'static str, Value) {
    let mut body = match event.to_json() {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    for field in LEFT_OUT {
        body.shift_remove(field);
    }
    match event {
        Event::CancelRequested(_) | Event::CancelExtended(_) => drop(body.shift_remove("deadline")),
        Event::ItemStarted(_) => drop(body.shift_remove("child")),
        Event::ForkStarted(fork) => drop(body.insert("is_run".into(), fork.run.is_some().into())),
        Event::JobScheduled(job) => {
            body.insert("calls_back".into(), job.callback.is_some().into());
            if let Some(child) = body.get_mut("child").and_then(Value::as_object_mut) {
                child.shift_remove("execution");
            }
        }
        _ => {}
    }
    (event.name(), Value::Object(body))
}

/// The same, with data in place of the ways in which it is written; `execution` stands before the
/// event.
pub(super) fn resolved(event: &Event, execution: &Execution) -> (&'static str, Value) {
    let (name, mut form) = form(event);
    let place = |frame: FrameId, data: &Data| execution.resolve(frame, data);
    let (field, data) = match event {
        Event::StateEntered(body) => ("input", place(body.frame, &body.input)),
        Event::StateExited(body) => ("output", place(body.frame, &body.output)),
        Event::FailureCaught(body) => ("output", place(body.frame, &body.output)),
        Event::JobScheduled(body) => ("input", execution.input_of_job(body)),
        Event::ItemStarted(body) => {
            let fork = execution.frames.get(&body.frame).and_then(|frame| frame.fork());
            ("input", fork.map_or_else(Json::null, |fork| fork.input_of_item(body)))
        }
        Event::ForkStarted(body) => match &body.items {
            Some(items) => ("items", place(body.frame, items)),
            None => return (name, form),
        },
        _ => return (name, form),
    };
    if let Some(form) = form.as_object_mut() {
        form.insert(field.to_owned(), data.value());
    }
    (name, form)
}

/// Whether what was decided is what was recorded, but for what another draw of chance decides
/// otherwise.
pub(super) fn is_same(
    decided: &(&str, Value),
    recorded: &(&str, Value),
    other: Option<&(&'static str, Value)>,
) -> bool {
    let other = other.filter(|other| other.0 == decided.0).map(|other| &other.1);
    decided.0 == recorded.0 && is_same_value(&decided.1, &recorded.1, other)
}

fn is_same_value(decided: &Value, recorded: &Value, other: Option<&Value>) -> bool {
    if decided == recorded {
        return true;
    }
    match (decided, recorded) {
        (Value::Object(one), Value::Object(two))
            if one.len() == two.len() && one.keys().all(|name| two.contains_key(name)) =>
        {
            one.iter().all(|(name, value)| {
                let other = other.and_then(|other| other.get(name));
                two.get(name).is_some_and(|two| is_same_value(value, two, other))
            })
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            one.iter().zip(two).enumerate().all(|(index, (value, two))| {
                is_same_value(value, two, other.and_then(|other| other.get(index)))
            })
        }
        // Chance decides on a value, and on its shape only where it does so between two draws.
        _ => other.is_some_and(|other| {
            other != decided
                && (shape(other) != shape(decided) || shape(recorded) == shape(decided))
        }),
    }
}

/// What kind of value it is, and how long.
fn shape(value: &Value) -> (u8, usize) {
    match value {
        Value::Null => (0, 0),
        Value::Bool(_) => (1, 0),
        Value::Number(_) => (2, 0),
        Value::String(_) => (3, 0),
        Value::Array(items) => (4, items.len()),
        Value::Object(fields) => (5, fields.len()),
    }
}
