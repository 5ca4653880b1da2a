//! Exit codes: a promise to scripts.

use std::process::ExitCode;

use crate::engine::Status;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done; an empty list is success.
    Done = 0,
    /// Any other error.
    Other = 1,
    /// The command line is not understood.
    Usage = 2,
    /// There is no such execution, workflow or file.
    NotFound = 3,
    /// No server is reachable.
    NoServer = 4,
    /// Not allowed in this status.
    NotAllowed = 5,
    /// The execution failed or timed out.
    Failed = 10,
    /// The execution was cancelled.
    Cancelled = 11,
    /// The execution completed with errors.
    CompletedWithErrors = 12,
    /// Waiting timed out; the execution goes on.
    WaitTimedOut = 13,
    /// The log is damaged.
    Damaged = 20,
    /// A definition is invalid.
    Invalid = 21,
    /// A replay went another way than what was recorded.
    Parted = 23,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: &[Self] = &[
        Self::Done,
        Self::Other,
        Self::Usage,
        Self::NotFound,
        Self::NoServer,
        Self::NotAllowed,
        Self::Failed,
        Self::Cancelled,
        Self::CompletedWithErrors,
        Self::WaitTimedOut,
        Self::Damaged,
        Self::Invalid,
        Self::Parted,
        Self::Interrupted,
    ];

    /// The code that the caller sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; an empty list is success",
            Self::Other => "any other error",
            Self::Usage => "the command line is not understood",
            Self::NotFound => "there is no such execution, event, workflow or file",
            Self::NoServer => "no server is reachable",
            Self::NotAllowed => "not allowed in this status; the reason is printed",
            Self::Failed => "the execution failed or timed out",
            Self::Cancelled => "the execution was cancelled",
            Self::CompletedWithErrors => {
                "the execution completed with errors (0 with --allow-errors)"
            }
            Self::WaitTimedOut => "waiting timed out; the execution goes on",
            Self::Damaged => "the log is damaged",
            Self::Invalid => "a definition is invalid",
            Self::Parted => "a replay went another way than what was recorded",
            Self::Interrupted => {
                "interrupted by Ctrl-C or SIGTERM; unfinished executions can go on"
            }
        }
    }

    /// How a program ends that waited for an execution which now has `status`.
    #[must_use]
    pub fn of(status: Status, allow_errors: bool) -> Self {
        match status {
            Status::Completed => Self::Done,
            Status::CompletedWithErrors if allow_errors => Self::Done,
            Status::CompletedWithErrors => Self::CompletedWithErrors,
            Status::Failed | Status::TimedOut => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Pending | Status::Running | Status::Cancelling => Self::WaitTimedOut,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_that_scripts_rely_on() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 20, 21, 23, 130]);
    }

    #[test]
    fn an_outcome_decides_the_code() {
        assert_eq!(Exit::of(Status::Completed, false), Exit::Done);
        assert_eq!(Exit::of(Status::CompletedWithErrors, false), Exit::CompletedWithErrors);
        assert_eq!(Exit::of(Status::CompletedWithErrors, true), Exit::Done);
        assert_eq!(Exit::of(Status::Failed, true), Exit::Failed);
        assert_eq!(Exit::of(Status::TimedOut, false), Exit::Failed);
        assert_eq!(Exit::of(Status::Cancelled, false), Exit::Cancelled);
    }
}
