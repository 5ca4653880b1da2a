//! `everstep log stats`: figures of the log.

use std::path::Path;

use serde::Serialize;

use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::source::{Source, SourceArgs};
use super::super::ui::{Cell, Role, Table};
use super::super::{Context, data};
use super::pages::Pages;
use crate::view::{Count, LogCounter, LogStats, counted};

#[derive(Serialize)]
struct Document<'s> {
    #[serde(flatten)]
    stats: &'s LogStats,
    /// What the log takes on disk.
    bytes_on_disk: Option<u64>,
}

#[derive(clap::Args)]
pub(in super::super) struct LogStatsArgs {
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(context: &Context, arguments: &LogStatsArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let stats = count(&source).await?;
    let bytes = match &arguments.source.file {
        Some(file) => std::fs::metadata(file).ok().map(|metadata| metadata.len()),
        None => size(&data::folder_to_read(context.data.as_deref()).join("log")),
    };
    let ui = &context.ui;
    if ui.is_json() {
        ui.document("everstep.log-stats/v1", &Document { stats: &stats, bytes_on_disk: bytes })?;
    } else {
        ui.print(&words(context, &stats, bytes))?;
    }
    Ok(Exit::Done)
}

async fn count(source: &Source) -> Result<LogStats, Box<Fault>> {
    let mut counter = LogCounter::default();
    let mut pages = Pages::of(source, 1, None).await?;
    while let Some(records) = pages.next().await? {
        records.iter().for_each(|record| counter.take(record));
    }
    Ok(counter.finish())
}

/// The bytes of all files below a folder; nothing when that cannot be read.
pub(super) fn size(folder: &Path) -> Option<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Some(bytes)
}

fn words(context: &Context, stats: &LogStats, bytes: Option<u64>) -> String {
    let ui = &context.ui;
    let mut words = format!(
        "{} of {} and {}",
        counted(stats.events, "event"),
        counted(stats.executions, "execution"),
        counted(stats.workflows, "workflow"),
    );
    if let Some(bytes) = bytes {
        words.push_str(&format!(", {} on disk", indicatif::HumanBytes(bytes)));
    }
    words.push('\n');
    if stats.deleted_executions > 0 || stats.deleted_events > 0 {
        words.push_str(&format!(
            "deleted: {}; {} taken away\n",
            counted(stats.deleted_executions, "execution"),
            counted(stats.deleted_events, "event")
        ));
    }
    if let (Some(first), Some(last)) = (&stats.first_at, &stats.last_at) {
        words.push_str(&format!("from {first} to {last}\n"));
    }
    let spread = &stats.events_per_execution;
    words.push_str(&format!(
        "events per execution: half have at most {}, 99 of 100 at most {}, all at most {}\n",
        spread.p50, spread.p99, spread.max
    ));
    if let Some(rate) = stats.events_per_second {
        words.push_str(&format!("{rate} events a second"));
        let begun = stats.executions_per_hour.map(|rate| format!(", {rate} executions an hour"));
        words.push_str(&format!("{}\n", begun.unwrap_or_default()));
    }
    if let Some(hour) = &stats.busiest_hour {
        words.push_str(&format!(
            "busiest hour: {hour} with {}; last day: {}\n",
            counted(stats.busiest_hour_events, "event"),
            counted(stats.events_in_last_day, "event")
        ));
    }
    for (heading, counts) in
        [("executions", &stats.executions_by_status), ("events", &stats.events_by_type)]
    {
        if !counts.is_empty() {
            words.push_str(&format!("{}\n", ui.paint(Role::Faint, heading)));
            words.push_str(&table(counts).text(ui));
        }
    }
    words
}

fn table(counts: &[Count]) -> Table {
    let width = counts.iter().map(|one| one.count.to_string().len()).max().unwrap_or(0);
    let mut table = Table::bare(2);
    for one in counts {
        let count = format!("{:>width$}", one.count);
        table.row(vec![Cell::new(count), Cell::new(one.name.replace('_', " "))]);
    }
    table
}
