//! An execution as the fold of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::catalogue::StartedAs;
use super::child::{Child, ChildWait, Ending, Link, Parent};
use super::cleanup::{Cancel, Cleanup, EndSummary};
use super::event::Failure;
use super::few::Few;
use super::id::{ExecutionId, FrameId, JobId, Timestamp, Token};
pub use super::items::Items;
use super::kept::KeptParts;
use super::pace::Pace;
use super::pause::Pauses;
use super::place::Place;
use crate::language::{DefinitionHash, Json, StateName};

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Not begun: it has no events yet, or waits for its place.
    Pending,
    /// At work, or waiting for something.
    Running,
    /// Asked to stop; its workers are stopping.
    Cancelling,
    /// Reached its end.
    Completed,
    /// Reached its end although a step failed or items were tolerated.
    CompletedWithErrors,
    /// Ended by an error that nothing caught.
    Failed,
    /// Stopped as asked.
    Cancelled,
    /// Ran longer than its machine's `TimeoutSeconds`.
    TimedOut,
}

impl Status {
    /// Whether nothing more can happen, save a redrive.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Cancelling)
    }

    /// The word for people and programs, as `completed_with_errors`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::CompletedWithErrors => "completed_with_errors",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }
}

/// One run of a workflow: everything that its events say, and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// The sequence of the last event applied; 0 before the first.
    pub sequence: u64,
    /// How many of its events do not count against the limit on a history, which ends endless loops:
    /// those of parts of distributed Maps, which have a limit of their own, and what workers report.
    pub uncounted_events: u64,
    /// Where it stands.
    pub status: Status,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The version it runs.
    pub definition: DefinitionHash,
    /// The caller's own name for it.
    pub name: Option<Arc<str>>,
    /// The execution that began it.
    pub parent: Option<Parent>,
    /// The place that it needs to run, when its workflow says how many may.
    pub place: Option<Place>,
    /// The sequence of the event since which it needs a place; 0 when it needs none.
    pub asked_for_place: u64,
    /// When it got its place.
    pub admitted_at: Option<Timestamp>,
    /// The execution that it repeats.
    pub rerun_of: Option<ExecutionId>,
    /// The published version that it was started as.
    pub started_as: Option<StartedAs>,
    /// Its input.
    pub input: Json,
    /// Its output, once completed.
    pub output: Option<Json>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it began.
    pub started_at: Timestamp,
    /// The time of the last event; the next is never earlier.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How often it went on after it had ended.
    pub redrives: u32,
    /// When it did so last.
    pub redriven_at: Option<Timestamp>,
    /// Progress in percent; it never falls, but that a redrive sets it to what is kept.
    pub progress: u8,
    /// The time that it took so far.
    pub pace: Pace,
    /// Failures that were caught or tolerated.
    pub total_errors: u32,
    /// What jobs that succeeded had counted, all together.
    pub items_processed: u64,
    /// The newest words of a worker.
    pub message: Option<Arc<str>>,
    /// Its open frames.
    pub frames: Few<FrameId, Frame>,
    /// Its open jobs. A job that ended is forgotten; its step remembers what it gave.
    pub jobs: Few<JobId, Job>,
    /// Frames that decide owes a step.
    pub ready: BTreeSet<FrameId>,
    /// What must happen at some time.
    pub timers: BTreeSet<(Timestamp, Timer)>,
    /// The steps of the outermost machine, in the order in which they were first entered. Those that
    /// a redrive took back are pending.
    pub steps: IndexMap<StateName, Step>,
    /// How many frames there have been.
    pub frame_count: u32,
    /// How many jobs there have been.
    pub job_count: u32,
    /// Executions that it began and no longer wants, until they have ended; with the sequence of the
    /// event since when.
    pub leaving: BTreeMap<ExecutionId, u64>,
    /// Set when it is over but for those, and for its clean-up.
    pub closing: Option<Ending>,
    /// Set when it cleans up, or has.
    pub cleanup: Option<Box<Cleanup>>,
    /// What the definition's `Summary` gave when it ended.
    pub summary: Option<EndSummary>,
    /// Set when it was asked to stop.
    pub cancel: Option<Box<Cancel>>,
    /// Set when it was put aside, with the reason.
    pub set_aside: Option<Arc<str>>,
    /// What holds it.
    pub pauses: Pauses,
    /// Set when it was deleted, which only one that has ended can be.
    pub deleted: Option<Deletion>,
}

