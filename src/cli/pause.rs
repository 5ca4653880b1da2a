//! `everstep pause`: holds executions, a workflow or the jobs of a type, and says what is held.

use std::path::Path;

use serde::Serialize;

use super::engine::who;
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::live::Live;
use super::source::Source;
use super::ui::{Cell, Role, Table};
use super::wait::{data_flag, now, quoted};
use super::{Context, data};
use crate::runtime::Paused;
use crate::server::rest::PauseRow;
use crate::store::Check;
use crate::view::{counted, duration, one_line};

#[derive(clap::Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    target: Target,
    /// Why
    #[arg(long, conflicts_with = "list")]
    reason: Option<String>,
}

/// What is to be paused or resumed.
#[derive(clap::Args)]
pub(super) struct Target {
    /// Executions: their ids, beginnings of their handles, or @ for the newest
    #[arg(value_name = "ID", required_unless_present_any = ["workflow", "job_type", "list"])]
    pub(super) ids: Vec<String>,
    /// All executions of this workflow, also those that begin later
    #[arg(long, value_name = "NAME", conflicts_with = "ids")]
    pub(super) workflow: Option<String>,
    /// Jobs of this type: none is given to a worker, and those that run go on
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["ids", "workflow"])]
    pub(super) job_type: Option<String>,
    /// Change nothing, and show what is paused
    #[arg(long, conflicts_with_all = ["ids", "workflow", "job_type"])]
    pub(super) list: bool,
}

/// Something that was paused or resumed, for programs.
#[derive(Serialize)]
pub(super) struct Changed {
    /// `execution`, `workflow` or `job_type`.
    pub(super) kind: &'static str,
    /// The name of the workflow or job type, or the execution's id.
    pub(super) name: String,
    /// Whether it is paused now.
    pub(super) paused: bool,
    /// How many executions that changed.
    pub(super) executions: u64,
}

pub(super) async fn run(context: &Context, arguments: &PauseArgs) -> Outcome {
    if arguments.target.list {
        return list(context).await;
    }
    let Target { ids, workflow, job_type, .. } = &arguments.target;
    let live = connect(context, ids).await?;
    let (client, who, reason) = (live.client(), who(), arguments.reason.as_deref());
    let next = format!("everstep resume {}{}", typed(&arguments.target), data_flag(context));
    if let Some(name) = workflow {
        let executions = client.pause_workflow(name, &who, reason).await?;
        let many = counted(executions, "execution");
        context.ui.say(&format!("workflow {name} is paused, with {many} under way"));
        return told(context, &[changed("workflow", name, true, executions)], Some(&next));
    }
    if let Some(name) = job_type {
        client.pause_job_type(name, &who, reason).await?;
        context.ui.say(&format!("job type {name} is paused; jobs that run go on"));
        return told(context, &[changed("job_type", name, true, 0)], Some(&next));
    }
    let mut done = Done::default();
    for text in ids {
        let paused = async {
            let id = live.find(text).await?;
            client.pause(id, &who, reason).await?;
            context.ui.say(&format!("{} is paused; jobs that run go on", id.short()));
            Ok::<_, Box<Fault>>(changed("execution", &id.to_string(), true, 1))
        };
        done.note(context, paused.await);
    }
    done.end(context, Some(&next))
}

/// What became of several executions; one that cannot be found does not stop the others.
#[derive(Default)]
pub(super) struct Done {
    changed: Vec<Changed>,
    exit: Option<Exit>,
}

impl Done {
    pub(super) fn note(&mut self, context: &Context, outcome: Result<Changed, Box<Fault>>) {
        match outcome {
            Ok(changed) => self.changed.push(changed),
            Err(fault) => {
                context.ui.complain(&fault);
                self.exit = self.exit.or(Some(fault.exit));
            }
        }
    }

