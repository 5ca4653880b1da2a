//! Waypoints: folds of a long history at places on its way, so that whoever asks how it was need not
//! read all that came before, nor all that came after.
//!
//! They are set beside the commits, when a checkpoint tells that a history has grown, and are a cache
//! like everything in the index: a history without them reads the same, only slower.

use ::sled::IVec;

use super::super::{Error, Position, Snapshot, Stream, codec};
use super::Inner;
use super::disk::Batch;
use super::guard::guard;
use super::index::{Index, WAYPOINT, damaged, join, name, put};
use super::lock;
use crate::engine::{Execution, ExecutionId};

/// How many events lie between two waypoints at least: as many as are read and folded in a few
/// milliseconds.
pub(super) const STEP: u64 = 4096;
/// The bytes of folds for each event at most: a fraction of what the log needs for it. Large folds
/// are therefore kept more seldom.
const BYTES_PER_EVENT: u64 = 64;

/// A place in a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waypoint {
    /// The sequence of the last record folded in, which ended its transition.
    pub(super) sequence: u64,
    /// The position of that transition's first record.
    pub(super) position: Position,
    /// The encoded fold; of the beginning of a history, nothing.
    pub(super) fold: Vec<u8>,
}

impl Waypoint {
    /// From which sequence on the next one may be set.
    fn next_from(&self) -> u64 {
        let for_bytes = self.fold.len() as u64 / BYTES_PER_EVENT;
        self.sequence.saturating_add(for_bytes.max(STEP))
    }

    fn unpack(&self, stream: Stream) -> Option<Execution> {
        match self.fold.as_slice() {
            [] => Some(Execution::new(ExecutionId(stream))),
            fold => codec::decode_execution(fold).ok(),
        }
    }
}

impl Inner {
    /// The nearest fold of a history at or before a sequence.
    pub(super) fn find_fold(&self, stream: Stream, at: u64) -> Result<Option<Snapshot>, Error> {
        if self.find_head(stream)?.is_none_or(|head| head.deleted) {
            return Ok(None);
        }
        let waypoint = self.index.waypoint_to(stream, at)?;
        Ok(waypoint.map(|Waypoint { sequence, fold, .. }| Snapshot {
            stream,
            sequence,
            bytes: fold,
        }))
    }

    /// Sets waypoints in the part of a history that has none yet, where it is long.
    pub(super) fn set_waypoints(&self, stream: Stream) -> Result<(), Error> {
        let Some(head) = self.find_head(stream)?.filter(|head| !head.deleted) else {
            return Ok(());
        };
        // Most histories are short: of those nothing need be looked up.
        if head.sequence < STEP {
            return Ok(());
        }
        let mut last = self.index.waypoint_to(stream, u64::MAX)?.unwrap_or_default();
        if head.sequence < last.next_from() {
            return Ok(());
        }
        let mut execution = match last.unpack(stream) {
            Some(execution) => execution,
            // Another version of this program wrote it.
            None => {
                self.index.remove_waypoints(stream)?;
                last = Waypoint::default();
                Execution::new(ExecutionId(stream))
            }
        };
        for (position, sequence) in self.places_after(stream, last.sequence)? {
            for record in self.read_history(stream, execution.sequence + 1..sequence + 1)? {
                execution.apply(&record.event, record.time);
            }
            if sequence < last.next_from() {
                continue;
            }
            let Ok(fold) = codec::encode_execution(&execution) else { return Ok(()) };
            last = Waypoint { sequence, position, fold };
            self.index.put_waypoint(stream, &last)?;
        }
        if self.is_deleted(stream)? {
            // Its deletion may have cleared the index before the last of them was set.
            self.index.remove_waypoints(stream)?;
        }
        Ok(())
    }

    /// Ends of transitions after a sequence, in order, about a step apart: where they begin in the
    /// log, and the sequence of their last record.
    fn places_after(&self, stream: Stream, after: u64) -> Result<Vec<(Position, u64)>, Error> {
        let mut places: Vec<(Position, u64)> = Vec::new();
        self.undisturbed(|| {
            places.clear();
            let none = after.saturating_add(1)..after.saturating_add(1);
            self.follow_history(stream, &none, |at, last| {
                if places.last().is_none_or(|(_, next)| next - last >= STEP) {
                    places.push((at, last));
                }
            })
        })?;
        places.reverse();
        Ok(places)
    }

