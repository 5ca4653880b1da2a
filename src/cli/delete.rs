//! `everstep delete`: forgets executions that have ended.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::engine::who;
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::live::{Live, exit_of};
use super::ui::{Cell, Role, Table};
use super::{Context, data, moment};
use crate::engine::ExecutionId;
use crate::runtime::{Archive, Delete, Deleted, Janitor, Rows, Summary, SystemClock};
use crate::store::{Check, Compaction, SledOptions, SledStore};
use crate::view::counted;

/// Executions that an engine is asked to delete at once.
const AT_ONCE: usize = 1000;
/// Executions that are named one by one; of more only the number is told.
const NAMED: usize = 20;

#[derive(clap::Args)]
pub(super) struct DeleteArgs {
    /// The executions: ids, beginnings of handles, or @ for the newest
    #[arg(
        required_unless_present = "older_than",
        conflicts_with = "older_than",
        value_name = "ID"
    )]
    ids: Vec<String>,
    /// All that ended before a time, as 2026-11-23T15:06:32Z, or so long ago, as 30d
    #[arg(long, value_name = "TIME")]
    older_than: Option<String>,
    /// Of those only executions in these statuses
    #[arg(long, value_delimiter = ',', value_name = "STATUS", requires = "older_than")]
    status: Vec<String>,
    /// Of those only executions of this workflow
    #[arg(long, value_name = "NAME", requires = "older_than")]
    workflow: Option<String>,
    /// Delete executions too that a Task of theirs began; parts of distributed Maps always go
    #[arg(long)]
    children: bool,
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// What became of an execution, for programs.
#[derive(Serialize)]
struct Row {
    execution: String,
    dry_run: bool,
    deleted: Vec<String>,
    kept: Vec<KeptRow>,
    refusal: Option<crate::runtime::Refused>,
}

#[derive(Serialize)]
struct KeptRow {
    execution: String,
    status: &'static str,
}

pub(super) async fn run(context: &Context, arguments: &DeleteArgs) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    if !data::has_log(&folder) {
        if let Some(id) = arguments.ids.first() {
            data::require_log(&folder, id)?;
        }
        return tell(context, arguments, &[]);
    }
    let deleter = Deleter::open(&folder).await?;
    let wanted = deleter.wanted(arguments).await?;
    let mut wish = Delete {
        by: who(),
        reason: arguments.reason.clone(),
        children: arguments.children,
        dry_run: true,
    };
    let mut outcomes = None;
    if arguments.dry_run || asks(context, arguments) {
        let planned = deleter.delete(&wanted, &wish).await?;
        if !arguments.dry_run && !confirm(&planned)? {
            context.ui.say("nothing was deleted");
            return Ok(Exit::Done);
        }
        outcomes = arguments.dry_run.then_some(planned);
    }
    let outcomes = match outcomes {
        Some(planned) => planned,
        None => {
            wish.dry_run = false;
            deleter.delete(&wanted, &wish).await?
        }
    };
    tell(context, arguments, &outcomes)
}

/// Whoever can delete.
enum Deleter {
    Live(Live),
    /// No engine runs: nothing is started, and what is unfinished stays as it is.
    Cold(Box<Archive>, Janitor),
}

impl Deleter {
    async fn open(folder: &Path) -> Result<Self, Box<Fault>> {
        if let Some(live) = Live::connect(folder).await? {
            return Ok(Self::Live(live));
        }
        let options = SledOptions { check: Check::Tail, ..SledOptions::default() };
        let store = Arc::new(SledStore::open(folder, options)?);
        let archive = Archive::open(store.clone()).await?;
        let janitor = Janitor::open(store, Arc::new(SystemClock)).await?;
        Ok(Self::Cold(Box::new(archive), janitor))
    }

    async fn wanted(&self, arguments: &DeleteArgs) -> Result<Vec<ExecutionId>, Box<Fault>> {
        let Some(older_than) = &arguments.older_than else {
            let mut ids = Vec::with_capacity(arguments.ids.len());
            for text in &arguments.ids {
                ids.push(match self {
                    Self::Live(live) => live.find(text).await?,
                    Self::Cold(archive, _) => archive.find(text).await?,
                });
            }
            return Ok(ids);
        };
        let before = moment::since(older_than)?;
        let rows = match self {
            Self::Live(live) => live.list(Rows::Own, usize::MAX).await?,
            Self::Cold(archive, _) => archive.list_rows(Rows::Own, usize::MAX).await?,
        };
        let is_old = |row: &&Summary| row.ended_at.is_some_and(|ended| ended < before);
        let fits = |row: &&Summary| {
            let status = row.status.as_str();
            (arguments.status.is_empty() || arguments.status.iter().any(|one| one == status))
                && arguments.workflow.as_ref().is_none_or(|name| **name == *row.workflow)
        };
        Ok(rows.iter().filter(is_old).filter(fits).map(|row| row.id).collect())
    }

