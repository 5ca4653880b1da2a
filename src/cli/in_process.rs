//! What `retry` and `rerun` do where no engine runs: they open one, as `run` does, and stay until the
//! execution has ended.

use std::path::PathBuf;

use super::engine::{BoundArgs, Engine, Workers};
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::run;
use super::signals::Signals;
use super::wait::{self, EndArgs};
use super::{Context, data, traces};
use crate::config::Config;
use crate::engine::ExecutionId;
use crate::runtime::Orchestrator;

#[derive(clap::Args)]
pub(super) struct InProcessArgs {
    /// Where no server runs: what runs the jobs [default: what `run` had last, or everstep.toml here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    bounds: BoundArgs,
}

/// Opens an engine, lets `begin` begin or go on with an execution, and shows that until it ends.
pub(super) async fn run(
    context: &Context,
    arguments: &InProcessArgs,
    end: EndArgs,
    begin: impl AsyncFnOnce(&Orchestrator) -> Result<ExecutionId, Box<Fault>>,
) -> Outcome {
    let mut config = Config::choose(arguments.config.as_deref(), None)?;
    let folder = data::folder(context.data.as_deref(), config.as_ref());
    if arguments.config.is_none()
        && let Some(last) = run::last_config(&folder)?
    {
        config = Some(last);
    }
    let mut signals = Signals::listen()?;
    let traces = traces::begin(context, config.as_ref())?;
    let (bounds, workers) = (&arguments.bounds, Workers::Here);
    let engine = Engine::open(context, &folder, config.as_ref(), bounds, workers, &traces).await?;
    let everstep = &engine.orchestrator;
    let driven = async {
        let id = begin(everstep).await?;
        let workflow = everstep.execution(id).await?.workflow;
        run::remember(&folder, Some(&workflow), config.as_ref());
        run::say_others(context, &everstep.list(run::ROWS).await?, id, &folder);
        run::until_end(context, &engine, id, end, &mut signals).await
    };
    let outcome = Box::pin(driven).await;
    let was_interrupted = matches!(outcome, Ok(Exit::Interrupted));
    let stopped = engine.stop(&mut signals).await;
    traces.stop().await;
    let exit = outcome?;
    stopped?;
    if was_interrupted {
        let flag = wait::data_flag(context);
        context.ui.say(&format!(
            "stopped; everything done so far is kept\n  go on with:  everstep run --resume{flag}"
        ));
    }
    Ok(exit)
}
