//! How an execution ended, and where what it failed with first occurred.

use serde::Serialize;

use super::Why;
use super::facts::failure_of;
use crate::engine::{Event, Execution, ExecutionId, Failure, JobId, Status, StepStatus};
use crate::language::StateName;
use crate::store::Record;
use crate::view::{FailureCard, Places};

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct End {
    /// When, as RFC 3339.
    pub ended_at: Option<String>,
    /// Why it failed or timed out.
    pub failure: Option<FailureCard>,
    /// The step it failed in.
    pub failed_step: Option<StateName>,
    /// Where that failure, or the first that was caught or tolerated, first occurred.
    pub first_failure: Option<FailurePoint>,
    /// Failures that were caught or tolerated.
    pub total_errors: u32,
    /// Whether it can be retried.
    pub can_be_retried: bool,
}

/// An event at which something failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailurePoint {
    /// The event's sequence.
    pub sequence: u64,
    /// The event's name.
    pub event: &'static str,
    /// When, as RFC 3339.
    pub time: String,
    /// The state in which it happened; of a Map, also one inside of it.
    pub step_name: Option<StateName>,
    /// What failed.
    pub failure: FailureCard,
    /// The execution in which it failed, when it was another one.
    pub execution: Option<String>,
    /// How that one ended, where it was looked at.
    pub child: Option<Box<Why>>,
}

impl End {
    /// How `execution` with this history ended; nothing when it has not.
    pub(super) fn of(execution: &Execution, history: &[Record]) -> Option<Self> {
        if !execution.status.is_terminal() {
            return None;
        }
        // Clean-up comes after the work, and takes time of its own.
        let over_at = execution.cleanup.as_ref().map(|cleanup| cleanup.since);
        let over_at = over_at.or(execution.ended_at);
        let failed = |step: &crate::engine::Step| {
            step.status == StepStatus::Failed && step.ended_at == over_at
        };
        let has_failed = matches!(execution.status, Status::Failed | Status::TimedOut);
        let mut steps = execution.steps.iter().rev().filter(|(_, step)| has_failed && failed(step));
        Some(Self {
            ended_at: execution.ended_at.map(|at| at.to_string()),
            failure: execution.failure.as_ref().map(FailureCard::of),
            failed_step: steps.next().map(|(name, _)| name.clone()),
            first_failure: first_failure(execution, history),
            total_errors: execution.total_errors,
            can_be_retried: execution.permits_retry().is_ok(),
        })
    }
}

/// The first event that failed as the execution did; when it did not fail, the first that failed.
fn first_failure(execution: &Execution, history: &[Record]) -> Option<FailurePoint> {
    let wanted = execution.failure.as_ref();
    if wanted.is_none() && execution.total_errors == 0 {
        return None;
    }
    let mut places = Places::default();
    // What failed before the last redrive is dealt with; what was caught may be among what is kept.
    let redriven = |record: &&Record| matches!(&*record.event, Event::ExecutionRedriven(_));
    let last = history.iter().rev().find(redriven).filter(|_| wanted.is_some());
    let since = last.map_or(0, |record| record.sequence);
    for record in history {
        let place = places.place(&record.event);
        let Some(failure) = failure_of(&record.event) else { continue };
        if record.sequence < since {
            continue;
        }
        if wanted.is_none_or(|wanted| *wanted == failure) {
            return Some(point(record, place, &failure, history));
        }
    }
    None
}

fn point(
    record: &Record,
    place: Option<StateName>,
    failure: &Failure,
    history: &[Record],
) -> FailurePoint {
    FailurePoint {
        sequence: record.sequence,
        event: record.event.name(),
        time: record.time.to_string(),
        step_name: place,
        failure: FailureCard::of(failure),
        execution: culprit(record, history).map(|id| id.to_string()),
        child: None,
    }
}

/// The execution whose failure the event tells.
fn culprit(record: &Record, history: &[Record]) -> Option<ExecutionId> {
    let attempt = |job: JobId| {
        let scheduled = history.iter().rev().filter(|other| other.sequence < record.sequence);
        let mut of_job = scheduled.filter_map(|other| match &*other.event {
            Event::JobScheduled(body) if body.job == job => Some(body),
            _ => None,
        });
        of_job.next()?.child.as_ref().map(|child| child.execution)
    };
    match &*record.event {
        Event::ItemFailed(body) => Some(body.child),
        Event::JobFailed(body) => attempt(body.job),
        _ => None,
    }
}
