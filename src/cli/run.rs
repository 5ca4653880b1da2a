//! `everstep run`: a workflow to its end, with the engine in this process.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::engine::{BoundArgs, Engine, Workers, is_unfinished};
use super::exit::Exit;
use super::fault::{self, Fault, Outcome};
use super::progress::Progress;
use super::signals::Signals;
use super::wait::{self, EndArgs};
use super::{Context, data, input, traces};
use crate::config::Config;
use crate::engine::{Execution, ExecutionId, Program};
use crate::language::Json;
use crate::runtime::{Orchestrator, Start, Summary};
use crate::view::Card;

/// How often what runs is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How many of the newest executions are looked at for others that go on.
pub(super) const ROWS: usize = 1000;

/// What `run` was last asked for in a data folder, so that `run --resume` needs no file.
const LAST_RUN: &str = "last-run.json";
/// More than two paths hold. Of a longer file the rest is no JSON either.
const MOST_BYTES: u64 = 64 * 1024;

#[derive(clap::Args)]
pub(super) struct RunArgs {
    /// The definition, JSON or YAML; with --resume the one that ran last if left out
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// The input: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON")]
    input: Option<String>,
    /// Your own name for the execution
    #[arg(long)]
    name: Option<String>,
    /// Another definition to make known first, so that this one can start executions of it; may be
    /// given more than once
    #[arg(long = "with", value_name = "FILE")]
    others: Vec<PathBuf>,
    /// What runs the jobs [default: everstep.toml beside the definition, or here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go on with the newest unfinished execution of the workflow; if it has ended, print what it
    /// gave; if there is none, start one
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    bounds: BoundArgs,
    #[command(flatten)]
    end: EndArgs,
}

