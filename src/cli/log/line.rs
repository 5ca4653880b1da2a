//! One event, for people and for programs.

use super::super::ui::Role;
use crate::engine::ExecutionId;
use crate::store::Record;

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
