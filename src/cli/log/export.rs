//! `everstep log export`: events as lines of JSON.

use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::ndjson;
use super::super::source::Source;
use super::super::{Context, data};
use super::pages::Pages;
use crate::store::{Check, Record};
use crate::view::Only;

#[derive(clap::Args)]
pub(in super::super) struct LogExportArgs {
    /// Only this execution, with the definition that it runs: its id, a beginning of its handle, or
    /// @ for the newest
    id: Option<String>,
    /// From this position in the log on
    #[arg(long, value_name = "POSITION", default_value_t = 1)]
    from: u64,
    /// Up to this position in the log
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
}

pub(super) async fn run(context: &Context, arguments: &LogExportArgs) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    let source = Source::open(&folder, Check::Tail).await?;
    let only = match &arguments.id {
        Some(text) => Some(Only::of(&source.execution(source.find(text).await?).await?)),
        None => None,
    };
    let mut pages = Pages::of(&source, arguments.from, arguments.to).await?;
    while let Some(records) = pages.next().await? {
        let wanted = records.iter().filter(|r| only.as_ref().is_none_or(|only| only.has(r)));
        let mut lines = String::new();
        for record in wanted {
            lines.push_str(&ndjson::line(record).map_err(|error| unwritable(record, &error))?);
        }
        if !lines.is_empty() {
            context.ui.print(&lines)?;
        }
    }
    Ok(Exit::Done)
}

fn unwritable(record: &Record, error: &serde_json::Error) -> Box<Fault> {
    let message = format!("event {} of the log cannot be written as JSON", record.position);
    Fault::new("OUTPUT_FAILED", Exit::Other, message).why(error.to_string())
}
