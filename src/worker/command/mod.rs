//! Bound commands: programs that the operator lets run the jobs of a type.
//!
//! ```text
//!   input  ──▶ stdin  ┌─────────┐ stdout ──▶ result, one JSON document
//!                     │ command │ stderr ──▶ ::progress, ::count, ::heartbeat, ::error; the rest is kept
//!   TERM, KILL ─────▶ └─────────┘ exit code ─▶ 0: succeeded
//! ```
//!
//! A command is started without a shell, in a process group of its own, with only the environment
//! that was let through. However an attempt ends, nothing of the group is left running.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin};
use tokio::time::{Instant, timeout};

use self::leftovers::Note;
use self::output::TooLarge;
use self::process::Group;
use self::progress::Heard;
use super::registry::JobError;
use super::{BoxFuture, JobContext, JobHandler, JobOutcome};
use crate::language::Json;

#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
mod leftovers;
mod output;
mod process;
mod progress;
mod protocol;
mod spawn;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use leftovers::{Leftover, stop_leftovers};
pub use spawn::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND, COMMAND_NOT_STARTED};

/// The command ended with an exit code other than 0, or by a signal.
pub const COMMAND_FAILED: &str = "Everstep.CommandFailed";
/// The command wrote more to standard output than it may.
pub const OUTPUT_TOO_LARGE: &str = "Everstep.OutputTooLarge";
/// The command ran for longer than it may.
pub const TIMEOUT: &str = "States.Timeout";

/// How many attempts of a command run at once, unless said otherwise: each is a process.
pub const DEFAULT_CONCURRENCY: usize = 8;
/// How much a command may write to standard output, unless said otherwise, in bytes.
pub const DEFAULT_OUTPUT_LIMIT: usize = 1024 * 1024;
/// How long a command has to end after it was asked to, unless said otherwise.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);
/// The environment that a command sees, unless said otherwise.
pub const DEFAULT_ENV: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// How long the streams of an ended command are still read. They end with it, unless a process that
/// left the group holds them open.
const DRAIN: Duration = Duration::from_secs(2);

/// What runs the jobs of a type, and within which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSettings {
    /// The program and its arguments, as the program gets them: no shell reads them. A program
    /// without `/` is looked for in the folders of the command's own `PATH`.
    pub argv: Vec<String>,
    /// The working folder; an absolute path, if programs are named by relative paths.
    pub folder: PathBuf,
    /// The names of environment variables passed on from this process.
    pub env: Vec<String>,
    /// Environment variables with fixed values; they win over those passed on.
    pub set: BTreeMap<String, String>,
    /// How long an attempt may run; for ever, if none.
    pub timeout: Option<Duration>,
    /// How much the command may write to standard output, in bytes.
    pub output_limit: usize,
    /// How long the process group has between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// How many attempts run at once in this process.
    pub concurrency: usize,
}

impl CommandSettings {
    /// Settings with all defaults, for a program and its arguments that run in `folder`.
    #[must_use]
    pub fn new(argv: Vec<String>, folder: impl Into<PathBuf>) -> Self {
        Self {
            argv,
            folder: folder.into(),
            env: DEFAULT_ENV.map(str::to_owned).to_vec(),
            set: BTreeMap::new(),
            timeout: None,
            output_limit: DEFAULT_OUTPUT_LIMIT,
            grace: DEFAULT_GRACE,
            concurrency: DEFAULT_CONCURRENCY,
        }
    }
}

/// Runs each attempt as a process.
#[derive(Debug, Clone)]
pub struct CommandHandler {
    settings: CommandSettings,
    notes: Option<PathBuf>,
}

impl CommandHandler {
    /// A handler that notes its running commands below the folder `notes`, so that
    /// [`stop_leftovers`] finds them should this process be killed; without one, such commands run
    /// on.
    #[must_use]
    pub fn new(settings: CommandSettings, notes: Option<&Path>) -> Self {
        Self { settings, notes: notes.map(Path::to_owned) }
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &CommandSettings {
        &self.settings
    }

    async fn attempt(&self, job: JobContext) -> JobOutcome {
        if job.cancel_token().is_cancelled() {
            return JobOutcome::Cancelled;
        }
        let mut running = match Running::start(self, &job) {
            Ok(running) => running,
            Err(error) => return JobOutcome::Failed(error.into()),
        };
        let mut said = Said { output: Vec::new(), heard: Heard::new() };
        let end = running.attend(&self.settings, &job, &mut said).await;
        drop(running);
        match self.result(&end, &said) {
            _ if matches!(end, End::Cancelled) => JobOutcome::Cancelled,
            Ok(output) => JobOutcome::Succeeded { output, errors: said.heard.errors() },
            Err(error) => JobOutcome::Failed(error.into()),
        }
    }

    fn result(&self, end: &End, said: &Said) -> Result<Json, JobError> {
        match end {
            End::Exited(status) if status.success() => output::result(&said.output),
            End::Exited(status) => Err(failed(*status, &said.heard)),
            End::TooLarge => Err(JobError::new(
                OUTPUT_TOO_LARGE,
                format!(
                    "the command wrote more than {} bytes to standard output and was stopped; \
                     write less, or raise `output_limit_bytes`",
                    self.settings.output_limit
                ),
            )),
            End::TimedOut => {
                let limit = self.settings.timeout.unwrap_or_default();
                let cause = format!("the command ran for longer than {limit:?} and was stopped");
                Err(JobError::new(TIMEOUT, with_tail(cause, &said.heard)))
            }
            End::Cancelled => Err(JobError::cancelled()),
            End::Lost(message) => Err(JobError::new(
                COMMAND_FAILED,
                format!("the command's end could not be awaited: {message}"),
            )),
        }
    }
}

impl JobHandler for CommandHandler {
    fn run(&self, job: JobContext) -> BoxFuture<'_, JobOutcome> {
        Box::pin(self.attempt(job))
    }
}

