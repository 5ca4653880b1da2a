//! Where what is shown comes from: a running engine, or the data folder itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::Fault;
use super::file::FileLog;
use super::live::Live;
use super::wait::{now, say_next};
use super::{Context, data};
use crate::engine::{Execution, ExecutionId, Held, Program, Timestamp};
use crate::language::DefinitionHash;
use crate::runtime::{self, Archive, Paused, Rows, Summary, find};
use crate::server::shown_queues;
use crate::store::{Check, Position, Record, SledOptions, SledStore};
use crate::view::{Moments, Queues};

/// What can be asked about executions and their log.
pub(super) enum Source {
    /// A running engine has the log.
    Live(Live),
    /// Nobody has it: it is read here, under its lock.
    Cold(Box<Archive>),
    /// Events that were exported are read from a file.
    File(Box<FileLog>),
    /// Nothing has ever been run here.
    Empty,
}

/// Which log is read.
#[derive(clap::Args)]
pub(super) struct SourceArgs {
    /// Read this file, which `log export` wrote, instead of the data folder
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

impl SourceArgs {
    /// Says which commands go on from here, when there is an engine or a folder to go on with.
    pub(super) fn say_next(&self, context: &Context, id: ExecutionId, commands: &[&str]) {
        if self.file.is_none() {
            say_next(context, id, commands);
        }
    }

    /// Opens the log that is meant.
    pub(super) async fn open(&self, context: &Context) -> Result<Source> {
        match &self.file {
            Some(file) => Ok(Source::File(Box::new(FileLog::read(file)?))),
            None => Source::open(&data::folder_to_read(context.data.as_deref()), Check::Tail).await,
        }
    }
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
            Self::File(file) => file.list(rows, limit),
            Self::Empty => Vec::new(),
        })
    }

    pub(super) async fn find(&self, text: &str) -> Result<ExecutionId> {
        Ok(match self {
            Self::Live(live) => live.find(text).await?,
            Self::Cold(archive) => archive.find(text).await?,
            Self::File(file) => file.find(text)?,
            Self::Empty => find::by_handle(std::iter::empty(), text)?,
        })
    }

    pub(super) async fn execution(&self, id: ExecutionId) -> Result<Execution> {
        Ok(match self {
            Self::Live(live) => live.execution(id).await?,
            Self::Cold(archive) => archive.execution(id).await?,
            Self::File(file) => file.execution(id)?,
            Self::Empty => Err(no_such(id))?,
        })
    }

    /// The version that an execution runs.
    pub(super) async fn program(&self, definition: DefinitionHash) -> Result<Arc<Program>> {
        let program = match self {
            Self::Live(live) => live.program(definition).await?,
            Self::Cold(archive) => archive.program(definition),
            Self::File(file) => file.program(definition),
            Self::Empty => None,
        };
        program.ok_or_else(|| unreadable(definition))
    }

    pub(super) async fn history(&self, id: ExecutionId) -> Result<Vec<Record>> {
        let records = match self {
            Self::Live(live) => live.history(id).await?,
            Self::Cold(archive) => archive.history(id).await?,
            Self::File(file) => file.history(id)?,
            Self::Empty => Vec::new(),
        };
        if records.is_empty() { Err(no_such(id))? } else { Ok(records) }
    }

    /// An execution as all of its events leave it, with them.
    pub(super) async fn whole(&self, id: ExecutionId) -> Result<(Execution, Vec<Record>)> {
        let history = self.history(id).await?;
        Ok((Record::fold(id, &history), history))
    }

    /// An execution as it was right after the event with the sequence `at`; as it is now when that
    /// is not said. With the moment that is looked at.
    pub(super) async fn moment(
        &self,
        id: ExecutionId,
        at: Option<u64>,
    ) -> Result<(Execution, Timestamp)> {
        let Some(at) = at else { return Ok((self.execution(id).await?, now())) };
        let then = match self {
            Self::Live(live) => live.execution_at(id, at).await?,
            Self::Cold(archive) => archive.execution_at(id, at).await?,
            Self::File(file) => {
                let history = file.history(id)?;
                let then = Moments::of(id, &history).after(at).cloned();
                then.ok_or_else(|| no_such_event(id, at, &history))?
            }
            Self::Empty => Err(no_such(id))?,
        };
        let moment = then.updated_at;
        Ok((then, moment))
    }

    pub(super) async fn log(&self, from: Position, limit: usize) -> Result<Vec<Record>> {
        Ok(match self {
            Self::Live(live) => live.log(from, limit).await?,
            Self::Cold(archive) => archive.log(from, limit).await?,
            Self::File(file) => file.log(from, limit),
            Self::Empty => Vec::new(),
        })
    }

    /// The job types that the running engine has workers for; nothing when none runs.
    pub(super) async fn job_types(&self) -> Result<Option<Vec<String>>> {
        Ok(match self {
            Self::Live(live) => Some(live.client().job_types().await?),
            Self::Cold(_) | Self::File(_) | Self::Empty => None,
        })
    }

    /// What an execution queues for in the running engine; nothing when none runs.
    pub(super) async fn queues(&self, id: ExecutionId) -> Result<Queues> {
        match self {
            Self::Live(live) => Ok(shown_queues(live.client().queues(id).await?)),
            Self::Cold(_) | Self::File(_) | Self::Empty => Ok(Queues::default()),
        }
    }

    /// Workflows and job types that are paused.
    pub(super) async fn held(&self) -> Result<Held> {
        Ok(match self {
            Self::Live(live) => live.client().held().await?,
            Self::Cold(archive) => archive.held(),
            Self::File(file) => file.held(),
            Self::Empty => Held::default(),
        })
    }

    /// Everything that is paused.
    pub(super) async fn paused(&self) -> Result<Paused> {
        Ok(match self {
            Self::Live(live) => live.client().paused().await?,
            Self::Cold(archive) => archive.paused(),
            Self::File(_) | Self::Empty => Paused::default(),
        })
    }

    pub(super) async fn last_position(&self) -> Result<Position> {
        Ok(match self {
            Self::Live(live) => live.last_position().await?,
            Self::Cold(archive) => archive.last_position(),
            Self::File(file) => file.last_position(),
            Self::Empty => 0,
        })
    }
}

fn no_such(id: ExecutionId) -> runtime::Error {
    runtime::Error::NoSuchExecution { id: id.to_string() }
}

/// A sequence that an execution's history does not have.
pub(super) fn no_such_event(id: ExecutionId, sequence: u64, history: &[Record]) -> Box<Fault> {
    let (short, last) = (id.short(), history.last().map_or(0, |record| record.sequence));
    let message = format!("execution {short} has no event {sequence}: it has 1 to {last}");
    Fault::new("NO_SUCH_EVENT", super::exit::Exit::NotFound, message)
        .hint(format!("everstep log show {short}"))
}

/// A definition that the log does not hold, or that this version cannot read.
pub(super) fn unreadable(definition: DefinitionHash) -> Box<Fault> {
    let message = format!("the definition {definition} of this execution cannot be read");
    Fault::new("DEFINITION_UNREADABLE", super::exit::Exit::Other, message)
        .why("the log does not hold it, or another version of everstep wrote it")
        .hint("everstep log verify")
}
