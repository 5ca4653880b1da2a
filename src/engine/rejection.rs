//! Why a command was refused. A rejection is a value, not an error: nothing was written and
//! nothing is wrong with the system.

use super::execution::{Status, Timer};
use super::id::{ExecutionId, JobId};

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
    /// The execution was put aside.
    #[error("{command} is not possible: the execution was set aside ({reason})")]
    SetAside {
        /// What was asked.
        command: &'static str,
        /// Why it was put aside.
        reason: String,
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
    /// There is nothing to go on with.
    #[error("nothing is left to do")]
    NothingToDo,
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

impl Rejection {
    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyStarted => "ALREADY_STARTED",
            Self::NotInStatus { .. } => "NOT_IN_STATUS",
            Self::SetAside { .. } => "SET_ASIDE",
            Self::Deleted { .. } => "DELETED",
            Self::JobNotOpen { .. } => "JOB_NOT_OPEN",
            Self::ChildNotOpen { .. } => "CHILD_NOT_OPEN",
            Self::StaleToken { .. } => "STALE_TOKEN",
            Self::NotPending { .. } => "NOT_PENDING",
            Self::NotDue { .. } => "NOT_DUE",
            Self::NothingToDo => "NOTHING_TO_DO",
            Self::TooLarge { .. } => "TOO_LARGE",
        }
    }
}
