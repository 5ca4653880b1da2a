//! Where what is shown comes from: a running engine, or the data folder itself.

use std::path::Path;
use std::sync::Arc;

use super::data;
use super::fault::Fault;
use super::live::Live;
use crate::engine::{Execution, ExecutionId, Program};
use crate::language::DefinitionHash;
use crate::runtime::{Archive, Rows, Summary, find};
use crate::store::{Check, Position, Record, SledOptions, SledStore};

/// What can be asked about executions and their log.
pub(super) enum Source {
    /// A running engine has the log.
    Live(Live),
    /// Nobody has it: it is read here, under its lock.
    Cold(Box<Archive>),
    /// Nothing has ever been run here.
    Empty,
}

type Result<T> = std::result::Result<T, Box<Fault>>;

impl Source {
    /// Opens the log in `folder`, whoever has it.
    pub(super) async fn open(folder: &Path, check: Check) -> Result<Self> {
        if !data::has_log(folder) {
            tracing::info!(folder = %folder.display(), "there is no log");
            return Ok(Self::Empty);
        }
        if let Some(live) = Live::connect(folder).await? {
            tracing::info!(folder = %folder.display(), "asking the running engine");
            return Ok(Self::Live(live));
        }
        let options = SledOptions { check, ..SledOptions::default() };
        let store = SledStore::open(folder, options)?;
        tracing::info!(folder = %folder.display(), "reading the log; no engine is running");
        Ok(Self::Cold(Box::new(Archive::open(Arc::new(store)).await?)))
    }

    pub(super) async fn list(&self, rows: Rows, limit: usize) -> Result<Vec<Summary>> {
        Ok(match self {
            Self::Live(live) => live.list(rows, limit).await?,
            Self::Cold(archive) => archive.list_rows(rows, limit).await?,
            Self::Empty => Vec::new(),
        })
    }

    pub(super) async fn find(&self, text: &str) -> Result<ExecutionId> {
        Ok(match self {
            Self::Live(live) => live.find(text).await?,
            Self::Cold(archive) => archive.find(text).await?,
            Self::Empty => find::by_handle(std::iter::empty(), text)?,
        })
    }

    pub(super) async fn execution(&self, id: ExecutionId) -> Result<Execution> {
        Ok(match self {
            Self::Live(live) => live.execution(id).await?,
            Self::Cold(archive) => archive.execution(id).await?,
            Self::Empty => Err(no_such(id))?,
        })
    }

    /// The version that an execution runs.
    pub(super) async fn program(&self, definition: DefinitionHash) -> Result<Arc<Program>> {
        let program = match self {
            Self::Live(live) => live.program(definition).await?,
            Self::Cold(archive) => archive.program(definition),
            Self::Empty => None,
        };
        program.ok_or_else(|| unreadable(definition))
    }

    pub(super) async fn history(&self, id: ExecutionId) -> Result<Vec<Record>> {
        let records = match self {
            Self::Live(live) => live.history(id).await?,
            Self::Cold(archive) => archive.history(id).await?,
            Self::Empty => Vec::new(),
        };
        if records.is_empty() { Err(no_such(id))? } else { Ok(records) }
    }

    pub(super) async fn log(&self, from: Position, limit: usize) -> Result<Vec<Record>> {
        Ok(match self {
            Self::Live(live) => live.log(from, limit).await?,
            Self::Cold(archive) => archive.log(from, limit).await?,
            Self::Empty => Vec::new(),
        })
    }

    pub(super) async fn last_position(&self) -> Result<Position> {
        Ok(match self {
            Self::Live(live) => live.last_position().await?,
            Self::Cold(archive) => archive.last_position(),
            Self::Empty => 0,
        })
    }
}

fn no_such(id: ExecutionId) -> crate::runtime::Error {
    crate::runtime::Error::NoSuchExecution { id: id.to_string() }
}

/// A definition that the log does not hold, or that this version cannot read.
pub(super) fn unreadable(definition: DefinitionHash) -> Box<Fault> {
    let message = format!("the definition {definition} of this execution cannot be read");
    Fault::new("DEFINITION_UNREADABLE", super::exit::Exit::Other, message)
        .why("the log does not hold it, or another version of everstep wrote it")
        .hint("everstep log verify")
}
