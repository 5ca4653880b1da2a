//! `everstep list`: executions, the newest first.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::exit::Exit;
use super::fault::Outcome;
use super::source::{Source, SourceArgs};
use super::ui::{Cell, Mark, Output, Role, Table};
use super::{Context, data, wait};
use crate::engine::{Status, Timestamp};
use crate::language::DefinitionHash;
use crate::language::machine_fields::Labels;
use crate::runtime::{Rows, Summary};
use crate::server::rest::{EVERY_STATUS, ExecutionRow};
use crate::view::{about, duration, one_line};

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Only executions in these statuses, `unfinished` for all that have not ended, or
    /// `paused`
    #[arg(long, value_delimiter = ',', value_name = "STATUS")]
    status: Vec<String>,
    /// Only executions of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only executions that this one began: its id, a beginning of its handle, or @ for the newest
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Only executions whose workflow has this label; may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    /// Count all that fit, also those beyond the limit, by status
    #[arg(long)]
    totals: bool,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(context: &Context, arguments: &ListArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let is_filtered = !arguments.status.is_empty()
        || arguments.workflow.is_some()
        || !arguments.labels.is_empty();
    // One more than is shown tells whether there are more.
    let some = arguments.limit.saturating_add(1);
    let limit = if is_filtered || arguments.totals { usize::MAX } else { some };
    let which = match &arguments.parent {
        None => Rows::Own,
        Some(parent) => Rows::BegunBy(source.find(parent).await?),
    };
    let mut rows = source.list(which, limit).await?;
    rows.retain(|row| arguments.workflow.as_ref().is_none_or(|name| **name == *row.workflow));
    let mut labels = Labelled::default();
    if !arguments.labels.is_empty() {
        labels.learn(&source, &rows).await;
        rows.retain(|row| labels.fit(row, &arguments.labels));
    }
    let by_status = by_status(&rows);
    rows.retain(|row| has_status(arguments, row));
    let totals = Totals { total: rows.len(), is_exact: true, by_status };
    rows.truncate(arguments.limit);
    let ui = &context.ui;
    if ui.is_json() {
        labels.learn(&source, &rows).await;
        let with_labels = |row| ExecutionRow::of(row, labels.of(row));
        let rows: Vec<ExecutionRow<'_>> = rows.iter().map(with_labels).collect();
        let totals = arguments.totals.then_some(&totals);
        ui.counted_items("everstep.executions/v1", &rows, totals)?;
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
    if ui.output == Output::Table && (arguments.totals || rows.len() < totals.total) {
        let is_counted = is_filtered || arguments.totals;
        ui.say(&of_how_many(rows.len(), is_counted.then_some(&totals)));
    }
    Ok(Exit::Done)
}

/// How many there are, as REST says it.
#[derive(serde::Serialize)]
struct Totals {
    /// Those that fit.
    total: usize,
    is_exact: bool,
    /// Those that would, whatever their status.
    by_status: BTreeMap<&'static str, usize>,
}

fn by_status(rows: &[Summary]) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<_, _> =
        EVERY_STATUS.iter().map(|status| (status.as_str(), 0)).collect();
    for row in rows {
        *counts.entry(row.status.as_str()).or_default() += 1;
    }
    counts
}

/// How many there are beside those that are shown; nobody has counted when there are no `totals`.
fn of_how_many(shown: usize, totals: Option<&Totals>) -> String {
    let Some(Totals { total, by_status, .. }) = totals else {
        return format!("the newest {shown}; -n shows more, and --totals counts all");
    };
    let there_are = by_status.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<String> =
        there_are.map(|(status, count)| format!("{count} {status}")).collect();
    format!("{shown} of {total} shown; of each status: {}", counts.join(", "))
}

/// Reads `NAME=VALUE`.
fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The labels of the versions that executions run; each version is asked for once.
#[derive(Default)]
struct Labelled(HashMap<DefinitionHash, Labels>);

impl Labelled {
    /// Asks for the versions of `rows`. One that cannot be read has no labels.
    async fn learn(&mut self, source: &Source, rows: &[Summary]) {
        for definition in rows.iter().filter_map(|row| row.definition) {
            if let Entry::Vacant(unknown) = self.0.entry(definition) {
                let program = source.program(definition).await.ok();
                let labels = program.map(|program| program.workflow.labels.clone());
                unknown.insert(labels.unwrap_or_default());
            }
        }
    }

    fn of(&self, row: &Summary) -> Labels {
        let labels = row.definition.and_then(|definition| self.0.get(&definition));
        labels.cloned().unwrap_or_default()
    }

    fn fit(&self, row: &Summary, wanted: &[(String, String)]) -> bool {
        let labels = row.definition.and_then(|definition| self.0.get(&definition));
        let has = |(name, value): &(String, String)| {
            labels.is_some_and(|labels| labels.get(name) == Some(value))
        };
        wanted.iter().all(has)
    }
}

fn has_status(arguments: &ListArgs, row: &Summary) -> bool {
    let fits = |status: &String| match status.as_str() {
        "unfinished" => !row.status.is_terminal(),
        "paused" => row.pauses.any(),
        status => status == row.status.as_str(),
    };
    arguments.status.is_empty() || arguments.status.iter().any(fits)
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
        let is_paused = row.pauses.any();
        let mark = Mark::of_execution(status, is_paused);
        let aside = if row.set_aside.is_some() { " (set aside)" } else { "" };
        let words = match (&row.failure, &row.step) {
            (Some(failure), _) => failure.error.to_string(),
            (None, Some(step)) => step.to_string(),
            (None, None) if row.status == Status::Pending => {
                let key = row.place.as_ref().map(|place| place.key_words(&row.workflow));
                format!("waits for a place: {}", key.unwrap_or_default())
            }
            (None, None) => String::new(),
        };
        let started = duration(now.ms_since(row.started_at));
        let took = row.ended_at.unwrap_or(now).ms_since(row.started_at);
        table.row(vec![
            Cell::painted(Role::Strong, row.id.short()),
            Cell::new(one_line(&row.workflow, 40)),
            Cell::painted(mark.role, mark.with_status(&context.ui, status, is_paused) + aside),
            Cell::new(format!("{:>3}%", row.progress)),
            Cell::new(one_line(&words, 40)),
            Cell::new(format!("{started} ago")),
            Cell::new(duration(took)),
            Cell::new(row.seconds_left.map(about).unwrap_or_default()),
        ]);
    }
    table
}
