//! `everstep.toml`: which commands run which jobs, which folders are buckets, and how the engine
//! runs.
//!
//! A definition names job types and buckets only; this file, which belongs to the operator, says
//! what runs them and where they are. All relative paths in it are relative to its own folder.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::check::Checker;
use crate::runtime::Limits;
use crate::worker::files::Buckets;
use crate::worker::{CommandHandler, CommandSettings, Registry};

mod bucket;
mod check;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
mod hint;
mod server;
#[cfg(test)]
mod tests;
mod traces;

pub use server::{Listen, ServerConfig};
pub use traces::TracesConfig;

/// The file's name.
pub const FILE_NAME: &str = "everstep.toml";

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// What an operator has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file it came from, as an absolute path.
    pub path: PathBuf,
    /// How the engine runs.
    pub engine: EngineConfig,
    /// Bounds on executions.
    pub limits: LimitsConfig,
    /// How long executions that have ended stay; none for ever. The `[retention]` table.
    pub retention: Option<Duration>,
    /// How the HTTP server listens, and whom it lets in.
    pub server: ServerConfig,
    /// Where traces go.
    pub traces: TracesConfig,
    /// The folders that workflows may read from and write to, as absolute paths.
    pub buckets: Buckets,
    /// The bound commands by job type.
    pub jobs: BTreeMap<Arc<str>, CommandSettings>,
}

/// The `[engine]` table. What is missing is left to the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// The data folder, as an absolute path.
    pub data: Option<PathBuf>,
    /// How many shards decide commands, 1 to 1024.
    pub shards: Option<usize>,
    /// How long running jobs have to end when the process stops.
    pub grace: Option<Duration>,
}

/// The `[limits]` table: bounds on one execution, and on all of them together. What is missing is left to the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Bytes of one payload, 1 KiB to 8 MiB.
    pub payload_bytes: Option<usize>,
    /// Events of one execution, 100 to 100,000,000.
    pub history_events: Option<u64>,
    /// Items of one Map, 1 to 100,000,000.
    pub map_items: Option<u32>,
    /// Parts of a Map that run at once when the definition sets no limit, 1 to 100,000.
    pub fork_concurrency: Option<u32>,
    /// Executions of a distributed Map that run at once when the definition sets no limit, 1 to
    /// 100,000.
    pub map_run_concurrency: Option<u32>,
    /// Bytes of the items that an `ItemReader` reads, 1 KiB to 64 MiB.
    pub items_bytes: Option<usize>,
    /// Executions that may wait for one another, each for the next, 1 to 1,000.
    pub child_depth: Option<u32>,
    /// Attempts of a job that crashes may cut off, 0 to 1,000.
    pub lost_attempts: Option<u32>,
    /// Jobs that run at once in the whole process, of all types together, 1 to 65,536.
    pub running_jobs: Option<usize>,
    /// Executions that wait for a place of one key, 1 to 1,000,000.
    pub waiting_executions: Option<usize>,
}

impl LimitsConfig {
    /// Sets what the table sets.
    pub fn set(&self, limits: &mut Limits) {
        limits.running_jobs = self.running_jobs.unwrap_or(limits.running_jobs);
        limits.waiting_executions = self.waiting_executions.unwrap_or(limits.waiting_executions);
        let engine = &mut limits.engine;
        engine.payload_bytes = self.payload_bytes.unwrap_or(engine.payload_bytes);
        engine.history_events = self.history_events.unwrap_or(engine.history_events);
        engine.map_items = self.map_items.unwrap_or(engine.map_items);
        engine.fork_concurrency = self.fork_concurrency.unwrap_or(engine.fork_concurrency);
        engine.map_run_concurrency = self.map_run_concurrency.unwrap_or(engine.map_run_concurrency);
        engine.items_bytes = self.items_bytes.unwrap_or(engine.items_bytes);
        engine.child_depth = self.child_depth.unwrap_or(engine.child_depth);
        engine.lost_attempts = self.lost_attempts.unwrap_or(engine.lost_attempts);
    }
}

