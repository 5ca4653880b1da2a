//! An engine inside this process: what `run` and `serve` share.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::exit::Exit;
use super::fault::Fault;
use super::live::{self, Served};
use super::signals::Signals;
use crate::config::Config;
use crate::engine::Program;
use crate::runtime::{Builder, Limits, Orchestrator, Summary};
use crate::server::http::{self, HttpServer, Settings, StartError};
use crate::store::{self, Check, EventStore, SledOptions, SledStore};
use crate::traces::Traces;
use crate::worker::{Registry, command};

/// Bounds that `run` and `serve` can be asked to hold.
#[derive(Default, clap::Args)]
pub(super) struct BoundArgs {
    /// Hold the quotas of AWS too: 256 KiB of a payload, 25,000 events, 40 items of a Map at once
    #[arg(long)]
    pub(super) aws_limits: bool,
}

/// A running engine and its control socket.
pub(super) struct Engine {
    pub(super) orchestrator: Orchestrator,
    served: Option<Served>,
    http: Option<HttpServer>,
}

/// Whose workers may have jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Workers {
    /// Those of this process.
    Here,
    /// Those of other processes too.
    Anywhere,
}

impl Engine {
    /// Opens the data folder and goes on with what is in it. Tells traces of that.
    ///
    /// # Errors
    /// Somebody else has the folder, it is damaged, or it cannot be written.
    pub(super) async fn open(
        context: &Context,
        data: &Path,
        config: Option<&Config>,
        bounds: &BoundArgs,
        workers: Workers,
        traces: &Traces,
    ) -> Result<Self, Box<Fault>> {
        let builder =
            Orchestrator::builder().registry(bound(config, data)).trace_parents(traces.parents());
        let engine = Self::open_built(context, data, config, bounds, workers, builder).await?;
        traces.follow(&engine.orchestrator);
        Ok(engine)
    }

    /// Opens it with these handlers.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub(super) async fn open_with(
        context: &Context,
        data: &Path,
        config: Option<&Config>,
        bounds: &BoundArgs,
        registry: Registry,
        workers: Workers,
    ) -> Result<Self, Box<Fault>> {
        let builder = Orchestrator::builder().registry(registry);
        Self::open_built(context, data, config, bounds, workers, builder).await
    }

    async fn open_built(
        context: &Context,
        data: &Path,
        config: Option<&Config>,
        bounds: &BoundArgs,
        workers: Workers,
        builder: Builder,
    ) -> Result<Self, Box<Fault>> {
        let options = SledOptions { check: Check::Tail, ..SledOptions::default() };
        let store = SledStore::open(data, options).map_err(|error| not_opened(error, data))?;
        if let Some(position) = store.open_report().torn_tail_after {
            context.ui.say(&format!(
                "recovered the log: an unfinished write after event {position} was cut off; \
                 it had never been acknowledged"
            ));
        }
        // With the lock held and before any job starts: whatever is noted there is nobody's.
        stop_leftovers(context, data).await;
        let mut limits = Limits::default();
        let mut builder = builder.remote_workers(workers == Workers::Anywhere);
        if let Some(engine) = config.map(|config| &config.engine) {
            limits.stop_grace = engine.grace.unwrap_or(limits.stop_grace);
            if let Some(shards) = engine.shards {
                builder = builder.shards(shards);
            }
        }
        if let Some(config) = config {
            config.limits.set(&mut limits);
            limits.retention = config.retention;
            builder = builder.buckets(config.buckets.clone());
        }
        if bounds.aws_limits {
            limits.engine = limits.engine.within_aws();
        }
        let orchestrator = builder.limits(limits).open_store(Arc::new(store)).await?;
        let served = match live::serve(orchestrator.clone(), data).await {
            Ok(served) => Some(served),
            Err(fault) => {
                // Work goes on without it.
                context.ui.complain(&fault);
                None
            }
        };
        Ok(Self { orchestrator, served, http: None })
    }

    /// Listens on the network, too; where.
    ///
    /// # Errors
    /// It cannot.
    pub(super) async fn listen(
        &mut self,
        settings: Settings,
    ) -> Result<(String, SocketAddr), StartError> {
        let server = http::serve(self.orchestrator.clone(), settings).await?;
        let place = (server.url(), server.address());
        self.http = Some(server);
        Ok(place)
    }

    /// Stops in order: jobs may end within the grace period. Another signal ends the process at
    /// once, which the log survives.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn stop(self, signals: &mut Signals) -> Result<(), Box<Fault>> {
        let stop = async {
            let control = async {
                if let Some(served) = self.served {
                    served.stop().await;
                }
            };
            let http = async {
                if let Some(http) = self.http {
                    http.stop().await;
                }
            };
            tokio::join!(control, http);
            self.orchestrator.stop().await
        };
        tokio::select! {
            stopped = stop => Ok(stopped?),
            () = signals.next() => std::process::exit(Exit::Interrupted.code().into()),
        }
    }

    /// The job types of `program` that nobody here serves.
    pub(super) fn unserved(&self, program: &Program) -> Vec<String> {
        let known = self.orchestrator.job_types();
        let types = program.workflow.job_types();
        let unserved = types.iter().filter(|job_type| !known.iter().any(|k| **k == ***job_type));
        unserved.map(ToString::to_string).collect()
    }
}

/// The commands that the file binds.
fn bound(config: Option<&Config>, data: &Path) -> Registry {
    let mut registry = Registry::new();
    if let Some(config) = config {
        config.bind(&mut registry, Some(data));
    }
    registry
}

/// Whether an execution can go on by itself.
pub(super) fn is_unfinished(row: &Summary) -> bool {
    !row.status.is_terminal() && row.set_aside.is_none()
}

/// Who asks, for the log.
pub(super) fn who() -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    user.unwrap_or_else(|| "command line".to_owned())
}

async fn stop_leftovers(context: &Context, data: &Path) {
    let folder: PathBuf = data.to_owned();
    // It waits for programs to end.
    let stopped = tokio::task::spawn_blocking(move || command::stop_leftovers(&folder)).await;
    for leftover in stopped.unwrap_or_default() {
        context.ui.say(&format!(
            "stopped a program that was left running for job {} ({}) of {}, pid {}",
            leftover.job,
            leftover.job_type,
            leftover.execution.short(),
            leftover.pid
        ));
    }
}

fn not_opened(error: store::Error, data: &Path) -> Box<Fault> {
    let (code, is_locked) = (error.code(), matches!(error, store::Error::Locked { .. }));
    let is_of_disk = matches!(error, store::Error::Io { .. });
    let mut fault: Box<Fault> = error.into();
    if is_locked {
        fault.exit = Exit::Other;
        fault = fault
            .why(format!("one process at a time can use {}", data.display()))
            .hint("everstep start FILE --wait, which uses the running one, or --data OTHER_FOLDER");
    } else if is_of_disk {
        fault = fault.why(format!("the data folder is {}", data.display()));
    }
    if code == "STORE_READ_ONLY" {
        let hint = "let the user that runs everstep write there, or choose another with --data DIR";
        fault = fault.hint(hint);
    }
    fault
}
