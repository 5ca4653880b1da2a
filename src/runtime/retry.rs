//! Going on with executions that have ended, and repeating them.
//!
//! What has ended is in no shard's memory. Its history is read and says where it goes on; its shard
//! then takes it in again. One redrive at a time: between the reading and the decision the history
//! must not move, or the log would be written from a state that is not the last.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::error::Error;
use super::orchestrator::{Orchestrator, Start};
use super::read::read_whole;
use super::shards::Request;
use crate::engine::catalogue::StartedAs;
use crate::engine::event::MapRunWish;
use crate::engine::{
    Command, Execution, ExecutionId, Program, RedrivePlan, RedriveRequest, Rejection, redrive,
};
use crate::language::{DefinitionHash, Json};
use crate::store::Record;

/// What is to be other in a new execution than in the one that it repeats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerun {
    /// The caller's own name for it.
    pub name: Option<String>,
    /// Another input.
    pub input: Option<Json>,
    /// Whether it runs the same version, and not the newest.
    pub same_version: bool,
}

/// Where an execution that people start comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// The execution that it repeats.
    pub(super) rerun_of: Option<ExecutionId>,
    /// The version to run; the newest when that is not said.
    pub(super) version: Option<DefinitionHash>,
    /// The published version that it is.
    pub(super) started_as: Option<StartedAs>,
}

impl Orchestrator {
    /// Goes on with an execution that failed, timed out, was cancelled or completed with errors: the
    /// step that did not end well runs again, finished steps keep their results. On return it is
    /// durable. Gives what is kept and what is done again.
    ///
    /// # Errors
    /// There is no such execution; it cannot go on, in its status or as it is asked for; or nobody
    /// serves one of its job types.
    pub async fn redrive(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
        request: RedriveRequest,
    ) -> Result<RedrivePlan, Error> {
        self.check_open()?;
        let (this, by, reason) = (self.clone(), by.to_owned(), reason.map(str::to_owned));
        let redriving =
            async move { this.take_in(execution, &by, reason.as_deref(), &request).await };
        self.in_turn(&self.inner.redriving, redriving).await
    }

    async fn take_in(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
        request: &RedriveRequest,
    ) -> Result<RedrivePlan, Error> {
        let (ended, program, plan) = self.planned(execution, request).await?;
        self.check_served(&program)?;
        let command = Command::RedriveExecution {
            by: by.into(),
            reason: reason.map(Into::into),
            plan: Box::new(plan.clone()),
            // The shard knows whether the workflow is paused.
            pause: None,
        };
        let (reply, answer) = oneshot::channel();
        let request = Request::Redrive { ended: Box::new(ended), program, command, reply };
        self.inner.tools.shards.request(execution, request).await?;
        self.answer(answer).await??;
        Ok(plan)
    }

    /// What [`Orchestrator::redrive`] would keep and do again. Nothing is changed.
    ///
    /// # Errors
    /// As [`Orchestrator::redrive`].
    pub async fn redrive_plan(
        &self,
        execution: ExecutionId,
        request: &RedriveRequest,
    ) -> Result<RedrivePlan, Error> {
        Ok(self.planned(execution, request).await?.2)
    }

    async fn planned(
        &self,
        execution: ExecutionId,
        request: &RedriveRequest,
    ) -> Result<(Execution, Arc<Program>, RedrivePlan), Error> {
        let (ended, records) = read_whole(self.store(), execution).await?;
        self.check_expected(&ended)?;
        let program = self.program(ended.definition).ok_or_else(missing)?;
        let history = records.iter().map(Record::dated);
        let plan = redrive::plan(execution, history, &program, request)?;
        Ok((ended, program, plan))
    }

    /// Tries at once what an execution waits to try again. On return it is durable.
    ///
    /// # Errors
    /// There is no such execution, it has ended, or it waits for something else.
    pub async fn skip_backoff(&self, execution: ExecutionId) -> Result<(), Error> {
        self.command(execution, Command::SkipBackoff).await.map(drop)
    }

    /// Changes an open run of a distributed Map. On return the change is durable.
    ///
    /// # Errors
    /// There is no such execution, it has ended, or the run is not open.
    pub async fn change_map_run(
        &self,
        execution: ExecutionId,
        run: uuid::Uuid,
        wish: MapRunWish,
        by: &str,
    ) -> Result<(), Error> {
        let command = Command::ChangeMapRun { run, wish, by: by.into() };
        self.command(execution, command).await.map(drop)
    }

    /// Starts a new execution of the same workflow with the same input, which knows the one that it
    /// repeats.
    ///
    /// # Errors
    /// There is no such execution, or it is a part of a distributed Map; or as
    /// [`Orchestrator::start_with`].
    pub async fn rerun(&self, execution: ExecutionId, rerun: Rerun) -> Result<ExecutionId, Error> {
        let known = self.execution(execution).await?;
        known.permits_rerun()?;
        let start = Start {
            workflow: known.workflow.to_string(),
            input: rerun.input.unwrap_or(known.input),
            name: rerun.name,
        };
        let version = rerun.same_version.then_some(known.definition);
        let origin = Origin { rerun_of: Some(execution), version, started_as: None };
        Ok(self.start_from(start, origin).await?.execution)
    }
}

fn missing() -> Error {
    let reason = "its definition is missing from the log".to_owned();
    Rejection::SetAside { command: "to retry", reason }.into()
}
