//! Whether a damaged store says only what is true, or that it is damaged.

use std::collections::{BTreeMap, BTreeSet};

use super::super::crash_points::client::{begin, further, name_of};
use super::super::crash_points::history::{by_history, covered, is_end, is_tombstone, records};
use super::super::store_suite::stream;
use super::base::Truth;
use super::place::Place;
use super::{Outcome, Random, at_once, text};
use crate::engine::{ExecutionId, Timestamp};
use crate::store::{
    Appended, Check, Checkpoint, Compaction, Epoch, Error, EventStore, Finished, Mishap,
    OpenReport, Position, Record, SledStore, Snapshot, Stream, Transition,
};

/// Slices after which a compaction of these small logs must be done.
const SLICES: u64 = 1000;

/// One in how many stores that seem sound is written to, and opened once more.
const GOES_ON: u64 = 2;

/// The number of a history that no client has, for what is appended after a damage.
const NEW: u64 = u64::MAX - 1;

/// A store that was opened after a damage, with what its client was told.
pub(super) struct Judge<'j> {
    place: &'j Place,
    truth: &'j Truth,
    random: &'j mut Random,
    /// Whether the log may say that a newer program wrote it.
    may_be_newer: bool,
    outcome: Outcome,
    /// What the store named as hit, when it said that it is damaged.
    named: BTreeSet<Stream>,
    /// The first reason that it gave.
    reason: Option<String>,
}

/// What was found of a damage.
pub(super) struct Found {
    pub(super) outcome: Outcome,
    /// The histories that the store named as hit.
    pub(super) named: BTreeSet<Stream>,
    /// The first reason that it gave.
    pub(super) reason: Option<String>,
}

/// Histories as a damaged log must have them: as the whole log was read, or else as it was written.
struct Known<'k> {
    histories: BTreeMap<Stream, Vec<&'k Record>>,
}

impl<'j> Judge<'j> {
    pub(super) fn new(place: &'j Place, truth: &'j Truth, random: &'j mut Random) -> Self {
        let (outcome, named) = (Outcome::Harmless, BTreeSet::new());
        Self { place, truth, random, may_be_newer: false, outcome, named, reason: None }
    }

    pub(super) fn may_be_newer(self, may_be_newer: bool) -> Self {
        Self { may_be_newer, ..self }
    }

    pub(super) fn judge(mut self) -> Result<Found, String> {
        let check = if self.random.one_in(3) { Check::Tail } else { Check::All };
        let opened = self.place.open(check);
        if let Some(store) = self.saw(opened, Outcome::AtOpen)? {
            self.read(&store).map_err(|what| format!("{what} (opened with {check:?})"))?;
            if self.outcome <= Outcome::Reported && self.random.one_in(GOES_ON) {
                self.go_on(store)?;
            }
        }
        Ok(Found { outcome: self.outcome, named: self.named, reason: self.reason })
    }

