//! Starting executions, also by a name that is given once.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::children::unserved;
use super::error::Error;
use super::orchestrator::{Orchestrator, Start, check_name};
use super::retry::Origin;
use super::shards::Request;
use crate::engine::catalogue::StartedAs;
use crate::engine::{ExecutionId, Program, StartExecution};
use crate::language::{DefinitionHash, Json};
use crate::store::NameKey;

/// An execution that goes on after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Which.
    pub execution: ExecutionId,
    /// Whether it began with this start, and not with an earlier one of the same name.
    pub is_new: bool,
}

impl Orchestrator {
    /// Starts an execution of the newest version of a workflow. Where that says how many of its
    /// executions run at once, the execution may have to wait: it is pending until it has its place.
    ///
    /// # Errors
    /// There is no such workflow, nobody serves one of its job types, the input is too large, or all
    /// places are taken and the workflow refuses who finds none.
    pub async fn start(
        &self,
        workflow: &str,
        input: impl Into<Json>,
    ) -> Result<ExecutionId, Error> {
        let start = Start { workflow: workflow.to_owned(), input: input.into(), name: None };
        self.start_with(start).await
    }

    /// Starts an execution with all that can be said about it.
    ///
    /// A start with a name can be repeated: as long as the execution of that workflow with that name
    /// goes on and has the same input, its id is given again and nothing is started.
    ///
    /// # Errors
    /// As [`Orchestrator::start`]; or the name is that of an execution with another input, or of one
    /// that has ended.
    pub async fn start_with(&self, start: Start) -> Result<ExecutionId, Error> {
        Ok(self.start_once(start).await?.execution)
    }

    /// The same; also says whether this start began it.
    ///
    /// # Errors
    /// As [`Orchestrator::start_with`].
    pub async fn start_once(&self, start: Start) -> Result<Begun, Error> {
        self.start_from(start, Origin::default()).await
    }

    /// Starts an execution of a published version of a workflow, as [`Orchestrator::start_with`] does
    /// of the newest.
    ///
    /// # Errors
    /// As [`Orchestrator::start_with`].
    pub async fn start_version(
        &self,
        start: Start,
        definition: DefinitionHash,
        started_as: StartedAs,
    ) -> Result<ExecutionId, Error> {
        let (version, started_as) = (Some(definition), Some(started_as));
        let origin = Origin { rerun_of: None, version, started_as };
        Ok(self.start_from(start, origin).await?.execution)
    }

    pub(super) async fn start_from(&self, start: Start, origin: Origin) -> Result<Begun, Error> {
        self.check_open()?;
        let Some(name) = start.name.clone() else {
            let execution = self.begin(start, origin).await?;
            return Ok(Begun { execution, is_new: true });
        };
        check_name(&name)?;
        let this = self.clone();
        // In a task of its own: a caller that gives up must not leave an execution whose name is not
        // held.
        let starting = self.tools().tasks.spawn(async move {
            let names = &this.inner.tools.names;
            let key = NameKey::of(&start.workflow, &name);
            let _turn = names.turn(key).await;
            if let Some(known) = this.named(key).await? {
                match this.stand_in(known, &start, name).await {
                    // It has just gone, so its name is free.
                    Err(Error::Deleted { .. }) => {}
                    stand_in => {
                        return stand_in.map(|execution| Begun { execution, is_new: false });
                    }
                }
            }
            let execution = this.begin(start, origin).await?;
            names.hold(key, execution);
            Ok(Begun { execution, is_new: true })
        });
        starting.await.map_err(|_| self.gone())?
    }

    /// The execution that has a name.
    pub(super) async fn named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error> {
        match self.inner.tools.names.get(key) {
            Some(held) => Ok(Some(held)),
            None => Ok(self.inner.tools.store.find_named(key).await?),
        }
    }

    /// The execution that has the name, if it can stand for the one that is to be started.
    pub(super) async fn stand_in(
        &self,
        execution: ExecutionId,
        start: &Start,
        name: String,
    ) -> Result<ExecutionId, Error> {
        let known = self.execution(execution).await?;
        if !known.status.is_terminal() && known.input.value() == start.input.value() {
            return Ok(execution);
        }
        Err(Error::NameTaken { workflow: start.workflow.clone(), name, execution })
    }

    async fn begin(&self, start: Start, origin: Origin) -> Result<ExecutionId, Error> {
        let (definition, program) = self.version(&start.workflow, origin.version)?;
        let execution = self.inner.tools.ids.execution_id(self.inner.tools.clock.now());
        // The shard knows whether the workflow is paused.
        let command = StartExecution {
            name: start.name.map(Arc::from),
            rerun_of: origin.rerun_of,
            started_as: origin.started_as,
            ..StartExecution::new(start.workflow, definition, start.input)
        }
        .into();
        let (reply, answer) = oneshot::channel();
        let request = Request::Start { execution, program, command, reply };
        self.inner.tools.shards.request(execution, request).await?;
        self.answer(answer).await??;
        Ok(execution)
    }

    /// The version of a workflow that a start would run.
    pub(super) fn newest(&self, workflow: &str) -> Result<(DefinitionHash, Arc<Program>), Error> {
        self.version(workflow, None)
    }

    /// This version of a workflow, or the newest.
    fn version(
        &self,
        workflow: &str,
        version: Option<DefinitionHash>,
    ) -> Result<(DefinitionHash, Arc<Program>), Error> {
        let definitions = &self.inner.tools.definitions;
        let found = match version {
            Some(version) => definitions.program(version).map(|program| (version, program)),
            None => definitions.newest(workflow),
        };
        let (definition, program) = found.ok_or_else(|| Error::NoSuchWorkflow {
            name: workflow.to_owned(),
            known: self.inner.tools.definitions.names(),
        })?;
        self.check_served(&program)?;
        Ok((definition, program))
    }

    pub(super) fn check_served(&self, program: &Program) -> Result<(), Error> {
        let unknown = unserved(&self.inner.tools, program);
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::UnknownJobTypes { unknown, known: self.inner.tools.dispatch.job_types() })
    }
}
