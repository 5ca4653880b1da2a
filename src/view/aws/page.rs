//! Part of a history.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::fold::Fold;
use super::{HistoryEvent, Names};
use crate::engine::{ExecutionId, Program, Timestamp};
use crate::store::Record;

/// About how many bytes of payloads a page has at most; one event it always has.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Which part of a history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryWish {
    /// The last event first.
    pub is_reversed: bool,
    /// The event after which it goes on, in that order.
    pub after: Option<u64>,
    /// How many events at most.
    pub most: usize,
    /// Whether inputs and outputs are wanted.
    pub has_payloads: bool,
}

/// Part of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// The events, in the order that was wished for.
    pub events: Vec<HistoryEvent>,
    /// The event after which the next page goes on; none at the end.
    pub next: Option<u64>,
}

/// A page of the execution of `program` with these records, its first one included.
///
/// Ids do not change when the history grows, so pages that were read before stay as they were.
#[must_use]
pub fn history_page(
    program: &Program,
    id: ExecutionId,
    records: &[Record],
    names: &dyn Names,
    wish: HistoryWish,
) -> HistoryPage {
    let told = |window| {
        let mut fold = Fold::new(program, id, names, Writer::new(window, wish));
        for record in records {
            fold.take(&record.event, record.time);
            if fold.writer.is_past() {
                break;
            }
        }
        fold.writer
    };
    let most = u64::try_from(wish.most).unwrap_or(u64::MAX).max(1);
    if !wish.is_reversed {
        let after = wish.after.unwrap_or(0);
        let first = after.saturating_add(1);
        let writer = told(first..=after.saturating_add(most));
        let last = writer.events.back().map_or(after, |event| event.id);
        let next = (!writer.events.is_empty() && last < writer.count).then_some(last);
        return HistoryPage { events: writer.events.into(), next };
    }
    // From the end nobody can begin who has not been there: one fold to count, one to tell.
    let last = match wish.after {
        Some(after) => after.saturating_sub(1),
        // No history is that long, so nothing is told.
        None => told(u64::MAX..=u64::MAX).count,
    };
    let writer = told(last.saturating_sub(most).saturating_add(1)..=last);
    let events: Vec<HistoryEvent> = writer.events.into_iter().rev().collect();
    let next = events.last().map(|event| event.id).filter(|id| *id > 1);
    HistoryPage { events, next }
}

/// Numbers events, and keeps those that are wanted.
pub(super) struct Writer {
    wanted: RangeInclusive<u64>,
    wish: HistoryWish,
    bytes: usize,
    count: u64,
    events: VecDeque<HistoryEvent>,
}

impl Writer {
    fn new(wanted: RangeInclusive<u64>, wish: HistoryWish) -> Self {
        Self { wanted, wish, bytes: 0, count: 0, events: VecDeque::new() }
    }

    /// Whether what is wanted lies behind, and something follows.
    fn is_past(&self) -> bool {
        self.count > *self.wanted.end()
    }

    /// Whether inputs and outputs are wanted.
    pub(super) fn has_payloads(&self) -> bool {
        self.wish.has_payloads
    }

    /// How many events there are so far: the id of the last.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds an event; gives its id. What there is to say of it is asked for only if it is wanted.
    pub(super) fn push(
        &mut self,
        at: Timestamp,
        kind: String,
        previous: u64,
        details: impl FnOnce() -> Option<Value>,
    ) -> u64 {
        self.count += 1;
        let id = self.count;
        let is_full = self.bytes > MOST_BYTES && !self.wish.is_reversed;
        if self.wanted.contains(&id) && !is_full {
            let mut map = Map::new();
            if let Some(details) = details() {
                self.bytes = self.bytes.saturating_add(size(&details));
                map.insert(key(&kind), details);
            }
            let timestamp = seconds(at);
            let kind = kind.into();
            self.events.push_back(HistoryEvent { timestamp, kind, id, previous, details: map });
            self.keep_to_size();
        }
        id
    }

    /// Of a page from the end the first ones are told on the next page.
    fn keep_to_size(&mut self) {
        while self.wish.is_reversed && self.bytes > MOST_BYTES && self.events.len() > 1 {
            let dropped = self.events.pop_front();
            let values = dropped.iter().flat_map(|event| event.details.values());
            self.bytes = self.bytes.saturating_sub(values.map(size).sum());
        }
    }
}

/// The member that an event's details have.
fn key(kind: &str) -> String {
    let what = ["StateEntered", "StateExited"].into_iter().find(|end| kind.ends_with(end));
    let mut rest = what.unwrap_or(kind).chars();
    let first = rest.next().unwrap_or_default().to_ascii_lowercase();
    format!("{first}{}EventDetails", rest.as_str())
}

/// About how many bytes the texts have.
fn size(details: &Value) -> usize {
    match details {
        Value::String(text) => text.len(),
        Value::Object(fields) => fields.values().map(size).sum(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds are exact for 285,000 years")]
fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}
