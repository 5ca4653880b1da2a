//! What was undone, and what a definition's `Summary` gave.

use serde::Serialize;
use serde_json::{Map, Value};

use super::card::FailureCard;
use super::text::seconds;
use crate::engine::cleanup::{Cleanup, Undoing, Undone};
use crate::engine::{EndSummary, Execution, ExecutionId, Timestamp};
use crate::language::StateName;

/// How far the clean-up of an execution is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CleanupCard {
    /// When it began, as RFC 3339.
    pub since: String,
    /// When all of it must be done, as RFC 3339; what is left then is given up.
    pub deadline: String,
    /// What has been undone, and what is being undone, in that order.
    pub outcomes: Vec<CleanupOutcome>,
}

/// The clean-up of one step, or `OnCancel`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CleanupOutcome {
    /// The step that is undone; absent for `OnCancel`.
    pub step: Option<StateName>,
    /// The state that undoes it.
    pub state: StateName,
    /// `running`, `completed` or `failed`.
    pub status: &'static str,
    /// How long it took, or has taken so far; absent when it never began.
    pub duration_seconds: Option<f64>,
    /// Why it failed, or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureCard>,
}

/// The end of an execution that somebody forced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForcedCard {
    /// Who.
    pub by: std::sync::Arc<str>,
    /// Why.
    pub reason: Option<std::sync::Arc<str>>,
    /// When, as RFC 3339.
    pub at: String,
    /// Executions that it began and that had not stopped; they were told to.
    pub abandoned: Vec<String>,
}

impl CleanupCard {
    pub(super) fn of(execution: &Execution, now: Timestamp) -> Option<Self> {
        let cleanup = execution.cleanup.as_ref()?;
        Some(Self {
            since: cleanup.since.to_string(),
            deadline: cleanup.deadline.to_string(),
            outcomes: outcomes(cleanup, now),
        })
    }
}

impl ForcedCard {
    pub(super) fn of(forced: &crate::engine::cleanup::Forced) -> Self {
        Self {
            by: forced.by.clone(),
            reason: forced.reason.clone(),
            at: forced.at.to_string(),
            abandoned: forced.abandoned.iter().map(ExecutionId::to_string).collect(),
        }
    }
}

/// What was undone, and what is being undone.
pub(super) fn outcomes(cleanup: &Cleanup, now: Timestamp) -> Vec<CleanupOutcome> {
    let over = |done: &Undone| CleanupOutcome {
        step: done.of.clone(),
        state: done.state.clone(),
        status: if done.failure.is_none() { "completed" } else { "failed" },
        duration_seconds: done.since.map(|since| seconds(done.ended_at.ms_since(since))),
        error: done.failure.as_ref().map(FailureCard::of),
    };
    let running = |running: &Undoing| CleanupOutcome {
        step: running.of.clone(),
        state: running.state.clone(),
        status: "running",
        duration_seconds: Some(seconds(now.ms_since(running.since))),
        error: None,
    };
    cleanup.done.iter().map(over).chain(cleanup.running.iter().map(running)).collect()
}

/// The fields that the definition's `Summary` gave, without those that have a `reserved` name.
pub(super) fn summary_fields(execution: &Execution, reserved: &[&str]) -> Map<String, Value> {
    let Some(EndSummary::Made(made)) = &execution.summary else { return Map::new() };
    let Value::Object(mut fields) = made.value() else { return Map::new() };
    fields.retain(|name, _| !reserved.contains(&name.as_str()));
    fields
}

/// Why the definition's `Summary` could not be evaluated.
pub(super) fn summary_error(execution: &Execution) -> Option<FailureCard> {
    match &execution.summary {
        Some(EndSummary::Failed(failure)) => Some(FailureCard::of(failure)),
        Some(EndSummary::Made(_)) | None => None,
    }
}
