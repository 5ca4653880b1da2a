//! The history of an execution as AWS Step Functions tells it.
//!
//! Ours and theirs differ: theirs has no retries, timers, reports or pauses, numbers what all branches
//! do in one sequence, and says of each event which one led to it. What leads to what was measured on
//! AWS by others, and has its odd sides: the first state is led to by nothing, an iteration that takes
//! a free place by what freed it, and the exit of a Map by the same event as its success.

mod details;
mod fold;
mod forks;
mod map_runs;
mod page;
mod work;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::engine::{ExecutionId, Failure};

pub use map_runs::{Counts, MapRun, map_runs};
pub use page::{HistoryPage, HistoryWish, history_page};

/// The longest payload that an event shows whole, in bytes: what AWS allows one to have.
pub const MOST_PAYLOAD_BYTES: usize = 262_144;

/// An event as `GetExecutionHistory` tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEvent {
    /// When, in seconds since 1970.
    pub timestamp: f64,
    /// What happened, as `TaskStateEntered`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Its place in the history, dense, from 1.
    pub id: u64,
    /// The event that led to it; 0 when none did.
    #[serde(rename = "previousEventId")]
    pub previous: u64,
    /// What there is to say of it: one member, as `stateEnteredEventDetails`, or none.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

/// How the things are called that events name.
pub trait Names {
    /// The region that there would be.
    fn region(&self) -> &str;
    /// The ARN of the role of the state machine.
    fn role(&self) -> Option<&str>;
    /// The ARN of the activity that a job type is.
    fn activity(&self, job_type: &str) -> String;
    /// The ARN of an execution that was begun with a name or without.
    fn execution(&self, workflow: &str, id: ExecutionId) -> String;
    /// The ARN of a version or an alias of a workflow.
    fn qualified(&self, workflow: &str, qualifier: &str) -> String;
    /// What somebody said who stopped an execution, as an error and a cause.
    fn reason(&self, reason: &str) -> Failure;
    /// The ARN of a run of a distributed Map that `of` has.
    fn map_run(&self, workflow: &str, of: ExecutionId, run: Uuid) -> String;
}
