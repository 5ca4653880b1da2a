//! `everstep rerun`: a new execution with the input of another one.

use std::time::Duration;

use super::exit::Exit;
use super::fault::Outcome;
use super::in_process::{self, InProcessArgs};
use super::input;
use super::live::Live;
use super::start::{started, wait_for_end};
use super::wait::{EndArgs, say_next};
use super::{Context, data};
use crate::runtime::{Orchestrator, Rerun};

#[derive(clap::Args)]
pub(super) struct RerunArgs {
    /// The execution to repeat: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// Another input: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON")]
    input: Option<String>,
    /// Your own name for the new execution
    #[arg(long)]
    name: Option<String>,
    /// Run the version that the other one ran, and not the newest
    #[arg(long)]
    same_version: bool,
    /// Of a running server: wait for the end, print what it gave, and exit accordingly. Without a
    /// server that is always so
    #[arg(long)]
    wait: bool,
    /// With --wait: wait no longer than this; the execution goes on
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout: Option<u64>,
    #[command(flatten)]
    process: InProcessArgs,
    #[command(flatten)]
    end: EndArgs,
}

pub(super) async fn run(context: &Context, arguments: RerunArgs) -> Outcome {
    let input = arguments.input.as_deref().map(input::json).transpose()?;
    let (name, same_version) = (arguments.name.clone(), arguments.same_version);
    let rerun = Rerun { name, input, same_version };
    let folder = data::folder_to_read(context.data.as_deref());
    data::require_log(&folder, &arguments.id)?;
    match Live::connect(&folder).await? {
        Some(live) => in_server(context, &arguments, rerun, &live).await,
        None => {
            let begin = async |everstep: &Orchestrator| {
                let of = everstep.find(&arguments.id).await?;
                let id = everstep.rerun(of, rerun).await?;
                let workflow = everstep.execution(id).await?.workflow;
                context.ui.say(&format!(
                    "started {workflow} {}, a rerun of {}",
                    id.short(),
                    of.short()
                ));
                Ok(id)
            };
            in_process::run(context, &arguments.process, arguments.end, begin).await
        }
    }
}

async fn in_server(context: &Context, arguments: &RerunArgs, rerun: Rerun, live: &Live) -> Outcome {
    let of = live.find(&arguments.id).await?;
    let id = live.rerun(of, rerun).await?;
    let execution = live.execution(id).await?;
    let workflow = &execution.workflow;
    context.ui.say(&format!("started {workflow} {}, a rerun of {}", id.short(), of.short()));
    if arguments.wait {
        let timeout = arguments.timeout.map(Duration::from_secs);
        return wait_for_end(context, live, id, timeout, arguments.end).await;
    }
    context.ui.print(&started(context, &execution))?;
    say_next(context, id, &["show", "cancel"]);
    Ok(Exit::Done)
}