/// What is to be run.
struct Plan {
    /// The workflow's name; any when it is not known.
    workflow: Option<String>,
    input: Json,
    config: Option<Config>,
    data: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct LastRun {
    workflow: Option<String>,
    config: Option<PathBuf>,
}

/// How following an execution ended.
enum Followed {
    Ended(Box<Execution>),
    Interrupted,
}

pub(super) async fn run(context: &Context, arguments: RunArgs) -> Outcome {
    // A definition with faults is told before anything is opened.
    if let Some(file) = arguments.file.as_deref().filter(|_| !arguments.resume) {
        super::validate::check(context, file)?;
    }
    for other in &arguments.others {
        super::validate::check(context, other)?;
    }
    let plan = plan(context, &arguments)?;
    let mut signals = Signals::listen()?;
    let (config, bounds) = (plan.config.as_ref(), &arguments.bounds);
    let traces = traces::begin(context, config)?;
    let engine = Engine::open(context, &plan.data, config, bounds, Workers::Here, &traces).await?;
    remember(&plan.data, plan.workflow.as_deref(), plan.config.as_ref());
    let outcome = drive(context, &arguments, &plan, &engine, &mut signals).await;
    let was_interrupted = matches!(outcome, Ok(Exit::Interrupted));
    let stopped = engine.stop(&mut signals).await;
    traces.stop().await;
    let exit = outcome?;
    stopped?;
    if was_interrupted {
        let file = arguments.file.as_deref();
        let file = file.map(|file| format!(" {}", wait::quoted(&file.display().to_string())));
        let file = file.unwrap_or_default();
        context.ui.say(&format!(
            "stopped; everything done so far is kept\n  go on with:  everstep run{file} --resume{}",
            wait::data_flag(context)
        ));
    }
    Ok(exit)
}

fn plan(context: &Context, arguments: &RunArgs) -> Result<Plan, Box<Fault>> {
    let input = arguments.input.as_deref().map(input::json).transpose()?;
    let input = input.unwrap_or_else(Json::empty_object);
    let file = arguments.file.as_deref();
    let mut config = Config::choose(arguments.config.as_deref(), file)?;
    let folder = data::folder(context.data.as_deref(), config.as_ref());
    let mut workflow = file.map(input::name_of);
    if let Some(last) = last_run(&folder).filter(|_| file.is_none()) {
        workflow = last.workflow;
        if let Some(path) = last.config.filter(|_| arguments.config.is_none()) {
            config = Some(Config::load(&path)?);
        }
    }
    Ok(Plan { workflow, input, config, data: folder })
}

/// The config of what ran last in a data folder.
///
/// # Errors
/// It cannot be read any more.
pub(super) fn last_config(data: &Path) -> Result<Option<Config>, Box<Fault>> {
    let last = last_run(data).and_then(|last| last.config);
    Ok(last.map(|path| Config::load(&path)).transpose()?)
}

fn last_run(data: &Path) -> Option<LastRun> {
    let mut text = Vec::new();
    std::fs::File::open(data.join(LAST_RUN)).ok()?.take(MOST_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Only a convenience: without it the next `run --resume` must name its file.
pub(super) fn remember(data: &Path, workflow: Option<&str>, config: Option<&Config>) {
    let config = config.map(|config| config.path.clone());
    let last = LastRun { workflow: workflow.map(str::to_owned), config };
    let written = serde_json::to_vec(&last)
        .map_err(std::io::Error::from)
        .and_then(|bytes| std::fs::write(data.join(LAST_RUN), bytes));
    if let Err(error) = written {
        tracing::warn!(%error, "what runs could not be noted for `run --resume`");
    }
}

async fn drive(
    context: &Context,
    arguments: &RunArgs,
    plan: &Plan,
    engine: &Engine,
    signals: &mut Signals,
) -> Outcome {
    let everstep = &engine.orchestrator;
    for other in &arguments.others {
        let other = input::definition(other)?;
        everstep.deploy(&other.name, &other.text, other.format).await?;
    }
    // Only to go on with one all of them must be looked at.
    let rows = everstep.list(if arguments.resume { usize::MAX } else { ROWS }).await?;
    let id = match to_resume(arguments, plan, &rows) {
        Some(row) => {
            if is_unfinished(row) {
                context.ui.say(&format!("goes on with {} {}", row.workflow, row.id.short()));
            }
            row.id
        }
        None => start(context, arguments, plan, everstep).await?,
    };
    say_others(context, &rows, id, &plan.data);
    until_end(context, engine, id, arguments.end, signals).await
}

/// Says how many other executions go on in this process.
pub(super) fn say_others(context: &Context, rows: &[Summary], id: ExecutionId, data: &Path) {
    let others = rows.iter().filter(|row| is_unfinished(row) && row.id != id).count();
    if others > 0 {
        let folder = data.display();
        context.ui.say(&format!("{others} more unfinished in {folder} go on meanwhile"));
    }
}

/// Shows an execution until it has ended, and tells how; or until somebody wants to stop.
pub(super) async fn until_end(
    context: &Context,
    engine: &Engine,
    id: ExecutionId,
    end: EndArgs,
    signals: &mut Signals,
) -> Outcome {
    let program = program_of(&engine.orchestrator, id).await?;
    match follow(context, engine, &program, id, signals).await? {
        Followed::Ended(execution) => wait::report_end(context, &program, &execution, end),
        Followed::Interrupted => Ok(Exit::Interrupted),
    }
}

/// The execution to go on with: the newest unfinished of the workflow, else its newest.
fn to_resume<'r>(arguments: &RunArgs, plan: &Plan, rows: &'r [Summary]) -> Option<&'r Summary> {
    let fits = |row: &&Summary| plan.workflow.as_deref().is_none_or(|name| *row.workflow == *name);
    let mut fitting = rows.iter().filter(|_| arguments.resume).filter(fits);
    let newest = fitting.clone().next();
    fitting.find(|row| is_unfinished(row)).or(newest)
}

async fn start(
    context: &Context,
    arguments: &RunArgs,
    plan: &Plan,
    everstep: &Orchestrator,
) -> Result<ExecutionId, Box<Fault>> {
    let Some(file) = &arguments.file else {
        let message = format!("there is nothing to go on with in {}", plan.data.display());
        return Err(Fault::new("NOTHING_TO_RESUME", Exit::NotFound, message)
            .why("no execution has ever been started there")
            .hint("everstep run FILE --input JSON"));
    };
    let definition = input::definition(file)?;
    everstep.deploy(&definition.name, &definition.text, definition.format).await?;
    let start = Start {
        workflow: definition.name,
        input: plan.input.clone(),
        name: arguments.name.clone(),
    };
    let id = everstep.start_with(start.clone()).await?;
    context.ui.say(&format!("started {} {}", start.workflow, id.short()));
    Ok(id)
}

async fn program_of(everstep: &Orchestrator, id: ExecutionId) -> Result<Arc<Program>, Box<Fault>> {
    let definition = everstep.execution(id).await?.definition;
    everstep.program(definition).ok_or_else(|| super::source::unreadable(definition))
}

/// Shows an execution until it has ended, or somebody wants to stop.
async fn follow(
    context: &Context,
    engine: &Engine,
    program: &Program,
    id: ExecutionId,
    signals: &mut Signals,
) -> Result<Followed, Box<Fault>> {
    let everstep = &engine.orchestrator;
    let first = everstep.execution(id).await?;
    if first.status.is_terminal() {
        return Ok(Followed::Ended(Box::new(first)));
    }
    let mut progress = Progress::new(&context.ui);
    progress.skip_past(&Card::of(program, &first, wait::now()));
    let unserved = engine.unserved(program);
    if !unserved.is_empty() {
        return Err(fault::unserved(&unserved, &everstep.job_types()));
    }
    let mut looks = tokio::time::interval(LOOK);
    let mut seen = None;
    loop {
        tokio::select! {
            biased;
            () = signals.next() => {
                drop(progress);
                context.ui.say("stopping: running jobs may end (once more ends at once)");
                return Ok(Followed::Interrupted);
            }
            error = everstep.failed() => return Err(error.into()),
            _ = looks.tick() => {}
        }
        let position = everstep.last_position();
        if seen.replace(position) == Some(position) {
            continue;
        }
        let execution = everstep.execution(id).await?;
        progress.show(&Card::of(program, &execution, wait::now()), wait::now())?;
        if execution.status.is_terminal() {
            return Ok(Followed::Ended(Box::new(execution)));
        }
        if let Some(reason) = &execution.set_aside {
            return Err(wait::set_aside(id, reason));
        }
    }
}
