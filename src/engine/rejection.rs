//! Why a command was refused. A rejection is a value, not an error: nothing was written and
//! nothing is wrong with the system.

use super::execution::{Status, Timer};
use super::id::{ExecutionId, JobId, Timestamp};

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
