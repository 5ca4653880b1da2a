//! Why an execution does not go on, or how it ended: everything that it waits for, with since when,
//! until when, and what went wrong before.

mod cleanup;
mod end;
mod facts;
mod frames;
mod jobs;
mod pauses;
mod queues;
mod words;

use std::sync::Arc;

use serde::{Serialize, Serializer};

use self::facts::Facts;
use super::card::{CancelCard, FailureCard};
use super::cleanup::CleanupCard;
use crate::engine::{Execution, ExecutionId, Held, Program, Status, Timer, Timestamp};
use crate::language::StateName;
use crate::store::Record;

pub use end::{End, FailurePoint};
pub use queues::{PlaceQueue, Queues, SlotQueue};

/// Reasons that are named; the rest are counted.
const REASONS_NAMED: usize = 20;

/// Who could take jobs of an execution.
#[derive(Debug, Clone, Copy)]
pub enum Workers<'w> {
    /// No engine runs, so nothing happens.
    None,
    /// An engine runs, and has workers for these job types.
    Of(&'w [String]),
    /// It is not known whether an engine runs.
    Unknown,
}

/// What a running engine knows around an execution.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Who could take its jobs.
    pub workers: Workers<'a>,
    /// What it queues for.
    pub queues: &'a Queues,
    /// What is paused in the whole system.
    pub held: &'a Held,
}

/// What is to be said about an execution that somebody waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why {
    /// The execution's id.
    pub id: String,
    /// Its short name.
    pub handle: String,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The execution's status.
    pub status: &'static str,
    /// In short.
    pub state: WhyState,
    /// Whether an engine runs that could go on with it, where that is known.
    pub engine_runs: Option<bool>,
    /// Everything that it waits for, the first that can go on first.
    pub reasons: Vec<Reason>,
    /// How many more there are.
    pub more_reasons: usize,
    /// Set when it was asked to stop.
    pub cancel: Option<CancelCard>,
    /// Set when it cleans up, or has.
    pub cleanup: Option<CleanupCard>,
    /// Set when it was put aside, with the reason.
    pub set_aside: Option<Arc<str>>,
    /// When the whole execution times out, as RFC 3339.
    #[serde(serialize_with = "rfc_3339")]
    pub times_out_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<End>,
    /// The sequence of the last event that this knows of.
    pub sequence: u64,
}

/// How many executions below the one that is asked about are worth a look, one below the other.
pub const LOOK_DEPTH: u32 = 3;
/// How many are worth one of what a single execution waits for.
const LOOK_BREADTH: usize = 3;

impl Why {
    /// The executions below that are worth a look: some that it waits for, and the one that failed
    /// first; each with the place for what is seen there.
    pub fn below(&mut self) -> impl Iterator<Item = (ExecutionId, &mut Option<Box<Self>>)> {
        let waits = self.reasons.iter_mut().filter(|reason| reason.execution.is_some());
        let waits =
            waits.take(LOOK_BREADTH).map(|reason| (reason.execution.as_deref(), &mut reason.child));
        let failed = self.end.as_mut().and_then(|end| end.first_failure.as_mut());
        let failed = failed.map(|point| (point.execution.as_deref(), &mut point.child));
        waits.chain(failed).filter_map(|(id, child)| Some((id?.parse().ok()?, child)))
    }
}

/// How an execution stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyState {
    /// A worker is at work, or the engine itself is.
    Working,
    /// Nobody is at work on it.
    Waiting,
    /// It ends once workers and executions have stopped.
    Stopping,
    /// Somebody paused it, or its whole workflow.
    Paused,
    /// It undoes what it did, and ends then.
    CleaningUp,
    /// It was put aside, and waits for people.
    SetAside,
    /// It has ended.
    Ended,
}

/// Something that an execution waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// What kind of thing.
    pub kind: ReasonKind,
    /// The state that waits; of a clean-up, the step that is undone.
    pub step_name: Option<StateName>,
    /// The state that undoes it.
    pub cleanup_state: Option<StateName>,
    /// The job: the execution's id, a colon, and its number in the execution.
    pub job_id: Option<String>,
    /// The job's type.
    pub job_type: Option<Arc<str>>,
    /// The attempt that is waited for or at work, from 1.
    pub attempt: Option<u32>,
    /// Which retry comes next, from 1.
    pub retry: Option<u32>,
    /// How many retries there may be.
    pub max_retries: Option<u32>,
    /// Who has the job.
    pub worker: Option<Arc<str>>,
    /// How far its worker is, in percent.
    pub progress: Option<u8>,
    /// Newest words of its worker.
    pub message: Option<Arc<str>>,
    /// Since when, as RFC 3339.
    #[serde(serialize_with = "rfc_3339")]
    pub since: Option<Timestamp>,
    /// When it goes on, as RFC 3339.
    #[serde(serialize_with = "rfc_3339")]
    pub until: Option<Timestamp>,
    /// When the attempt times out, as RFC 3339.
    #[serde(serialize_with = "rfc_3339")]
    pub times_out_at: Option<Timestamp>,
    /// When the next sign of life is due, as RFC 3339.
    #[serde(serialize_with = "rfc_3339")]
    pub heartbeat_due_at: Option<Timestamp>,
    /// The workflow that is paused, or of the execution that is.
    pub workflow: Option<Arc<str>>,
    /// Who paused it.
    pub by: Option<Arc<str>>,
    /// Why that was.
    pub reason: Option<Arc<str>>,
    /// What failed last.
    pub last_error: Option<FailureCard>,
    /// The sequence of the event of that failure.
    pub last_error_event: Option<u64>,
    /// What executions share the place by that is waited for.
    pub place: Option<String>,
    /// How many places or slots there are.
    pub limit: Option<u64>,
    /// The short names of the executions that have the places.
    pub held_by: Vec<String>,
    /// How many come before, for the place or the slot.
    pub ahead: Option<usize>,
    /// The execution that is waited for.
    pub execution: Option<String>,
    /// Its short name.
    pub execution_handle: Option<String>,
    /// What that one waits for, where it was looked at.
    pub child: Option<Box<Why>>,
    /// All of this in words.
    pub sentence: String,
}

