//! Reading the text of a config file.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::bucket::RawBucket;
use super::hint::{nearest, unknown_key};
use super::server::RawServer;
use super::traces::RawTraces;
use super::{Config, ConfigError, EngineConfig, LimitsConfig};
use crate::worker::CommandSettings;
use crate::worker::files::{Access, Buckets};
use crate::worker::registry::RESERVED_JOB_TYPES;

/// The file as it is written. Spans are kept so that a value out of its limits can be shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(default)]
    engine: RawEngine,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    retention: RawRetention,
    #[serde(default)]
    server: RawServer,
    #[serde(default)]
    traces: RawTraces,
    #[serde(default)]
    buckets: BTreeMap<Spanned<String>, RawBucket>,
    #[serde(default)]
    jobs: BTreeMap<Spanned<String>, RawJob>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawEngine {
    data: Option<Spanned<String>>,
    shards: Option<Spanned<u64>>,
    grace_seconds: Option<Spanned<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    payload_bytes: Option<Spanned<u64>>,
    history_events: Option<Spanned<u64>>,
    map_items: Option<Spanned<u64>>,
    fork_concurrency: Option<Spanned<u64>>,
    map_run_concurrency: Option<Spanned<u64>>,
    items_bytes: Option<Spanned<u64>>,
    child_depth: Option<Spanned<u64>>,
    lost_attempts: Option<Spanned<u64>>,
    running_jobs: Option<Spanned<u64>>,
    waiting_executions: Option<Spanned<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawRetention {
    days: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJob {
    command: Spanned<Vec<String>>,
    folder: Option<Spanned<String>>,
    env: Option<Spanned<Vec<String>>>,
    set: Option<Spanned<BTreeMap<String, String>>>,
    timeout_seconds: Option<Spanned<u64>>,
    output_limit_bytes: Option<Spanned<u64>>,
    grace_seconds: Option<Spanned<u64>>,
    concurrency: Option<Spanned<u64>>,
}

/// The longest name of a job type or environment variable, and the longest path, in bytes.
const MAX_TEXT_BYTES: usize = 4096;
/// A year: longer is a slip of the pen.
const TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=31_536_000;
const GRACE_SECONDS: RangeInclusive<u64> = 0..=3600;
/// Up to 64 MiB: a result is held in memory and goes into the log.
const OUTPUT_BYTES: RangeInclusive<u64> = 1..=64 * 1024 * 1024;
const CONCURRENCY: RangeInclusive<u64> = 1..=4096;
const SHARDS: RangeInclusive<u64> = 1..=1024;
/// Up to the default, which all readers of payloads are made for.
const PAYLOAD_BYTES: RangeInclusive<u64> = 1024..=8 * 1024 * 1024;
/// From what a small workflow needs to what a disk can hold.
const HISTORY_EVENTS: RangeInclusive<u64> = 100..=100_000_000;
const MAP_ITEMS: RangeInclusive<u64> = 1..=100_000_000;
const FORK_CONCURRENCY: RangeInclusive<u64> = 1..=100_000;
const MAP_RUN_CONCURRENCY: RangeInclusive<u64> = 1..=100_000;
/// Up to half of what one record of the log can hold.
const ITEMS_BYTES: RangeInclusive<u64> = 1024..=64 * 1024 * 1024;
const CHILD_DEPTH: RangeInclusive<u64> = 1..=1000;
const RUNNING_JOBS: RangeInclusive<u64> = 1..=65_536;
const WAITING_EXECUTIONS: RangeInclusive<u64> = 1..=1_000_000;
const LOST_ATTEMPTS: RangeInclusive<u64> = 0..=1000;
/// Up to a hundred years.
const RETENTION_DAYS: RangeInclusive<u64> = 1..=36_500;

/// Turns the file's text into a config, and faults in it into errors with places.
pub(super) struct Checker<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Checker<'_> {
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let raw: RawConfig = toml::from_str(self.text).map_err(|fault| self.refused(&fault))?;
        let mut jobs = BTreeMap::new();
        for (job_type, job) in raw.jobs {
            let name = self.text_value(&job_type, "the job type")?;
            if name.starts_with(RESERVED_JOB_TYPES) {
                return Err(self.invalid(
                    &job_type.span(),
                    &format!("the job type {name:?} cannot be bound"),
                    "the program serves it itself, and no definition can name it",
                    &format!("give it a name that does not begin with {RESERVED_JOB_TYPES}"),
                ));
            }
            jobs.insert(Arc::from(name), self.job(job)?);
        }
        let (engine, limits) = (self.engine(&raw.engine)?, self.limits(&raw.limits)?);
        let days = self.number(raw.retention.days.as_ref(), "days", RETENTION_DAYS)?;
        let retention = days.map(|days| Duration::from_hours(24 * days));
        let (server, traces) = (self.server(&raw.server)?, self.traces(&raw.traces)?);
        let buckets = self.buckets(raw.buckets)?;
        let path = self.path.to_owned();
        Ok(Config { path, engine, limits, retention, server, traces, buckets, jobs })
    }

    fn buckets(&self, raw: BTreeMap<Spanned<String>, RawBucket>) -> Result<Buckets, ConfigError> {
        let mut buckets = Buckets::new();
        for (name, bucket) in raw {
            let name = self.text_value(&name, "the bucket's name")?;
            let access = if bucket.write { Access::ReadWrite } else { Access::Read };
            let folder = self.text_value(&bucket.folder, "folder")?;
            buckets.bind(name, self.base().join(folder), access);
        }
        Ok(buckets)
    }

    fn engine(&self, raw: &RawEngine) -> Result<EngineConfig, ConfigError> {
        let grace = self.number(raw.grace_seconds.as_ref(), "grace_seconds", GRACE_SECONDS)?;
        Ok(EngineConfig {
            data: self.folder(raw.data.as_ref(), "data")?,
            shards: self.size(raw.shards.as_ref(), "shards", SHARDS)?,
            grace: grace.map(Duration::from_secs),
        })
    }

    fn limits(&self, raw: &RawLimits) -> Result<LimitsConfig, ConfigError> {
        let (payload, events) = (raw.payload_bytes.as_ref(), raw.history_events.as_ref());
        let (parts, lost) = (raw.fork_concurrency.as_ref(), raw.lost_attempts.as_ref());
        Ok(LimitsConfig {
            payload_bytes: self.size(payload, "payload_bytes", PAYLOAD_BYTES)?,
            history_events: self.number(events, "history_events", HISTORY_EVENTS)?,
            map_items: self.small(raw.map_items.as_ref(), "map_items", MAP_ITEMS)?,
            fork_concurrency: self.small(parts, "fork_concurrency", FORK_CONCURRENCY)?,
            map_run_concurrency: self.small(
                raw.map_run_concurrency.as_ref(),
                "map_run_concurrency",
                MAP_RUN_CONCURRENCY,
            )?,
            items_bytes: self.size(raw.items_bytes.as_ref(), "items_bytes", ITEMS_BYTES)?,
            child_depth: self.small(raw.child_depth.as_ref(), "child_depth", CHILD_DEPTH)?,
            lost_attempts: self.small(lost, "lost_attempts", LOST_ATTEMPTS)?,
            running_jobs: self.size(raw.running_jobs.as_ref(), "running_jobs", RUNNING_JOBS)?,
            waiting_executions: self.size(
                raw.waiting_executions.as_ref(),
                "waiting_executions",
                WAITING_EXECUTIONS,
            )?,
        })
    }

    fn job(&self, raw: RawJob) -> Result<CommandSettings, ConfigError> {
        let argv = self.argv(&raw.command)?;
        let folder = self.folder(raw.folder.as_ref(), "folder")?;
        let mut settings = CommandSettings::new(argv, folder.unwrap_or_else(|| self.base()));
        if let Some(names) = raw.env {
            let span = names.span();
            for name in names.get_ref() {
                self.variable(name, &span)?;
            }
            settings.env = names.into_inner();
        }
        if let Some(set) = raw.set {
            let span = set.span();
            for (name, value) in set.get_ref() {
                self.variable(name, &span)?;
                self.without_nul(value, &span)?;
            }
            settings.set = set.into_inner();
        }
        let timeout = raw.timeout_seconds.as_ref();
        settings.timeout =
            self.number(timeout, "timeout_seconds", TIMEOUT_SECONDS)?.map(Duration::from_secs);
        let grace = self.number(raw.grace_seconds.as_ref(), "grace_seconds", GRACE_SECONDS)?;
        settings.grace = grace.map_or(settings.grace, Duration::from_secs);
        let limit = raw.output_limit_bytes.as_ref();
        settings.output_limit =
            self.size(limit, "output_limit_bytes", OUTPUT_BYTES)?.unwrap_or(settings.output_limit);
        let concurrency = self.size(raw.concurrency.as_ref(), "concurrency", CONCURRENCY)?;
        settings.concurrency = concurrency.unwrap_or(settings.concurrency);
        Ok(settings)
    }

    /// The program and its arguments. A program named by a relative path is looked for from the
    /// file's folder; arguments are left as they are.
    fn argv(&self, command: &Spanned<Vec<String>>) -> Result<Vec<String>, ConfigError> {
        let span = command.span();
        let mut argv = command.get_ref().clone();
        for argument in &argv {
            self.without_nul(argument, &span)?;
        }
        let Some(program) = argv.first_mut().filter(|program| !program.is_empty()) else {
            return Err(self.invalid(
                &span,
                "`command` names no program",
                "its first element is the program to run",
                "write it as a list, for example [\"sh\", \"jobs/validate.sh\"]",
            ));
        };
        if program.contains('/') {
            let path = self.base().join(&program);
            // The folder may have a name that is not UTF-8, which only a full path from it shows.
            *program = path.into_os_string().into_string().map_err(|_| {
                self.invalid(
                    &span,
                    "the program's full path is not UTF-8",
                    "the folder of the config file has a name that is not text",
                    "write the full path of a program elsewhere, or rename the folder",
                )
            })?;
        }
        Ok(argv)
    }

    fn base(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("/")).to_owned()
    }

    pub(super) fn folder(
        &self,
        value: Option<&Spanned<String>>,
        key: &str,
    ) -> Result<Option<PathBuf>, ConfigError> {
        value.map(|value| Ok(self.base().join(self.text_value(value, key)?))).transpose()
    }

    pub(super) fn text_value<'v>(
        &self,
        value: &'v Spanned<String>,
        key: &str,
    ) -> Result<&'v str, ConfigError> {
        self.without_nul(value.get_ref(), &value.span())?;
        if (1..=MAX_TEXT_BYTES).contains(&value.get_ref().len()) {
            return Ok(value.get_ref());
        }
        Err(self.invalid(
            &value.span(),
            &format!("{key} is empty or too long"),
            &format!("it has 1 to {MAX_TEXT_BYTES} bytes"),
            "write a name, or leave the key out",
        ))
    }

    fn variable(&self, name: &str, span: &Range<usize>) -> Result<(), ConfigError> {
        self.without_nul(name, span)?;
        if !name.is_empty() && name.len() <= MAX_TEXT_BYTES && !name.contains('=') {
            return Ok(());
        }
        Err(self.invalid(
            span,
            &format!("{name:?} is no name of an environment variable"),
            "a name is not empty and has no `=`; `env` takes names, `set` takes names and values",
            "write env = [\"NAME\"] to pass a variable on, set = { NAME = \"value\" } to fix one",
        ))
    }

    fn without_nul(&self, text: &str, span: &Range<usize>) -> Result<(), ConfigError> {
        if !text.contains('\0') {
            return Ok(());
        }
        Err(self.invalid(
            span,
            "the value contains a zero byte",
            "the system ends paths, arguments and variables there",
            "take the zero byte out",
        ))
    }

    pub(super) fn number(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        limits: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ConfigError> {
        let Some(value) = value else { return Ok(None) };
        if limits.contains(value.get_ref()) {
            return Ok(Some(*value.get_ref()));
        }
        Err(self.invalid(
            &value.span(),
            &format!("`{key}` is {}", value.get_ref()),
            &format!("it has to be from {} to {}", limits.start(), limits.end()),
            "write a number in these limits, or leave the key out for the default",
        ))
    }

    pub(super) fn size(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        limits: RangeInclusive<u64>,
    ) -> Result<Option<usize>, ConfigError> {
        Ok(self.number(value, key, limits)?.and_then(|number| usize::try_from(number).ok()))
    }

    pub(super) fn small(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        limits: RangeInclusive<u64>,
    ) -> Result<Option<u32>, ConfigError> {
        Ok(self.number(value, key, limits)?.and_then(|number| u32::try_from(number).ok()))
    }

    /// What the TOML reader refused: a key that nothing reads, or something that does not read.
    fn refused(&self, fault: &toml::de::Error) -> ConfigError {
        let message = fault.message().trim();
        let mut error = self.invalid(
            &fault.span().unwrap_or(0..0),
            message.lines().next().unwrap_or(message),
            "the file could not be read beyond this place",
            "correct it; docs/WORKERS.md lists every key with the kind of its value",
        );
        error.place = fault.span().and_then(|span| self.place(span.start));
        if let Some((key, known)) = unknown_key(message) {
            error.code = "CONFIG_UNKNOWN_KEY";
            error.what = format!("unknown key `{key}`").into();
            error.why = "nothing reads this key, so what it says would not happen".into();
            let list = known.join(", ");
            error.advice = match nearest(key, &known) {
                Some(near) => format!("did you mean `{near}`? known here: {list}").into(),
                None => format!("take it out; known here: {list}").into(),
            };
        } else if toml::de::DeTable::parse(self.text).is_err() {
            error.code = "CONFIG_SYNTAX";
        }
        error
    }

    pub(super) fn invalid(
        &self,
        span: &Range<usize>,
        what: &str,
        why: &str,
        advice: &str,
    ) -> ConfigError {
        ConfigError {
            code: "CONFIG_INVALID_VALUE",
            path: self.path.to_owned(),
            place: self.place(span.start),
            what: what.into(),
            why: why.into(),
            advice: advice.into(),
        }
    }

    fn place(&self, offset: usize) -> Option<(usize, usize)> {
        let before = self.text.get(..self.text.floor_char_boundary(offset))?;
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        Some((line, before.get(line_start..)?.chars().count() + 1))
    }
}
