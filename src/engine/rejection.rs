//! Why a command was refused. A rejection is a value, not an error: nothing was written and
//! nothing is wrong with the system.

use super::execution::{Status, Timer};
use super::id::{ExecutionId, JobId, Timestamp};
use crate::language::StateName;

/// A typed refusal of a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The execution exists already.
    #[error("the execution has already been started")]
    AlreadyStarted,
    /// The command is not legal in this status.
    #[error("{command} is not possible: the execution is {}", status.as_str())]
    NotInStatus {
        /// What was asked.
        command: &'static str,
        /// Where the execution stands.
        status: Status,
    },
    /// It was asked to stop before.
    #[error(
        "the execution is stopping already, since {by} asked it to at {since}; its end may be forced \
         from {force_from} on"
    )]
    AlreadyCancelling {
        /// Since when.
        since: Timestamp,
        /// Who asked.
        by: String,
        /// From when on its end may be forced.
        force_from: Timestamp,
    },
    /// The end may be forced only once a cancel's deadline has passed.
    #[error("the end cannot be forced yet: {}", too_early(*force_from))]
    ForceTooEarly {
        /// From when on; none when nobody has asked it to stop.
        force_from: Option<Timestamp>,
    },
    /// The execution was put aside.
    #[error("{command} is not possible: the execution was set aside ({reason})")]
    SetAside {
        /// What was asked.
        command: &'static str,
        /// Why it was put aside.
        reason: String,
    },
    /// The execution is paused.
    #[error("{command} is not possible: {by} paused the {scope} at {since}")]
    Paused {
        /// What was asked.
        command: &'static str,
        /// What was paused: the execution, or its whole workflow.
        scope: &'static str,
        /// Who paused it.
        by: String,
        /// Since when.
        since: Timestamp,
    },
    /// The execution is not paused, or not in the way that was to end.
    #[error("to resume is not possible: the execution is not paused{}", not_alone(*.with_workflow))]
    NotPaused {
        /// Whether its whole workflow is.
        with_workflow: bool,
    },
    /// The execution is over but for what has to stop first.
    #[error("{command} is not possible: the execution is ending")]
    Ending {
        /// What was asked.
        command: &'static str,
    },
    /// The execution was deleted.
    #[error("{command} is not possible: the execution was deleted")]
    Deleted {
        /// What was asked.
        command: &'static str,
    },
    /// There is no such job, or it has ended.
    #[error("job {job} is not open")]
    JobNotOpen {
        /// The job.
        job: JobId,
    },
    /// The execution did not begin such a one, or no longer waits for it.
    #[error("the execution does not wait for {child}")]
    ChildNotOpen {
        /// Which.
        child: ExecutionId,
    },
    /// The token is not that of the running attempt.
    #[error("the token of job {job} is stale: that attempt is over")]
    StaleToken {
        /// The job.
        job: JobId,
    },
    /// The attempt is not waiting for a worker.
    #[error("attempt {attempt} of job {job} is not waiting for a worker")]
    NotPending {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
    },
    /// The timer is not set, or not due.
    #[error("timer {timer:?} is not due")]
    NotDue {
        /// The timer.
        timer: Timer,
    },
    /// The execution has no such map run, or it is not open.
    #[error("the execution has no open map run {run}")]
    NoOpenMapRun {
        /// Its id.
        run: uuid::Uuid,
    },
    /// There is nothing to go on with.
    #[error("nothing is left to do")]
    NothingToDo,
    /// The key of the workflow's `Concurrency` cannot be worked out.
    #[error("the key of the workflow's Concurrency cannot be worked out: {cause}")]
    PlaceKeyFailed {
        /// Why.
        cause: String,
    },
    /// All places are taken, and the workflow's `Concurrency` refuses who finds none.
    #[error("all places are taken: limit {limit}, held by {}", handles(holders, *more))]
    PlaceTaken {
        /// The key; empty when the workflow has one for all.
        key: String,
        /// How many places there are.
        limit: u32,
        /// Who has them, or the first of those.
        holders: Vec<ExecutionId>,
        /// How many more there are.
        more: usize,
    },
    /// The execution that would wait for this one has a place that this one needs, and all who have
    /// one wait for such as this.
    #[error(
        "execution {holder} has a place and would wait for this one, as all who have one do: none would go on"
    )]
    PlaceHeldByParent {
        /// Who would wait.
        holder: ExecutionId,
    },
    /// As many executions wait for a place as may.
    #[error("{limit} executions wait for a place already, and no more may")]
    PlaceQueueFull {
        /// How many may.
        limit: usize,
    },
    /// No state is tried again after a delay.
    #[error("nothing waits to be tried again: the execution waits for {waits_for}")]
    NotBackingOff {
        /// What it waits for.
        waits_for: String,
    },
    /// The execution is the work of another one, which goes on with it.
    #[error("{command} is not possible: execution {parent} began it, and begins its work anew")]
    PartOfAnother {
        /// What was asked.
        command: &'static str,
        /// The execution that waited for it.
        parent: ExecutionId,
    },
    /// No step of this name has been entered on the way that led to the end.
    #[error("step {step:?} has not been entered; entered were {}", names(entered))]
    StepNotEntered {
        /// The step.
        step: StateName,
        /// Those that were.
        entered: Vec<StateName>,
    },
    /// The input of the step that is to run again cannot be changed so.
    #[error("the input of step {step:?} cannot be changed: {reason}")]
    BadChange {
        /// The step.
        step: StateName,
        /// Why.
        reason: String,
    },
    /// The execution has gone on since it was worked out how it goes on.
    #[error("the execution has gone on meanwhile")]
    PlanOutdated,
    /// The command carries more bytes than a limit allows.
    #[error("{what} has {bytes} bytes, over the limit of {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How many it has.
        bytes: usize,
        /// How many are allowed.
        limit: usize,
    },
}

