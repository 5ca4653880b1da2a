//! Whether what a restart finds is what the client was told.

use std::collections::{BTreeMap, BTreeSet};

use super::ground::Ground;
use super::history::{Known, by_history, covered, is_end, is_tombstone, records};
use super::{Setting, at_once, client};
use crate::engine::{ExecutionId, Timestamp};
use crate::store::{
    Appended, Check, Compaction, Epoch, EventStore, Position, Record, SledStore, Stream,
};
use crate::testing::random::Random;

/// Slices after which a compaction of these small logs must be done.
const SLICES: u64 = 1000;

/// Looks at a whole log; what is wrong with it.
pub type Verify<'v> = &'v (dyn Fn(&[Record]) -> Result<(), String> + Sync);

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub(super) fn open(disk: &dyn Ground, random: &mut Random) -> Result<SledStore, String> {
    let check = if random.one_in(2) { Check::All } else { Check::Tail };
    disk.open(check).map_err(|error| format!("it does not open: {error}"))
}

pub(super) fn whole_log(store: &SledStore) -> Result<Vec<Record>, String> {
    at_once(store.read_log(1, usize::MAX)).map_err(text)
}

pub(super) fn judge(
    disk: &dyn Ground,
    known: &Known<'_>,
    random: &mut Random,
    setting: Setting<'_>,
) -> Result<(), String> {
    let store = open(disk, random)?;
    let found = whole_log(&store)?;
    compare(&found, known)?;
    (setting.verify)(&found)?;
    let last = found.last().map_or(0, |record| record.position);
    if store.last_position() != last {
        return Err(format!("the last position is {}, not {last}", store.last_position()));
    }
    let judged = Judged::new(&store, &found, known);
    judged.histories()?;
    judged.checkpoint()?;
    if random.one_in(4) {
        go_on(disk, store, &found, known, random)?;
    }
    Ok(())
}

/// Every acknowledged transition is there, whole and in order; of those that were under way whole
/// ones; and only what was deleted may be gone.
pub(super) fn compare(found: &[Record], known: &Known<'_>) -> Result<(), String> {
    let deleted = known.deleted();
    let may_be_gone = |record: &Record| {
        known.compacts
            && deleted.contains(&record.stream)
            && (known.forgets || !is_tombstone(record))
    };
    let mut rest = found.iter().peekable();
    let mut gone = 0;
    for wanted in &known.certain {
        match rest.next_if(|record| record.position == wanted.position) {
            Some(record) if record == *wanted => {}
            Some(record) => return Err(format!("read was {record:?}, written {wanted:?}")),
            None if may_be_gone(wanted) => gone += 1,
            None => return Err(format!("lost was {wanted:?}")),
        }
    }
    if gone < known.taken {
        return Err(format!("{gone} records are gone, {} were said to be", known.taken));
    }
    for transition in &known.open {
        if rest.peek().is_none() {
            break;
        }
        for wanted in *transition {
            if rest.next() != Some(wanted) {
                return Err(format!("half a transition, or another: {wanted:?}"));
            }
        }
    }
    match rest.next() {
        None => Ok(()),
        Some(record) => Err(format!("nobody wrote {record:?}")),
    }
}

/// A store that was opened after a crash, with what must be in it.
struct Judged<'j> {
    store: &'j SledStore,
    known: &'j Known<'j>,
    /// Records by their histories.
    histories: BTreeMap<Stream, Vec<&'j Record>>,
    /// All histories that there ever were.
    streams: BTreeSet<Stream>,
}

impl<'j> Judged<'j> {
    fn new(store: &'j SledStore, found: &'j [Record], known: &'j Known<'j>) -> Self {
        let histories = by_history(found);
        let certain = known.certain.iter().map(|record| record.stream);
        let streams = certain.chain(histories.keys().copied()).collect();
        Self { store, known, histories, streams }
    }

    fn records(&self, stream: Stream) -> &[&'j Record] {
        self.histories.get(&stream).map_or(&[], Vec::as_slice)
    }

