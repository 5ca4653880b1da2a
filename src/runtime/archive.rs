//! Reading a log without an engine: nothing is started, nothing is written.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalogue::Catalogue;
use super::controls::Controls;
use super::definitions::Definitions;
use super::error::Error;
use super::pauses::Paused;
use super::read::{read_execution, read_execution_at, read_records};
use super::recovery::{self, System};
use super::summary::{Rows, Summary, with_finished};
use crate::engine::{Execution, ExecutionId, Held, Program};
use crate::language::DefinitionHash;
use crate::store::{EventStore, Position, Record, Stream};

/// A log at rest, as it stands.
pub struct Archive {
    store: Arc<dyn EventStore>,
    definitions: Definitions,
    controls: Controls,
    live: HashMap<Stream, Execution>,
    finished: HashMap<ExecutionId, Summary>,
}

impl Archive {
    /// Reads what is needed to list executions and show them: the last checkpoint, and the log from
    /// there on.
    ///
    /// # Errors
    /// The log is damaged or cannot be read.
    pub async fn open(store: Arc<dyn EventStore>) -> Result<Self, Error> {
        let definitions = Definitions::default();
        let controls = Controls::default();
        let system = System {
            definitions: &definitions,
            controls: &controls,
            catalogue: &Catalogue::default(),
        };
        let recovered = recovery::recover(&*store, system).await?;
        let recovery::Recovered { live, finished, .. } = recovered;
        Ok(Self { store, definitions, controls, live, finished })
    }

    /// Rows of some executions, the newest first, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_rows(&self, wanted: Rows, limit: usize) -> Result<Vec<Summary>, Error> {
        let mut rows: Vec<Summary> = self.live.values().map(Summary::of).collect();
        rows.extend(self.finished.values().cloned());
        Ok(with_finished(rows, &*self.store, wanted, limit).await?)
    }

    /// An execution as its events leave it.
    ///
    /// # Errors
    /// There is no such execution, or the log cannot be read.
    pub async fn execution(&self, execution: ExecutionId) -> Result<Execution, Error> {
        match self.live.get(&execution.0) {
            Some(live) => Ok(live.clone()),
            None => read_execution(&*self.store, execution).await,
        }
    }

    /// An execution as it was right after the event with this sequence.
    ///
    /// # Errors
    /// There is no such execution or event, or the log cannot be read.
    pub async fn execution_at(
        &self,
        execution: ExecutionId,
        sequence: u64,
    ) -> Result<Execution, Error> {
        read_execution_at(&*self.store, execution, sequence).await
    }

    /// Finds an execution as [`super::Orchestrator::find`] does.
    ///
    /// # Errors
    /// None fits, or several do.
    pub async fn find(&self, text: &str) -> Result<ExecutionId, Error> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let rows = self.list_rows(Rows::that_may_be(text), usize::MAX).await?;
        super::find::by_handle(rows.iter().map(|row| row.id), text)
    }

    /// Workflows and job types that are paused.
    #[must_use]
    pub fn held(&self) -> Held {
        self.controls.held()
    }

    /// Everything that is paused, as [`super::Orchestrator::paused`] gives it.
    #[must_use]
    pub fn paused(&self) -> Paused {
        Paused::of(self.held(), self.live.values().map(Summary::of))
    }

    /// The version of a workflow with this content.
    #[must_use]
    pub fn program(&self, definition: DefinitionHash) -> Option<Arc<Program>> {
        self.definitions.program(definition)
    }

    /// The position of the last durable event.
    #[must_use]
    pub fn last_position(&self) -> Position {
        self.store.last_position()
    }

    /// The history of an execution; empty when there is none.
    ///
    /// # Errors
    /// The execution was deleted, or the log cannot be read.
    pub async fn history(&self, execution: ExecutionId) -> Result<Vec<Record>, Error> {
        read_records(&*self.store, execution).await
    }

    /// Part of the whole log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        Ok(self.store.read_log(from, limit).await?)
    }
}
