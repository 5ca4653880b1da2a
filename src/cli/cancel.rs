//! `everstep cancel`: asks an execution to stop, and waits until it has.

use std::path::Path;
use std::time::Duration;

use super::engine::{BoundArgs, Engine, who};
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::live::Live;
use super::signals::Signals;
use super::source::Source;
use super::wait::say_next;
use super::{Context, data};
use crate::engine::{Execution, ExecutionId, Status};
use crate::runtime::find;
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
    /// How long to wait for its workers to stop; it goes on stopping after that
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

pub(super) async fn run(context: &Context, arguments: &CancelArgs) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    if !data::has_log(&folder) {
        find::by_handle(std::iter::empty(), &arguments.id)?;
    }
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
    live.cancel(id, &who(), arguments.reason.as_deref()).await?;
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
        Ok(ended) => Ok(tell(context, id, Some(ended?.status))),
        Err(_) => Ok(tell(context, id, None)),
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

/// No engine runs: one without workers is opened, which records the end and starts no job.
async fn here(context: &Context, arguments: &CancelArgs, folder: &Path) -> Outcome {
    let mut signals = Signals::listen()?;
    let mut engine = match Engine::open_with(
        context,
        folder,
        None,
        &BoundArgs::default(),
        Registry::new(),
    )
    .await
    {
        Err(mut fault) if fault.code == "STORE_LOCKED" => {
            fault.exit = Exit::NoServer;
            return Err(fault.hint("wait for that process, or end it with Ctrl-C"));
        }
        engine => engine?,
    };
    let outcome = cancelled(arguments, &mut engine).await;
    let stopped = engine.stop(&mut signals).await;
    let (id, status) = outcome?;
    stopped?;
    Ok(tell(context, id, status))
}

async fn cancelled(
    arguments: &CancelArgs,
    engine: &mut Engine,
) -> Result<(ExecutionId, Option<Status>), Box<Fault>> {
    let everstep = &engine.orchestrator;
    let id = everstep.find(&arguments.id).await?;
    everstep.cancel(id, &who(), arguments.reason.as_deref()).await?;
    let patience = Duration::from_secs(arguments.timeout);
    match tokio::time::timeout(patience, everstep.ended(id)).await {
        Ok(ended) => Ok((id, Some(ended?.status))),
        Err(_) => Ok((id, None)),
    }
}

/// Says what became of it. An execution that ended otherwise just before is no failure of ours.
fn tell(context: &Context, id: ExecutionId, status: Option<Status>) -> Exit {
    let id_shown = id.short();
    let Some(status) = status else {
        context.ui.say(&format!("{id_shown} is still cancelling"));
        say_next(context, id, &["show"]);
        return Exit::WaitTimedOut;
    };
    context.ui.say(&format!("{id_shown} is {}", status.as_str().replace('_', " ")));
    Exit::Done
}