/// What kind of thing an execution waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// The place that it needs must be free.
    Place,
    /// A Wait state's time must come.
    Timer,
    /// The delay before another attempt must pass.
    Retry,
    /// A worker must take the job, and it is not known whether there is one.
    Worker,
    /// No worker of the running engine takes jobs of this type.
    NoWorker,
    /// All workers for this type of job are busy.
    WorkersBusy,
    /// The process runs as many jobs as it may.
    ProcessBusy,
    /// Somebody paused the job's type.
    JobTypePaused,
    /// Somebody paused the execution.
    Paused,
    /// Somebody paused its whole workflow.
    WorkflowPaused,
    /// A worker is at work.
    AtWork,
    /// The process that had the attempt is gone.
    CutOff,
    /// Whoever has the job's token must call back.
    Callback,
    /// An execution that this one began must end.
    Execution,
    /// A worker that was asked to stop has not stopped yet.
    WorkerStopping,
    /// An execution that was asked to stop has not ended yet.
    ExecutionStopping,
    /// What it did is being undone.
    Cleanup,
    /// Nothing: the engine goes on with it as soon as it can.
    Ready,
}

/// The moment as text.
fn rfc_3339<S: Serializer>(moment: &Option<Timestamp>, into: S) -> Result<S::Ok, S::Error> {
    moment.map(|moment| moment.to_string()).serialize(into)
}

/// What is looked at while reasons are found.
struct Seen<'s> {
    program: &'s Program,
    execution: &'s Execution,
    facts: Facts<'s>,
    around: Around<'s>,
}

impl Why {
    /// Why the execution of `program` with this history, all of it, does not go on at `now`, with
    /// this around it.
    #[must_use]
    pub fn of(
        program: &Program,
        execution: &Execution,
        history: &[Record],
        around: Around<'_>,
        now: Timestamp,
    ) -> Self {
        let facts = Facts::of(history);
        let end = End::of(execution, history);
        let seen = Seen { program, execution, facts, around };
        let mut reasons = if end.is_some() { Vec::new() } else { seen.reasons() };
        let state = state(execution, &reasons, around.workers);
        let more_reasons = reasons.len().saturating_sub(REASONS_NAMED);
        reasons.truncate(REASONS_NAMED);
        for reason in &mut reasons {
            if let (Some(error), Some(dealt_with)) = (&reason.last_error, reason.last_error_event) {
                let failed = seen.facts.failed(error, dealt_with);
                reason.last_error_event = failed.or(reason.last_error_event);
            }
            reason.sentence = words::sentence(reason, now);
        }
        let timers = execution.timers.iter();
        let deadline = timers.filter(|(_, timer)| *timer == Timer::ExecutionTimeout);
        Self {
            id: execution.id.to_string(),
            handle: execution.id.handle(),
            workflow: execution.workflow.clone(),
            status: execution.status.as_str(),
            state,
            engine_runs: match around.workers {
                Workers::None => Some(false),
                Workers::Of(_) => Some(true),
                Workers::Unknown => None,
            },
            reasons,
            more_reasons,
            cancel: execution.cancel.as_deref().map(CancelCard::of),
            cleanup: CleanupCard::of(execution, now),
            set_aside: execution.set_aside.clone(),
            times_out_at: deadline.map(|(due, _)| *due).min(),
            end,
            sequence: execution.sequence,
        }
    }
}

fn state(execution: &Execution, reasons: &[Reason], workers: Workers<'_>) -> WhyState {
    let can_work = !matches!(workers, Workers::None);
    let works =
        |reason: &Reason| can_work && matches!(reason.kind, ReasonKind::AtWork | ReasonKind::Ready);
    if execution.status.is_terminal() {
        WhyState::Ended
    } else if execution.set_aside.is_some() {
        WhyState::SetAside
    } else if execution.cleanup_frame().is_some() {
        WhyState::CleaningUp
    } else if execution.status == Status::Cancelling || execution.closing.is_some() {
        WhyState::Stopping
    } else if execution.is_paused() {
        WhyState::Paused
    } else if reasons.iter().any(works) {
        WhyState::Working
    } else {
        WhyState::Waiting
    }
}

impl Seen<'_> {
    fn reasons(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self.of_jobs();
        reasons.extend(self.of_place());
        reasons.extend(self.of_frames());
        reasons.extend(self.of_leaving());
        // What has no time of its own stands before what goes on by itself, so that it is seen.
        reasons.sort_by_key(|reason| (reason.until.is_some(), reason.until, reason.since));
        reasons.splice(0..0, self.of_pauses());
        // All others are a part of it.
        reasons.splice(0..0, self.of_cleanup());
        reasons
    }
}

impl Reason {
    fn new(kind: ReasonKind) -> Self {
        Self {
            kind,
            step_name: None,
            cleanup_state: None,
            job_id: None,
            job_type: None,
            attempt: None,
            retry: None,
            max_retries: None,
            worker: None,
            progress: None,
            message: None,
            since: None,
            until: None,
            times_out_at: None,
            heartbeat_due_at: None,
            workflow: None,
            by: None,
            reason: None,
            last_error: None,
            last_error_event: None,
            place: None,
            limit: None,
            held_by: Vec::new(),
            ahead: None,
            execution: None,
            execution_handle: None,
            child: None,
            sentence: String::new(),
        }
    }
}
