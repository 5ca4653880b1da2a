//! An execution at a glance.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::cleanup::{CleanupCard, ForcedCard, summary_error, summary_fields};
use super::step::StepCard;
use super::text::seconds;
use super::waiting::Waiting;
use crate::engine::cleanup::Cancel;
use crate::engine::{Execution, ExecutionId, Failure, Job, JobId, JobStatus, Program, Timestamp};

/// What people see of an execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// The execution's id.
    pub id: String,
    /// The short name that people type; any beginning of it that no other execution shares will do.
    pub handle: String,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The workflow's name for people, where the definition has a `Title`.
    pub title: Option<String>,
    /// The version it runs: the content hash of the definition.
    pub definition: String,
    /// The caller's own name for it.
    pub name: Option<Arc<str>>,
    /// The execution that began it.
    pub parent: Option<String>,
    /// `pending`, `running`, `cancelling`, `completed`, `completed_with_errors`, `failed`,
    /// `cancelled` or `timed_out`.
    pub status: &'static str,
    /// Percent; it never falls, and is 100 only for the two completed statuses.
    pub progress: u8,
    /// The number of the step it is in, or was in last, from 1; absent before the first.
    pub current_step: Option<usize>,
    /// How many steps there are: states of the outermost machine that have a weight.
    pub total_steps: usize,
    /// The title of that step.
    pub step_name: Option<String>,
    /// Newest words of a worker.
    pub message: Option<Arc<str>>,
    /// The job that has been at work longest.
    pub active_sub_job: Option<JobCard>,
    /// All open jobs, the oldest first.
    pub active_sub_jobs: Vec<JobCard>,
    /// The steps, in the order of the definition, entered or not.
    pub steps: Vec<StepCard>,
    /// What it waits for, when nothing is at work.
    pub waiting: Option<Waiting>,
    /// When it began, as RFC 3339.
    pub started_at: String,
    /// When it ended, as RFC 3339.
    pub ended_at: Option<String>,
    /// How long it took, or has taken so far.
    pub duration_seconds: f64,
    /// Failures that were caught or tolerated.
    pub total_errors: u32,
    /// Why it failed or timed out.
    pub failure: Option<FailureCard>,
    /// What the definition's `Summary` gave when it ended, with the number of errors.
    pub summary: Option<Map<String, Value>>,
    /// Why `Summary` could not be evaluated.
    pub summary_error: Option<FailureCard>,
    /// Set when it cleans up, or has.
    pub cleanup: Option<CleanupCard>,
    /// Set when it was asked to stop.
    pub cancel: Option<CancelCard>,
    /// Set when it was put aside, with the reason: it waits for people.
    pub set_aside: Option<Arc<str>>,
    /// The sequence of the last event that this card knows of.
    pub sequence: u64,
}

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobCard {
    /// Its id: the execution's id, a colon, and its number in the execution.
    pub id: String,
    /// Its job type.
    #[serde(rename = "type")]
    pub job_type: Arc<str>,
    /// `pending`, `running`, `retrying` or `cancelling`.
    pub status: &'static str,
    /// Percent; 0 as long as its worker has not said.
    pub progress: u8,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Who has it.
    pub worker: Option<Arc<str>>,
    /// The execution that does the work, when no worker does.
    pub execution: Option<String>,
    /// Newest words of its worker.
    pub message: Option<Arc<str>>,
    /// How many things are done, if its worker counts things.
    pub processed: Option<u64>,
    /// How many things there are.
    pub total: Option<u64>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureCard {
    /// The error's name, which `Retry` and `Catch` match.
    pub error: Arc<str>,
    /// What happened.
    pub cause: Arc<str>,
}

/// A request to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CancelCard {
    /// Who asked.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// When, as RFC 3339.
    pub at: String,
    /// From when on its end may be forced, as RFC 3339.
    pub force_from: String,
    /// Set when somebody did.
    pub forced: Option<ForcedCard>,
}

/// How a job is named outside of its execution: `<execution id>:<number>`.
#[must_use]
pub fn job_label(execution: ExecutionId, job: JobId) -> String {
    format!("{execution}:{job}")
}

