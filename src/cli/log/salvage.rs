//! `everstep log salvage`: what can be read of a damaged log, into a new one.

use std::path::PathBuf;

use serde::Serialize;

use super::super::Context;
use super::super::data;
use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::ui::{Cell, Role, Table};
use crate::engine::ExecutionId;
use crate::store::{LostHistory, LostPart, Moved, Salvaged, Span, salvage};
use crate::view::{counted, one_line};

/// Lost executions and positions that are printed; the rest are counted.
const SHOWN: usize = 50;

#[derive(clap::Args)]
pub(in super::super) struct LogSalvageArgs {
    /// The data folder that is damaged; nothing is written there
    #[arg(value_name = "DIR")]
    damaged: PathBuf,
    /// The new data folder, which must not exist or be empty
    #[arg(long, value_name = "NEWDIR")]
    to: PathBuf,
}

#[derive(Serialize)]
struct Document<'s> {
    is_whole: bool,
    events: u64,
    whole: u64,
    deleted: u64,
    lost: Vec<Lost>,
    workflows_renumbered: Vec<String>,
    lost_positions: &'s [Span],
    moved: &'s [Moved],
    found_in_file: u64,
    sled_said: Option<&'s str>,
}

#[derive(Serialize)]
struct Lost {
    execution: Option<String>,
    handle: Option<String>,
    workflow_history: Option<String>,
    kept: u64,
    lost: u64,
    part: LostPart,
    set_aside: bool,
}

pub(super) async fn run(context: &Context, arguments: &LogSalvageArgs) -> Outcome {
    let LogSalvageArgs { damaged, to } = arguments;
    data::expect_log(damaged)?;
    if to.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("{} is not empty", to.display());
        return Err(Fault::new("SALVAGE_TARGET", Exit::Usage, message)
            .hint("name a folder that does not exist yet"));
    }
    let (from, new) = (damaged.clone(), to.clone());
    // It reads and writes files for as long as the log is.
    let salvaged = tokio::task::spawn_blocking(move || salvage(&from, &new)).await;
    let salvaged = salvaged.map_err(|error| {
        Fault::new("SALVAGE_FAILED", Exit::Other, "the salvage broke off").why(error.to_string())
    })??;
    let ui = &context.ui;
    if ui.is_json() {
        ui.document("everstep.salvage/v1", &document(&salvaged))?;
    } else {
        ui.print(&words(context, &salvaged))?;
        ui.say(&format!("next: everstep log verify --data {}", to.display()));
    }
    Ok(if salvaged.is_whole() { Exit::Done } else { Exit::Damaged })
}

fn document(salvaged: &Salvaged) -> Document<'_> {
    let lost = |lost: &LostHistory| {
        let id = ExecutionId(lost.stream);
        Lost {
            execution: lost.is_execution.then(|| id.to_string()),
            handle: lost.is_execution.then(|| id.handle()),
            workflow_history: (!lost.is_execution).then(|| lost.stream.to_string()),
            kept: lost.kept,
            lost: lost.lost,
            part: lost.part,
            set_aside: lost.set_aside,
        }
    };
    Document {
        is_whole: salvaged.is_whole(),
        events: salvaged.events,
        whole: salvaged.whole,
        deleted: salvaged.deleted,
        lost: salvaged.lost.iter().map(lost).collect(),
        workflows_renumbered: salvaged.renumbered.iter().map(ToString::to_string).collect(),
        lost_positions: &salvaged.lost_positions,
        moved: &salvaged.moved,
        found_in_file: salvaged.found_in_file,
        sled_said: salvaged.sled_said.as_deref(),
    }
}

fn words(context: &Context, salvaged: &Salvaged) -> String {
    let ui = &context.ui;
    let histories =
        |count: u64| if count == 1 { "1 history".into() } else { format!("{count} histories") };
    let mut words = format!(
        "salvaged {}: {} whole, {} not",
        counted(salvaged.events, "event"),
        histories(salvaged.whole),
        salvaged.lost.len(),
    );
    if salvaged.deleted > 0 {
        words.push_str(&format!("; {} deleted, left out", histories(salvaged.deleted)));
    }
    words.push('\n');
    if let Some(said) = &salvaged.sled_said {
        words.push_str(&format!("sled said: {}\n", one_line(said, 200)));
    }
    if salvaged.found_in_file > 0 {
        let found = counted(salvaged.found_in_file, "event");
        words.push_str(&format!("found by searching the file: {found}\n"));
    }
    if !salvaged.lost_positions.is_empty() {
        let shown = salvaged.lost_positions.iter().take(SHOWN).map(|span| match span {
            Span { first, last } if first == last => first.to_string(),
            Span { first, last } => format!("{first} to {last}"),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = salvaged.lost_positions.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        words.push_str(&format!("lost positions: {shown}{more}\n"));
    }
    if !salvaged.lost.is_empty() {
        words.push_str(&table(&salvaged.lost).text(ui));
        let more = salvaged.lost.len().saturating_sub(SHOWN);
        if more > 0 {
            words.push_str(&format!("and {more} more; --json has them all\n"));
        }
    }
    words
}

fn table(lost: &[LostHistory]) -> Table {
    let mut table = Table::new(&["HISTORY", "KEPT", "LOST", "WHICH", ""]);
    for one in lost.iter().take(SHOWN) {
        let name = if one.is_execution {
            ExecutionId(one.stream).short()
        } else {
            format!("workflow {}", one.stream)
        };
        let (count, which) = match one.part {
            LostPart::Tail => (one.lost.to_string(), "the tail"),
            LostPart::Middle if one.is_execution => (one.lost.to_string(), "from the middle on"),
            LostPart::Middle => (one.lost.to_string(), "some versions"),
            LostPart::All => (one.lost.to_string(), "all of it"),
            LostPart::Unknown => ("?".to_owned(), "perhaps the tail"),
            LostPart::Child => ("0".to_owned(), "an execution that it began"),
        };
        table.row(vec![
            Cell::painted(Role::Strong, name),
            Cell::new(one.kept.to_string()),
            Cell::painted(Role::Bad, count),
            Cell::new(which),
            Cell::new(if one.set_aside { "set aside" } else { "" }),
        ]);
    }
    table
}
