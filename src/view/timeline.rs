//! When what was at work: steps, and attempts of jobs.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;

use super::marks::{Mark, marks};
use super::step::StepCard;
use super::{FailureCard, Places, job_label};
use crate::engine::{Event, Execution, Failure, JobId, Program, Timestamp, worker_name};
use crate::language::StateName;
use crate::store::Record;

/// Attempts that a timeline names; the rest are counted.
const ATTEMPTS_NAMED: usize = 10_000;

/// When what was at work in an execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// The execution's id.
    pub id: String,
    /// Its status.
    pub status: &'static str,
    /// When it began, as RFC 3339.
    pub started_at: String,
    /// When it ended, as RFC 3339.
    pub ended_at: Option<String>,
    /// The steps that were entered, in the order of the definition.
    pub steps: Vec<StepSpan>,
    /// Attempts of jobs, in the order in which they were scheduled.
    pub attempts: Vec<AttemptSpan>,
    /// How many more there are.
    pub more_attempts: usize,
    /// What stands out, in the order in which it happened.
    pub marks: Vec<Mark>,
    /// How many more there are.
    pub more_marks: usize,
    /// The sequence of the last event that this knows of.
    pub sequence: u64,
}

/// When a step was at work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepSpan {
    /// The state's name.
    pub name: StateName,
    /// Its name for people.
    pub title: String,
    /// The step's status.
    pub status: &'static str,
    /// When it was first entered, as RFC 3339.
    pub started_at: String,
    /// When it was left last, as RFC 3339.
    pub ended_at: Option<String>,
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptSpan {
    /// The job.
    pub job_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub job_type: Arc<str>,
    /// The type's name for people, where the definition has one.
    pub label: Option<String>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The state that it works for.
    pub step_name: Option<StateName>,
    /// The state of the outermost machine in which that is, or which it is.
    pub within: Option<StateName>,
    /// Who had it.
    pub worker: Option<Arc<str>>,
    /// When it was scheduled, as RFC 3339.
    pub scheduled_at: String,
    /// When a worker took it, as RFC 3339.
    pub started_at: Option<String>,
    /// When it was over, as RFC 3339.
    pub ended_at: Option<String>,
    /// `succeeded`, `failed`, `timed_out`, `lost` or `cancelled`; nothing while it is not over.
    pub outcome: Option<&'static str>,
    /// Why it failed.
    pub error: Option<FailureCard>,
}

impl Timeline {
    /// The timeline of the execution of `program` with this history, all of it, at `now`.
    #[must_use]
    pub fn of(
        program: &Program,
        execution: &Execution,
        history: &[Record],
        now: Timestamp,
    ) -> Self {
        let steps = StepCard::all(program, execution, now).into_iter().filter_map(|step| {
            let started_at = step.started_at?;
            let (name, title, status) = (step.name, step.title, step.status);
            Some(StepSpan { name, title, status, started_at, ended_at: step.ended_at })
        });
        let mut attempts = attempts(program, execution, history);
        let more_attempts = attempts.len().saturating_sub(ATTEMPTS_NAMED);
        attempts.truncate(ATTEMPTS_NAMED);
        let (marks, more_marks) = marks(history);
        Self {
            id: execution.id.to_string(),
            status: execution.status.as_str(),
            started_at: execution.started_at.to_string(),
            ended_at: execution.ended_at.map(|at| at.to_string()),
            steps: steps.collect(),
            attempts,
            more_attempts,
            marks,
            more_marks,
            sequence: execution.sequence,
        }
    }
}

fn attempts(program: &Program, execution: &Execution, history: &[Record]) -> Vec<AttemptSpan> {
    let label = |job_type| program.workflow.job_type_words.get(job_type)?.label.clone();
    let mut places = Places::default();
    let mut spans: IndexMap<(JobId, u32), AttemptSpan> = IndexMap::new();
    let mut newest: IndexMap<JobId, u32> = IndexMap::new();
    for record in history {
        let place = places.place(&record.event);
        let time = record.time.to_string();
        let mut end = |job: JobId, attempt: u32, outcome, failure: Option<&Failure>| {
            if let Some(span) = spans.get_mut(&(job, attempt)) {
                span.ended_at = Some(time.clone());
                span.outcome = Some(outcome);
                span.error = failure.map(FailureCard::of);
            }
        };
        match &*record.event {
            Event::JobScheduled(body) => {
                newest.insert(body.job, body.attempt);
                let span = AttemptSpan {
                    job_id: job_label(execution.id, body.job),
                    label: label(&body.job_type),
                    job_type: body.job_type.clone(),
                    attempt: body.attempt,
                    step_name: place,
                    within: places.outermost(),
                    worker: None,
                    scheduled_at: time,
                    started_at: None,
                    ended_at: None,
                    outcome: None,
                    error: None,
                };
                spans.insert((body.job, body.attempt), span);
            }
            Event::JobStarted(body) => {
                if let Some(span) = spans.get_mut(&(body.job, body.attempt)) {
                    span.worker = Some(worker_name(&body.worker).into());
                    span.started_at = Some(time);
                }
            }
            Event::JobSucceeded(body) => end(body.job, body.attempt, "succeeded", None),
            Event::JobFailed(body) => {
                end(body.job, body.attempt, "failed", Some(&body.failure));
            }
            Event::JobTimedOut(body) => end(body.job, body.attempt, "timed_out", None),
            Event::AttemptLost(body) => end(body.job, body.attempt, "lost", None),
            Event::JobCancelled(body) => {
                let attempt = newest.get(&body.job).copied().unwrap_or_default();
                end(body.job, attempt, "cancelled", None);
            }
            // Nothing else begins or ends an attempt.
            _ => {}
        }
    }
    spans.into_values().collect()
}
