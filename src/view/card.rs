//! An execution at a glance.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::cleanup::{CleanupCard, ForcedCard, summary_error, summary_fields};
use super::limits::{PlaceCard, counters};
use super::step::{StepCard, whole};
use super::text::seconds;
use super::waiting::Waiting;
use crate::engine::cleanup::Cancel;
use crate::engine::pace::Estimate;
use crate::engine::{
    Execution, ExecutionId, Failure, Job, JobId, JobStatus, Pauses, Program, StepStatus, Timestamp,
    worker_name,
};
use crate::language::machine_fields::Labels;

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
    /// The place that it needs to run, where its workflow says how many of its executions may.
    pub place: Option<PlaceCard>,
    /// The labels of its workflow.
    pub labels: Labels,
    /// The execution that it repeats.
    pub rerun_of: Option<String>,
    /// `pending`, `running`, `cancelling`, `completed`, `completed_with_errors`, `failed`,
    /// `cancelled` or `timed_out`.
    pub status: &'static str,
    /// Percent; it never falls, but that a retry sets it to what is kept, and is 100 only for the two
    /// completed statuses.
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
    /// Whether it can be retried now.
    pub can_be_retried: bool,
    /// How often it was retried after it had ended.
    pub redrives: u32,
    /// When that was last, as RFC 3339.
    pub redriven_at: Option<String>,
    /// How long it took, or has taken so far.
    pub duration_seconds: f64,
    /// How long it may still take, as of its last event; absent where there is nothing to go by.
    pub seconds_left: Option<u64>,
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
    /// Set while it is paused; the status stays what it is.
    pub paused: Option<PauseCard>,
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
    /// The type's name for people, where the definition has one.
    pub label: Option<String>,
    /// The type's colour: a name, or `#rrggbb`.
    pub colour: Option<String>,
    /// `pending`, `running`, `retrying` or `cancelling`.
    pub status: &'static str,
    /// Percent; from its counters where its worker gave no percent, and 0 before it said anything.
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
    /// Both in words, with the unit of the job's type: `4 / 6 scenes`.
    pub counted: Option<String>,
    /// Things done in a second, if its worker counts things.
    pub rate_per_second: Option<f64>,
    /// How long it may still take, as of its last report; absent where there is nothing to go by.
    pub seconds_left: Option<u64>,
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

/// A pause that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PauseCard {
    /// Who paused it.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// Since when, as RFC 3339.
    pub since: String,
    /// What was paused: `execution`, or its whole `workflow`.
    pub scope: &'static str,
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

impl PauseCard {
    /// The pause that has to end first, the execution's own; none when nothing holds it.
    #[must_use]
    pub fn of(pauses: &Pauses) -> Option<Self> {
        let (scope, pause) = pauses.all().next()?;
        Some(Self {
            by: pause.by.clone(),
            reason: pause.reason.clone(),
            since: pause.at.to_string(),
            scope: scope.as_str(),
        })
    }
}

impl JobCard {
    fn of(program: &Program, execution: &Execution, id: JobId, job: &Job) -> Self {
        let words = program.workflow.job_type_words.get(&job.job_type);
        let Estimate { rate_per_second, seconds_left } = job.estimate();
        Self {
            label: words.and_then(|words| words.label.clone()),
            colour: words.and_then(|words| words.colour.clone()),
            counted: counters(words, job.processed, job.total),
            id: job_label(execution.id, id),
            job_type: job.job_type.clone(),
            status: job_status(job.status),
            progress: whole(job.fraction(), 100.0),
            attempt: job.attempt,
            worker: job.worker.as_deref().map(|name| worker_name(name).into()),
            execution: job.child.as_ref().map(|child| child.execution.to_string()),
            message: job.message.clone(),
            processed: job.processed,
            total: job.total,
            rate_per_second,
            seconds_left,
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
        let active_sub_jobs: Vec<JobCard> = execution
            .jobs
            .iter()
            .map(|(id, job)| JobCard::of(program, execution, *id, job))
            .collect();
        let has_somebody = |job: &&JobCard| job.worker.is_some() || job.execution.is_some();
        let at_work = active_sub_jobs.iter().find(has_somebody);
        let active_sub_job = at_work.or(active_sub_jobs.first()).cloned();
        let ended = execution.ended_at;
        // The whole takes no less than the step that it is in.
        let of_step = steps.iter().filter_map(|step| step.seconds_left).max();
        Self {
            id: execution.id.to_string(),
            handle: execution.id.handle(),
            workflow: execution.workflow.clone(),
            title: program.workflow.title.clone(),
            definition: execution.definition.to_string(),
            name: execution.name.clone(),
            parent: execution.parent.as_ref().map(|parent| parent.execution.to_string()),
            place: PlaceCard::of(execution),
            labels: program.workflow.labels.clone(),
            rerun_of: execution.rerun_of.map(|of| of.to_string()),
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
            can_be_retried: execution.permits_retry().is_ok(),
            redrives: execution.redrives,
            redriven_at: execution.redriven_at.map(|at| at.to_string()),
            duration_seconds: seconds(ended.unwrap_or(now).ms_since(execution.started_at)),
            seconds_left: execution.seconds_left().map(|left| left.max(of_step.unwrap_or(0))),
            total_errors: execution.total_errors,
            failure: execution.failure.as_ref().map(FailureCard::of),
            summary: summary(execution),
            summary_error: summary_error(execution),
            cleanup: CleanupCard::of(execution, now),
            cancel: execution.cancel.as_deref().map(CancelCard::of),
            paused: PauseCard::of(&execution.pauses),
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
    root.and_then(|root| find(root.state.as_deref()?)).or_else(|| {
        let entered = execution.steps.iter().rev();
        let mut entered = entered.filter(|(_, step)| step.status != StepStatus::Pending);
        entered.find_map(|(name, _)| find(name))
    })
}
