//! `everstep show`: one execution at a glance.

use super::Context;
use super::ending::{told_force, told_outcome};
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::progress::{job_numbers, ms};
use super::source::SourceArgs;
use super::ui::{Cell, Mark, Role, Table};
use crate::engine::{ExecutionId, short_handle};
use crate::view::{
    CancelCard, Card, PauseCard, ResultCard, StepCard, Waiting, WaitingFor, about, counted,
    duration, one_line, pace,
};

#[derive(clap::Args)]
pub(super) struct ShowArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// Show what it gave, with the result of each step, as JSON
    #[arg(long)]
    result: bool,
    /// As it was right after this event, by its sequence in `log show`
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(context: &Context, arguments: &ShowArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let id = source.find(&arguments.id).await?;
    let (execution, moment) = source.moment(id, arguments.at).await?;
    let program = source.program(execution.definition).await?;
    let ui = &context.ui;
    if arguments.result {
        ui.document("everstep.result/v1", &ResultCard::of(&program, &execution, moment))?;
        return Ok(Exit::Done);
    }
    let card = Card::of(&program, &execution, moment);
    print_card(context, &card)?;
    if let Some(parent) = &execution.parent
        && let Err(fault) = source.execution(parent.execution).await
        && fault.code == "DELETED"
    {
        ui.say(&fault.message);
    }
    if !ui.is_json() {
        arguments.source.say_next(context, id, next(&card, arguments.at.is_some()));
    }
    Ok(Exit::Done)
}

/// Prints a card, for people or for programs.
pub(super) fn print_card(context: &Context, card: &Card) -> Result<(), Box<Fault>> {
    let ui = &context.ui;
    if ui.is_json() {
        return ui.document("everstep.execution/v1", card);
    }
    ui.print(&(heading(context, card) + &steps(context, card).text(ui) + &notes(context, card)))
}

/// The commands that go on from a card.
fn next(card: &Card, is_past: bool) -> &'static [&'static str] {
    match (is_past, card.ended_at.is_some()) {
        (true, _) => &["log show", "show"],
        (false, true) if card.can_be_retried => &["why", "retry", "log show", "show --result"],
        (false, true) if card.failure.is_some() => &["why", "log show", "show --result"],
        (false, true) => &["log show", "show --result"],
        (false, false) if card.paused.as_ref().is_some_and(|held| held.scope == "execution") => {
            &["resume", "why", "cancel"]
        }
        (false, false) => &["why", "log show", "cancel"],
    }
}

fn heading(context: &Context, card: &Card) -> String {
    let ui = &context.ui;
    let is_paused = card.paused.is_some();
    let mark = Mark::of_execution(card.status, is_paused);
    let title = card.title.as_deref().map(|title| format!("  {}", one_line(title, 80)));
    let left = card.seconds_left.map(|seconds| format!("  {} left", about(seconds)));
    format!(
        "{}{}  {}  {}  {}%  {}{}  event {}\n",
        ui.paint(Role::Strong, &card.workflow),
        title.unwrap_or_default(),
        short_handle(&card.handle),
        ui.paint(mark.role, &mark.with_status(ui, card.status, is_paused)),
        card.progress,
        duration(ms(card.duration_seconds)),
        left.unwrap_or_default(),
        card.sequence,
    )
}

fn steps(context: &Context, card: &Card) -> Table {
    let ui = &context.ui;
    let mut table = Table::bare(2);
    for step in &card.steps {
        let mark = Mark::of(step.status);
        let took = step.duration_seconds.map(|seconds| duration(ms(seconds)));
        table.row(vec![
            Cell::painted(mark.role, mark.with_word(ui, step.status)),
            Cell::new(format!("{}", step.number)),
            Cell::new(one_line(&step.title, 60)),
            Cell::new(format!("{:>3}%", step.progress)),
            Cell::new(took.unwrap_or_default()),
            Cell::new(step_words(step)),
        ]);
    }
    table
}

fn step_words(step: &StepCard) -> String {
    let mut words = Vec::new();
    if step.parts > 0 {
        let failed = match step.parts_failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let run = step.map_run.as_ref().map_or_else(String::new, |run| {
            format!(", {} of {} executions under way", run.running, run.concurrency)
        });
        words.push(format!("{} of {} parts{failed}{run}", step.parts_completed, step.parts));
    }
    words.extend(step.counted.as_ref().map(|counted| one_line(counted, 120)));
    let pace = pace(step.rate_per_second, step.seconds_left);
    if !pace.is_empty() {
        words.push(pace);
    }
    if step.attempts > 1 {
        words.push(format!("attempt {}", step.attempts));
    }
    match (&step.error, &step.message) {
        (Some(error), _) => words.push(one_line(&format!("{}: {}", error.error, error.cause), 100)),
        (None, Some(message)) => words.push(one_line(message, 100)),
        (None, None) => {}
    }
    words.join(" · ")
}

/// The short name of an execution.
fn handle(id: &str) -> String {
    id.parse::<ExecutionId>().map_or_else(|_| id.to_owned(), |id| id.short())
}