    /// The way back through a history begins at its end, or at a waypoint that is nearer.
    pub(super) fn way_back(
        &self,
        stream: Stream,
        end: u64,
    ) -> Result<Option<(Position, u64)>, Error> {
        let Some(head) = self.find_head(stream)?.filter(|head| !head.deleted) else {
            return Ok(None);
        };
        let far = head.sequence.saturating_sub(end) > STEP;
        let nearer =
            if far { self.index.waypoint_from(stream, end.saturating_sub(1))? } else { None };
        let end = |waypoint: Waypoint| (waypoint.position, waypoint.sequence);
        Ok(Some(nearer.map_or((head.position, head.sequence), end)))
    }
}

impl Index {
    /// The last waypoint of a history at or before a sequence.
    fn waypoint_to(&self, stream: Stream, at: u64) -> Result<Option<Waypoint>, Error> {
        let first = name(WAYPOINT, stream).to_vec();
        let last = [&key(stream, at)[..], &u32::MAX.to_be_bytes()].concat();
        let found = guard("read of a waypoint", 0, || {
            self.tree.range(first..=last).keys().next_back().transpose()
        })?;
        found.map(|key| self.read_waypoint(stream, &key)).transpose()
    }

    /// The first waypoint of a history at or after a sequence.
    fn waypoint_from(&self, stream: Stream, at: u64) -> Result<Option<Waypoint>, Error> {
        let (first, last) = (key(stream, at), key(stream, u64::MAX));
        let found = guard("read of a waypoint", 0, || {
            self.tree.range(first..last).keys().next().transpose()
        })?;
        found.map(|key| self.read_waypoint(stream, &key)).transpose()
    }

    /// The waypoint of which this is the key of a part.
    fn read_waypoint(&self, stream: Stream, part: &[u8]) -> Result<Waypoint, Error> {
        let short = || damaged("a waypoint is short");
        let sequence = part.get(NAME..).and_then(<[u8]>::first_chunk).ok_or_else(short)?;
        let sequence = u64::from_be_bytes(*sequence);
        let parts: Vec<IVec> = guard("read of a waypoint", 0, || {
            self.tree.scan_prefix(key(stream, sequence)).values().collect()
        })?;
        let value = join(&parts).ok_or_else(|| damaged("a waypoint is damaged"))?;
        let (position, fold) = value.split_first_chunk::<8>().ok_or_else(short)?;
        Ok(Waypoint { sequence, position: u64::from_le_bytes(*position), fold: fold.to_vec() })
    }

    /// Not durable: what is lost is set again.
    fn put_waypoint(&self, stream: Stream, waypoint: &Waypoint) -> Result<(), Error> {
        let _writing = lock(&self.writing);
        let mut batch = Batch::default();
        let value = [&waypoint.position.to_le_bytes()[..], &waypoint.fold].concat();
        put(&mut batch, &key(stream, waypoint.sequence), &value);
        self.apply("write of a waypoint", batch)
    }

    fn remove_waypoints(&self, stream: Stream) -> Result<(), Error> {
        let _writing = lock(&self.writing);
        let mut batch = Batch::default();
        self.remove(&mut batch, &name(WAYPOINT, stream))?;
        self.apply("removal of waypoints", batch)
    }
}

/// The bytes of a kind and an id, at which a key begins.
const NAME: usize = 17;

