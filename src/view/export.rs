//! Events as lines of JSON: what an exported log consists of.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::engine::ExecutionId;
use crate::store::Record;

/// One event. Its data is kept as text, so that numbers read as they were written.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExportedEvent<'l> {
    /// Place in the whole log.
    pub position: u64,
    /// Place in its history.
    pub sequence: u64,
    /// None for events of workflows, and of the whole system.
    pub execution: Option<ExecutionId>,
    /// When, as RFC 3339.
    pub time: String,
    /// The event's name.
    pub event: &'l str,
    /// Its fields, without tokens.
    #[serde(borrow)]
    pub data: &'l RawValue,
}

/// The field that holds an attempt's token: it is left out, and tells a reader nothing.
const SECRET: &str = "token";
/// The field that holds a callback's token: that there is one tells what the job waits for.
const CALLBACK: &str = "callback";
/// Stands for a token that was left out.
const NO_TOKEN: &str = "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]";

/// Fields of an event, as they stand.
pub type ExportedFields<'f> = IndexMap<&'f str, &'f RawValue>;

/// Writes an event as one line, its end included.
///
/// # Errors
/// Never for events that the engine made.
pub fn export_line(record: &Record) -> serde_json::Result<String> {
    let event = serde_json::to_string(&*record.event)?;
    let event: ExportedFields<'_> = serde_json::from_str(&event)?;
    let nameless = || serde::ser::Error::custom("an event without a name");
    let (name, body) = event.first().ok_or_else(nameless)?;
    let mut fields: ExportedFields<'_> = serde_json::from_str(body.get())?;
    fields.shift_remove(SECRET);
    let no_token = RawValue::from_string(NO_TOKEN.to_owned())?;
    if let Some(callback) = fields.get_mut(CALLBACK).filter(|field| field.get() != "null") {
        *callback = &no_token;
    }
    let data = serde_json::value::to_raw_value(&fields)?;
    let line = serde_json::to_string(&ExportedEvent {
        position: record.position,
        sequence: record.sequence,
        execution: record.event.is_of_execution().then_some(ExecutionId(record.stream)),
        time: record.time.to_string(),
        event: name,
        data: &data,
    })?;
    // Between the tokens of a document line breaks mean nothing, and in a text they are escaped.
    Ok(line.replace(['\n', '\r'], " ") + "\n")
}
