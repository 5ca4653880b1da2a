//! Figures of a log: what is in it, and how fast it grew.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::engine::{Event, Execution, ExecutionId, Timestamp};
use crate::store::{Position, Record, Stream};

/// An hour in milliseconds.
const HOUR: u64 = 3_600_000;

/// Figures of a log, or of a part of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LogStats {
    /// How many events there are.
    pub events: u64,
    /// Events by their names, the most frequent first.
    pub events_by_type: Vec<Count>,
    /// How many executions there are.
    pub executions: u64,
    /// Executions by their status, the most frequent first.
    pub executions_by_status: Vec<Count>,
    /// Executions that were deleted, as long as that is remembered.
    pub deleted_executions: u64,
    /// Events that compaction took from between those that are there.
    pub deleted_events: u64,
    /// How many versions of workflows there are.
    pub workflows: u64,
    /// How many events executions have.
    pub events_per_execution: Spread,
    /// When the first event happened, as RFC 3339.
    pub first_at: Option<String>,
    /// When the last event happened, as RFC 3339.
    pub last_at: Option<String>,
    /// Events per second from the first to the last; absent when that is less than a second.
    pub events_per_second: Option<f64>,
    /// Executions begun per hour from the first to the last event; absent as well.
    pub executions_per_hour: Option<f64>,
    /// Events in the 24 hours before the last event, by whole hours.
    pub events_in_last_day: u64,
    /// The hour with the most events: its beginning, as RFC 3339.
    pub busiest_hour: Option<String>,
    /// How many events happened in it.
    pub busiest_hour_events: u64,
}

/// How often there is something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// What.
    pub name: &'static str,
    /// How often.
    pub count: u64,
}

/// How numbers are spread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half are at most this.
    pub p50: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// All are at most this.
    pub max: u64,
}

/// Counts the records of a log, one after the other. Memory grows with the executions that have not
/// ended, and by a few bytes for each that has.
#[derive(Debug, Default)]
pub struct LogCounter {
    events: u64,
    types: HashMap<&'static str, u64>,
    workflows: u64,
    executions: HashMap<Stream, Counted>,
    hours: BTreeMap<u64, u64>,
    /// The position after the last that was counted.
    next: Position,
    gone: u64,
    deleted: HashSet<Stream>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

#[derive(Debug)]
enum Counted {
    Open(Box<Execution>),
    Ended(&'static str, u64),
}

impl LogCounter {
    /// Counts the next record.
    pub fn take(&mut self, record: &Record) {
        self.events += 1;
        if self.next > 0 {
            self.gone += record.position.saturating_sub(self.next);
        }
        self.next = record.position.saturating_add(1);
        *self.types.entry(record.event.name()).or_default() += 1;
        *self.hours.entry(record.time.0 / HOUR).or_default() += 1;
        self.first = Some(self.first.map_or(record.time, |first| first.min(record.time)));
        self.last = Some(self.last.map_or(record.time, |last| last.max(record.time)));
        if !record.event.is_of_execution() {
            self.workflows += u64::from(matches!(*record.event, Event::DefinitionStored(_)));
            return;
        }
        if matches!(*record.event, Event::ExecutionDeleted(_)) {
            self.executions.remove(&record.stream);
            self.deleted.insert(record.stream);
            return;
        }
        let begin = || Counted::Open(Box::new(Execution::new(ExecutionId(record.stream))));
        let counted = self.executions.entry(record.stream).or_insert_with(begin);
        match counted {
            Counted::Ended(_, count) if matches!(*record.event, Event::ExecutionRedriven(_)) => {
                let ended =
                    Execution { sequence: *count, ..Execution::new(ExecutionId(record.stream)) };
                let mut execution = Box::new(ended);
                execution.apply(&record.event, record.time);
                *counted = Counted::Open(execution);
            }
            Counted::Ended(_, count) => *count += 1,
            Counted::Open(execution) => {
                execution.apply(&record.event, record.time);
                if execution.status.is_terminal() {
                    *counted = Counted::Ended(execution.status.as_str(), execution.sequence);
                }
            }
        }
    }

