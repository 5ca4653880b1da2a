//! What runs jobs: handlers in the process, commands bound by the operator, and both of them in
//! another process that reaches the engine over HTTP.
//!
//! A worker gets a [`JobContext`] and ends with a [`JobOutcome`]. It knows nothing of workflows,
//! states or the log.

use std::pin::Pin;
use std::sync::Arc;

use crate::engine::{ExecutionId, Failure, JobId};
use crate::language::Json;

mod clock;
pub mod command;
mod context;
pub mod files;
pub mod registry;
#[cfg(feature = "remote")]
pub mod remote;

pub use clock::{Clock, SystemClock};
pub use command::{CommandHandler, CommandSettings, Leftover, stop_leftovers};
pub use context::{CancelToken, JobContext, ProgressReport, ProgressSink};
pub use registry::{JobError, Registry};

/// How an attempt ended, as its worker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// With a result.
    Succeeded {
        /// The result.
        output: Json,
        /// How many things failed on the way: they count in `summary.total_errors`.
        errors: u32,
    },
    /// With an error.
    Failed(Failure),
    /// It stopped because it was asked to.
    Cancelled,
}

impl JobOutcome {
    /// With a result, and nothing failed on the way.
    #[must_use]
    pub fn succeeded(output: Json) -> Self {
        Self::Succeeded { output, errors: 0 }
    }
}

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs attempts of one job type.
///
/// `run` should end soon after the context's cancel token fires, and may end with any outcome then.
pub trait JobHandler: Send + Sync + 'static {
    /// Runs one attempt to its end.
    fn run(&self, job: JobContext) -> BoxFuture<'_, JobOutcome>;
}

/// A handler that many executions share.
pub type SharedHandler = Arc<dyn JobHandler>;

/// Which attempt of which job: what a worker may show in its own logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId {
    /// The execution.
    pub execution: ExecutionId,
    /// The job.
    pub job: JobId,
    /// From 1.
    pub attempt: u32,
}