impl Execution {
    /// An execution without events.
    #[must_use]
    pub fn new(id: ExecutionId) -> Self {
        Self {
            id,
            sequence: 0,
            uncounted_events: 0,
            status: Status::Pending,
            workflow: Arc::from(""),
            definition: DefinitionHash([0; 32]),
            name: None,
            parent: None,
            place: None,
            asked_for_place: 0,
            admitted_at: None,
            rerun_of: None,
            started_as: None,
            input: Json::null(),
            output: None,
            failure: None,
            started_at: Timestamp(0),
            updated_at: Timestamp(0),
            ended_at: None,
            redrives: 0,
            redriven_at: None,
            progress: 0,
            pace: Pace::default(),
            total_errors: 0,
            items_processed: 0,
            message: None,
            frames: Few::new(),
            jobs: Few::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            steps: IndexMap::new(),
            frame_count: 0,
            job_count: 0,
            leaving: BTreeMap::new(),
            closing: None,
            cleanup: None,
            summary: None,
            cancel: None,
            set_aside: None,
            pauses: Pauses::default(),
            deleted: None,
        }
    }

    /// The Map whose processor is all that it runs; none when it runs a whole workflow.
    #[must_use]
    pub fn map(&self) -> Option<&StateName> {
        match &self.parent.as_ref()?.link {
            Link::Item { map, .. } => Some(map),
            Link::Begun(_) | Link::Job(_) => None,
        }
    }

    /// The execution that waits for the end of this one; none when there is none, or when it only
    /// began this one.
    #[must_use]
    pub fn waiting_parent(&self) -> Option<ExecutionId> {
        let parent = self.parent.as_ref()?;
        match parent.link {
            Link::Begun(_) => None,
            Link::Job(_) | Link::Item { .. } => Some(parent.execution),
        }
    }

    /// How many executions wait for it, directly or not.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.parent.as_ref().map_or(0, |parent| parent.depth)
    }

    /// The stream that holds its history.
    #[must_use]
    pub fn stream(&self) -> Uuid {
        self.id.0
    }

    /// Whether the worker of this attempt of this job may go on; if not, it should stop.
    #[must_use]
    pub fn may_run(&self, job: JobId, attempt: u32) -> bool {
        self.jobs
            .get(&job)
            .is_some_and(|job| job.status == JobStatus::Running && job.attempt == attempt)
    }
}

impl Frame {
    /// The Parallel or Map that it stands in, while that is open.
    #[must_use]
    pub fn fork(&self) -> Option<&Fork> {
        match &self.activity {
            Activity::Forked(fork) => Some(fork),
            Activity::Ready | Activity::Job | Activity::Waiting(_) | Activity::BackingOff(_) => {
                None
            }
        }
    }

    /// The distributed Map that it stands in, while that is open.
    #[must_use]
    pub fn map_run(&self) -> Option<&MapRun> {
        self.fork()?.run.as_ref()
    }
}

impl Fork {
    /// How many parts have ended.
    #[must_use]
    pub fn finished(&self) -> u32 {
        self.started - self.under_way()
    }

    /// The items of a part: one, or those of a batch. A branch counts as one.
    #[must_use]
    pub fn batch(&self, index: u32) -> std::ops::Range<u32> {
        let end_of = |index: u32| self.batch_ends.get(index as usize).copied();
        match end_of(index) {
            Some(end) => index.checked_sub(1).and_then(end_of).unwrap_or(0)..end,
            None => index..index.saturating_add(1),
        }
    }

    /// How many parts have begun and not ended.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        let children = self.run.as_ref().map_or(0, |run| run.children.len());
        u32::try_from(self.running.len() + children).unwrap_or(u32::MAX)
    }

    /// Whether decide can do something: start a part, join, or fail.
    #[must_use]
    pub fn is_actionable(&self) -> bool {
        self.failure.is_some() || self.finished() == self.total || self.can_start()
    }

    /// Whether another part may begin.
    #[must_use]
    pub fn can_start(&self) -> bool {
        let free = self.concurrency == 0 || self.under_way() < self.concurrency;
        self.next < self.total && free
    }
}

