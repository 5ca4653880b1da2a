//! `everstep log diff`: what changed in an execution between two of its events.

use super::super::Context;
use super::super::changes::changed;
use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::source::{Source, SourceArgs, no_such_event};
use super::super::ui::{Cell, Role, Table};
use crate::engine::ExecutionId;
use crate::view::{Change, Difference, Moments, one_line};

#[derive(clap::Args)]
pub(in super::super) struct LogDiffArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// The event right after which is compared, by its sequence in `log show`
    from: u64,
    /// The event with which is compared
    to: u64,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(context: &Context, arguments: &LogDiffArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let id = source.find(&arguments.id).await?;
    let difference = difference(&source, id, arguments.from, arguments.to).await?;
    let ui = &context.ui;
    if ui.is_json() {
        ui.document("everstep.difference/v1", &difference)?;
        return Ok(Exit::Done);
    }
    if difference.changes.is_empty() {
        ui.say("nothing that is shown of it changed");
    }
    ui.print(&text(context, &difference.changes))?;
    arguments.source.say_next(context, id, &["log show", "show"]);
    Ok(Exit::Done)
}

async fn difference(
    source: &Source,
    id: ExecutionId,
    from: u64,
    to: u64,
) -> Result<Difference, Box<Fault>> {
    let history = source.history(id).await?;
    let mut moments = Moments::of(id, &history);
    // Time is folded forward, whichever way is compared.
    let (first, second) = (from.min(to), from.max(to));
    let missing = |sequence| no_such_event(id, sequence, &history);
    let earlier = moments.after(first).ok_or_else(|| missing(first))?.clone();
    let later = moments.after(second).ok_or_else(|| missing(second))?;
    let program = source.program(later.definition).await?;
    Ok(if from <= to {
        Difference::of(&program, &earlier, later)
    } else {
        Difference::of(&program, later, &earlier)
    })
}

/// A line for each thing, with all of it that changed.
fn text(context: &Context, changes: &[Change]) -> String {
    let ui = &context.ui;
    let mut table = Table::bare(2);
    let mut last: Option<(String, String)> = None;
    for change in changes {
        let words = changed(ui, &change.before, &change.after);
        let (subject, words) = match &change.name {
            None => (change.field.to_owned(), words),
            Some(name) => (
                named(change.subject, name),
                match change.field {
                    "value" => words,
                    field => format!("{field} {words}"),
                },
            ),
        };
        match &mut last {
            Some((open, told)) if *open == subject => *told = format!("{told}   {words}"),
            _ => {
                if let Some((open, told)) = last.replace((subject, words)) {
                    table.row(vec![Cell::painted(Role::Strong, open), Cell::new(told)]);
                }
            }
        }
    }
    if let Some((open, told)) = last {
        table.row(vec![Cell::painted(Role::Strong, open), Cell::new(told)]);
    }
    table.text(ui)
}

fn named(subject: &str, name: &str) -> String {
    match subject {
        "job" => format!("job {}", name.rsplit(':').next().unwrap_or(name)),
        subject => format!("{subject} {}", one_line(name, 60)),
    }
}