fn not_alone(with_workflow: bool) -> &'static str {
    if with_workflow { " itself, but its whole workflow is" } else { "" }
}

fn too_early(force_from: Option<Timestamp>) -> String {
    match force_from {
        Some(moment) => format!("its workers have until {moment}"),
        None => "nobody has asked it to stop".to_owned(),
    }
}

impl Rejection {
    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyStarted => "ALREADY_STARTED",
            Self::NotInStatus { .. } => "NOT_IN_STATUS",
            Self::AlreadyCancelling { .. } => "ALREADY_CANCELLING",
            Self::ForceTooEarly { .. } => "FORCE_TOO_EARLY",
            Self::SetAside { .. } => "SET_ASIDE",
            Self::Paused { .. } => "PAUSED",
            Self::NotPaused { .. } => "NOT_PAUSED",
            Self::Ending { .. } => "ENDING",
            Self::Deleted { .. } => "DELETED",
            Self::JobNotOpen { .. } => "JOB_NOT_OPEN",
            Self::ChildNotOpen { .. } => "CHILD_NOT_OPEN",
            Self::StaleToken { .. } => "STALE_TOKEN",
            Self::NotPending { .. } => "NOT_PENDING",
            Self::NotDue { .. } => "NOT_DUE",
            Self::NoOpenMapRun { .. } => "NO_OPEN_MAP_RUN",
            Self::NothingToDo => "NOTHING_TO_DO",
            Self::PlaceKeyFailed { .. } => "PLACE_KEY_FAILED",
            Self::PlaceTaken { .. } => "PLACE_TAKEN",
            Self::PlaceHeldByParent { .. } => "PLACE_HELD_BY_PARENT",
            Self::PlaceQueueFull { .. } => "PLACE_QUEUE_FULL",
            Self::NotBackingOff { .. } => "NOT_BACKING_OFF",
            Self::PartOfAnother { .. } => "PART_OF_ANOTHER",
            Self::StepNotEntered { .. } => "STEP_NOT_ENTERED",
            Self::BadChange { .. } => "BAD_CHANGE",
            Self::PlanOutdated => "PLAN_OUTDATED",
            Self::TooLarge { .. } => "TOO_LARGE",
        }
    }
}

/// Short names, as people type them.
fn handles(ids: &[ExecutionId], more: usize) -> String {
    let mut list = ids.iter().map(ExecutionId::short).collect::<Vec<_>>().join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    list
}

fn names(steps: &[StateName]) -> String {
    match steps {
        [] => "none".to_owned(),
        steps => steps.iter().map(|step| format!("{step:?}")).collect::<Vec<_>>().join(", "),
    }
}