/// That an execution was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// Who did it.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
}

/// One thread of control: the outermost machine, a branch, an iteration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The frame whose Parallel or Map state it belongs to, and which part of it it is.
    pub parent: Option<(FrameId, u32)>,
    /// The state it stands in; none before the first.
    pub state: Option<StateName>,
    /// When it entered that state.
    pub entered_at: Timestamp,
    /// The state's input; between states the last output.
    pub data: Json,
    /// The result of the state's work, until the state is left.
    pub result: Option<Json>,
    /// Why the state's work failed, until that is dealt with.
    pub failure: Option<Failure>,
    /// The job of the state, also between its attempts.
    pub job: Option<JobId>,
    /// Whether a Map's parts are done, and what is left is to write their results.
    pub joined: bool,
    /// Variables assigned in this frame.
    pub variables: BTreeMap<Arc<str>, Json>,
    /// How often each retrier of the state has been used.
    pub retries: Vec<u32>,
    /// What it is doing.
    pub activity: Activity,
}

/// What a frame is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activity {
    /// Entered a state, or is about to; decide owes it a step.
    Ready,
    /// Waits for its job.
    Job,
    /// Waits for a time.
    Waiting(Timestamp),
    /// Waits to try its state again.
    BackingOff(Timestamp),
    /// Waits for branches or iterations.
    Forked(Box<Fork>),
}

/// An open Parallel or Map state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// How many parts there are.
    pub total: u32,
    /// How many may run at once; 0 is without limit.
    pub concurrency: u32,
    /// A Map's items.
    pub items: Option<Items>,
    /// Where each batch ends in the items.
    pub batch_ends: Vec<u32>,
    /// A Map's `BatchInput`.
    pub batch_input: Option<Json>,
    /// How many items may fail; of a Parallel, branches.
    pub tolerated_failures: u32,
    /// Whether failures that are tolerated count in the execution's errors.
    pub counts_errors: bool,
    /// When it opened.
    pub opened_at: Timestamp,
    /// How many parts have begun, or are kept from an earlier attempt of the execution.
    pub started: u32,
    /// The part that begins next; the total when none does.
    pub next: u32,
    /// Parts that are kept.
    pub kept: BTreeSet<u32>,
    /// The frames of parts that have not ended.
    pub running: BTreeSet<FrameId>,
    /// Outputs of parts that ended well, by index, and of those that failed how they did.
    pub outputs: BTreeMap<u32, Json>,
    /// Which of the outputs tell of parts that failed.
    pub told_failures: BTreeSet<u32>,
    /// Whether outputs are kept here; with a `ResultWriter` they stay with the executions.
    pub keeps_outputs: bool,
    /// Bytes of the outputs that are kept.
    pub output_bytes: u64,
    /// How many parts failed.
    pub failed: u32,
    /// How many items were in them.
    pub failed_items: u32,
    /// How many parts were stopped, because the state failed or the execution ends.
    pub cancelled: u32,
    /// The failure that broke the tolerance: the whole state fails with it.
    pub failure: Option<Failure>,
    /// Set when each part is an execution of its own.
    pub run: Option<MapRun>,
}

/// An open distributed Map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRun {
    /// Its id.
    pub id: Uuid,
    /// Its executions that have not ended.
    pub children: BTreeMap<ExecutionId, Part>,
    /// How many have ended well.
    pub succeeded: u32,
}

/// A part of a distributed Map that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which item or batch, from 0.
    pub index: u32,
    /// Its input.
    pub input: Json,
    /// How far it said that it is, in percent.
    pub percent: u8,
}

/// Where a job stands. A job that ended is no longer in the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// A worker has it.
    Running,
    /// Its worker or its execution has begun, and a callback is awaited.
    Waiting,
    /// A worker has it and was asked to stop.
    Cancelling,
    /// Failed, and will be tried again.
    Retrying,
}

