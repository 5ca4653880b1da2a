//! What can go wrong when something is asked of a running system.

use crate::engine::{ExecutionId, Rejection, Timestamp};
use crate::language::{Diagnostic, nearest};
use std::sync::Arc;

use crate::store;

/// Why a request was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The engine refused the command. Nothing was written.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// There is no such execution.
    #[error("there is no execution {id}")]
    NoSuchExecution {
        /// What was asked for.
        id: String,
    },
    /// The execution was deleted.
    #[error("execution {execution} was deleted {at} by {by}{}", reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Deleted {
        /// Which.
        execution: ExecutionId,
        /// Who deleted it.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
        /// When.
        at: Timestamp,
    },
    /// The execution that began it may still look at it.
    #[error("execution {execution} belongs to {parent}, which still needs it")]
    NeededByParent {
        /// Which.
        execution: ExecutionId,
        /// The execution that began it.
        parent: ExecutionId,
    },
    /// An execution went on while it was looked at.
    #[error("execution {execution} has just changed")]
    Changed {
        /// Which.
        execution: ExecutionId,
    },
    /// An execution whose history has no such event.
    #[error("execution {} has no event {sequence}: it has 1 to {last}", execution.short())]
    NoSuchEvent {
        /// Which.
        execution: ExecutionId,
        /// What was asked for.
        sequence: u64,
        /// Its last one.
        last: u64,
    },
    /// A beginning of a handle that several executions share.
    #[error("{handle:?} could be any of {}", candidates.iter().map(ExecutionId::handle).collect::<Vec<_>>().join(", "))]
    AmbiguousHandle {
        /// What was given.
        handle: String,
        /// The executions it could mean.
        candidates: Vec<ExecutionId>,
    },
    /// There is no such workflow.
    #[error("there is no workflow {name:?}{}; known: {}", did_you_mean(name, known), list(known))]
    NoSuchWorkflow {
        /// What was asked for.
        name: String,
        /// The workflows there are.
        known: Vec<String>,
    },
    /// Nobody serves such jobs, and no workflow has any.
    #[error("there is no job type {name:?}{}; known: {}", did_you_mean(name, known), list(known))]
    NoSuchJobType {
        /// What was asked for.
        name: String,
        /// The job types there are.
        known: Vec<String>,
    },
    /// There is no such worker.
    #[error("there is no worker {name:?}{}; known: {}", did_you_mean(name, known), list(known))]
    NoSuchWorker {
        /// What was asked for.
        name: String,
        /// The workers of other processes that are known.
        known: Vec<String>,
    },
    /// Workers of other processes get no jobs here.
    #[error("this system gives no jobs to workers of other processes")]
    NoRemoteWorkers,
    /// Too many workers wait for jobs.
    #[error("{most} workers wait for jobs already")]
    TooManyPolls {
        /// How many may.
        most: usize,
    },
    /// The workflow or job type is paused already.
    #[error("{what} is paused already, by {by} since {since}")]
    AlreadyPaused {
        /// Which.
        what: String,
        /// Who paused it.
        by: String,
        /// Since when.
        since: Timestamp,
    },
    /// The workflow or job type is not paused.
    #[error("{what} is not paused")]
    NotPaused {
        /// Which.
        what: String,
    },
    /// The workflow needs workers that nobody registered.
    #[error("no worker serves {}; job types with a worker: {}", list(unknown), list(known))]
    UnknownJobTypes {
        /// The job types that nobody serves.
        unknown: Vec<String>,
        /// Those that somebody serves.
        known: Vec<String>,
    },
    /// The definition has faults.
    #[error("the definition is invalid: {}", summary(faults))]
    InvalidDefinition {
        /// All of them.
        faults: Vec<Diagnostic>,
    },
    /// A name that is empty, too long, or has characters that names must not have.
    #[error("{name:?} is no name: 1 to 128 letters, digits, '.', '_' or '-' are")]
    BadName {
        /// The name.
        name: String,
    },
    /// Another execution of the workflow has the name, and cannot stand for the one asked for: it has
    /// another input, or has ended.
    #[error("execution {execution} of {workflow:?} is called {name:?} already")]
    NameTaken {
        /// The workflow.
        workflow: String,
        /// The name.
        name: String,
        /// Who has it.
        execution: ExecutionId,
    },
    /// A text that is no token of a callback or an attempt.
    #[error("the text is not the token of a callback or an attempt")]
    BadToken,
    /// The store failed. After this nothing more is acknowledged.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The system is stopping, or has stopped.
    #[error("the system is stopping and takes no more commands")]
    Stopping,
    /// The system stopped because its store failed.
    #[error("the system has stopped: {reason}")]
    Failed {
        /// What the store said.
        reason: String,
    },
}

impl Error {
    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Store(error) => error.code(),
            Self::NoSuchExecution { .. } => "NO_SUCH_EXECUTION",
            Self::Deleted { .. } => "DELETED",
            Self::NeededByParent { .. } => "NEEDED_BY_PARENT",
            Self::Changed { .. } => "EXECUTION_CHANGED",
            Self::NoSuchEvent { .. } => "NO_SUCH_EVENT",
            Self::AmbiguousHandle { .. } => "AMBIGUOUS_HANDLE",
            Self::NoSuchWorkflow { .. } => "NO_SUCH_WORKFLOW",
            Self::NoSuchJobType { .. } => "NO_SUCH_JOB_TYPE",
            Self::NoSuchWorker { .. } => "NO_SUCH_WORKER",
            Self::NoRemoteWorkers => "NO_REMOTE_WORKERS",
            Self::TooManyPolls { .. } => "TOO_MANY_POLLS",
            Self::AlreadyPaused { .. } => "PAUSED",
            Self::NotPaused { .. } => "NOT_PAUSED",
            Self::UnknownJobTypes { .. } => "UNKNOWN_JOB_TYPES",
            Self::InvalidDefinition { .. } => "INVALID_DEFINITION",
            Self::BadName { .. } => "BAD_NAME",
            Self::NameTaken { .. } => "NAME_TAKEN",
            Self::BadToken => "BAD_TOKEN",
            Self::Stopping => "STOPPING",
            Self::Failed { .. } => "STOPPED_BY_STORE",
        }
    }
}

fn did_you_mean(name: &str, known: &[String]) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    near.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn summary(faults: &[Diagnostic]) -> String {
    match faults {
        [] => "no fault is named".to_owned(),
        [only] => only.message.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
    }
}
