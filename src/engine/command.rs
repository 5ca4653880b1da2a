//! What is asked. A command may be refused with a [`super::Rejection`]; it changes nothing itself.

use std::sync::Arc;

use super::event::Failure;
use super::execution::Timer;
use super::id::{JobId, Timestamp, Token};
use crate::language::{DefinitionHash, Json};

/// A request to one execution. Time, ids, tokens and chance come in with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin.
    StartExecution {
        /// The workflow's name.
        workflow: Arc<str>,
        /// The version to run.
        definition: DefinitionHash,
        /// The caller's own name for it.
        name: Option<Arc<str>>,
        /// The input.
        input: Json,
    },
    /// A worker takes a job.
    StartJob {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
        /// Which worker.
        worker: Arc<str>,
        /// The token that completions of this attempt must show.
        token: Token,
    },
    /// A worker tells how far it is. What is missing stays as it was.
    ReportProgress {
        /// The job.
        job: JobId,
        /// The attempt's token.
        token: Token,
        /// 0 to 100.
        percent: Option<u8>,
        /// Words for people.
        message: Option<Arc<str>>,
        /// How many things are done.
        processed: Option<u64>,
        /// How many things there are.
        total: Option<u64>,
    },
    /// A worker is done.
    CompleteJob {
        /// The job.
        job: JobId,
        /// The attempt's token.
        token: Token,
        /// The result.
        output: Json,
    },
    /// A worker failed.
    FailJob {
        /// The job.
        job: JobId,
        /// The attempt's token.
        token: Token,
        /// Why.
        failure: Failure,
    },
    /// A worker stopped as it was asked to.
    AcknowledgeCancel {
        /// The job.
        job: JobId,
        /// The attempt's token.
        token: Token,
    },
    /// The process that ran the attempts of these jobs is gone, or is about to go.
    LoseAttempts {
        /// The jobs.
        jobs: Vec<JobId>,
        /// Whether it stopped in order.
        stopped: bool,
    },
    /// A timer's time has come.
    FireTimer {
        /// Which.
        timer: Timer,
        /// When it was due.
        due: Timestamp,
        /// For a heartbeat timer: the worker's last sign of life, when there was one.
        last_heartbeat: Option<Timestamp>,
    },
    /// Go on with what a long decision left for later.
    Advance,
    /// Stop.
    CancelExecution {
        /// Who asks.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// Put the execution aside: something of ours is wrong with it.
    SetAside {
        /// What.
        reason: Arc<str>,
    },
}