    /// What was counted.
    #[must_use]
    pub fn finish(self) -> LogStats {
        let mut statuses: HashMap<&'static str, u64> = HashMap::new();
        let mut sizes: Vec<u64> = Vec::with_capacity(self.executions.len());
        for counted in self.executions.values() {
            let (status, count) = match counted {
                Counted::Open(execution) => (execution.status.as_str(), execution.sequence),
                Counted::Ended(status, count) => (*status, *count),
            };
            *statuses.entry(status).or_default() += 1;
            sizes.push(count);
        }
        let executions = u64::try_from(self.executions.len()).unwrap_or(u64::MAX);
        let span = self.first.zip(self.last).map_or(0, |(first, last)| last.ms_since(first));
        let last_hour = self.hours.keys().next_back().copied().unwrap_or(0);
        let last_day = self.hours.range(last_hour.saturating_sub(23)..);
        // Of hours with as many events the first.
        let busiest = self.hours.iter().rev().max_by_key(|(_, count)| **count);
        LogStats {
            events: self.events,
            events_by_type: sorted(self.types),
            executions,
            executions_by_status: sorted(statuses),
            deleted_executions: u64::try_from(self.deleted.len()).unwrap_or(u64::MAX),
            deleted_events: self.gone,
            workflows: self.workflows,
            events_per_execution: Spread::of(sizes),
            first_at: self.first.map(|first| first.to_string()),
            last_at: self.last.map(|last| last.to_string()),
            events_per_second: rate(self.events, span, 1000),
            executions_per_hour: rate(executions, span, HOUR),
            events_in_last_day: last_day.map(|(_, count)| count).sum(),
            busiest_hour: busiest.map(|(hour, _)| Timestamp(hour * HOUR).to_string()),
            busiest_hour_events: busiest.map_or(0, |(_, count)| *count),
        }
    }
}

fn sorted(counts: HashMap<&'static str, u64>) -> Vec<Count> {
    let mut counts: Vec<Count> =
        counts.into_iter().map(|(name, count)| Count { name, count }).collect();
    counts.sort_by_key(|one| (std::cmp::Reverse(one.count), one.name));
    counts
}

/// How many of `count` happen in `unit` milliseconds, to three places; what took less than a second
/// has no rate that would mean anything.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(count: u64, span_ms: u64, unit: u64) -> Option<f64> {
    let exact = count as f64 * unit as f64 / span_ms as f64;
    (span_ms >= 1000).then(|| (exact * 1000.0).round() / 1000.0)
}

impl Spread {
    /// The nearest-rank percentiles.
    fn of(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        let at = |percent: usize| {
            let rank = (numbers.len() * percent).div_ceil(100).max(1);
            numbers.get(rank - 1).copied().unwrap_or(0)
        };
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::engine::Failure;
    use crate::engine::event::{ExecutionDeleted, ExecutionFailed, ExecutionStarted};
    use crate::language::{DefinitionHash, Json};

    #[test]
    fn percentiles_are_numbers_that_occur() {
        assert_eq!(Spread::of(vec![]), Spread::default());
        assert_eq!(Spread::of(vec![7]), Spread { p50: 7, p99: 7, max: 7 });
        let hundred = (1..=200).rev().collect();
        assert_eq!(Spread::of(hundred), Spread { p50: 100, p99: 198, max: 200 });
    }

    #[test]
    fn a_log_is_counted_by_type_status_and_time() {
        let started: Event = ExecutionStarted {
            workflow: "w".into(),
            definition: DefinitionHash([0; 32]),
            name: None,
            input: Json::null(),
            deadline: None,
            parent: None,
            place: None,
            rerun_of: None,
            started_as: None,
        }
        .into();
        let failed: Event =
            ExecutionFailed { failure: Failure::new("Mine", "so"), summary: None }.into();
        let mut counter = LogCounter::default();
        let records = [(1, &started, 0), (2, &started, 1000), (1, &failed, 2 * HOUR)];
        for (position, (stream, event, time)) in (1..).zip(records) {
            counter.take(&Record {
                stream: Uuid::from_u128(stream),
                sequence: 1,
                position,
                time: Timestamp(time),
                event: Arc::new(event.clone()),
            });
        }
        let stats = counter.finish();
        assert_eq!((stats.events, stats.executions), (3, 2));
        assert_eq!(stats.events_by_type[0], Count { name: "ExecutionStarted", count: 2 });
        let statuses: Vec<&str> = stats.executions_by_status.iter().map(|one| one.name).collect();
        assert_eq!(statuses, ["failed", "running"]);
        assert_eq!(stats.events_per_execution, Spread { p50: 1, p99: 2, max: 2 });
        assert_eq!(stats.executions_per_hour, Some(1.0));
        assert_eq!(stats.busiest_hour.as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!((stats.busiest_hour_events, stats.events_in_last_day), (2, 3));
    }

    #[test]
    fn what_was_deleted_counts_as_deleted_and_not_as_an_execution() {
        let deleted: Event = ExecutionDeleted { by: "me".into(), reason: None }.into();
        let failed: Event =
            ExecutionFailed { failure: Failure::new("Mine", "so"), summary: None }.into();
        let mut counter = LogCounter::default();
        for (position, stream, event) in [(4, 1, &failed), (9, 1, &deleted), (10, 2, &failed)] {
            counter.take(&Record {
                stream: Uuid::from_u128(stream),
                sequence: 1,
                position,
                time: Timestamp(position),
                event: Arc::new(event.clone()),
            });
        }
        let stats = counter.finish();
        assert_eq!((stats.events, stats.executions), (3, 1));
        assert_eq!((stats.deleted_executions, stats.deleted_events), (1, 4));
    }
}