    /// What came of a call; an error must say that there is damage.
    fn saw<T>(&mut self, result: Result<T, Error>, outcome: Outcome) -> Result<Option<T>, String> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Damaged { damage }) => {
                let is_known =
                    |one: &&Stream| self.truth.streams().contains(*one) || **one == stream(NEW);
                if let Some(other) = damage.streams.iter().find(|one| !is_known(one)) {
                    return Err(format!("it names {other}, which never was: {}", damage.reason));
                }
                self.named.extend(damage.streams);
                let place = damage.position;
                self.reason.get_or_insert_with(|| format!("{place}: {}", damage.reason));
                self.outcome = self.outcome.max(outcome);
                Ok(None)
            }
            Err(Error::NewerFormat { .. }) if self.may_be_newer => {
                self.outcome = self.outcome.max(outcome);
                Ok(None)
            }
            Err(error) => Err(format!("it fails with {}: {error}", error.code())),
        }
    }

    /// Reads all that there is to read.
    fn read(&mut self, store: &SledStore) -> Result<(), String> {
        let report = store.open_report();
        if report != OpenReport::default() {
            self.outcome = Outcome::Reported;
        }
        let read = at_once(store.read_log(1, usize::MAX));
        let found = self.saw(read, Outcome::AtRead)?;
        if let Some(found) = &found {
            compare(found, self.truth, report.torn_tail_after)?;
            let last = found.last().map_or(0, |record| record.position);
            if store.last_position() != last {
                return Err(format!("the last position is {}, not {last}", store.last_position()));
            }
        }
        let known = Known::new(self.truth, found.as_deref(), report.torn_tail_after);
        for stream in self.truth.streams() {
            self.history(store, &known, *stream)?;
        }
        self.checkpoint(store, &known)
    }

    /// A history reads as it was written, and a deleted one as nothing.
    fn history(
        &mut self,
        store: &SledStore,
        known: &Known<'_>,
        stream: Stream,
    ) -> Result<(), String> {
        let end = known.end(stream);
        // What compaction took may have come back with an older page, and the index knows better.
        let is_whole = end.is_some_and(is_tombstone) && !self.truth.forgets;
        let is_back = self.truth.deleted().contains(&stream) && !is_whole;
        let tombstone = end.filter(|record| is_tombstone(record));
        let expected = if tombstone.is_some() { &[][..] } else { known.records(stream) };
        let read = at_once(store.read_history(stream, 1..u64::MAX));
        if let Some(read) = self.saw(read, Outcome::AtRead)?
            && !read.iter().eq(expected.iter().copied())
            && !(is_back && read.is_empty())
        {
            let (read, written) = (read.len(), expected.len());
            return Err(format!("of history {stream} {read} records are read and not {written}"));
        }
        let last = self.saw(store.last_sequence(stream), Outcome::AtRead)?;
        let sequence = end.map(|end| end.sequence);
        let may_differ = is_back || sequence.is_none();
        if last.is_some() && last != sequence && !may_differ {
            return Err(format!("history {stream} is said to end at {last:?}, not {sequence:?}"));
        }
        let read = at_once(store.find_tombstone(stream));
        if let Some(read) = self.saw(read, Outcome::AtRead)?
            && end.is_some()
            && read.as_ref() != tombstone
            && !(read.is_none() && is_back)
        {
            return Err(format!("the tombstone of {stream} is {read:?}"));
        }
        Ok(())
    }

    /// Snapshots, rows and names are as they were written, and cover what they are said to.
    fn checkpoint(&mut self, store: &SledStore, known: &Known<'_>) -> Result<(), String> {
        let read = at_once(store.read_checkpoint()).map_err(text)?;
        let (snapshots, from) = read;
        if from > store.last_position() + 1 {
            return Err(format!("the checkpoint is ahead of the log: {from}"));
        }
        let covered = covered(&snapshots, self.truth.checkpoints.iter())?;
        let mut rows = Vec::new();
        for stream in self.truth.streams() {
            let to = covered.get(stream).copied().unwrap_or(0);
            rows.extend(self.row(store, known, *stream, to, from)?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.execution));
        let listed = at_once(store.list_finished(None, usize::MAX));
        if let Some(listed) = self.saw(listed, Outcome::AtRead)?
            && listed != rows
        {
            return Err(format!("{} rows are listed and {} found", listed.len(), rows.len()));
        }
        let mishaps = at_once(store.list_mishaps(&Mishap::ALL, None, usize::MAX));
        if let Some(mishaps) = self.saw(mishaps, Outcome::AtRead)? {
            rows.retain(|row| row.mishap.is_some());
            if mishaps != rows {
                let (listed, found) = (mishaps.len(), rows.len());
                return Err(format!("{listed} mishaps are listed and {found} found"));
            }
        }
        Ok(())
    }

    /// The row and the name of an execution; gives the row, if there is one.
    fn row(
        &mut self,
        store: &SledStore,
        known: &Known<'_>,
        stream: Stream,
        covered: u64,
        from: Position,
    ) -> Result<Option<Finished>, String> {
        let execution = ExecutionId(stream);
        let row = at_once(store.find_finished(execution));
        let Some(row) = self.saw(row, Outcome::AtRead)? else { return Ok(None) };
        let finished = known.end(stream).filter(|end| is_end(end) && !is_tombstone(end));
        let deleted = known.end(stream).is_none_or(is_tombstone);
        let uncovered = known.records(stream).iter().find(|record| record.sequence > covered);
        let named = at_once(store.find_named(name_of(stream)));
        let named = self.saw(named, Outcome::AtRead)?;
        if named.flatten().is_some_and(|named| named != execution) {
            return Err(format!("the name of {stream} is said to be that of {named:?}"));
        }
        if let Some(row) = &row {
            let mut rows = self.truth.checkpoints.iter().flat_map(|one| &one.finished);
            if finished.is_none() || !rows.any(|written| written == row) {
                return Err(format!("{stream} has a row that nobody wrote for it"));
            }
            if named == Some(None) {
                return Err(format!("{stream} has a row and no name"));
            }
        } else if self.truth.deleted().contains(&stream) {
            // What compaction took may have come back with an older page: nothing tells of it.
        } else if finished.is_some_and(|end| end.position < from) {
            return Err(format!("{stream} ended before {from} and has no row"));
        } else if !deleted && uncovered.is_some_and(|first| first.position < from) {
            return Err(format!("{stream} is not covered up to {from}: {uncovered:?}"));
        }
        Ok(row)
    }

    /// What opened takes more, and keeps it: or it says that it is damaged.
    fn go_on(&mut self, store: SledStore) -> Result<(), String> {
        let read = at_once(store.read_log(1, usize::MAX));
        let Some(before) = self.saw(read, Outcome::AtRead)? else { return Ok(()) };
        let Some(mut new) = self.write(&store, &before)? else { return Ok(()) };
        let place = self.place.reopened(store, self.random)?;
        let Some(store) = self.saw(place.open(Check::All), Outcome::Later)? else { return Ok(()) };
        let read = at_once(store.read_log(1, usize::MAX));
        let Some(after) = self.saw(read, Outcome::Later)? else { return Ok(()) };
        let mut kept = after.iter().peekable();
        let deleted = self.truth.deleted();
        for record in before.iter().chain(&new) {
            let is_there = kept.next_if(|kept| *kept == record).is_some();
            if !is_there && !deleted.contains(&record.stream) {
                return Err(format!("after it went on it lost {record:?}"));
            }
        }
        new.clear();
        match kept.next() {
            None => Ok(()),
            Some(record) => Err(format!("after it went on it has {record:?}")),
        }
    }

    /// Appends, and sometimes compacts and writes a checkpoint; what was appended, if nothing failed.
    fn write(
        &mut self,
        store: &SledStore,
        before: &[Record],
    ) -> Result<Option<Vec<Record>>, String> {
        let Some(epoch) = self.saw(at_once(store.acquire()), Outcome::Later)? else {
            return Ok(None);
        };
        let batch = self.batch(before);
        let mut next = store.last_position() + 1;
        let appended = at_once(store.append(epoch, batch.clone()));
        let Some(appended) = self.saw(appended, Outcome::Later)? else { return Ok(None) };
        let mut new = Vec::new();
        for (transition, appended) in batch.iter().zip(appended) {
            if appended != Appended::At(next) {
                let stream = transition.stream;
                return Err(format!("{stream} did not go on at {next}: {appended:?}"));
            }
            let records = records(transition, next);
            next += records.len() as u64;
            new.extend(records);
        }
        if self.random.one_in(3) && self.compact(store, epoch)?.is_none() {
            return Ok(None);
        }
        if self.random.one_in(3) {
            let snapshots = batch.iter().map(|transition| Snapshot {
                stream: transition.stream,
                sequence: transition.first_sequence + transition.events.len() as u64 - 1,
                bytes: vec![7; 100],
            });
            let checkpoint = Checkpoint { snapshots: snapshots.collect(), ..Checkpoint::default() };
            let written = at_once(store.write_checkpoint(checkpoint));
            if self.saw(written, Outcome::Later)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(new))
    }

    /// The beginning of a history, and more of one that lives, if there is one.
    fn batch(&mut self, before: &[Record]) -> Vec<Transition> {
        let ends: BTreeMap<Stream, &Record> =
            before.iter().map(|record| (record.stream, record)).collect();
        // One of the deleted may be back with an older page; the index knows better and takes no more.
        let is_live = |end: &&Record| !is_end(end) && !self.truth.deleted().contains(&end.stream);
        let live: Vec<&Record> = ends.into_values().filter(is_live).collect();
        let mut batch = vec![begin(NEW, self.random)];
        if let Some(end) = self.random.pick(&live).copied() {
            let more = further(0, end.sequence + 1, 2, self.random);
            batch.push(Transition { stream: end.stream, ..more });
        }
        batch
    }

    fn compact(&mut self, store: &SledStore, epoch: Epoch) -> Result<Option<()>, String> {
        let forget_before = self.random.one_in(2).then_some(Timestamp(u64::MAX));
        for _ in 0..SLICES {
            let done = at_once(store.compact(epoch, Compaction { forget_before }));
            match self.saw(done, Outcome::Later)? {
                None => return Ok(None),
                Some(done) if done.is_done => return Ok(Some(())),
                Some(_) => {}
            }
        }
        Err(format!("compaction is not done after {SLICES} slices"))
    }
}

