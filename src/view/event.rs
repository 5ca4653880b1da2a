//! One event, for programs.

use serde::Serialize;
use serde_json::Value;

use super::{Places, one_line, sentence};
use crate::store::Record;

/// An event for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventDocument {
    /// Place in the whole log.
    pub position: u64,
    /// Place in its history.
    pub sequence: u64,
    /// The execution; absent for events of workflows, and of the whole system.
    pub execution: Option<String>,
    /// When, as RFC 3339.
    pub time: String,
    /// The event's name.
    pub event: &'static str,
    /// The state in which it happened, where that is known.
    pub step_name: Option<String>,
    /// The event in words.
    pub sentence: String,
    /// Its fields, without tokens.
    pub data: Value,
}

/// What an event says, and where it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The state in which it happened, where that is known.
    pub step: Option<String>,
    /// The event in words.
    pub sentence: String,
}

impl Told {
    /// What `record` says, after `places` has seen all that was before it in its history.
    #[must_use]
    pub fn of(record: &Record, places: &mut Places) -> Self {
        let step = places.place(&record.event).map(|step| one_line(&step, 40));
        Self { step, sentence: sentence(&record.event) }
    }
}

impl EventDocument {
    /// The document of an event.
    #[must_use]
    pub fn of(record: &Record, told: Told) -> Self {
        Self {
            position: record.position,
            sequence: record.sequence,
            execution: record.event.is_of_execution().then(|| record.stream.to_string()),
            time: record.time.to_string(),
            event: record.event.name(),
            step_name: told.step,
            sentence: told.sentence,
            data: record.event.to_json(),
        }
    }
}
