//! What an execution gave.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

use super::card::{FailureCard, job_label};
use super::cleanup::{CleanupOutcome, outcomes, summary_error, summary_fields};
use super::skipped;
use super::step::{open_fork, took};
use crate::engine::{Execution, Program, Step, StepStatus, Timestamp};
use crate::language::{Json, StateName};

/// The result of an execution: of one that has ended, or what there is so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultCard {
    /// The execution's id.
    pub job_id: String,
    /// The execution's status.
    pub status: &'static str,
    /// What each step gave that was entered, in the order of their entrance; then the steps that a
    /// choice led past.
    pub steps: IndexMap<StateName, StepResult>,
    /// Counts, and what the definition's `Summary` gave.
    pub summary: ResultSummary,
    /// What was undone, in that order, when it did not reach its end.
    pub cleanup: Vec<CleanupOutcome>,
    /// The output, when it completed.
    pub output: Option<Json>,
    /// Why it failed or timed out.
    pub error: Option<FailureCard>,
}

/// What one step gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepResult {
    /// Its newest job.
    pub job_id: Option<String>,
    /// The execution that did that job's work, when no worker did.
    pub execution: Option<String>,
    /// The step's status.
    pub status: &'static str,
    /// Why it was skipped: the `Comment` of the choice's rule.
    pub reason: Option<Arc<str>>,
    /// What its work gave.
    pub result: Option<Json>,
    /// Why it failed.
    pub error: Option<FailureCard>,
    /// How long it took.
    pub duration_seconds: f64,
    /// Branches, items or batches of a Parallel or Map: how many there were; else 0.
    pub total_batches: u32,
    /// How many of them failed.
    pub failed_batches: u32,
    /// Those that failed, the first hundred; and those that ended well, the first thousand, where
    /// `result` does not have what they gave, because the whole did not succeed or is open.
    pub batches: Vec<BatchResult>,
}

/// What one branch, item or batch gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchResult {
    /// Which, from 0.
    pub index: u32,
    /// `completed` or `failed`.
    pub status: &'static str,
    /// The execution that it was, in a distributed Map, when it failed.
    pub execution: Option<String>,
    /// What it gave.
    pub result: Option<Json>,
    /// Why it failed.
    pub error: Option<FailureCard>,
}

/// Parts that ended well that a result tells of.
const MOST_COMPLETED: usize = 1000;

/// Counts over an execution, and beside them what the definition's `Summary` gave. A field of that
/// which is called like a count is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResultSummary {
    /// Failures that were caught or tolerated.
    pub total_errors: u32,
    /// What jobs that succeeded had counted as processed, all together; absent when `Summary` gives
    /// a number of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_items_processed: Option<u64>,
    /// Steps that were entered.
    pub total_steps: usize,
    /// Steps that ended well, also those with errors in their parts.
    pub completed_steps: usize,
    /// Steps that failed.
    pub failed_steps: usize,
    /// Steps that were stopped.
    pub cancelled_steps: usize,
    /// Why `Summary` could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_error: Option<FailureCard>,
    /// The fields that `Summary` gave.
    #[serde(flatten)]
    pub made: Map<String, Value>,
}

/// The names that `Summary` does not give.
const COUNTS: &[&str] = &[
    "total_errors",
    "total_steps",
    "completed_steps",
    "failed_steps",
    "cancelled_steps",
    "summary_error",
];

impl ResultCard {
    /// What `execution`, which runs `program`, has given by `now`. Hidden steps are left out unless
    /// they had a job or failed.
    #[must_use]
    pub fn of(program: &Program, execution: &Execution, now: Timestamp) -> Self {
        let hidden = |name: &str| program.state(name).is_some_and(|state| state.weight <= 0.0);
        let shown = |(name, step): &(&StateName, &Step)| {
            let is_entered = step.status != StepStatus::Pending;
            is_entered && (!hidden(name) || step.job.is_some() || step.failure.is_some())
        };
        let entered: Vec<(&StateName, &Step)> = execution.steps.iter().filter(shown).collect();
        let skipped = skipped::all(program, execution)
            .map(|skip| (skip.name.clone(), StepResult::skipped(skip.reason)));
        Self {
            job_id: execution.id.to_string(),
            status: execution.status.as_str(),
            summary: summary(execution, &entered),
            steps: entered
                .into_iter()
                .map(|(name, step)| (name.clone(), StepResult::of(execution, name, step, now)))
                .chain(skipped)
                .collect(),
            cleanup: execution.cleanup.iter().flat_map(|done| outcomes(done, now)).collect(),
            output: execution.output.clone(),
            error: execution.failure.as_ref().map(FailureCard::of),
        }
    }
}

impl StepResult {
    fn skipped(reason: Option<Arc<str>>) -> Self {
        Self {
            job_id: None,
            execution: None,
            status: "skipped",
            reason,
            result: None,
            error: None,
            duration_seconds: 0.0,
            total_batches: 0,
            failed_batches: 0,
            batches: Vec::new(),
        }
    }

    fn of(execution: &Execution, name: &StateName, step: &Step, now: Timestamp) -> Self {
        Self {
            job_id: step.job.map(|job| job_label(execution.id, job)),
            execution: step.child.map(|child| child.to_string()),
            status: step.status.as_str(),
            reason: None,
            result: step.result.clone(),
            error: step.failure.as_ref().map(FailureCard::of),
            duration_seconds: took(step, now),
            total_batches: step.parts,
            failed_batches: step.parts_failed,
            batches: batches(execution, name, step),
        }
    }
}

/// What is known of single parts, in their order.
fn batches(execution: &Execution, name: &StateName, step: &Step) -> Vec<BatchResult> {
    let failed = step.kept.failed.iter().map(|part| BatchResult {
        index: part.index,
        status: StepStatus::Failed.as_str(),
        execution: part.child.map(|child| child.to_string()),
        result: None,
        error: Some(FailureCard::of(&part.failure)),
    });
    let fork = open_fork(execution, name);
    let outputs = fork.map_or(&step.kept.outputs, |fork| &fork.outputs);
    // The place of a part that failed holds what is told of it among the results.
    let is_told = |index| fork.is_some_and(|fork| fork.told_failures.contains(index));
    let well = outputs.iter().filter(|(index, _)| !is_told(index));
    let completed = well.take(MOST_COMPLETED).map(|(index, output)| BatchResult {
        index: *index,
        status: StepStatus::Completed.as_str(),
        execution: None,
        result: Some(output.clone()),
        error: None,
    });
    let mut batches: Vec<BatchResult> = failed.chain(completed).collect();
    batches.sort_by_key(|batch| batch.index);
    batches
}

fn summary(execution: &Execution, entered: &[(&StateName, &Step)]) -> ResultSummary {
    let count = |wanted: &[StepStatus]| {
        entered.iter().filter(|(_, step)| wanted.contains(&step.status)).count()
    };
    let made = summary_fields(execution, COUNTS);
    ResultSummary {
        total_errors: execution.total_errors,
        total_items_processed: (!made.contains_key("total_items_processed"))
            .then_some(execution.items_processed),
        total_steps: entered.len(),
        completed_steps: count(&[StepStatus::Completed, StepStatus::CompletedWithErrors]),
        failed_steps: count(&[StepStatus::Failed]),
        cancelled_steps: count(&[StepStatus::Cancelled]),
        summary_error: summary_error(execution),
        made,
    }
}
