//! One event, for people and for programs.

use super::super::ui::Role;
use crate::store::Record;
use crate::view::Places;
pub(super) use crate::view::{EventDocument, Told};

pub(super) fn tell(record: &Record, places: &mut Places) -> Told {
    Told::of(record, places)
}

pub(super) fn document(record: &Record, told: Told) -> EventDocument {
    EventDocument::of(record, told)
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