    async fn delete(
        &self,
        wanted: &[ExecutionId],
        wish: &Delete,
    ) -> Result<Vec<Deleted>, Box<Fault>> {
        match self {
            Self::Live(live) => {
                let mut outcomes = Vec::with_capacity(wanted.len());
                for some in wanted.chunks(AT_ONCE) {
                    outcomes.extend(live.client().delete(some, wish).await?);
                }
                Ok(outcomes)
            }
            Self::Cold(_, janitor) => {
                let outcomes = janitor.delete_all(wanted, wish).await;
                if !wish.dry_run {
                    janitor.compact(Compaction::default()).await?;
                }
                Ok(outcomes)
            }
        }
    }
}

/// Whether somebody is there who can be asked.
fn asks(context: &Context, arguments: &DeleteArgs) -> bool {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    is_terminal && !arguments.yes && !context.no_input
}

fn confirm(planned: &[Deleted]) -> Result<bool, Box<Fault>> {
    let count = total(planned);
    if count == 0 {
        return Ok(true);
    }
    let unreadable = |error: std::io::Error| {
        Fault::new("INPUT_FAILED", Exit::Other, "the answer cannot be read").why(error.to_string())
    };
    let question = format!("delete {} for good? [y/N] ", counted(count, "execution"));
    std::io::stderr().write_all(question.as_bytes()).map_err(unreadable)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(unreadable)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn total(outcomes: &[Deleted]) -> u64 {
    outcomes.iter().map(|outcome| outcome.deleted.len() as u64).sum()
}

fn tell(context: &Context, arguments: &DeleteArgs, outcomes: &[Deleted]) -> Outcome {
    let ui = &context.ui;
    if ui.is_json() {
        let rows: Vec<Row> = outcomes.iter().map(|one| row(one, arguments.dry_run)).collect();
        ui.items("everstep.deletions/v1", &rows)?;
    } else {
        ui.print(&table(outcomes).text(ui))?;
        say_sum(context, arguments, outcomes);
    }
    let mut exit = Exit::Done;
    // Another one may have deleted it, or it went with the one that began it.
    let refusals = outcomes.iter().filter_map(|one| Some((one.execution, one.refusal.as_ref()?)));
    for (id, refusal) in refusals.filter(|(_, refusal)| refusal.code != "DELETED") {
        if arguments.older_than.is_some() {
            ui.say(&format!("{} stays: {}", id.short(), refusal.message));
            continue;
        }
        let code = exit_of(&refusal.code);
        exit = if exit == Exit::Done { code } else { exit };
        let fault = Fault::new(refusal.code.clone(), code, refusal.message.clone());
        ui.complain(&fault.hint(format!("everstep show {}", id.short())));
    }
    if arguments.older_than.is_none() && outcomes.iter().all(|one| one.deleted.is_empty()) {
        let gone = outcomes.iter().filter_map(|one| one.refusal.as_ref()).next();
        if let Some(refusal) = gone.filter(|refusal| refusal.code == "DELETED") {
            let fault = Fault::new("DELETED", Exit::NotFound, refusal.message.clone());
            return Err(fault.hint("everstep list"));
        }
    }
    Ok(exit)
}

fn row(outcome: &Deleted, dry_run: bool) -> Row {
    Row {
        execution: outcome.execution.to_string(),
        dry_run,
        deleted: outcome.deleted.iter().map(ToString::to_string).collect(),
        kept: outcome
            .kept
            .iter()
            .map(|kept| KeptRow {
                execution: kept.execution.to_string(),
                status: kept.status.as_str(),
            })
            .collect(),
        refusal: outcome.refusal.clone(),
    }
}

/// A line for each execution that was named and is deleted.
fn table(outcomes: &[Deleted]) -> Table {
    let mut table = Table::bare(0);
    let gone = outcomes.iter().filter(|one| !one.deleted.is_empty());
    for outcome in gone.take(NAMED) {
        let more = match outcome.deleted.len() - 1 {
            0 => String::new(),
            more => format!("and {more} that it began"),
        };
        table.row(vec![Cell::painted(Role::Strong, outcome.execution.short()), Cell::new(more)]);
    }
    table
}

fn say_sum(context: &Context, arguments: &DeleteArgs, outcomes: &[Deleted]) {
    let ui = &context.ui;
    let what = if arguments.dry_run { "would be deleted" } else { "deleted" };
    ui.say(&format!("{what}: {}", counted(total(outcomes), "execution")));
    let kept: Vec<String> = outcomes
        .iter()
        .flat_map(|one| &one.kept)
        .map(|kept| format!("{} ({})", kept.execution.short(), kept.status.as_str()))
        .collect();
    if let Some(shown) = kept.get(..kept.len().min(NAMED)).filter(|shown| !shown.is_empty()) {
        let more = kept.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = shown.join(", ");
        ui.say(&format!("executions that they began stay: {shown}{more}"));
        if !arguments.children {
            ui.say("  with --children those of them go too that have ended");
        }
    }
}