impl JobStatus {
    /// Whether the attempt has begun, and its time runs.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }
}

impl Job {
    /// Whether it is not the workflow's work but ours: reading or writing the files of a Map.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.job_type.starts_with(super::own_jobs::PREFIX)
    }

    /// The execution that this job waits for the end of, while it may not have ended.
    #[must_use]
    pub fn awaited_child(&self) -> Option<ExecutionId> {
        let child = self.child.as_ref()?;
        let waits = self.status == JobStatus::Running && child.wait != ChildWait::Begin;
        waits.then_some(child.execution)
    }
}

/// A unit of work for a worker, or for an execution of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The frame that waits for it.
    pub frame: FrameId,
    /// Its job type.
    pub job_type: Arc<str>,
    /// What the worker gets.
    pub input: Json,
    /// Where it stands.
    pub status: JobStatus,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Attempts that a crash cut off.
    pub lost: u32,
    /// What a completion of the running attempt must show.
    pub token: Option<Token>,
    /// What a callback must show, when it waits for one.
    pub callback: Option<Token>,
    /// The execution that does the work, when no worker does.
    pub child: Option<Child>,
    /// Which worker has it.
    pub worker: Option<Arc<str>>,
    /// How long an attempt may run.
    pub timeout_seconds: Option<u64>,
    /// How long a worker may be silent.
    pub heartbeat_seconds: Option<u64>,
    /// When the attempt became ready. One in the place of another that a crash or a stop cut off
    /// keeps the time of that, and with it its turn.
    pub scheduled_at: Timestamp,
    /// When a worker took it.
    pub started_at: Option<Timestamp>,
    /// Its progress in percent, if it ever said.
    pub percent: Option<u8>,
    /// Its newest words.
    pub message: Option<Arc<str>>,
    /// How many things are done.
    pub processed: Option<u64>,
    /// How many things there are.
    pub total: Option<u64>,
    /// When it last told a number.
    pub reported_at: Option<Timestamp>,
}

/// Something that must happen at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// A Wait state's end.
    Wait(FrameId),
    /// A retry.
    Retry(FrameId),
    /// An attempt ran too long.
    JobTimeout(JobId, u32),
    /// A worker was silent too long. The shell moves it when a heartbeat comes.
    Heartbeat(JobId, u32),
    /// The execution ran too long.
    ExecutionTimeout,
    /// Workers did not answer a cancel in time.
    CancelDeadline,
    /// Cleaning up took too long.
    CleanupDeadline,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepStatus {
    /// Not entered, or not again since a redrive.
    Pending,
    /// At work.
    Running,
    /// Waiting for a time or a retry.
    Waiting,
    /// Left with success.
    Completed,
    /// Left with success although parts of it failed.
    CompletedWithErrors,
    /// Failed.
    Failed,
    /// Stopped.
    Cancelled,
}

impl StepStatus {
    /// The word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::CompletedWithErrors => "completed_with_errors",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A state of the outermost machine, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Where it stands.
    pub status: StepStatus,
    /// Its newest job.
    pub job: Option<JobId>,
    /// The execution that did the work of that job, when no worker did.
    pub child: Option<ExecutionId>,
    /// Attempts so far.
    pub attempts: u32,
    /// What its work gave.
    pub result: Option<Json>,
    /// Why it failed last.
    pub failure: Option<Failure>,
    /// When it was first entered; of one that a redrive took back, when it was entered after that.
    pub entered_at: Timestamp,
    /// The sequence of the event that it was entered with last.
    pub entered_by: u64,
    /// When it was left last.
    pub ended_at: Option<Timestamp>,
    /// Newest words of its worker.
    pub message: Option<Arc<str>>,
    /// Parts of a Parallel or Map: how many there are.
    pub parts: u32,
    /// Parts that ended well.
    pub parts_completed: u32,
    /// Parts that failed.
    pub parts_failed: u32,
    /// Things that failed in jobs which succeeded all the same.
    pub errors: u32,
    /// How many things its own job has done, when it counted.
    pub processed: Option<u64>,
    /// How many things there were.
    pub total: Option<u64>,
    /// What is remembered of single parts.
    pub kept: KeptParts,
}