    fn end(&self, stream: Stream) -> Option<&'j Record> {
        self.records(stream).last().copied()
    }

    /// The record that ends a history which is not deleted.
    fn finished(&self, stream: Stream) -> Option<&'j Record> {
        self.end(stream).filter(|record| is_end(record) && !is_tombstone(record))
    }

    /// Each history reads as the log has it, and a deleted one as nothing.
    fn histories(&self) -> Result<(), String> {
        for &stream in &self.streams {
            let end = self.end(stream);
            let tombstone = end.filter(|record| is_tombstone(record));
            let expected = if tombstone.is_some() { &[][..] } else { self.records(stream) };
            let read = at_once(self.store.read_history(stream, 1..u64::MAX)).map_err(text)?;
            if !read.iter().eq(expected.iter().copied()) {
                return Err(format!("history {stream} reads otherwise than the log"));
            }
            let last = self.store.last_sequence(stream).map_err(text)?;
            if end.is_some_and(|end| end.sequence != last) {
                return Err(format!("history {stream} is said to end at {last}"));
            }
            let read = at_once(self.store.find_tombstone(stream)).map_err(text)?;
            if read.as_ref() != tombstone {
                return Err(format!("the tombstone of {stream} is {read:?}"));
            }
        }
        Ok(())
    }

    /// Snapshots and rows are as they were written, and cover what they are said to.
    fn checkpoint(&self) -> Result<(), String> {
        let (snapshots, from) = at_once(self.store.read_checkpoint()).map_err(text)?;
        if from > self.store.last_position() + 1 {
            return Err(format!("the checkpoint is ahead of the log: {from}"));
        }
        let covered = covered(&snapshots, self.known.checkpoints.iter().copied())?;
        for &stream in &self.streams {
            let to = covered.get(&stream).copied().unwrap_or(0);
            self.row(stream, to, from)?;
        }
        Ok(())
    }

    fn row(&self, stream: Stream, covered: u64, from: Position) -> Result<(), String> {
        let execution = ExecutionId(stream);
        let row = at_once(self.store.find_finished(execution)).map_err(text)?;
        let finished = self.finished(stream);
        let deleted = self.end(stream).is_none_or(is_tombstone);
        let uncovered = self.records(stream).iter().find(|record| record.sequence > covered);
        if let Some(row) = &row {
            let rows = self.known.checkpoints.iter().flat_map(|one| &one.finished);
            if finished.is_none() || !rows.into_iter().any(|written| written == row) {
                return Err(format!("{stream} has a row that nobody wrote for it"));
            }
            let key = client::name_of(stream);
            if at_once(self.store.find_named(key)).map_err(text)? != Some(execution) {
                return Err(format!("{stream} has a row and no name"));
            }
        } else if finished.is_some_and(|end| end.position < from) {
            return Err(format!("{stream} ended before {from} and has no row"));
        } else if !deleted && uncovered.is_some_and(|first| first.position < from) {
            return Err(format!("{stream} is not covered up to {from}: {uncovered:?}"));
        }
        Ok(())
    }
}

/// Compacts until nothing is left to do.
fn compact_all(store: &SledStore, epoch: Epoch, forgets: bool) -> Result<(), String> {
    let forget_before = forgets.then_some(Timestamp(u64::MAX));
    for _ in 0..SLICES {
        let done = at_once(store.compact(epoch, Compaction { forget_before }));
        if done.map_err(|error| format!("compaction fails: {error}"))?.is_done {
            return Ok(());
        }
    }
    Err(format!("compaction is not done after {SLICES} slices"))
}

/// The log goes on where it ended, under a new epoch, and is the same after another restart.
fn go_on(
    disk: &dyn Ground,
    store: SledStore,
    found: &[Record],
    known: &Known<'_>,
    random: &mut Random,
) -> Result<(), String> {
    let epoch = at_once(store.acquire()).map_err(text)?;
    if epoch.0 <= known.epoch {
        return Err(format!("epoch {} was given after {}", epoch.0, known.epoch));
    }
    let last = store.last_position();
    let transition = client::begin(u64::MAX - 1, random);
    let new = records(&transition, last + 1);
    let appended = at_once(store.append(epoch, vec![transition])).map_err(text)?;
    if appended != [Appended::At(last + 1)] {
        return Err(format!("after {last} the log went on at {appended:?}"));
    }
    if random.one_in(3) {
        compact_all(&store, epoch, random.one_in(2))?;
    }
    drop(store);
    let store = open(&*disk.restarted(random), random)?;
    let mut again = whole_log(&store)?;
    if again.split_off(again.len().saturating_sub(new.len())) != new {
        return Err("what came after the restart was lost".to_owned());
    }
    let mut kept = again.into_iter().peekable();
    let mut deleted: BTreeSet<Stream> = known.deleted();
    deleted.extend(found.iter().filter(|record| is_tombstone(record)).map(|record| record.stream));
    for record in found {
        let is_there = kept.next_if(|again| again == record).is_some();
        if !is_there && !deleted.contains(&record.stream) {
            return Err(format!("the second restart lost {record:?}"));
        }
    }
    if kept.next().is_some() { Err("the second restart found more".to_owned()) } else { Ok(()) }
}
