//! `everstep cancel`: asks an execution to stop, and waits until it has; or forces its end.

use std::path::Path;
use std::time::Duration;

use super::engine::{BoundArgs, Engine, Workers, who};
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::live::Live;
use super::signals::Signals;
use super::source::Source;
use super::wait::{data_flag, say_next};
use super::{Context, data};
use crate::engine::{Execution, ExecutionId, Job, JobStatus, Status};
use crate::store::Check;
use crate::worker::Registry;

/// How often an execution that is stopping is looked at.
const LOOK: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(super) struct CancelArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// End at once what was asked to stop before and has not in time: workers, executions that it
    /// began, and clean-up are given up
    #[arg(long)]
    force: bool,
    /// How long to wait for its workers to stop and its clean-up; it goes on after that
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

pub(super) async fn run(context: &Context, arguments: &CancelArgs) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    data::require_log(&folder, &arguments.id)?;
    match Live::connect(&folder).await? {
        Some(live) => in_server(context, arguments, &live, &folder).await,
        None => here(context, arguments, &folder).await,
    }
}

async fn in_server(
    context: &Context,
    arguments: &CancelArgs,
    live: &Live,
    folder: &Path,
) -> Outcome {
    let id = live.find(&arguments.id).await?;
    let asked = live.cancel(id, &who(), arguments.reason.as_deref(), arguments.force).await;
    asked.map_err(|fault| advise(context, id, fault))?;
    let ended = async {
        loop {
            match look(live, folder, id).await {
                Ok(execution) if execution.status.is_terminal() => return Ok(execution),
                Ok(_) => {}
                // The engine is just giving it back.
                Err(fault) if fault.code == "STORE_LOCKED" => {}
                Err(fault) => return Err::<Execution, Box<Fault>>(fault),
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(arguments.timeout), ended).await {
        Ok(ended) => Ok(tell(context, id, Cancelled::Ended(ended?.status))),
        Err(_) => Ok(tell(context, id, Cancelled::Goes)),
    }
}

/// What has become of an execution. `everstep run` ends with it: then the log itself says.
async fn look(live: &Live, folder: &Path, id: ExecutionId) -> Result<Execution, Box<Fault>> {
    match live.execution(id).await {
        Err(fault) if fault.exit == Exit::NoServer => {
            Source::open(folder, Check::Tail).await?.execution(id).await
        }
        found => found,
    }
}

/// What became of it within the time that it was waited for.
enum Cancelled {
    Ended(Status),
    /// It is still stopping, or cleaning up.
    Goes,
    /// Its clean-up needs workers, and no engine runs that has any.
    NeedsEngine,
}

/// No engine runs: one without workers is opened, which records the end and starts no job.
async fn here(context: &Context, arguments: &CancelArgs, folder: &Path) -> Outcome {
    let mut signals = Signals::listen()?;
    let mut engine = match Engine::open_with(
        context,
        folder,
        None,
        &BoundArgs::default(),
        Registry::new(),
        Workers::Anywhere,
    )
    .await
    {
        Err(mut fault) if fault.code == "STORE_LOCKED" => {
            fault.exit = Exit::NoServer;
            return Err(fault.hint("wait for that process, or end it with Ctrl-C"));
        }
        engine => engine?,
    };
    let outcome = cancelled(context, arguments, &mut engine).await;
    let stopped = engine.stop(&mut signals).await;
    let (id, became) = outcome?;
    stopped?;
    Ok(tell(context, id, became))
}

async fn cancelled(
    context: &Context,
    arguments: &CancelArgs,
    engine: &mut Engine,
) -> Result<(ExecutionId, Cancelled), Box<Fault>> {
    let everstep = &engine.orchestrator;
    let id = everstep.find(&arguments.id).await?;
    let (by, reason) = (who(), arguments.reason.as_deref());
    let asked = match arguments.force {
        false => everstep.cancel(id, &by, reason).await,
        true => everstep.force_cancel(id, &by, reason).await,
    };
    asked.map_err(|error| advise(context, id, error.into()))?;
    let needs_engine = async {
        loop {
            // Once it has ended, who waits for that has the answer.
            if everstep.execution(id).await.is_ok_and(|execution| needs_workers(&execution)) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let became = tokio::select! {
        biased;
        ended = everstep.ended(id) => Cancelled::Ended(ended?.status),
        () = needs_engine => Cancelled::NeedsEngine,
        () = tokio::time::sleep(Duration::from_secs(arguments.timeout)) => Cancelled::Goes,
    };
    Ok((id, became))
}

/// Whether its clean-up has a job that nobody takes here.
fn needs_workers(execution: &Execution) -> bool {
    let pending = |job: &Job| job.status == JobStatus::Pending;
    execution.cleanup_frame().is_some() && execution.jobs.values().any(pending)
}

/// Says what to type when it is stopping already, or cannot be forced yet.
fn advise(context: &Context, id: ExecutionId, fault: Box<Fault>) -> Box<Fault> {
    let (id, flag) = (id.short(), data_flag(context));
    match &*fault.code {
        "ALREADY_CANCELLING" => fault
            .why("its workers are stopping, or it is cleaning up")
            .hint(format!("everstep why {id}{flag}, or everstep cancel --force {id}{flag}")),
        "FORCE_TOO_EARLY" => fault
            .why("only what was asked to stop, and has not in time, is ended by force")
            .hint(format!("everstep cancel {id}{flag}, then everstep why {id}{flag}")),
        _ => fault,
    }
}

/// Says what became of it. An execution that ended otherwise just before is no failure of ours.
fn tell(context: &Context, id: ExecutionId, became: Cancelled) -> Exit {
    let id_shown = id.short();
    match became {
        Cancelled::Ended(status) => {
            context.ui.say(&format!("{id_shown} is {}", status.as_str().replace('_', " ")));
            return Exit::Done;
        }
        Cancelled::Goes => {
            context.ui.say(&format!("{id_shown} is still cancelling"));
            say_next(context, id, &["why", "show", "cancel --force"]);
        }
        Cancelled::NeedsEngine => {
            let flag = data_flag(context);
            context.ui.say(&format!(
                "{id_shown} is cancelling: its clean-up needs workers, and no engine runs\n\
                 next: everstep serve{flag}"
            ));
        }
    }
    Exit::WaitTimedOut
}
