//! `everstep log compact`: gives the bytes of deleted executions back, now.

use std::sync::Arc;

use serde::Serialize;

use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::live::Live;
use super::super::{Context, data, moment};
use super::stats::size;
use crate::runtime::{Janitor, SystemClock};
use crate::store::{Check, Compacted, Compaction, SledOptions, SledStore};
use crate::view::counted;

#[derive(clap::Args)]
pub(in super::super) struct LogCompactArgs {
    /// Also forget that executions were deleted, and by whom, where that was before a time, as
    /// 2026-11-23T15:06:32Z, or so long ago, as 7d [default: 30d]
    #[arg(long, value_name = "TIME")]
    forget: Option<String>,
}

#[derive(Serialize)]
struct Document {
    /// Events that were taken away.
    events: u64,
    /// The bytes of the log that they took.
    bytes: u64,
    /// What the log takes on disk.
    bytes_on_disk_before: Option<u64>,
    bytes_on_disk_after: Option<u64>,
}

pub(super) async fn run(context: &Context, arguments: &LogCompactArgs) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    let forget_before = moment::since(arguments.forget.as_deref().unwrap_or("30d"))?;
    let compaction = Compaction { forget_before: Some(forget_before) };
    let log = folder.join("log");
    let before = size(&log);
    let compacted = if data::has_log(&folder) {
        compact(&folder, compaction).await?
    } else {
        Compacted::default()
    };
    let after = size(&log);
    let document = Document {
        events: compacted.events,
        bytes: compacted.bytes,
        bytes_on_disk_before: before,
        bytes_on_disk_after: after,
    };
    let ui = &context.ui;
    if ui.is_json() {
        ui.document("everstep.compaction/v1", &document)?;
        return Ok(Exit::Done);
    }
    let bytes = |bytes: Option<u64>| {
        bytes.map_or_else(|| "nothing".to_owned(), |bytes| indicatif::HumanBytes(bytes).to_string())
    };
    ui.print(&format!(
        "took away {} of deleted executions, {} of the log\non disk: {} before, {} after\n",
        counted(document.events, "event"),
        indicatif::HumanBytes(document.bytes),
        bytes(before),
        bytes(after),
    ))?;
    if document.events > 0 {
        ui.say("what is free inside of the files is used again before they grow");
    }
    Ok(Exit::Done)
}

async fn compact(
    folder: &std::path::Path,
    compaction: Compaction,
) -> Result<Compacted, Box<Fault>> {
    if let Some(live) = Live::connect(folder).await? {
        return Ok(live.client().compact(compaction.forget_before).await?);
    }
    let options = SledOptions { check: Check::Tail, ..SledOptions::default() };
    let store = Arc::new(SledStore::open(folder, options)?);
    let janitor = Janitor::open(store, Arc::new(SystemClock)).await?;
    Ok(janitor.compact(compaction).await?)
}
