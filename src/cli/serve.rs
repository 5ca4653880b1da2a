//! `everstep serve`: the engine, until it is told to stop.

use std::path::PathBuf;

use super::engine::{BoundArgs, Engine, Workers};
use super::exit::Exit;
use super::fault::Outcome;
use super::listen::ListenArgs;
use super::notify::Manager;
use super::signals::Signals;
use super::{Context, data, pause, traces, wait};
use crate::config::Config;
use crate::view::duration;

#[derive(clap::Args)]
pub(super) struct ServeArgs {
    /// What runs the jobs [default: everstep.toml here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    bounds: BoundArgs,
    #[command(flatten)]
    listen: ListenArgs,
}

pub(super) async fn run(context: &Context, arguments: ServeArgs) -> Outcome {
    let config = Config::choose(arguments.config.as_deref(), None)?;
    let folder = data::folder(context.data.as_deref(), config.as_ref());
    let mut signals = Signals::listen()?;
    let listen = &arguments.listen;
    let mut settings = listen.settings(config.as_ref(), &folder)?;
    let traces = traces::begin(context, config.as_ref())?;
    if let Some(settings) = &mut settings {
        settings.traces = traces.clone();
    }
    let workers = if settings.is_some() { Workers::Anywhere } else { Workers::Here };
    let bounds = &arguments.bounds;
    let mut engine =
        Engine::open(context, &folder, config.as_ref(), bounds, workers, &traces).await?;
    if let Some(settings) = settings
        && let Err(fault) = listen.listen(context, config.as_ref(), settings, &mut engine).await
    {
        engine.stop(&mut signals).await?;
        return Err(fault);
    }
    let report = engine.orchestrator.recovery_report().clone();
    let types = engine.orchestrator.job_types();
    let types = if types.is_empty() { "none".to_owned() } else { types.join(", ") };
    let ready = format!(
        "everstep {} is ready: data {}, {} events, {} unfinished executions go on, \
         recovered in {}; job types: {types}",
        env!("CARGO_PKG_VERSION"),
        folder.display(),
        report.events,
        report.executions,
        duration(report.took_ms),
    );
    context.ui.say(&ready);
    if let Some(held) = pause::held_words(&engine.orchestrator.paused().await?) {
        let flag = wait::data_flag(context);
        context.ui.say(&format!("  paused: {held}; see everstep pause --list{flag}"));
    }
    let manager = Manager::find();
    manager.ready(&ready);
    let failure = tokio::select! {
        () = signals.next() => None,
        error = engine.orchestrator.failed() => Some(error),
        () = manager.keep_watch(&engine.orchestrator) => None,
    };
    manager.stopping();
    if let Some(error) = failure {
        return Err(error.into());
    }
    context
        .ui
        .say("stopping; unfinished executions go on at the next start (once more ends at once)");
    engine.stop(&mut signals).await?;
    traces.stop().await;
    Ok(Exit::Done)
}