/// That the whole look which `verify` takes names the histories that are hit.
pub(super) fn names(place: &Place, hit: &BTreeSet<Stream>) -> Result<(), String> {
    match place.open(Check::All) {
        Err(Error::Damaged { damage }) => {
            match hit.iter().find(|stream| !damage.streams.contains(stream)) {
                None => Ok(()),
                Some(stream) => Err(format!("{stream} is hit and not named: {}", damage.reason)),
            }
        }
        Err(error) => Err(format!("it fails with {}: {error}", error.code())),
        Ok(_) => Err("it opens without what is lost".to_owned()),
    }
}

impl<'k> Known<'k> {
    /// What was read of the whole log, or else what must be there.
    fn new(truth: &'k Truth, found: Option<&'k [Record]>, cut_after: Option<Position>) -> Self {
        let to = cut_after.unwrap_or(Position::MAX);
        let histories = match found {
            Some(found) => by_history(found),
            None => by_history(truth.records().filter(|record| record.position <= to)),
        };
        Self { histories }
    }

    fn records(&self, stream: Stream) -> &[&'k Record] {
        self.histories.get(&stream).map_or(&[], Vec::as_slice)
    }

    fn end(&self, stream: Stream) -> Option<&'k Record> {
        self.records(stream).last().copied()
    }
}

/// Every record is there as it was written, but for what was deleted and may be gone; or those after
/// a place, of which it is said that they were cut off.
pub(super) fn compare(
    found: &[Record],
    truth: &Truth,
    cut_after: Option<Position>,
) -> Result<(), String> {
    let deleted = truth.deleted();
    let may_be_gone = |record: &Record| {
        truth.compacts
            && deleted.contains(&record.stream)
            && (truth.forgets || !is_tombstone(record))
    };
    let mut rest = found.iter().peekable();
    for wanted in truth.records() {
        match rest.next_if(|record| record.position == wanted.position) {
            Some(record) if record == wanted => {}
            Some(record) => return Err(format!("read was {record:?}, written {wanted:?}")),
            None if may_be_gone(wanted) => {}
            None if cut_after.is_some_and(|after| wanted.position > after) => {}
            None => return Err(format!("lost without a word was {wanted:?}")),
        }
    }
    match rest.next() {
        None => Ok(()),
        Some(record) => Err(format!("nobody wrote {record:?}")),
    }
}
