//! A store in memory, for tests and for trying things out. Nothing survives the process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{Bound, Range};
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Appended, Checkpoint, Compacted, Compaction, Epoch, Error, EventStore, Finished, Mishap,
    NameKey, OpenReport, Position, Record, Snapshot, Stream, Transition, codec,
};
use crate::engine::ExecutionId;

/// The same promises as the store on disk, save that a crash loses all.
#[derive(Debug)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    max_event_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    epoch: u64,
    stopped: Option<String>,
    records: BTreeMap<Position, Record>,
    last: Position,
    /// Positions of each history's records, in order.
    streams: HashMap<Stream, Vec<Position>>,
    /// Histories whose last record ended them.
    ended: HashSet<Stream>,
    /// Tombstones of deleted histories.
    deleted: HashMap<Stream, Record>,
    snapshots: BTreeMap<Stream, Snapshot>,
    finished: BTreeMap<ExecutionId, Finished>,
    names: BTreeMap<NameKey, ExecutionId>,
    complete_to: Position,
    scratch: Vec<u8>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store that takes events of up to 16 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(super::DEFAULT_MAX_EVENT_BYTES)
    }

    /// An empty store that takes events of up to `max_event_bytes`.
    #[must_use]
    pub fn with_limit(max_event_bytes: usize) -> Self {
        Self { inner: Mutex::default(), max_event_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Events are encoded as the store on disk would, so that both refuse the same ones.
    fn check_sizes(&mut self, batch: &[Transition], limit: usize) -> Result<(), Error> {
        for event in batch.iter().flat_map(|transition| &transition.events) {
            self.scratch.clear();
            codec::encode_body(event, &mut self.scratch)
                .map_err(|error| Error::from_codec(error, 0, None))?;
            let bytes = self.scratch.len();
            if bytes > limit {
                return Err(Error::TooLarge { bytes, limit });
            }
        }
        Ok(())
    }

    fn append_one(&mut self, transition: Transition) -> Appended {
        let is_sound = transition.is_sound();
        let Transition { stream, first_sequence, time, events } = transition;
        let last_sequence = self.last_sequence(stream);
        let Some(last_event) = events.last() else {
            return Appended::Conflict { last_sequence };
        };
        let deletes = codec::deletes_history(codec::tag(last_event));
        let follows = first_sequence == last_sequence + 1 && !self.deleted.contains_key(&stream);
        if !follows || !is_sound {
            return Appended::Conflict { last_sequence };
        }
        if codec::ends_history(codec::tag(last_event)) {
            self.ended.insert(stream);
        } else {
            self.ended.remove(&stream);
        }
        let first = self.last + 1;
        let positions = self.streams.entry(stream).or_default();
        for ((event, sequence), position) in events.into_iter().zip(first_sequence..).zip(first..) {
            positions.push(position);
            let event = Arc::new(event);
            self.records.insert(position, Record { stream, sequence, position, time, event });
            self.last = position;
        }
        if deletes {
            self.bury(stream);
        }
        Appended::At(first)
    }

    /// Forgets what is kept beside the log of a history whose tombstone was just written.
    fn bury(&mut self, stream: Stream) {
        let tombstone = self.records.get(&self.last).cloned();
        self.deleted.extend(tombstone.map(|tombstone| (stream, tombstone)));
        self.snapshots.remove(&stream);
        self.finished.remove(&ExecutionId(stream));
        self.names.retain(|_, execution| execution.0 != stream);
    }

    fn last_sequence(&self, stream: Stream) -> u64 {
        match self.deleted.get(&stream) {
            Some(tombstone) => tombstone.sequence,
            None => self.streams.get(&stream).map_or(0, |positions| positions.len() as u64),
        }
    }

    fn compact(&mut self, compaction: Compaction) -> Compacted {
        let mut compacted = Compacted { is_done: true, ..Compacted::default() };
        let mut taken = |inner: &mut Self, position| {
            if let Some(record) = inner.records.remove(&position) {
                inner.scratch.clear();
                drop(codec::encode_body(&record.event, &mut inner.scratch));
                compacted.events += 1;
                compacted.bytes += inner.scratch.len() as u64;
            }
        };
        let deleted: Vec<Record> = self.deleted.values().cloned().collect();
        for tombstone in deleted {
            for position in self.streams.remove(&tombstone.stream).into_iter().flatten() {
                if position != tombstone.position {
                    taken(self, position);
                }
            }
            let forget = compaction.forget_before.is_some_and(|before| tombstone.time < before);
            if forget && tombstone.position != self.last {
                taken(self, tombstone.position);
                self.deleted.remove(&tombstone.stream);
                self.ended.remove(&tombstone.stream);
            }
        }
        compacted
    }

    fn is_finished(&self, execution: ExecutionId) -> bool {
        !self.streams.contains_key(&execution.0) || self.ended.contains(&execution.0)
    }

    /// Rows newest first, of those that `wanted` wants.
    fn rows(
        &self,
        before: Option<ExecutionId>,
        limit: usize,
        wanted: impl Fn(&Finished) -> bool,
    ) -> Vec<Finished> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.finished.range((Bound::Unbounded, end)).rev().map(|(_, row)| row);
        let rows = rows.filter(|row| wanted(row) && self.is_finished(row.execution));
        rows.take(limit).cloned().collect()
    }

    fn record(&self, position: Position) -> Option<&Record> {
        self.records.get(&position)
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn acquire(&self) -> Result<Epoch, Error> {
        let mut inner = self.lock();
        inner.epoch += 1;
        Ok(Epoch(inner.epoch))
    }

    async fn append(&self, epoch: Epoch, batch: Vec<Transition>) -> Result<Vec<Appended>, Error> {
        let mut inner = self.lock();
        if let Some(first) = &inner.stopped {
            return Err(Error::Stopped { first: first.clone() });
        }
        if epoch.0 != inner.epoch {
            return Err(Error::Fenced);
        }
        if let Err(error) = inner.check_sizes(&batch, self.max_event_bytes) {
            inner.stopped = Some(error.to_string());
            return Err(error);
        }
        Ok(batch.into_iter().map(|transition| inner.append_one(transition)).collect())
    }

    fn last_position(&self) -> Position {
        self.lock().last
    }

    async fn read_log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        Ok(self
            .lock()
            .records
            .range(from..)
            .map(|(_, record)| record)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn read_history(&self, stream: Stream, range: Range<u64>) -> Result<Vec<Record>, Error> {
        let inner = self.lock();
        if inner.deleted.contains_key(&stream) {
            return Ok(Vec::new());
        }
        let positions = inner.streams.get(&stream).map_or(&[] as &[Position], Vec::as_slice);
        let skip = usize::try_from(range.start.saturating_sub(1)).unwrap_or(usize::MAX);
        let records = positions.iter().skip(skip).filter_map(|position| inner.record(*position));
        Ok(records.take_while(|record| record.sequence < range.end).cloned().collect())
    }

    fn last_sequence(&self, stream: Stream) -> Result<u64, Error> {
        Ok(self.lock().last_sequence(stream))
    }

    fn position_of(&self, stream: Stream, sequence: u64) -> Result<Option<Position>, Error> {
        let inner = self.lock();
        let positions = inner.streams.get(&stream).filter(|_| !inner.deleted.contains_key(&stream));
        let place = sequence.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        Ok(positions.zip(place).and_then(|(positions, place)| positions.get(place).copied()))
    }

    async fn find_tombstone(&self, stream: Stream) -> Result<Option<Record>, Error> {
        Ok(self.lock().deleted.get(&stream).cloned())
    }

    async fn compact(&self, epoch: Epoch, compaction: Compaction) -> Result<Compacted, Error> {
        let mut inner = self.lock();
        if let Some(first) = &inner.stopped {
            return Err(Error::Stopped { first: first.clone() });
        }
        if epoch.0 != inner.epoch {
            return Err(Error::Fenced);
        }
        Ok(inner.compact(compaction))
    }

    async fn write_checkpoint(&self, mut checkpoint: Checkpoint) -> Result<(), Error> {
        let mut inner = self.lock();
        checkpoint.leave_out(|stream| inner.deleted.contains_key(&stream));
        for snapshot in checkpoint.snapshots {
            inner.finished.remove(&ExecutionId(snapshot.stream));
            inner.snapshots.insert(snapshot.stream, snapshot);
        }
        for finished in checkpoint.finished {
            inner.snapshots.remove(&finished.execution.0);
            inner.finished.insert(finished.execution, finished);
        }
        inner.names.extend(checkpoint.names);
        if let Some(position) = checkpoint.complete_to {
            inner.complete_to = position.min(inner.last);
        }
        Ok(())
    }

    async fn read_checkpoint(&self) -> Result<(Vec<Snapshot>, Position), Error> {
        let inner = self.lock();
        Ok((inner.snapshots.values().cloned().collect(), inner.complete_to + 1))
    }

    async fn list_finished(
        &self,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        Ok(self.lock().rows(before, limit, |_| true))
    }

    async fn list_mishaps(
        &self,
        mishaps: &[Mishap],
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        let is_wanted = |row: &Finished| row.mishap.is_some_and(|own| mishaps.contains(&own));
        Ok(self.lock().rows(before, limit, is_wanted))
    }

    async fn find_finished(&self, execution: ExecutionId) -> Result<Option<Finished>, Error> {
        let inner = self.lock();
        let row = inner.finished.get(&execution);
        Ok(row.filter(|_| inner.is_finished(execution)).cloned())
    }

    async fn find_named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error> {
        Ok(self.lock().names.get(&key).copied())
    }

    async fn find_fold(&self, _stream: Stream, _at: u64) -> Result<Option<Snapshot>, Error> {
        Ok(None)
    }

    fn open_report(&self) -> OpenReport {
        OpenReport::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store_suite;

    #[tokio::test]
    async fn the_store_in_memory_keeps_every_promise() {
        store_suite::run_all(|| Arc::new(MemoryStore::new())).await;
    }

    #[tokio::test]
    async fn an_event_over_the_limit_is_refused() {
        store_suite::refuses_an_event_over_its_limit(&MemoryStore::with_limit(1000), 1000).await;
    }
}
