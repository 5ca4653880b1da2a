//! The way to a running engine: its control socket.

use std::path::Path;
use std::sync::Arc;

use super::exit::Exit;
use super::fault::Fault;
use crate::engine::{Execution, ExecutionId, Program, RedriveRequest};
use crate::language::{self, DefinitionHash, Format};
use crate::runtime::{Deployed, Orchestrator, Rerun, Rows, Start, Summary};
use crate::server::control::{self, Client, ControlServer, Error};
use crate::store::{Position, Record};
use crate::view::RetryCard;

type Result<T> = std::result::Result<T, Box<Fault>>;

/// A connection to a running engine.
pub(super) struct Live(Client);

impl Live {
    /// Finds the engine that runs on a data folder; nothing when none answers.
    pub(super) async fn connect(data: &Path) -> Result<Option<Self>> {
        match Client::connect(data).await {
            Ok(client) => Ok(Some(Self(client))),
            Err(Error::Unreachable { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn deploy(&self, name: &str, text: &str, format: Format) -> Result<Deployed> {
        Ok(self.0.deploy(name, text, format).await?)
    }

    pub(super) async fn start(&self, start: Start) -> Result<ExecutionId> {
        Ok(self.0.start(start).await?)
    }

    /// The way to the engine.
    pub(super) fn client(&self) -> &Client {
        &self.0
    }

    pub(super) async fn cancel(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
        force: bool,
    ) -> Result<()> {
        match force {
            false => self.0.cancel(execution, by, reason).await?,
            true => self.0.force_cancel(execution, by, reason).await?,
        }
        Ok(())
    }

    pub(super) async fn redrive(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
        request: RedriveRequest,
    ) -> Result<RetryCard> {
        Ok(self.0.redrive(execution, by, reason, request).await?)
    }

    pub(super) async fn skip_backoff(&self, execution: ExecutionId) -> Result<()> {
        Ok(self.0.skip_backoff(execution).await?)
    }

    pub(super) async fn rerun(&self, execution: ExecutionId, rerun: Rerun) -> Result<ExecutionId> {
        Ok(self.0.rerun(execution, rerun).await?)
    }

    pub(super) async fn list(&self, rows: Rows, limit: usize) -> Result<Vec<Summary>> {
        Ok(self.0.list_rows(rows, limit).await?)
    }

    pub(super) async fn execution(&self, execution: ExecutionId) -> Result<Execution> {
        Ok(self.0.execution(execution).await?)
    }

    pub(super) async fn execution_at(
        &self,
        execution: ExecutionId,
        sequence: u64,
    ) -> Result<Execution> {
        Ok(self.0.execution_at(execution, sequence).await?)
    }

    pub(super) async fn find(&self, text: &str) -> Result<ExecutionId> {
        Ok(self.0.find(text).await?)
    }

    /// The version of a workflow with this content; nothing when this program cannot read it.
    pub(super) async fn program(&self, definition: DefinitionHash) -> Result<Option<Arc<Program>>> {
        let source = self.0.definition(definition).await?;
        let options = language::Options::default();
        let workflow = language::parse(source.as_str(), Format::Json, &options);
        Ok(workflow.ok().map(|workflow| Arc::new(Program::new(workflow))))
    }

    pub(super) async fn history(&self, execution: ExecutionId) -> Result<Vec<Record>> {
        Ok(self.0.history(execution).await?)
    }

    pub(super) async fn log(&self, from: Position, limit: usize) -> Result<Vec<Record>> {
        Ok(self.0.log(from, limit).await?)
    }

    pub(super) async fn last_position(&self) -> Result<Position> {
        Ok(self.0.last_position().await?)
    }
}

/// A control socket that is open.
pub(super) struct Served(ControlServer);

impl Served {
    /// Stops answering.
    pub(super) async fn stop(self) {
        self.0.stop().await;
    }
}

/// Opens the control socket of an engine.
///
/// # Errors
/// It cannot be made.
pub(super) async fn serve(orchestrator: Orchestrator, data: &Path) -> Result<Served> {
    Ok(Served(control::serve(orchestrator, data).await?))
}

impl From<Error> for Box<Fault> {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Unreachable { .. } | Error::Closed | Error::Version { .. } => Exit::NoServer,
            Error::Refused { code, .. } => exit_of(code),
            _ => Exit::Other,
        };
        let fault = Fault::new(error.code().to_owned(), exit, error.to_string());
        match error.hint() {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

/// How the program ends after a refusal of the engine.
pub(super) fn exit_of(code: &str) -> Exit {
    match code {
        "NO_SUCH_EXECUTION" | "NO_SUCH_WORKFLOW" | "NO_SUCH_JOB_TYPE" | "NO_SUCH_DEFINITION"
        | "AMBIGUOUS_HANDLE" | "DELETED" | "NO_SUCH_EVENT" => Exit::NotFound,
        "INVALID_DEFINITION" => Exit::Invalid,
        "NOT_IN_STATUS" | "ALREADY_CANCELLING" | "FORCE_TOO_EARLY" | "SET_ASIDE"
        | "PLACE_TAKEN" | "PLACE_QUEUE_FULL" | "NOT_BACKING_OFF" | "PART_OF_ANOTHER"
        | "PLAN_OUTDATED" | "PAUSED" | "NOT_PAUSED" | "ENDING" | "NEEDED_BY_PARENT"
        | "EXECUTION_CHANGED" => Exit::NotAllowed,
        "STEP_NOT_ENTERED" => Exit::NotFound,
        "STORE_DAMAGED" => Exit::Damaged,
        _ => Exit::Other,
    }
}
