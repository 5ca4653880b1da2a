//! `everstep watch`: executions while they run, as they change.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use serde_json::Value;

use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::live::Live;
use super::progress::{Place, Progress};
use super::show::print_card;
use super::signals::Signals;
use super::source::Source;
use super::ui::{Mark, Ui};
use super::wait::{data_flag, now, set_aside};
use super::{Context, data};
use crate::engine::{Event, Execution, ExecutionId, Link, Program, short_handle};
use crate::language::DefinitionHash;
use crate::runtime::Rows;
use crate::store::{Check, Record};
use crate::view::{Card, EventDocument, Places, Told, duration, one_line};

/// How often a terminal is drawn, in a second.
const DRAWS: u8 = 10;
/// Executions that are drawn at once at most; the others come when these have ended.
const MOST_DRAWN: usize = 12;

#[derive(clap::Args)]
pub(super) struct WatchArgs {
    /// Executions: their ids, beginnings of their handles, or @ for the newest [default: all that
    /// have not ended, and those that begin]
    ids: Vec<String>,
    /// Exit with 0 also when an execution completed with errors
    #[arg(long)]
    allow_errors: bool,
}

pub(super) async fn run(context: &Context, arguments: &WatchArgs) -> Outcome {
    let mut signals = Signals::listen()?;
    let folder = data::folder_to_read(context.data.as_deref());
    let source = Source::open(&folder, Check::Tail).await?;
    let is_cold = !matches!(source, Source::Live(_));
    let bars = (context.ui.can_draw_out && !is_cold)
        .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(DRAWS)));
    let mut watch = Watch {
        context,
        bars: bars.as_ref(),
        is_cold,
        takes_new: arguments.ids.is_empty(),
        allow_errors: arguments.allow_errors,
        programs: HashMap::new(),
        watched: IndexMap::new(),
        exit: Exit::Done,
    };
    // Before what stands is read, so that nothing is missed in between.
    let from = source.last_position().await?.saturating_add(1);
    for id in wanted(&source, &arguments.ids).await? {
        watch.take_up(&source, id).await?;
    }
    let Source::Live(live) = &source else { return watch.told_cold(&folder) };
    tokio::select! {
        () = signals.next() => Ok(Exit::Interrupted),
        outcome = watch.follow(&source, live, from) => outcome,
    }
}

async fn wanted(source: &Source, ids: &[String]) -> Result<Vec<ExecutionId>, Box<Fault>> {
    let mut wanted = Vec::new();
    if ids.is_empty() {
        let rows = source.list(Rows::Own, usize::MAX).await?;
        let live = rows.iter().filter(|row| !row.status.is_terminal() && row.set_aside.is_none());
        // The oldest first, as those that begin come last.
        wanted.extend(live.map(|row| row.id));
        wanted.reverse();
    }
    for id in ids {
        let id = source.find(id).await?;
        if !wanted.contains(&id) {
            wanted.push(id);
        }
    }
    Ok(wanted)
}

/// What is watched.
struct Watch<'w> {
    context: &'w Context,
    bars: Option<&'w MultiProgress>,
    /// Whether no engine runs, so that nothing changes.
    is_cold: bool,
    /// Whether executions that begin are watched too.
    takes_new: bool,
    allow_errors: bool,
    programs: HashMap<DefinitionHash, Arc<Program>>,
    watched: IndexMap<ExecutionId, Watched<'w>>,
    /// The gravest outcome so far.
    exit: Exit,
}

/// An execution that is watched.
struct Watched<'w> {
    /// As the events so far leave it.
    execution: Execution,
    program: Arc<Program>,
    places: Places,
    progress: Option<Progress<'w>>,
    is_over: bool,
}

/// A change, for programs.
#[derive(Serialize)]
struct Change<'c> {
    schema: &'static str,
    /// The event that made it; none in the first line of an execution, which says how it stands.
    event: Option<Value>,
    execution: &'c Card,
}

impl<'w> Watch<'w> {
    /// Begins to watch an execution, and shows how it stands.
    async fn take_up(&mut self, source: &Source, id: ExecutionId) -> Result<(), Box<Fault>> {
        let execution = source.execution(id).await?;
        let program = self.program(source, execution.definition).await?;
        self.watched.insert(id, Watched::of(execution, program));
        self.show(id, None)
    }

    async fn program(
        &mut self,
        source: &Source,
        definition: DefinitionHash,
    ) -> Result<Arc<Program>, Box<Fault>> {
        if let Some(program) = self.programs.get(&definition) {
            return Ok(program.clone());
        }
        let program = source.program(definition).await?;
        self.programs.insert(definition, program.clone());
        Ok(program)
    }

    /// Shows what happens, until all that is watched has ended.
    async fn follow(&mut self, source: &Source, live: &Live, from: u64) -> Outcome {
        let only = match self.watched.first() {
            Some((id, _)) if self.watched.len() == 1 && !self.takes_new => Some(*id),
            _ => None,
        };
        let mut events = live.client().follow(from, only).await?;
        while self.takes_new || self.watched.values().any(|watched| !watched.is_over) {
            let record = events.next().await?;
            self.take(source, &record).await?;
        }
        Ok(self.exit)
    }

    async fn take(&mut self, source: &Source, record: &Record) -> Result<(), Box<Fault>> {
        let id = ExecutionId(record.stream);
        match self.watched.get_mut(&id) {
            Some(watched) if watched.execution.sequence >= record.sequence => return Ok(()),
            Some(watched) => watched.execution.apply(&record.event, record.time),
            None if self.takes_new && begins(record) => {
                let mut execution = Execution::new(id);
                execution.apply(&record.event, record.time);
                let program = self.program(source, execution.definition).await?;
                self.watched.insert(id, Watched::of(execution, program));
            }
            None => return Ok(()),
        }
        self.show(id, Some(record))
    }