impl FailureCard {
    /// The failure, for people.
    #[must_use]
    pub fn of(failure: &Failure) -> Self {
        Self { error: failure.error.clone(), cause: failure.cause.clone() }
    }
}

impl CancelCard {
    pub(super) fn of(cancel: &Cancel) -> Self {
        Self {
            by: cancel.by.clone(),
            reason: cancel.reason.clone(),
            at: cancel.at.to_string(),
            force_from: cancel.deadline.to_string(),
            forced: cancel.forced.as_ref().map(ForcedCard::of),
        }
    }
}

impl JobCard {
    fn of(execution: &Execution, id: JobId, job: &Job) -> Self {
        Self {
            id: job_label(execution.id, id),
            job_type: job.job_type.clone(),
            status: job_status(job.status),
            progress: job.percent.unwrap_or(0),
            attempt: job.attempt,
            worker: job.worker.clone(),
            execution: job.child.as_ref().map(|child| child.execution.to_string()),
            message: job.message.clone(),
            processed: job.processed,
            total: job.total,
        }
    }
}

fn job_status(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Pending => "pending",
        // Whoever is to call back is at work on it.
        JobStatus::Running | JobStatus::Waiting => "running",
        JobStatus::Cancelling => "cancelling",
        JobStatus::Retrying => "retrying",
    }
}

impl Card {
    /// What people see of `execution`, which runs `program`, at the moment `now`.
    #[must_use]
    pub fn of(program: &Program, execution: &Execution, now: Timestamp) -> Self {
        let steps = StepCard::all(program, execution, now);
        let current = current_step(execution, &steps);
        let active_sub_jobs: Vec<JobCard> =
            execution.jobs.iter().map(|(id, job)| JobCard::of(execution, *id, job)).collect();
        let has_somebody = |job: &&JobCard| job.worker.is_some() || job.execution.is_some();
        let at_work = active_sub_jobs.iter().find(has_somebody);
        let active_sub_job = at_work.or(active_sub_jobs.first()).cloned();
        let ended = execution.ended_at;
        Self {
            id: execution.id.to_string(),
            handle: execution.id.handle(),
            workflow: execution.workflow.clone(),
            title: program.workflow.title.clone(),
            definition: execution.definition.to_string(),
            name: execution.name.clone(),
            parent: execution.parent.as_ref().map(|parent| parent.execution.to_string()),
            status: execution.status.as_str(),
            progress: execution.progress,
            current_step: current.map(|step| step.number),
            total_steps: steps.len(),
            step_name: current.map(|step| step.title.clone()),
            message: execution.message.clone(),
            active_sub_job,
            active_sub_jobs,
            waiting: Waiting::of(execution),
            started_at: execution.started_at.to_string(),
            ended_at: ended.map(|at| at.to_string()),
            duration_seconds: seconds(ended.unwrap_or(now).ms_since(execution.started_at)),
            total_errors: execution.total_errors,
            failure: execution.failure.as_ref().map(FailureCard::of),
            summary: summary(execution),
            summary_error: summary_error(execution),
            cleanup: CleanupCard::of(execution, now),
            cancel: execution.cancel.as_ref().map(CancelCard::of),
            set_aside: execution.set_aside.clone(),
            sequence: execution.sequence,
            steps,
        }
    }
}

/// What the definition tells of an execution that has ended, beside what it need not tell.
fn summary(execution: &Execution) -> Option<Map<String, Value>> {
    execution.summary.as_ref()?;
    let mut fields = Map::new();
    fields.insert("total_errors".to_owned(), execution.total_errors.into());
    fields.extend(summary_fields(execution, &["total_errors"]));
    Some(fields)
}

/// The step that was entered last and is not hidden.
fn current_step<'s>(execution: &Execution, steps: &'s [StepCard]) -> Option<&'s StepCard> {
    let find = |name: &str| steps.iter().find(|step| &*step.name == name);
    let root = execution.frames.get(&crate::engine::FrameId::ROOT);
    root.and_then(|root| find(root.state.as_deref()?))
        .or_else(|| execution.steps.keys().rev().find_map(|name| find(name)))
}
