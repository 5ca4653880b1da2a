//! `everstep replay`: what was recorded, under another definition, without effects.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::engine::BoundArgs;
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::file::FileLog;
use super::input::{self, DefinitionFile};
use super::source::Source;
use super::ui::{Cell, Mark, Role, Table};
use super::{Context, data, validate};
use crate::config::Config;
use crate::engine::{EngineLimits, Event, ExecutionId, Program, short_handle};
use crate::language;
use crate::runtime::Limits;
use crate::store::{Check, Record};
use crate::view::{FieldPair, Rehearsed, Turn, TurnEvent, counted, one_line};

/// How much of a value is shown, in characters.
const SHOWN: usize = 60;

#[derive(clap::Args)]
pub(super) struct ReplayArgs {
    /// A file that `log export` wrote; or an execution: its id, a beginning of its handle, or @ for
    /// the newest
    what: String,
    /// The definition to hold it against, JSON or YAML
    #[arg(long, value_name = "FILE")]
    definition: PathBuf,
    /// Of a file, only executions of this workflow [default: the definition's name, if the file has
    /// some of it; else all]
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Whose limits are held [default: everstep.toml beside the definition, or here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    bounds: BoundArgs,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Report<'r> {
    /// The content hash of the definition.
    definition: String,
    /// Whether all executions would have gone the same way.
    agrees: bool,
    /// Executions of other workflows, which were left out.
    left_out: usize,
    items: &'r [Rehearsed],
}

pub(super) async fn run(context: &Context, arguments: &ReplayArgs) -> Outcome {
    validate::check(context, &arguments.definition)?;
    let file = input::definition(&arguments.definition)?;
    let (program, limits) = (program_of(&file)?, limits(arguments)?);
    let (histories, left_out) = histories(context, arguments, &file.name).await?;
    let found: Vec<Rehearsed> = histories
        .iter()
        .map(|(id, history)| Rehearsed::of(*id, history, &program, &limits))
        .collect();
    let agrees = found.iter().all(|one| one.agrees);
    let ui = &context.ui;
    if ui.is_json() {
        let definition = program.workflow.hash.to_string();
        let report = Report { definition, agrees, left_out, items: &found };
        ui.document("everstep.replay/v1", &report)?;
    } else {
        tell(context, &found, left_out)?;
    }
    Ok(if agrees { Exit::Done } else { Exit::Parted })
}

fn program_of(file: &DefinitionFile) -> Result<Program, Box<Fault>> {
    let options = language::Options::default();
    let workflow = language::parse(&file.text, file.format, &options).map_err(|_| {
        Fault::new("INVALID_DEFINITION", Exit::Invalid, format!("{} is invalid", file.name))
    })?;
    Ok(Program::new(workflow))
}

/// The bounds that an engine would hold.
fn limits(arguments: &ReplayArgs) -> Result<EngineLimits, Box<Fault>> {
    let config = Config::choose(arguments.config.as_deref(), Some(&arguments.definition))?;
    let mut limits = Limits::default();
    if let Some(config) = config {
        config.limits.set(&mut limits);
    }
    let limits = limits.engine;
    Ok(if arguments.bounds.aws_limits { limits.within_aws() } else { limits })
}

type Histories = Vec<(ExecutionId, Vec<Record>)>;

/// The histories that are meant, and how many of the file were left out.
async fn histories(
    context: &Context,
    arguments: &ReplayArgs,
    name: &str,
) -> Result<(Histories, usize), Box<Fault>> {
    let path = Path::new(&arguments.what);
    if !(path.is_file() || arguments.what.contains(['/', '.'])) {
        let folder = data::folder_to_read(context.data.as_deref());
        let source = Source::open(&folder, Check::Tail).await?;
        let id = source.find(&arguments.what).await?;
        return Ok((vec![(id, source.history(id).await?)], 0));
    }
    let log = FileLog::read(path)?;
    let mut all = Vec::new();
    for id in log.executions() {
        all.push((id, log.history(id)?));
    }
    let wanted = match &arguments.workflow {
        Some(wanted) => Some(wanted.as_str()),
        None => Some(name).filter(|name| all.iter().any(|(_, history)| is_of(history, name))),
    };
    let count = all.len();
    all.retain(|(_, history)| wanted.is_none_or(|wanted| is_of(history, wanted)));
    if all.is_empty() {
        let message = format!("{} has no execution to replay", path.display());
        return Err(Fault::new("NOTHING_TO_REPLAY", Exit::NotFound, message)
            .why("an execution can be replayed if its first event is there, and every other")
            .hint("everstep log export > LOG.ndjson"));
    }
    let left_out = count - all.len();
    Ok((all, left_out))
}

fn is_of(history: &[Record], workflow: &str) -> bool {
    let first = history.first().map(|record| &*record.event);
    matches!(first, Some(Event::ExecutionStarted(body)) if *body.workflow == *workflow)
}

fn tell(context: &Context, found: &[Rehearsed], left_out: usize) -> Result<(), Box<Fault>> {
    let ui = &context.ui;
    let events = found.iter().map(|one| one.events).sum();
    let executions = counted(u64::try_from(found.len()).unwrap_or(u64::MAX), "execution");
    ui.say(&format!("replayed {executions}, {}, without effects", counted(events, "event")));
    if left_out > 0 {
        ui.say(&format!("{left_out} of other workflows left out"));
    }
    let mut text = String::new();
    for one in found {
        let mut table = Table::bare(2);
        let mark = Mark::of(if one.agrees { "completed" } else { "failed" });
        table.row(vec![
            Cell::painted(mark.role, mark.glyph(ui)),
            Cell::painted(Role::Strong, short_handle(&one.handle)),
            Cell::new(one_line(&one.workflow, 40)),
            Cell::new(verdict(one)),
        ]);
        text.push_str(&table.text(ui));
        if let Some(turn) = &one.parting {
            text.push_str(&told(context, turn));
        }
    }
    ui.print(&text)
}

fn verdict(one: &Rehearsed) -> String {
    let events = counted(one.events, "event");
    match &one.parting {
        Some(turn) => format!("differs at event {} of {}", turn.sequence, one.events),
        None if is_open(one) => format!("can go on: {events} agree"),
        None => format!("would have gone the same way: {events} agree"),
    }
}

fn is_open(one: &Rehearsed) -> bool {
    matches!(one.status, "pending" | "running" | "cancelling")
}

fn told(context: &Context, turn: &Turn) -> String {
    let mut table = Table::bare(6);
    let row = |table: &mut Table, what: &str, words: String| {
        table.row(vec![Cell::painted(Role::Faint, what), Cell::new(words)]);
    };
    row(&mut table, "recorded", went(&turn.recorded));
    let instead = turn.instead.as_ref().map(went);
    let instead = instead.or_else(|| turn.refused.clone());
    row(&mut table, "instead", instead.unwrap_or_else(|| "nothing".to_owned()));
    for FieldPair { field, recorded, instead } in &turn.differences {
        let short = |value| one_line(&super::changes::short(value), SHOWN);
        let words = super::changes::changed_words(&context.ui, &short(recorded), &short(instead));
        row(&mut table, field, words);
    }
    table.text(&context.ui)
}

fn went(event: &TurnEvent) -> String {
    let step = event.step_name.as_ref().map(|name| format!(" in \"{}\"", one_line(name, 40)));
    // How far the whole is hangs on weights, and says nothing here.
    let sentence = match event.event {
        "StateEntered" => String::new(),
        _ => format!(": {}", event.sentence),
    };
    format!("{}{}{sentence}", event.event, step.unwrap_or_default())
}