/// At which the keys of a waypoint's parts begin.
fn key(stream: Stream, sequence: u64) -> Vec<u8> {
    [&name(WAYPOINT, stream)[..], &sequence.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::super::{Checkpoint, EventStore, Record, Transition};
    use super::super::{SledOptions, SledStore, files};
    use super::*;
    use crate::store::Epoch;
    use crate::testing::random::Random;
    use crate::testing::store_suite::{deleted, started, stream, transition};

    fn open(folder: &TempDir) -> SledStore {
        SledStore::open(folder.path(), SledOptions::default()).unwrap()
    }

    /// Lets histories 1 and 2 grow beside each other, the first up to about `to`; where it ends.
    async fn grow(store: &SledStore, epoch: Epoch, to: u64) -> u64 {
        let mut random = Random::new(to);
        let mut ends = [1, 2].map(|n| store.last_sequence(stream(n)).unwrap());
        while ends[0] < to {
            let mut batch: Vec<Transition> = Vec::new();
            for _ in 0..500 {
                let which = usize::from(random.one_in(9));
                let number = which as u64 + 1;
                let count = if ends[which] == 0 { 1 } else { 1 + random.index(5) as u64 };
                batch.push(match ends[which] {
                    0 => started(number, 100),
                    end => transition(number, end + 1, count),
                });
                ends[which] += count;
            }
            store.append(epoch, batch).await.unwrap();
        }
        ends[0]
    }

    /// A checkpoint that tells of the first history.
    async fn checkpoint(store: &SledStore) {
        let sequence = store.last_sequence(stream(1)).unwrap();
        let snapshots = vec![Snapshot { stream: stream(1), sequence, bytes: vec![1] }];
        let checkpoint = Checkpoint { snapshots, ..Checkpoint::default() };
        store.write_checkpoint(checkpoint).await.unwrap();
    }

    /// What is kept at or before a sequence: its own, after it is seen to be the fold of its events.
    async fn kept(store: &SledStore, history: &[Record], at: u64) -> u64 {
        let Some(fold) = store.find_fold(stream(1), at).await.unwrap() else { return 0 };
        let kept = codec::decode_execution(&fold.bytes).unwrap();
        let events = usize::try_from(fold.sequence).unwrap();
        assert_eq!(kept, Record::fold(ExecutionId(stream(1)), &history[..events]), "{at}");
        fold.sequence
    }

    #[tokio::test]
    async fn a_long_history_has_true_folds_on_its_way_and_reads_the_same_from_anywhere() {
        let folder = TempDir::new().unwrap();
        let mut store = open(&folder);
        let epoch = store.acquire().await.unwrap();
        for to in [3 * STEP, 5 * STEP] {
            let end = grow(&store, epoch, to).await;
            let history = store.read_history(stream(1), 1..u64::MAX).await.unwrap();
            assert_eq!(history.len() as u64, end);
            checkpoint(&store).await;
            for at in (1..=end).step_by(1013).chain([STEP - 1, STEP, STEP + 1, end]) {
                let kept = kept(&store, &history, at).await;
                assert!(kept <= at && at - kept <= 2 * STEP + 10, "{kept} for {at} of {end}");
                let from = at.saturating_sub(7).max(1);
                let some = store.read_history(stream(1), from..at + 1).await.unwrap();
                let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(at).unwrap());
                assert_eq!(some, history[from - 1..to], "{at}");
            }
        }
        assert_eq!(store.find_fold(stream(2), u64::MAX).await.unwrap(), None, "it is short");
        drop(store);
        store = open(&folder);
        assert!(store.find_fold(stream(1), u64::MAX).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn waypoints_that_were_lost_are_set_again_and_those_of_a_deleted_history_go() {
        let folder = TempDir::new().unwrap();
        let store = open(&folder);
        let epoch = store.acquire().await.unwrap();
        let end = grow(&store, epoch, 3 * STEP).await;
        checkpoint(&store).await;
        let before = store.find_fold(stream(1), u64::MAX).await.unwrap();
        drop(store);
        std::fs::remove_dir_all(folder.path().join("index")).unwrap();
        let store = open(&folder);
        let epoch = store.acquire().await.unwrap();
        assert_eq!(store.find_fold(stream(1), u64::MAX).await.unwrap(), None);
        checkpoint(&store).await;
        assert_eq!(store.find_fold(stream(1), u64::MAX).await.unwrap(), before);
        store.append(epoch, vec![deleted(1, end + 1)]).await.unwrap();
        assert_eq!(store.find_fold(stream(1), u64::MAX).await.unwrap(), None);
        store.write_checkpoint(Checkpoint::default()).await.unwrap();
        let left = store.inner.index.waypoint_to(stream(1), u64::MAX).unwrap();
        assert_eq!(left, None, "nothing of it stays in the index");
    }

    #[tokio::test]
    async fn large_folds_are_kept_so_seldom_that_they_take_little_for_each_event() {
        let folder = TempDir::new().unwrap();
        let store = open(&folder);
        let epoch = store.acquire().await.unwrap();
        let large = usize::try_from(2 * STEP * BYTES_PER_EVENT).unwrap();
        store.append(epoch, vec![started(1, large)]).await.unwrap();
        let end = grow(&store, epoch, 7 * STEP).await;
        checkpoint(&store).await;
        let history = store.read_history(stream(1), 1..u64::MAX).await.unwrap();
        let (mut at, mut bytes) = (end, 0);
        while let Some(fold) = store.find_fold(stream(1), at).await.unwrap() {
            assert_eq!(kept(&store, &history, at).await, fold.sequence);
            bytes += fold.bytes.len() as u64;
            at = fold.sequence - 1;
        }
        assert!(bytes > 0 && bytes <= (end + 2 * STEP) * BYTES_PER_EVENT, "{bytes} for {end}");
        assert!(files::list(&folder.path().join("index/blobs")).unwrap().is_empty());
    }
}
