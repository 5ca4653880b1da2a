//! One event, for people and for programs.

use serde::Serialize;
use serde_json::Value;

use super::super::ui::Role;
use crate::engine::Event;
use crate::store::Record;
use crate::view::{Places, one_line, sentence};

/// An event for programs.
#[derive(Serialize)]
pub(in super::super) struct EventDocument {
    /// Place in the whole log.
    position: u64,
    /// Place in its history.
    sequence: u64,
    /// The execution; absent for events of workflows.
    execution: Option<String>,
    time: String,
    /// The event's name.
    event: &'static str,
    /// The state in which it happened, where that is known.
    step_name: Option<String>,
    /// The event in words.
    sentence: String,
    /// Its fields.
    data: Value,
}

/// What an event says, and where it happened.
pub(in super::super) struct Told {
    pub(super) step: Option<String>,
    pub(super) sentence: String,
}

pub(in super::super) fn tell(record: &Record, places: &mut Places) -> Told {
    let step = places.place(&record.event).map(|step| one_line(&step, 40));
    Told { step, sentence: sentence(&record.event) }
}

pub(in super::super) fn document(record: &Record, told: Told) -> EventDocument {
    let is_definition = matches!(*record.event, Event::DefinitionStored(_));
    EventDocument {
        position: record.position,
        sequence: record.sequence,
        execution: (!is_definition).then(|| record.stream.to_string()),
        time: record.time.to_string(),
        event: record.event.name(),
        step_name: told.step,
        sentence: told.sentence,
        data: record.event.to_json(),
    }
}

/// The colour of an event's name.
pub(super) fn role(record: &Record) -> Role {
    match record.event.name() {
        "JobFailed" | "JobTimedOut" | "FrameFailed" | "ExecutionFailed" | "ExecutionTimedOut"
        | "ExecutionSetAside" => Role::Bad,
        "FailureCaught" | "RetryScheduled" | "AttemptLost" | "CancelRequested" => Role::Caution,
        "ExecutionCompleted" => Role::Good,
        _ => Role::Plain,
    }
}