/// Why a config file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The stable code, as `CONFIG_UNKNOWN_KEY`.
    pub code: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Line and column of the fault, both from 1, where it has a place; columns count characters.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub what: Box<str>,
    /// Why that is a fault.
    pub why: Box<str>,
    /// What to do about it.
    pub advice: Box<str>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {} [{}]\n  why: {}\n  do:  {}", self.what, self.code, self.why, self.advice)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a config file. Whether programs and folders are there is not checked: they
    /// may come and go while the engine runs.
    ///
    /// # Errors
    /// The first fault, with its place: the file cannot be read (`CONFIG_NOT_FOUND`,
    /// `CONFIG_UNREADABLE`), is over 1 MiB (`CONFIG_TOO_LARGE`), is not TOML (`CONFIG_SYNTAX`), has
    /// a key that nothing reads (`CONFIG_UNKNOWN_KEY`), or a value out of its limits
    /// (`CONFIG_INVALID_VALUE`).
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let text = read(&path)?;
        Checker { path: &path, text: &text }.config()
    }

    /// Finds and reads the config file that belongs to a definition: the one beside it, else the one
    /// in the current folder; without a definition, only the latter. `None` if there is no file.
    ///
    /// # Errors
    /// As [`Config::load`], for a file that is there.
    pub fn discover(definition: Option<&Path>) -> Result<Option<Self>, ConfigError> {
        discover_in(definition, Path::new("."))
    }

    /// The config file that is named; where none is, what [`Config::discover`] finds.
    ///
    /// # Errors
    /// As [`Config::load`]; a named file has to be there.
    pub fn choose(
        named: Option<&Path>,
        definition: Option<&Path>,
    ) -> Result<Option<Self>, ConfigError> {
        match named {
            Some(path) => Self::load(path).map(Some),
            None => Self::discover(definition),
        }
    }

    /// Binds every command to its job type. Commands that run are noted below the folder `notes`,
    /// see [`CommandHandler::new`]; handlers registered before for the same types are replaced.
    pub fn bind(&self, registry: &mut Registry, notes: Option<&Path>) {
        for (job_type, settings) in &self.jobs {
            let handler = CommandHandler::new(settings.clone(), notes);
            registry.register(Arc::clone(job_type), Arc::new(handler), settings.concurrency);
        }
    }
}

fn discover_in(definition: Option<&Path>, current: &Path) -> Result<Option<Config>, ConfigError> {
    let beside = definition.and_then(Path::parent).map(|folder| current.join(folder));
    for folder in beside.iter().map(PathBuf::as_path).chain([current]) {
        match Config::load(&folder.join(FILE_NAME)) {
            Err(error) if error.code == "CONFIG_NOT_FOUND" => {}
            found => return found.map(Some),
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let error = |code, what: &str, why: String, advice: &str| ConfigError {
        code,
        path: path.to_owned(),
        place: None,
        what: what.into(),
        why: why.into(),
        advice: advice.into(),
    };
    let mut bytes = Vec::new();
    let taken = File::open(path)
        .and_then(|file| file.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes));
    match taken {
        Err(fault) if fault.kind() == ErrorKind::NotFound => Err(error(
            "CONFIG_NOT_FOUND",
            "the config file is not there",
            fault.to_string(),
            "create it, or name another one",
        )),
        Err(fault) => Err(error(
            "CONFIG_UNREADABLE",
            "the config file cannot be read",
            fault.to_string(),
            "make it a file that this user may read",
        )),
        Ok(count) if u64::try_from(count).is_ok_and(|count| count > MAX_BYTES) => Err(error(
            "CONFIG_TOO_LARGE",
            "the config file is over 1 MiB",
            "what is read from outside has a limit, and no config needs that much".to_owned(),
            "is it the right file? move data out of it",
        )),
        Ok(_) => String::from_utf8(bytes).map_err(|fault| {
            let why = format!("TOML is UTF-8 text: {}", fault.utf8_error());
            error("CONFIG_SYNTAX", "the config file is not text", why, "save it as UTF-8")
        }),
    }
}