/// What a command has written so far.
struct Said {
    output: Vec<u8>,
    heard: Heard,
}

/// Why a command no longer runs.
#[derive(Debug)]
enum End {
    Exited(ExitStatus),
    TooLarge,
    TimedOut,
    Cancelled,
    Lost(std::io::Error),
}

/// A command that was started. Dropping it ends its whole group at once and removes its note, in
/// the order of the fields.
struct Running {
    group: Group,
    child: Child,
    _note: Option<Note>,
}

impl Running {
    fn start(handler: &CommandHandler, job: &JobContext) -> Result<Self, JobError> {
        let child = spawn::spawn(&handler.settings, job)?;
        let lost = || JobError::new(COMMAND_NOT_STARTED, "the command has no process id");
        let pid = child.id().ok_or_else(lost)?;
        let group = Group::led_by(pid).ok_or_else(lost)?;
        let notes = handler.notes.as_deref();
        let note = notes.and_then(|notes| Note::write(notes, pid, job, handler.settings.grace));
        Ok(Self { group, child, _note: note })
    }

    /// Talks with the command until it ends or has to be stopped; then nothing of it runs.
    async fn attend(
        &mut self,
        settings: &CommandSettings,
        job: &JobContext,
        said: &mut Said,
    ) -> End {
        let mut talk = Talk::with(&mut self.child, settings.output_limit, job, said);
        let end = tokio::select! {
            biased;
            status = self.child.wait() => status.map_or_else(End::Lost, End::Exited),
            Err(TooLarge) = talk.end() => End::TooLarge,
            () = job.cancel_token().cancelled() => End::Cancelled,
            () = overdue(settings.timeout) => End::TimedOut,
        };
        if !matches!(end, End::Exited(_)) {
            // The command is still listened to: one that tidies up may have something to say.
            tokio::select! {
                () = self.stop(settings.grace) => {}
                () = talk.without_end() => {}
            }
        }
        self.group.kill();
        // Reaps the leader, which now ends soon; should the system hold it back, tokio reaps it.
        drop(timeout(DRAIN, self.child.wait()).await);
        match timeout(DRAIN, talk.end()).await {
            Ok(Err(TooLarge)) if matches!(end, End::Exited(_)) => End::TooLarge,
            _ => end,
        }
    }

    /// Asks the group to end, and waits until it did or the grace is over.
    async fn stop(&mut self, grace: Duration) {
        let asked = Instant::now();
        self.group.terminate();
        drop(timeout(grace, self.child.wait()).await);
        // What the leader started may still be tidying up.
        self.group.gone_within(grace.saturating_sub(asked.elapsed())).await;
    }
}

/// The exchange with a command over its three streams, which go on at the same time, so that
/// neither side waits for the other however much there is to say.
struct Talk<'a> {
    exchange: BoxFuture<'a, Result<(), TooLarge>>,
    ended: Option<Result<(), TooLarge>>,
}

impl<'a> Talk<'a> {
    fn with(child: &mut Child, limit: usize, job: &'a JobContext, said: &'a mut Said) -> Self {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let Said { output, heard } = said;
        let feed = async move {
            if let Some(stdin) = stdin {
                feed(stdin, job.input().as_str()).await;
            }
            Ok(())
        };
        let read = async move {
            match stdout {
                Some(stdout) => output::read(stdout, limit, output).await,
                None => Ok(()),
            }
        };
        let listen = async move {
            if let Some(stderr) = stderr {
                heard.listen(stderr, job).await;
            }
            Ok(())
        };
        let exchange = async move { tokio::try_join!(feed, read, listen).map(|_| ()) };
        Self { exchange: Box::pin(exchange), ended: None }
    }

    /// Goes on until all streams have ended, or the output is too large. May be dropped and called
    /// again.
    async fn end(&mut self) -> Result<(), TooLarge> {
        if let Some(ended) = self.ended {
            return ended;
        }
        let ended = self.exchange.as_mut().await;
        self.ended = Some(ended);
        ended
    }

    /// Goes on for as long as it is waited for.
    async fn without_end(&mut self) {
        let _ = self.end().await;
        std::future::pending::<()>().await;
    }
}

/// Writes the input and closes the stream. A command need not read its input.
async fn feed(mut stdin: ChildStdin, input: &str) {
    if let Err(error) = stdin.write_all(input.as_bytes()).await
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        tracing::warn!(%error, "writing the input of a command failed");
    }
}

/// Returns after `timeout`; never, if there is none.
async fn overdue(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// The failure of a command that ended badly: under the name it gave, if it gave one.
fn failed(status: ExitStatus, heard: &Heard) -> JobError {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    };
    let (name, cause) = match heard.named() {
        Some((name, "")) => (name, how),
        Some((name, cause)) => (name, format!("{cause} ({how})")),
        None => (COMMAND_FAILED, format!("the command ended with {how}")),
    };
    JobError::new(name, with_tail(cause, heard))
}

/// The cause, and what the command last wrote to standard error.
fn with_tail(cause: String, heard: &Heard) -> String {
    let tail = heard.tail();
    if tail.is_empty() { cause } else { format!("{cause}; standard error ends with:\n{tail}") }
}
