//! One event, for people and for programs.

use serde::Serialize;
use serde_json::Value;

use super::super::ui::Role;
use crate::engine::ExecutionId;
use crate::store::Record;
use crate::view::{Places, one_line, sentence};

/// An event for programs.
#[derive(Serialize)]
pub(super) struct EventDocument {
    /// Place in the whole log.
    position: u64,
    /// Place in its history.
    sequence: u64,
    /// The execution; absent for events of workflows, and of the whole system.
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
pub(super) struct Told {
    pub(super) step: Option<String>,
    pub(super) sentence: String,
}

pub(super) fn tell(record: &Record, places: &mut Places) -> Told {
    let step = places.place(&record.event).map(|step| one_line(&step, 40));
    Told { step, sentence: sentence(&record.event) }
}

pub(super) fn document(record: &Record, told: Told) -> EventDocument {
    EventDocument {
        position: record.position,
        sequence: record.sequence,
        execution: record.event.is_of_execution().then(|| record.stream.to_string()),
        time: record.time.to_string(),
        event: record.event.name(),
        step_name: told.step,
        sentence: told.sentence,
        data: record.event.to_json(),
    }
}

/// The execution whose event it is, as people read it.
pub(super) fn execution_of(record: &Record) -> String {
    if !record.event.is_of_execution() {
        return "-".to_owned();
    }
    ExecutionId(record.stream).short()
}

/// The colour of an event's name.
pub(super) fn role(record: &Record) -> Role {
    match record.event.name() {
        "JobFailed" | "JobTimedOut" | "FrameFailed" | "ExecutionFailed" | "ExecutionTimedOut"
        | "ExecutionSetAside" => Role::Bad,
        "FailureCaught" | "RetryScheduled" | "AttemptLost" | "CancelRequested"
        | "ExecutionPaused" | "WorkflowPaused" | "JobTypePaused" => Role::Caution,
        "ExecutionCompleted" => Role::Good,
        _ => Role::Plain,
    }
}
