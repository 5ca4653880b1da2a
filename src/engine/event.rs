//! What happened. Every change of an execution is one of these, recorded before it is visible.
//! A released body is frozen (`docs/EVENT_FORMAT.md`); decide has put results of expressions in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::catalogue::{Routing, Setup, StartedAs, Tag};
use super::child::{Child, Ending, Parent};
use super::cleanup::EndSummary;
pub use super::event_data::{Data, KeptPart, MapRunChange, MapRunWish};
use super::event_table::events;
pub use super::failure::{Failure, MAX_CAUSE_BYTES, MAX_ERROR_BYTES};
pub(crate) use super::failure::{cut, cut_shared};
use super::id::{ExecutionId, FrameId, JobId, Timestamp, Token};
use super::pause::PauseScope;
use super::place::Place;
use crate::language::{DefinitionHash, Json, StateName};

events! {
    /// A definition became known under its content hash. Recorded in a history of its own, once.
    DefinitionStored {
        /// The name it was given.
        name: Arc<str>,
        /// SHA-256 of `source`.
        hash: DefinitionHash,
        /// Canonical JSON text.
        source: Json,
    }
    /// An execution began.
    ExecutionStarted {
        /// The workflow's name.
        workflow: Arc<str>,
        /// The version it will run to its end.
        definition: DefinitionHash,
        /// The caller's own name for it, for idempotent starts.
        name: Option<Arc<str>>,
        /// The input.
        input: Json,
        /// When the whole execution times out.
        deadline: Option<Timestamp>,
        /// The execution that began it.
        parent: Option<Parent>,
        /// The place that it needs to run; it is pending until it has that.
        place: Option<Place>,
        /// The execution that it repeats.
        rerun_of: Option<ExecutionId>,
        /// The published version that it was started as.
        started_as: Option<StartedAs>,
    }
    /// An execution that had ended goes on: from the entrance of a step on, all is done again.
    ExecutionRedriven {
        /// Who asked.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
        /// The step that runs again.
        step: StateName,
        /// The sequence of the event that had entered it; 0 when nothing had been entered.
        back_to: u64,
        /// Its input.
        input: Json,
        /// Whether that is another than it had before.
        input_changed: bool,
        /// The variables that there were.
        variables: Vec<(Arc<str>, Json)>,
        /// The steps that keep their results, in the order in which they were entered.
        kept: Vec<StateName>,
        /// Failures that were caught or tolerated in those.
        total_errors: u32,
        /// When the whole execution times out.
        deadline: Option<Timestamp>,
        /// Progress of the whole execution from now on, in percent: it may be less than before.
        progress: u8,
    }
    /// Parts of a Parallel or Map that had been done before a redrive are not done again.
    PartsKept {
        /// The frame that stands in the Parallel or Map.
        frame: FrameId,
        /// The parts, by their index.
        parts: Vec<KeptPart>,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A frame entered a state.
    StateEntered {
        /// The frame.
        frame: FrameId,
        /// The state.
        state: StateName,
        /// Its input.
        input: Data,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A frame left a state, which succeeded.
    StateExited {
        /// The frame.
        frame: FrameId,
        /// The state.
        state: StateName,
        /// Its output.
        output: Data,
        /// Variables it assigned.
        assigned: Vec<(Arc<str>, Json)>,
    }
    /// A state failed, and a catcher took the failure.
    FailureCaught {
        /// The frame.
        frame: FrameId,
        /// The state.
        state: StateName,
        /// Which catcher, from 0.
        catcher: u32,
        /// What it caught.
        failure: Failure,
        /// The state's output.
        output: Data,
        /// Variables it assigned.
        assigned: Vec<(Arc<str>, Json)>,
        /// Whether the failure counts in `summary.total_errors`.
        counts: bool,
    }
    /// A state failed and will be tried again at `due`.
    RetryScheduled {
        /// The frame.
        frame: FrameId,
        /// The state.
        state: StateName,
        /// Which retrier, from 0.
        retrier: u32,
        /// How often this retrier has been used in this state, from 1.
        count: u32,
        /// When, jitter included.
        due: Timestamp,
        /// What failed.
        failure: Failure,
    }
    /// The time of a retry has come: the state runs again.
    RetryStarted {
        /// The frame.
        frame: FrameId,
    }
    /// A Wait state began to wait.
    WaitStarted {
        /// The frame.
        frame: FrameId,
        /// Until when.
        until: Timestamp,
    }
    /// A Wait state's time has come.
    WaitEnded {
        /// The frame.
        frame: FrameId,
    }
    /// A Parallel or Map state opened.
    ForkStarted {
        /// The frame.
        frame: FrameId,
        /// How many branches, items or batches.
        total: u32,
        /// How many may run at once; 0 is without limit.
        concurrency: u32,
        /// A Map's items, an array or object; none for Parallel.
        items: Option<Data>,
        /// Where each batch ends in the items, when they are batched.
        batch_ends: Vec<u32>,
        /// A Map's `BatchInput`.
        batch_input: Option<Json>,
        /// How many of its items may fail; of a Parallel, branches.
        tolerated_failures: u32,
        /// Whether failures that are tolerated count in `summary.total_errors`.
        counts_errors: bool,
        /// Whether the outputs of parts are kept; with a `ResultWriter` they are not.
        keeps_outputs: bool,
        /// The map run, when each part is an execution of its own.
        run: Option<Uuid>,
    }
    /// A branch or an iteration began, in a frame of its own.
    FrameStarted {
        /// The new frame.
        frame: FrameId,
        /// The frame that stands in the Parallel or Map state.
        parent: FrameId,
        /// Which branch, item or batch, from 0.
        index: u32,
    }
    /// A branch or an iteration reached its end.
    FrameSucceeded {
        /// The frame.
        frame: FrameId,
        /// Its output: always the last state's.
        output: Data,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A branch or an iteration failed.
    FrameFailed {
        /// The frame.
        frame: FrameId,
        /// Why.
        failure: Failure,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A branch or an iteration was stopped, because a sibling failed or the execution ends.
    FrameCancelled {
        /// The frame.
        frame: FrameId,
    }
    /// A part of a distributed Map began, as an execution of its own.
    ItemStarted {
        /// The frame that stands in the Map.
        frame: FrameId,
        /// Which item or batch, from 0.
        index: u32,
        /// The execution.
        child: ExecutionId,
        /// Its input: `Kept` is the item itself.
        input: Data,
    }
    /// A part of a distributed Map told how far it is. Recorded only where the Map has few parts.
    ItemProgressed {
        /// The frame that stands in the Map.
        frame: FrameId,
        /// The execution.
        child: ExecutionId,
        /// Its progress in percent.
        percent: u8,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A part of a distributed Map reached its end.
    ItemSucceeded {
        /// The frame that stands in the Map.
        frame: FrameId,
        /// The execution.
        child: ExecutionId,
        /// Its output: `Kept` stays with the execution, for a `ResultWriter` to take it from there.
        output: Data,
        /// Whether it completed with errors: it counts as one.
        with_errors: bool,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A part of a distributed Map failed.
    ItemFailed {
        /// The frame that stands in the Map.
        frame: FrameId,
        /// The execution.
        child: ExecutionId,
        /// Why.
        failure: Failure,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A part of a distributed Map is no longer wanted: its execution is asked to stop.
    ItemCancelled {
        /// The frame that stands in the Map.
        frame: FrameId,
        /// The execution.
        child: ExecutionId,
    }
    /// Somebody changed how many executions of a map run are at work at once, or how many may fail.
    MapRunChanged {
        /// The frame that stands in the Map.
        frame: FrameId,
        /// What is otherwise from now on.
        change: MapRunChange,
    }
    /// An execution that was asked to stop has ended, or never began.
    ChildStopped {
        /// The execution.
        child: ExecutionId,
    }
    /// An attempt of a job is ready for a worker, or is an execution that begins.
    JobScheduled {
        /// The job.
        job: JobId,
        /// The frame that waits for it.
        frame: FrameId,
        /// From 1.
        attempt: u32,
        /// The job type.
        job_type: Arc<str>,
        /// What the worker gets.
        input: Data,
        /// How long the attempt may run, in seconds.
        timeout_seconds: Option<u64>,
        /// How long the worker may be silent, in seconds.
        heartbeat_seconds: Option<u64>,
        /// What a callback must show, when the job waits for one.
        callback: Option<Token>,
        /// The execution that does the work, when no worker does.
        child: Option<Child>,
    }
    /// A worker took the job.
    JobStarted {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
        /// Which worker.
        worker: Arc<str>,
        /// What a completion must show.
        token: Token,
    }
    /// A worker reported progress.
    JobProgressed {
        /// The job.
        job: JobId,
        /// Percent, when the report had one.
        percent: Option<u8>,
        /// Words, when the report had some.
        message: Option<Arc<str>>,
        /// How many things are done, when the report counts things.
        processed: Option<u64>,
        /// How many things there are.
        total: Option<u64>,
        /// Progress of the whole execution from now on, in percent.
        progress: u8,
    }
    /// A worker gave a sign of life. Recorded only when the heartbeat's time would have run out.
    JobHeartbeat {
        /// The job.
        job: JobId,
        /// When the worker gave it.
        beat_at: Timestamp,
    }
    /// The worker has handed the job on, or its execution has begun: what is missing is the callback.
    CallbackAwaited {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
    }
    /// A job's attempt gave its result.
    JobSucceeded {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
        /// The result.
        output: Json,
        /// How many things failed on the way. An execution that completed with errors counts as one.
        errors: u32,
    }
    /// A job's attempt failed.
    JobFailed {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
    }
    /// A job's attempt ran too long, or its worker was silent too long.
    JobTimedOut {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
        /// Whether it was the heartbeat.
        heartbeat: bool,
    }
    /// A job's attempt was cut off with the process that ran it.
    AttemptLost {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
        /// Whether the process stopped in order, or no worker had got it; only the rest counts
        /// against the limit.
        stopped: bool,
    }
    /// A job was cancelled: it never runs, or its running attempt no longer counts.
    JobCancelled {
        /// The job.
        job: JobId,
    }
    /// Somebody asked the execution to stop.
    CancelRequested {
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
        /// When it ends even if a worker has not answered.
        deadline: Timestamp,
    }
    /// Executions that this one began have not stopped in time; they get longer.
    CancelExtended {
        /// Until when.
        deadline: Timestamp,
    }
    /// Somebody forced the end of an execution whose workers, children or clean-up took too long.
    CancelForced {
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    }
    /// A step is undone, or `OnCancel` runs, in a frame of its own.
    CleanupStarted {
        /// The new frame.
        frame: FrameId,
        /// The step that is undone; none for `OnCancel`.
        of: Option<StateName>,
        /// The state that is entered.
        state: StateName,
        /// Its input.
        input: Data,
        /// When all clean-up must be done.
        deadline: Timestamp,
    }
    /// A clean-up reached its end.
    CleanupSucceeded {
        /// Its frame.
        frame: FrameId,
    }
    /// A clean-up failed, or was given up; the next one goes on.
    CleanupFailed {
        /// Its frame; none when it never began.
        frame: Option<FrameId>,
        /// The step that was to be undone; none for `OnCancel`.
        of: Option<StateName>,
        /// The state that it began with.
        state: StateName,
        /// Why.
        failure: Failure,
    }
    /// The execution is over but for executions that it began and asked to stop, and for clean-up.
    ExecutionClosing {
        /// How it will have ended.
        ending: Ending,
    }
    /// The execution got the place that it needs, and runs from now on.
    ExecutionAdmitted {
        /// When the whole execution times out: its time runs from here.
        deadline: Option<Timestamp>,
    }
    /// The execution stopped as asked.
    ExecutionCancelled {
        /// Executions that it began and that had not stopped when its end was forced.
        abandoned: Vec<ExecutionId>,
        /// What the definition's `Summary` gave.
        summary: Option<EndSummary>,
    }
    /// The execution reached its end.
    ExecutionCompleted {
        /// Its output: always the last state's.
        output: Data,
        /// What the definition's `Summary` gave.
        summary: Option<EndSummary>,
    }
    /// The execution failed.
    ExecutionFailed {
        /// Why.
        failure: Failure,
        /// What the definition's `Summary` gave.
        summary: Option<EndSummary>,
    }
    /// The execution ran longer than its machine's `TimeoutSeconds`.
    ExecutionTimedOut {
        /// What the definition's `Summary` gave.
        summary: Option<EndSummary>,
    }
    /// The execution cannot go on because something of ours is wrong; it waits for people.
    ExecutionSetAside {
        /// Why.
        reason: Arc<str>,
    }
    /// The execution, which has ended, was deleted: the last event, which compaction leaves.
    ExecutionDeleted {
        /// Who deleted it.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    }
    /// Somebody paused the execution: nothing in it begins until it is resumed.
    ExecutionPaused {
        /// It alone, or its whole workflow.
        scope: PauseScope,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    }
    /// Somebody resumed the execution.
    ExecutionResumed {
        /// Which pause ends.
        scope: PauseScope,
        /// Who.
        by: Arc<str>,
    }
    /// Somebody paused a workflow: its executions are, and begin so. In a history of its own.
    WorkflowPaused {
        /// Which.
        workflow: Arc<str>,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    }
    /// Somebody resumed a workflow.
    WorkflowResumed {
        /// Which.
        workflow: Arc<str>,
        /// Who.
        by: Arc<str>,
    }
    /// Somebody paused a job type: none of its jobs is given to a worker.
    JobTypePaused {
        /// Which.
        job_type: Arc<str>,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    }
    /// Somebody resumed a job type.
    JobTypeResumed {
        /// Which.
        job_type: Arc<str>,
        /// Who.
        by: Arc<str>,
    }
    /// A client of AWS set a workflow up, or anew. In a history of its own, as all that follow.
    MachineSettled {
        /// Which.
        workflow: Arc<str>,
        /// How.
        setup: Setup,
    }
    /// A workflow was removed for clients of that API.
    MachineRemoved {
        /// Which.
        workflow: Arc<str>,
        /// How many versions of it had been deployed.
        deployed: u64,
    }
    /// A version of a workflow was published.
    VersionPublished {
        /// Of which.
        workflow: Arc<str>,
        /// Its number.
        version: u64,
        /// What it runs.
        definition: DefinitionHash,
        /// The revision of the workflow that was published.
        revision: Arc<str>,
        /// What it is for.
        description: Option<Arc<str>>,
    }
    /// A version that was published is no longer.
    VersionRetired {
        /// Of which.
        workflow: Arc<str>,
        /// Its number.
        version: u64,
    }
    /// An alias leads to these versions from now on.
    AliasSettled {
        /// Of which.
        workflow: Arc<str>,
        /// Its name.
        alias: Arc<str>,
        /// What it is for.
        description: Option<Arc<str>>,
        /// To which versions, and how often.
        routes: Vec<Routing>,
    }
    /// An alias is no longer.
    AliasRemoved {
        /// Of which.
        workflow: Arc<str>,
        /// Its name.
        alias: Arc<str>,
    }
    /// An activity was created.
    ActivityCreated {
        /// Its name, which is a job type.
        activity: Arc<str>,
    }
    /// An activity is no longer.
    ActivityRemoved {
        /// Its name.
        activity: Arc<str>,
    }
    /// A resource has these tags from now on, and no others.
    TagsSettled {
        /// Which, as `activity:NAME`.
        resource: Arc<str>,
        /// All of them.
        tags: Vec<Tag>,
    }
}
