//! One event, for programs.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::{Places, one_line, sentence};
use crate::engine::Event;
use crate::store::{Record, Stream};

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

    /// Whether any of what an event shows fits: its name, its sentence, the state in which it
    /// happened, or its data, written as JSON.
    pub fn shows(&self, record: &Record, fits: impl Fn(&str) -> bool) -> bool {
        fits(record.event.name())
            || fits(&self.sentence)
            || self.step.as_deref().is_some_and(&fits)
            || fits(&record.event.to_json().to_string())
    }
}

/// Where things are, in the histories that a reader of the whole log follows.
#[derive(Debug)]
pub struct Following {
    places: HashMap<Stream, Places>,
    most: usize,
}

impl Following {
    /// One that remembers about so many histories at once. Beyond that it forgets, and does not know
    /// the state of what happens next in those that are under way.
    #[must_use]
    pub fn up_to(most: usize) -> Self {
        Self { places: HashMap::new(), most }
    }

    /// What the next event of the log says.
    pub fn tell(&mut self, record: &Record) -> Told {
        if self.places.len() > self.most {
            self.places.clear();
        }
        let told = Told::of(record, self.places.entry(record.stream).or_default());
        if record.event.is_end() || matches!(*record.event, Event::ExecutionDeleted(_)) {
            self.places.remove(&record.stream);
        }
        told
    }

    /// The document of the next event of the log.
    pub fn document(&mut self, record: &Record) -> EventDocument {
        EventDocument::of(record, self.tell(record))
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
