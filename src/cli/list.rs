//! `everstep list`: executions, the newest first.

use super::exit::Exit;
use super::fault::Outcome;
use super::source::SourceArgs;
use super::ui::{Cell, Mark, Output, Role, Table};
use super::{Context, data, wait};
use crate::engine::Timestamp;
use crate::runtime::{Rows, Summary};
use crate::server::rest::ExecutionRow;
use crate::view::{duration, one_line};

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
        let rows: Vec<ExecutionRow<'_>> = rows.iter().map(ExecutionRow::of).collect();
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

fn table(context: &Context, rows: &[Summary], now: Timestamp) -> Table {
    let mut table =
        Table::new(&["EXECUTION", "WORKFLOW", "STATUS", "PROGRESS", "STEP", "STARTED", "TOOK"]);
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
        ]);
    }
    table
}