    pub(super) fn end(self, context: &Context, next: Option<&str>) -> Outcome {
        let next = next.filter(|_| self.exit.is_none());
        told(context, &self.changed, next)?;
        Ok(self.exit.unwrap_or(Exit::Done))
    }
}

pub(super) fn changed(kind: &'static str, name: &str, paused: bool, executions: u64) -> Changed {
    Changed { kind, name: name.to_owned(), paused, executions }
}

/// Prints what changed for programs, and for people what to type next.
pub(super) fn told(context: &Context, changed: &[Changed], next: Option<&str>) -> Outcome {
    let ui = &context.ui;
    if ui.is_json() {
        ui.items("everstep.pauses/v1", changed)?;
    } else if let Some(next) = next {
        ui.say(&ui.paint_talk(Role::Faint, &format!("next: {next}")));
    }
    Ok(Exit::Done)
}

/// The target as it must be typed again.
fn typed(target: &Target) -> String {
    match target {
        Target { workflow: Some(name), .. } => format!("--workflow {}", quoted(name)),
        Target { job_type: Some(name), .. } => format!("--job-type {}", quoted(name)),
        Target { ids, .. } => ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(" "),
    }
}

/// Finds the running engine: what is paused is in its hands.
///
/// # Errors
/// None answers; or one of the executions is not even there.
pub(super) async fn connect(context: &Context, ids: &[String]) -> Result<Live, Box<Fault>> {
    let folder = data::folder_to_read(context.data.as_deref());
    if let Some(live) = Live::connect(&folder).await? {
        return Ok(live);
    }
    let source = Source::open(&folder, Check::Tail).await?;
    for id in ids {
        source.find(id).await?;
    }
    Err(no_engine(context, &folder))
}

fn no_engine(context: &Context, folder: &Path) -> Box<Fault> {
    let message = format!("no engine runs in {}", folder.display());
    Fault::new("NO_SERVER", Exit::NoServer, message)
        .why("nothing goes on there, and what is paused stays so until an engine is asked to resume it")
        .hint(format!("everstep serve{}, then this again", data_flag(context)))
}

pub(super) async fn list(context: &Context) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    let paused = Source::open(&folder, Check::Tail).await?.paused().await?;
    let rows = PauseRow::all(&paused);
    let ui = &context.ui;
    if ui.is_json() {
        ui.items("everstep.paused/v1", &rows)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        ui.say(&format!("nothing is paused in {}", folder.display()));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["PAUSED", "NAME", "BY", "FOR", "EXECUTIONS", "REASON"]);
    for row in &rows {
        let name = if row.kind == "execution" { short(&row.name) } else { row.name.clone() };
        let of_workflow = (row.kind == "workflow").then(|| row.executions.to_string());
        table.row(vec![
            Cell::new(row.kind.replace('_', " ")),
            Cell::painted(Role::Strong, one_line(&name, 60)),
            Cell::new(one_line(row.by, 40)),
            Cell::new(duration(now().ms_since(row.since))),
            Cell::new(of_workflow.unwrap_or_default()),
            Cell::new(one_line(row.reason.unwrap_or_default(), 100)),
        ]);
    }
    ui.print(&table.text(ui))?;
    Ok(Exit::Done)
}

/// How much is paused, in words; nothing when nothing is.
pub(super) fn held_words(paused: &Paused) -> Option<String> {
    let mut counts = [("workflow", 0_u64), ("job_type", 0), ("execution", 0)];
    for row in PauseRow::all(paused) {
        for (_, count) in counts.iter_mut().filter(|(counted, _)| *counted == row.kind) {
            *count += 1;
        }
    }
    let held = counts.iter().filter(|(_, count)| *count > 0);
    let words: Vec<String> =
        held.map(|(kind, count)| counted(*count, &kind.replace('_', " "))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn short(id: &str) -> String {
    id.parse::<crate::engine::ExecutionId>().map_or_else(|_| id.to_owned(), |id| id.short())
}
