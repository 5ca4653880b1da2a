//! A history under another definition.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::sentence::{Places, sentence};
use crate::engine::rehearsal::{Instead, Parting, differing, rehearse};
use crate::engine::{EngineLimits, Event, Execution, ExecutionId, Program, Timestamp};
use crate::language::StateName;
use crate::store::Record;

/// Whether an execution would have gone the same way under another definition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rehearsed {
    /// The execution's id.
    pub id: String,
    /// Its short name.
    pub handle: String,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The execution's status, as it was recorded.
    pub status: &'static str,
    /// How many events it has.
    pub events: u64,
    /// Whether all of them would have come.
    pub agrees: bool,
    /// How many of them hang on chance or on a token, and were taken as they are.
    pub by_chance: u64,
    /// Where the ways part.
    pub parting: Option<Turn>,
}

/// Where the recorded way and the other one part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turn {
    /// The sequence of the first event that would not have come.
    pub sequence: u64,
    /// When it was recorded, as RFC 3339.
    pub time: String,
    /// The event.
    pub recorded: TurnEvent,
    /// What would have come instead; nothing when what happened would have been refused.
    pub instead: Option<TurnEvent>,
    /// Why that would have been refused.
    pub refused: Option<String>,
    /// What is not the same, when both are events of a kind.
    pub differences: Vec<FieldPair>,
}

/// One of two events at a turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TurnEvent {
    /// Its name.
    pub event: &'static str,
    /// The state in which it happens, where that is known.
    pub step_name: Option<StateName>,
    /// The event in words.
    pub sentence: String,
    /// Its fields.
    pub data: Value,
}

/// A field of two events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldPair {
    /// Its name.
    pub field: String,
    /// What was recorded.
    pub recorded: Value,
    /// What would have been.
    pub instead: Value,
}

impl Rehearsed {
    /// Holds the history of `id`, from its first event on, against `program`.
    #[must_use]
    pub fn of(
        id: ExecutionId,
        history: &[Record],
        program: &Program,
        limits: &EngineLimits,
    ) -> Self {
        let events: Vec<(&Event, Timestamp)> = history.iter().map(Record::dated).collect();
        let found = rehearse(id, program, limits, &events);
        let execution = Execution::replay(id, events);
        Self {
            id: id.to_string(),
            handle: id.handle(),
            workflow: execution.workflow.clone(),
            status: execution.status.as_str(),
            events: execution.sequence,
            agrees: found.parting.is_none(),
            by_chance: found.by_chance,
            parting: found.parting.and_then(|parting| Turn::of(history, parting)),
        }
    }
}

impl Turn {
    fn of(history: &[Record], parting: Parting) -> Option<Self> {
        let mut places = Places::default();
        let before = history.iter().take_while(|record| record.sequence < parting.sequence);
        before.for_each(|record| drop(places.place(&record.event)));
        let record = history.iter().find(|record| record.sequence == parting.sequence)?;
        let mut other_places = places.clone();
        let (instead, refused) = match parting.instead {
            Instead::Events(events) => (events.into_iter().next(), None),
            Instead::Refused(rejection) => (None, Some(rejection.to_string())),
        };
        let differences = instead.iter().flat_map(|instead| differing(&record.event, instead));
        let differences = differences
            .map(|(field, recorded, instead)| FieldPair {
                field,
                recorded: plain(recorded),
                instead: plain(instead),
            })
            .collect();
        Some(Self {
            sequence: record.sequence,
            time: record.time.to_string(),
            recorded: TurnEvent::of(&record.event, &mut places),
            instead: instead.map(|event| TurnEvent::of(&event, &mut other_places)),
            refused,
            differences,
        })
    }
}

/// Data as it is, not as it is written.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(mut fields) if fields.len() == 1 && fields.contains_key("New") => {
            fields.shift_remove("New").unwrap_or_default()
        }
        value => value,
    }
}

impl TurnEvent {
    fn of(event: &Event, places: &mut Places) -> Self {
        Self {
            event: event.name(),
            step_name: places.place(event),
            sentence: sentence(event),
            data: event.to_json(),
        }
    }
}
