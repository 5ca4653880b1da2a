//! What is asked. A command may be refused with a [`super::Rejection`]; it changes nothing itself.

use std::sync::Arc;

use uuid::Uuid;

use super::catalogue::StartedAs;
use super::child::{ChildEnd, Parent};
use super::event::{Failure, MapRunWish};
use super::execution::Timer;
use super::id::{ExecutionId, JobId, Timestamp, Token};
use super::pause::{PauseScope, PauseWish};
use super::redrive::RedrivePlan;
use crate::language::{DefinitionHash, Json};

/// A request to one execution. Time, ids, tokens and chance come in with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin.
    StartExecution(StartExecution),
    /// The execution has got the place that it needs to run.
    AdmitExecution,
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
    /// Whoever is to call back gives a sign of life.
    Heartbeat {
        /// The job.
        job: JobId,
        /// The callback's token.
        token: Token,
    },
    /// A worker is done, or a callback brings the result.
    CompleteJob {
        /// The job.
        job: JobId,
        /// The attempt's token, or the callback's.
        token: Token,
        /// The result.
        output: Json,
        /// How many things failed on the way; they count as errors of the execution.
        errors: u32,
    },
    /// A worker failed, or a callback says so.
    FailJob {
        /// The job.
        job: JobId,
        /// The attempt's token, or the callback's.
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
        /// Whether it stopped in order, or no worker had got them.
        stopped: bool,
    },
    /// An execution that this one began has begun, durably.
    ChildStarted {
        /// Which.
        child: ExecutionId,
        /// When.
        at: Timestamp,
    },
    /// An execution that this one began could not begin.
    ChildRefused {
        /// Which.
        child: ExecutionId,
        /// Why.
        failure: Failure,
    },
    /// An execution that this one waits for tells how far it is.
    ChildProgressed {
        /// Which.
        child: ExecutionId,
        /// 0 to 100.
        percent: u8,
    },
    /// An execution that this one began has ended, or is not to be found.
    ChildEnded {
        /// Which.
        child: ExecutionId,
        /// How; none when there is no such execution.
        end: Option<Box<ChildEnd>>,
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
        /// Whether to end at once what was asked before and has not stopped in time.
        force: bool,
    },
    /// Go on, after the end.
    RedriveExecution {
        /// Who asks.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
        /// Where it goes on, with what.
        plan: Box<RedrivePlan>,
        /// Set when its whole workflow is paused: it goes on paused.
        pause: Option<PauseWish>,
    },
    /// Change an open run of a distributed Map.
    ChangeMapRun {
        /// Which.
        run: Uuid,
        /// What is to be otherwise.
        wish: MapRunWish,
        /// Who asks.
        by: Arc<str>,
    },
    /// Try again now what waits to be tried again.
    SkipBackoff,
    /// Begin nothing more, until resumed.
    PauseExecution {
        /// The execution alone, or its whole workflow.
        scope: PauseScope,
        /// Who asks.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// Go on after a pause.
    ResumeExecution {
        /// Which pause ends.
        scope: PauseScope,
        /// Who asks.
        by: Arc<str>,
    },
    /// Put the execution aside: something of ours is wrong with it.
    SetAside {
        /// What.
        reason: Arc<str>,
    },
    /// Forget the execution, which has ended.
    DeleteExecution {
        /// Who asks.
        by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
}

/// What is to begin, and how it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartExecution {
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The version to run.
    pub definition: DefinitionHash,
    /// The caller's own name for it.
    pub name: Option<Arc<str>>,
    /// The input.
    pub input: Json,
    /// The execution that begins it.
    pub parent: Option<Parent>,
    /// The execution that it repeats.
    pub rerun_of: Option<ExecutionId>,
    /// The published version that it is started as.
    pub started_as: Option<StartedAs>,
    /// Set when its whole workflow is paused: it begins paused.
    pub pause: Option<PauseWish>,
}

impl StartExecution {
    /// One that has no name, and that no other execution begins.
    pub fn new(workflow: impl Into<Arc<str>>, definition: DefinitionHash, input: Json) -> Self {
        let workflow = workflow.into();
        Self {
            workflow,
            definition,
            name: None,
            input,
            parent: None,
            rerun_of: None,
            started_as: None,
            pause: None,
        }
    }
}

impl From<StartExecution> for Command {
    fn from(start: StartExecution) -> Self {
        Self::StartExecution(start)
    }
}

impl Command {
    /// What is asked, as a refusal says it: `to cancel`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::StartExecution(_) => "to start",
            Self::AdmitExecution => "to give it a place",
            Self::StartJob { .. } => "to start a job",
            Self::ReportProgress { .. } => "to report progress",
            Self::Heartbeat { .. } => "to give a sign of life",
            Self::CompleteJob { .. } => "to complete a job",
            Self::FailJob { .. } => "to fail a job",
            Self::AcknowledgeCancel { .. } => "to stop a job",
            Self::LoseAttempts { .. } => "to lose attempts",
            Self::ChildStarted { .. }
            | Self::ChildRefused { .. }
            | Self::ChildProgressed { .. }
            | Self::ChildEnded { .. } => "to hear of an execution",
            Self::FireTimer { .. } => "to fire a timer",
            Self::Advance => "to go on",
            Self::CancelExecution { .. } => "to cancel",
            Self::RedriveExecution { .. } => "to retry",
            Self::ChangeMapRun { .. } => "to change a map run",
            Self::SkipBackoff => "to retry now",
            Self::PauseExecution { .. } => "to pause",
            Self::ResumeExecution { .. } => "to resume",
            Self::SetAside { .. } => "to set aside",
            Self::DeleteExecution { .. } => "to delete",
        }
    }
}
