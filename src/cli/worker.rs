//! `everstep worker`: runs the bound commands of this machine for a server elsewhere.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Context;
use super::engine::who;
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::signals::Signals;
use crate::config::Config;
use crate::worker::Registry;
use crate::worker::remote::{Ended, RemoteError, RemoteWorker};

/// The largest file of a token, in bytes.
const MAX_TOKEN: u64 = 4096;

#[derive(clap::Args)]
pub(super) struct WorkerArgs {
    /// The server, as http://HOST:PORT or https://HOST
    #[arg(long, value_name = "URL", env = "EVERSTEP_SERVER")]
    server: String,
    /// A file that holds the token with which the server lets the worker in
    #[arg(long, value_name = "FILE", env = "EVERSTEP_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The authorities to trust, as PEM [default: those that the web trusts]
    #[arg(long, value_name = "FILE", env = "EVERSTEP_CA")]
    ca: Option<PathBuf>,
    /// The name by which the server knows the worker [default: this machine's, and a number]
    #[arg(long)]
    name: Option<String>,
    /// How many jobs run at once [default: all that everstep.toml lets run at once]
    #[arg(long, value_name = "N")]
    slots: Option<usize>,
    /// What runs the jobs [default: everstep.toml here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, arguments: WorkerArgs) -> Outcome {
    let config = Config::choose(arguments.config.as_deref(), None)?;
    let mut registry = Registry::new();
    if let Some(config) = &config {
        config.bind(&mut registry, None);
    }
    let types: Vec<String> = registry.job_types().map(ToString::to_string).collect();
    let worker = build(&arguments, config.as_ref(), registry)?;
    let mut signals = Signals::listen()?;
    context.ui.say(&format!(
        "{} works for {}; job types: {}",
        worker.name(),
        arguments.server,
        types.join(", ")
    ));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let work = worker.run(async move { drop(stopped.await) });
    let mut work = std::pin::pin!(work);
    let ended = tokio::select! {
        ended = work.as_mut() => ended?,
        () = signals.next() => {
            context.ui.say("stopping; jobs end first (once more ends at once)");
            drop(stop);
            tokio::select! {
                ended = work => ended?,
                () = signals.next() => return Ok(Exit::Interrupted),
            }
        }
    };
    told(context, ended)
}

fn build(
    arguments: &WorkerArgs,
    config: Option<&Config>,
    registry: Registry,
) -> Result<RemoteWorker, Box<Fault>> {
    let at_once = registry.job_types().filter_map(|name| registry.concurrency(name)).sum();
    let mut builder = RemoteWorker::builder(&arguments.server)
        .registry(registry)
        .slots(arguments.slots.unwrap_or(at_once))
        .name(arguments.name.clone().unwrap_or_else(name_of_machine));
    if let Some(file) = &arguments.token_file {
        builder = builder.token(token(file)?);
    }
    if let Some(file) = &arguments.ca {
        builder = builder.authorities(file);
    }
    if let Some(grace) = config.and_then(|config| config.engine.grace) {
        builder = builder.grace(grace);
    }
    Ok(builder.build()?)
}

fn told(context: &Context, ended: Ended) -> Outcome {
    let Ended { is_drained, unfinished, undelivered } = ended;
    if unfinished > 0 || undelivered > 0 {
        let message = format!(
            "{unfinished} jobs did not end in time, and {undelivered} results were not delivered"
        );
        return Err(Fault::new("WORKER_CUT_OFF", Exit::Other, message)
            .why("the server gives these jobs to other workers when their leases are over")
            .hint("give jobs more time: grace_seconds below [engine] in everstep.toml"));
    }
    context.ui.say(if is_drained {
        "an operator has drained this worker; all that it had is done"
    } else {
        "all that it had is done"
    });
    Ok(Exit::Done)
}

fn token(file: &Path) -> Result<String, Box<Fault>> {
    let unreadable = |why: String| {
        let message = format!("the token in {} cannot be read", file.display());
        Fault::new("TOKEN_UNREADABLE", Exit::Other, message)
            .why(why)
            .hint("put into it what `everstep token create NAME --role worker` printed")
    };
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(MAX_TOKEN).read_to_string(&mut text))
        .map_err(|error| unreadable(error.to_string()))?;
    match text.trim() {
        "" => Err(unreadable("it is empty".to_owned())),
        token => Ok(token.to_owned()),
    }
}

/// The name of this machine, as far as it is known, with the number of this process.
fn name_of_machine() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = read.trim().chars().filter(|c| !c.is_control()).take(32).collect();
    let name = if name.is_empty() { who() } else { name };
    format!("{name}-{}", std::process::id())
}

impl From<RemoteError> for Box<Fault> {
    fn from(error: RemoteError) -> Self {
        let exit = match error {
            RemoteError::Refused { .. } => Exit::NotAllowed,
            RemoteError::Url { .. } | RemoteError::Settings { .. } | RemoteError::Tls { .. } => {
                Exit::Other
            }
        };
        Fault::new(error.code(), exit, error.to_string()).hint(error.hint())
    }
}