    /// Shows an execution as it stands, after an event of it.
    fn show(&mut self, id: ExecutionId, record: Option<&Record>) -> Result<(), Box<Fault>> {
        let several = self.takes_new || self.watched.len() > 1 || self.bars.is_some();
        let drawn = self.watched.values().filter(|one| one.progress.is_some()).count();
        let (ui, bars) = (&self.context.ui, self.bars);
        let Some(watched) = self.watched.get_mut(&id) else { return Ok(()) };
        let time = record.map_or_else(now, |record| record.time);
        let card = Card::of(&watched.program, &watched.execution, time);
        if ui.is_json() {
            let event = record.map(|record| {
                let told = Told::of(record, &mut watched.places);
                serde_json::to_value(EventDocument::of(record, told)).unwrap_or_default()
            });
            let change = Change { schema: "everstep.watched/v1", event, execution: &card };
            ui.print(&(serde_json::to_string(&change).unwrap_or_default() + "\n"))?;
        } else if self.is_cold {
            print_card(self.context, &card)?;
        } else {
            let is_first = watched.progress.is_none();
            if is_first && (bars.is_none() || drawn < MOST_DRAWN) {
                let title = if several { title(&card) } else { String::new() };
                let mut progress = Progress::at(ui, Place::Data(bars), title);
                if record.is_none() {
                    progress.skip_past(&card);
                }
                watched.progress = Some(progress);
            }
            if let Some(progress) = &mut watched.progress {
                progress.show(&card, time)?;
            }
        }
        self.end(id, &card)
    }

    /// Says how an execution ended, if it has.
    fn end(&mut self, id: ExecutionId, card: &Card) -> Result<(), Box<Fault>> {
        let ui = &self.context.ui;
        let Some(watched) = self.watched.get_mut(&id) else { return Ok(()) };
        let status = watched.execution.status;
        let exit = match &card.set_aside {
            Some(reason) if !status.is_terminal() => {
                ui.complain(&set_aside(id, reason));
                Exit::NotAllowed
            }
            _ if status.is_terminal() => Exit::of(status, self.allow_errors),
            _ => return Ok(()),
        };
        if watched.is_over {
            return Ok(());
        }
        watched.is_over = true;
        self.exit = gravest(self.exit, exit);
        let progress = watched.progress.take();
        if let (false, Some(progress)) = (ui.is_json(), progress) {
            progress.line(&ended(ui, card))?;
        }
        if self.takes_new {
            self.watched.shift_remove(&id);
        }
        // Those that had no place come up.
        let waits = |one: &Watched<'_>| one.progress.is_none() && !one.is_over;
        let next = self.watched.iter().find(|(_, one)| waits(one)).map(|(id, _)| *id);
        match next {
            Some(next) if !self.context.ui.is_json() => self.show(next, None),
            _ => Ok(()),
        }
    }

    /// Nobody runs the engine: what stands is all that there is to see.
    fn told_cold(&self, folder: &Path) -> Outcome {
        let ui = &self.context.ui;
        let open = self.watched.values().filter(|one| !one.is_over).count();
        if open == 0 {
            if self.watched.is_empty() && self.takes_new {
                ui.say(&format!("no execution is under way in {}", folder.display()));
            }
            return Ok(self.exit);
        }
        ui.say(&format!(
            "no engine runs on {}, so nothing changes\n  go on with:  everstep serve{}",
            folder.display(),
            data_flag(self.context)
        ));
        Ok(Exit::NoServer)
    }
}

impl Watched<'_> {
    fn of(execution: Execution, program: Arc<Program>) -> Self {
        let places = Places::default();
        Self { execution, program, places, progress: None, is_over: false }
    }
}

/// Whether an execution begins that people or another execution started; parts of distributed Maps
/// may be very many.
fn begins(record: &Record) -> bool {
    match &*record.event {
        Event::ExecutionStarted(body) => {
            let link = body.parent.as_ref().map(|parent| &parent.link);
            !matches!(link, Some(Link::Item { .. }))
        }
        _ => false,
    }
}

fn title(card: &Card) -> String {
    let handle = short_handle(&card.handle);
    format!("{} {handle}", one_line(&card.workflow, 30))
}

/// How an execution ended, in one line.
fn ended(ui: &Ui, card: &Card) -> String {
    let mark = Mark::of(card.status);
    let took = duration(super::progress::ms(card.duration_seconds));
    let word = ui.paint(mark.role, &mark.with_word(ui, card.status));
    let failure = card.failure.as_ref();
    let failure = failure.map(|failure| format!("{}: {}", failure.error, failure.cause));
    let failure = failure.map(|words| format!("  {}", one_line(&words, 200)));
    format!("{word}  {}  {took}{}", title(card), failure.unwrap_or_default())
}

/// Of two ways to end, the one that a script should hear of.
fn gravest(one: Exit, other: Exit) -> Exit {
    const ORDER: [Exit; 5] =
        [Exit::Done, Exit::CompletedWithErrors, Exit::Cancelled, Exit::Failed, Exit::NotAllowed];
    let rank = |exit| ORDER.iter().position(|other| *other == exit);
    if rank(other) > rank(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_outcome_decides_the_exit_code() {
        let all = [Exit::CompletedWithErrors, Exit::Failed, Exit::Done, Exit::Cancelled];
        assert_eq!(all.into_iter().fold(Exit::Done, gravest), Exit::Failed);
        assert_eq!(gravest(Exit::Done, Exit::Done), Exit::Done);
    }
}
