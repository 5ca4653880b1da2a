//! `everstep list`: executions, the newest first.

use serde::Serialize;

use super::exit::Exit;
use super::fault::Outcome;
use super::source::SourceArgs;
use super::ui::{Cell, Mark, Output, Role, Table};
use super::{Context, data, wait};
use crate::engine::Timestamp;
use crate::runtime::{Rows, Summary};
use crate::view::{FailureCard, about, duration, one_line};

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Only executions in these statuses, or `unfinished` for all that have not ended
    #[arg(long, value_delimiter = ',', value_name = "STATUS")]
    status: Vec<String>,
    /// Only executions of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only executions that this one began: its id, a beginning of its handle, or @ for the newest
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    source: SourceArgs,
}

/// An execution in a list, for programs.
#[derive(Serialize)]
struct Row<'s> {
    id: String,
    handle: String,
    workflow: &'s str,
    name: Option<&'s str>,
    parent: Option<String>,
    status: &'static str,
    progress: u8,
    seconds_left: Option<u64>,
    step_name: Option<&'s str>,
    message: Option<&'s str>,
    total_errors: u32,
    failure: Option<FailureCard>,
    started_at: String,
    ended_at: Option<String>,
    set_aside: Option<&'s str>,
}

pub(super) async fn run(context: &Context, arguments: &ListArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let is_filtered = !arguments.status.is_empty() || arguments.workflow.is_some();
    let limit = if is_filtered { usize::MAX } else { arguments.limit };
    let which = match &arguments.parent {
        None => Rows::Own,
        Some(parent) => Rows::BegunBy(source.find(parent).await?),
    };
    let mut rows = source.list(which, limit).await?;
    rows.retain(|row| wanted(arguments, row));
    rows.truncate(arguments.limit);
    let ui = &context.ui;
    if ui.is_json() {
        let rows: Vec<Row<'_>> = rows.iter().map(for_programs).collect();
        ui.items("everstep.executions/v1", &rows)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() && ui.output == Output::Table {
        let what = if is_filtered { "no execution fits" } else { "no executions yet" };
        let folder = data::folder_to_read(context.data.as_deref());
        let place = arguments.source.file.as_ref().unwrap_or(&folder);
        ui.say(&format!("{what} in {}", place.display()));
        return Ok(Exit::Done);
    }
    ui.print(&table(context, &rows, wait::now()).text(ui))?;
    Ok(Exit::Done)
}

fn wanted(arguments: &ListArgs, row: &Summary) -> bool {
    let fits = |status: &String| match status.as_str() {
        "unfinished" => !row.status.is_terminal(),
        status => status == row.status.as_str(),
    };
    let is_of = |name: &String| **name == *row.workflow;
    (arguments.status.is_empty() || arguments.status.iter().any(fits))
        && arguments.workflow.as_ref().is_none_or(is_of)
}

fn for_programs(row: &Summary) -> Row<'_> {
    Row {
        id: row.id.to_string(),
        handle: row.id.handle(),
        workflow: &row.workflow,
        name: row.name.as_deref(),
        parent: row.parent.as_ref().map(|parent| parent.execution.to_string()),
        status: row.status.as_str(),
        progress: row.progress,
        seconds_left: row.seconds_left,
        step_name: row.step.as_deref(),
        message: row.message.as_deref(),
        total_errors: row.total_errors,
        failure: row.failure.as_ref().map(FailureCard::of),
        started_at: row.started_at.to_string(),
        ended_at: row.ended_at.map(|at| at.to_string()),
        set_aside: row.set_aside.as_deref(),
    }
}

fn table(context: &Context, rows: &[Summary], now: Timestamp) -> Table {
    let mut table = Table::new(&[
        "EXECUTION",
        "WORKFLOW",
        "STATUS",
        "PROGRESS",
        "STEP",
        "STARTED",
        "TOOK",
        "LEFT",
    ]);
    for row in rows {
        let status = row.status.as_str();
        let mark = Mark::of(status);
        let aside = if row.set_aside.is_some() { " (set aside)" } else { "" };
        let words = match (&row.failure, &row.step) {
            (Some(failure), _) => failure.error.to_string(),
            (None, Some(step)) => step.to_string(),
            (None, None) => String::new(),
        };
        let started = duration(now.ms_since(row.started_at));
        let took = row.ended_at.unwrap_or(now).ms_since(row.started_at);
        table.row(vec![
            Cell::painted(Role::Strong, row.id.short()),
            Cell::new(one_line(&row.workflow, 40)),
            Cell::painted(mark.role, mark.with_word(&context.ui, status) + aside),
            Cell::new(format!("{:>3}%", row.progress)),
            Cell::new(one_line(&words, 40)),
            Cell::new(format!("{started} ago")),
            Cell::new(duration(took)),
            Cell::new(row.seconds_left.map(about).unwrap_or_default()),
        ]);
    }
    table
}