/// Who paused it.
fn paused_line(paused: &PauseCard, workflow: &str) -> String {
    let why = paused.reason.as_deref().map(|why| format!(": {}", one_line(why, 200)));
    let what = match paused.scope {
        "workflow" => format!("all of workflow {}", one_line(workflow, 80)),
        _ => "it".to_owned(),
    };
    let (by, why) = (one_line(&paused.by, 80), why.unwrap_or_default());
    format!("{by} paused {what} at {}{why}", paused.since)
}

/// What is undone, line by line.
fn cleanup(context: &Context, card: &Card) -> String {
    let ui = &context.ui;
    let mut lines = String::new();
    for outcome in card.cleanup.iter().flat_map(|cleanup| &cleanup.outcomes) {
        let mark = Mark::of(outcome.status);
        let glyph = ui.paint(mark.role, mark.glyph(ui));
        lines.push_str(&format!("  {glyph} {}\n", told_outcome(outcome)));
    }
    if let Some(cleanup) = card.cleanup.as_ref().filter(|_| card.ended_at.is_none()) {
        lines.push_str(&format!(
            "cleaning up since {}, until {}\n",
            cleanup.since, cleanup.deadline
        ));
    }
    if let Some(error) = &card.summary_error {
        let text = one_line(&format!("{}: {}", error.error, error.cause), 400);
        lines.push_str(&format!("the summary could not be made: {text}\n"));
    }
    lines
}

/// Where it comes from, line by line.
fn origin(card: &Card) -> String {
    let mut lines = String::new();
    if let Some(parent) = &card.parent {
        lines.push_str(&format!("  begun by execution {}\n", handle(parent)));
    }
    if !card.labels.is_empty() {
        let labels =
            card.labels.iter().map(|(name, value)| one_line(&format!("{name}={value}"), 80));
        lines.push_str(&format!("  labels  {}\n", labels.collect::<Vec<_>>().join("  ")));
    }
    if let Some(of) = &card.rerun_of {
        lines.push_str(&format!("  a rerun of execution {}\n", handle(of)));
    }
    if let Some(at) = &card.redriven_at {
        let times = counted(card.redrives.into(), "time");
        lines.push_str(&format!("  retried {times}, last at {at}\n"));
    }
    lines
}

/// The jobs at work, line by line.
fn sub_jobs(context: &Context, card: &Card) -> String {
    let ui = &context.ui;
    let mut lines = String::new();
    for job in &card.active_sub_jobs {
        let mark = Mark::of(job.status);
        let words = job.message.as_deref().map(|message| one_line(message, 100));
        lines.push_str(&format!(
            "  {} job {} {}{}  {}  attempt {}  {}\n",
            ui.paint(mark.role, mark.glyph(ui)),
            job.id.rsplit(':').next().unwrap_or_default(),
            one_line(job.label.as_deref().unwrap_or(&job.job_type), 120),
            job.execution.as_ref().map_or_else(String::new, |id| format!(" {}", handle(id))),
            job_numbers(job),
            job.attempt,
            words.unwrap_or_default()
        ));
    }
    lines
}

/// What it waits for.
fn waiting_line(waiting: &Waiting, workflow: &str) -> String {
    let until = waiting.until.as_deref().map(|until| format!(" until {until}"));
    let of = waiting.job_type.as_deref().unwrap_or_default();
    let what = match waiting.reason {
        WaitingFor::Worker => format!("a worker for {of}"),
        WaitingFor::Callback => format!("a callback for {of}"),
        WaitingFor::Execution => {
            format!("execution {}", waiting.execution.as_deref().map(handle).unwrap_or_default())
        }
        WaitingFor::Place => match waiting.place.as_deref() {
            None | Some("") => format!("a place: all of {workflow}"),
            Some(key) => format!("a place: {}", one_line(key, 80)),
        },
        WaitingFor::Timer | WaitingFor::Retry => format!("a {}", waiting.reason.as_str()),
    };
    format!("waits for {what}{}\n", until.unwrap_or_default())
}

/// Who asked it to stop, and who forced that.
fn cancel(cancel: &CancelCard) -> String {
    let why = cancel.reason.as_deref().map(|why| format!(": {}", one_line(why, 200)));
    let mut lines = format!(
        "{} asked it to stop at {}{}\n",
        one_line(&cancel.by, 80),
        cancel.at,
        why.unwrap_or_default()
    );
    if let Some(forced) = &cancel.forced {
        lines.push_str(&format!("{}\n", told_force(forced)));
    }
    lines
}

/// What is to be said besides the steps.
fn notes(context: &Context, card: &Card) -> String {
    let ui = &context.ui;
    let mut notes = origin(card) + &sub_jobs(context, card);
    if let Some(waiting) = &card.waiting {
        notes.push_str(&waiting_line(waiting, &card.workflow));
    }
    if let Some(paused) = &card.paused {
        notes.push_str(&format!("{}\n", paused_line(paused, &card.workflow)));
    }
    notes.extend(card.cancel.as_ref().map(cancel));
    notes.push_str(&cleanup(context, card));
    if let Some(failure) = &card.failure {
        let text = one_line(&format!("{}: {}", failure.error, failure.cause), 400);
        notes.push_str(&format!("{}\n", ui.paint(Role::Bad, &text)));
    }
    if card.total_errors > 0 {
        notes.push_str(&format!("errors on the way: {}\n", card.total_errors));
    }
    if let Some(reason) = &card.set_aside {
        notes.push_str(&format!("set aside: {}\n", one_line(reason, 400)));
    }
    notes
}
