//! `everstep diff`: two executions side by side.

use std::sync::Arc;

use super::Context;
use super::changes::short;
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::source::{Source, SourceArgs};
use super::ui::{Cell, Mark, Role, Table};
use super::wait::now;
use crate::engine::{Execution, Program, short_handle};
use crate::store::Record;
use crate::view::{Compared, Comparison, Half, PathEvent, counted, duration, one_line};

#[derive(clap::Args)]
pub(super) struct DiffArgs {
    /// An execution: its id, a beginning of its handle, or @ for the newest
    left: String,
    /// The execution with which it is compared
    right: String,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(context: &Context, arguments: &DiffArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let left = Side::read(&source, &arguments.left).await?;
    let right = Side::read(&source, &arguments.right).await?;
    let comparison = Comparison::of(left.compared(), right.compared(), now());
    let ui = &context.ui;
    if ui.is_json() {
        ui.document("everstep.comparison/v1", &comparison)?;
        return Ok(Exit::Done);
    }
    ui.print(&text(context, &comparison))?;
    Ok(Exit::Done)
}

/// All that is known of an execution.
struct Side {
    program: Arc<Program>,
    execution: Execution,
    history: Vec<Record>,
}

impl Side {
    async fn read(source: &Source, text: &str) -> Result<Self, Box<Fault>> {
        let (execution, history) = source.whole(source.find(text).await?).await?;
        let program = source.program(execution.definition).await?;
        Ok(Self { program, execution, history })
    }

    fn compared(&self) -> Compared<'_> {
        Compared { program: &self.program, execution: &self.execution, history: &self.history }
    }
}

fn text(context: &Context, comparison: &Comparison) -> String {
    let ui = &context.ui;
    let mut table = Table::bare(0);
    let faint = |text: &str| Cell::painted(Role::Faint, text);
    table.row(vec![faint(""), half(context, &comparison.left), half(context, &comparison.right)]);
    for unlike in &comparison.differences {
        let subject = match &unlike.name {
            None => unlike.field.to_owned(),
            Some(name) => format!("{} {} {}", unlike.subject, one_line(name, 40), unlike.field),
        };
        let value = |value| Cell::new(one_line(&short(value), 50));
        let subject = subject.replace("duration_seconds", "seconds");
        table.row(vec![faint(&subject), value(&unlike.left), value(&unlike.right)]);
    }
    let mut text = table.text(ui);
    match &comparison.parting {
        None => text.push_str("both went the same way\n"),
        Some(parting) => {
            text.push_str(&format!(
                "their ways part after {}:\n",
                counted(parting.shared, "event")
            ));
            for (half, event) in
                [(&comparison.left, &parting.left), (&comparison.right, &parting.right)]
            {
                let told = event.as_ref().map_or_else(|| "goes no further".to_owned(), went);
                text.push_str(&format!("  {}  {told}\n", handle(half)));
            }
        }
    }
    text
}

fn half(context: &Context, half: &Half) -> Cell {
    let mark = Mark::of(half.status);
    let took = std::time::Duration::try_from_secs_f64(half.duration_seconds).unwrap_or_default();
    let took = duration(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let status = mark.with_word(&context.ui, half.status);
    Cell::painted(mark.role, format!("{} {status} {took}", handle(half)))
}

fn handle(half: &Half) -> &str {
    short_handle(&half.handle)
}

fn went(event: &PathEvent) -> String {
    let step = event.step_name.as_ref().map(|name| format!(" in \"{}\"", one_line(name, 40)));
    let (sequence, name) = (event.sequence, event.event);
    format!("event {sequence} {name}{}: {}", step.unwrap_or_default(), event.sentence)
}
