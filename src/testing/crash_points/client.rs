//! A made-up client: it begins histories, lets them go on, ends and deletes them, writes
//! checkpoints, compacts, closes and opens, and keeps book of all that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::store_suite::{completed, deleted, started, stream, transition};
use super::ground::Ground;
use super::history::{Asked, History, Slice, When, is_end, is_tombstone, records};
use super::judge::{compare, open, text, whole_log};
use super::own::{Own, checkpoint};
use super::{Random, at_once};
use crate::engine::event::{ExecutionPaused, ExecutionResumed};
use crate::engine::{Event, PauseScope, Timestamp};
use crate::store::{
    Appended, Compaction, Epoch, EventStore, NameKey, Record, SimDisk, SledStore, Stream,
    Transition,
};

/// Calls of one life, at least.
const CALLS: u64 = 8;
/// Steps of the disk within which the end of a life comes.
const LAST_STEPS: u64 = 14;

pub(super) struct Client<'r> {
    store: SledStore,
    /// False after an opening that failed.
    is_open: bool,
    epoch: Epoch,
    own: BTreeMap<u64, Own>,
    history: History,
    random: &'r mut Random,
}

/// The name of every history's execution.
pub(in super::super) fn name_of(stream: Stream) -> NameKey {
    NameKey::of("suite", &stream.to_string())
}

/// The beginning of a history.
pub(in super::super) fn begin(number: u64, random: &mut Random) -> Transition {
    let bytes = [10, 300, 3600, 9000, 30_000].get(random.index(5)).copied().unwrap_or(0);
    let mut begun = started(number, bytes);
    if let Some(Event::ExecutionStarted(body)) = begun.events.first_mut() {
        body.name = Some(begun.stream.to_string().into());
    }
    begun
}

/// How a history goes on: with pauses, so that any number of events makes sense.
pub(in super::super) fn further(
    number: u64,
    first: u64,
    count: u64,
    random: &mut Random,
) -> Transition {
    let by: Arc<str> = "suite".into();
    let scope = PauseScope::Execution;
    let events = (first..first + count).map(|sequence| -> Event {
        let bytes = if random.one_in(12) { 5000 } else { random.index(60) };
        let reason = Some(format!("{number}:{sequence}:{}", "x".repeat(bytes)).into());
        match sequence % 2 {
            0 => ExecutionPaused { scope, by: Arc::clone(&by), reason }.into(),
            _ => ExecutionResumed { scope, by: Arc::clone(&by) }.into(),
        }
    });
    Transition { events: events.collect(), ..transition(number, first, 0) }
}

impl<'r> Client<'r> {
    /// Opens what a crash has left, and learns what became of that which was under way.
    pub(super) fn new(
        disk: &dyn Ground,
        mut history: History,
        random: &'r mut Random,
    ) -> Result<Self, String> {
        let store = open(disk, random)?;
        let found = whole_log(&store)?;
        compare(&found, &history.until(0))?;
        history.settle(&found, disk.steps());
        let epoch = at_once(store.acquire()).map_err(text)?;
        history.epochs.push((epoch.0, disk.steps()));
        let mut client =
            Self { store, is_open: true, epoch, own: BTreeMap::new(), history, random };
        client.look_around(&found)?;
        Ok(client)
    }

    /// Learns from what is there where each history stands.
    fn look_around(&mut self, found: &[Record]) -> Result<(), String> {
        let (snapshots, from) = at_once(self.store.read_checkpoint()).map_err(text)?;
        let asked = self.history.appends.iter().flat_map(|asked| &asked.transitions);
        let begun = asked.filter(|records| records.first().is_some_and(|one| one.sequence == 1));
        let count = begun.count() as u64;
        // None is begun twice, also not one of which nothing is left.
        for number in 0..count.max(self.own.len() as u64) {
            let stream = stream(number);
            let mut own = found.iter().rev().filter(|record| record.stream == stream);
            let end = own.next();
            let last = end.map_or(0, |record| record.sequence);
            let has_ended = end.is_some_and(is_end);
            let is_deleted = end.is_none_or(is_tombstone);
            let snapshot = snapshots.iter().find(|snapshot| snapshot.stream == stream);
            let is_saved = has_ended && end.is_some_and(|record| record.position < from);
            let saved = snapshot.map_or(0, |snapshot| snapshot.sequence);
            let saved = if is_saved { last } else { saved };
            self.own.insert(number, Own { last, has_ended, is_deleted, saved });
        }
        Ok(())
    }

    /// Lives until the end that chance has for it.
    pub(super) fn work(mut self, disk: &dyn Ground) -> Result<History, String> {
        let calls = CALLS * disk.scale();
        for _ in 0..calls + self.random.below(calls) {
            self.call(disk)?;
        }
        let last = self.random.below(LAST_STEPS);
        if !disk.doom(last, self.random) {
            return Ok(self.history);
        }
        // Where syncs are ignored none fails.
        let calls = LAST_STEPS * 2;
        let mut is_well = true;
        for _ in 0..calls {
            is_well = is_well && self.call(disk).is_ok();
        }
        if !self.is_open {
            return Ok(self.history);
        }
        disk.make_room();
        let before = self.store.last_position();
        let begun = begin(self.own.len() as u64, self.random);
        if !self.history.is_under_way() {
            // What failed was no append.
            drop(self.append(disk, vec![begun]));
        } else if at_once(self.store.append(self.epoch, vec![begun])).is_ok() {
            return Err("after a failure something was acknowledged".to_owned());
        } else if self.store.last_position() != before {
            return Err("what failed is shown to readers".to_owned());
        }
        Ok(self.history)
    }

    fn call(&mut self, disk: &dyn Ground) -> Result<(), String> {
        match self.random.below(24) {
            0..=4 => {
                let first = self.own.len() as u64;
                // More than a segment of sled at once, so that it uses others again meanwhile.
                let is_burst = disk.scale() > 1 && self.random.one_in(5);
                let count = if is_burst { self.random.below(25 * disk.scale()) } else { 0 };
                let begun = (first..=first + count).map(|number| begin(number, self.random));
                let begun = begun.collect();
                self.append(disk, begun)
            }
            5..=11 => self.go_on(disk),
            12..=14 => self.delete_some(disk),
            15..=18 => self.compact(disk),
            19..=21 => self.checkpoint(disk),
            22 => {
                self.epoch = at_once(self.store.acquire()).map_err(text)?;
                self.history.epochs.push((self.epoch.0, disk.steps()));
                Ok(())
            }
            _ => self.reopen(disk),
        }
    }

    fn live(&mut self, one_in: u64) -> Vec<(u64, Own)> {
        let Self { own, random, .. } = self;
        let some = own.iter().filter(|(_, own)| !own.has_ended && !own.is_deleted);
        some.filter(|_| random.one_in(one_in)).map(|(number, own)| (*number, *own)).collect()
    }

    fn go_on(&mut self, disk: &dyn Ground) -> Result<(), String> {
        let mut batch = Vec::new();
        for (number, own) in self.live(2) {
            let next = own.last + 1;
            if own.last % 2 == 1 && self.random.one_in(3) {
                batch.push(completed(number, next));
                continue;
            }
            let many = 40 * disk.scale();
            let count = if self.random.one_in(9) { many } else { 1 + self.random.below(5) };
            batch.push(further(number, next, count, self.random));
            if self.random.one_in(4) {
                batch.push(further(number, next + count, 1, self.random));
            }
        }
        if self.random.one_in(5) {
            // It fits no history: it is refused and leaves nothing.
            batch.push(further(0, 1_000_000, 1, self.random));
        }
        self.append(disk, batch)
    }

    fn delete_some(&mut self, disk: &dyn Ground) -> Result<(), String> {
        let Self { own, random, .. } = self;
        let ended = own.iter().filter(|(_, own)| own.has_ended && !own.is_deleted);
        let some = ended.filter(|_| random.one_in(2));
        let batch = some.map(|(number, own)| deleted(*number, own.last + 1)).collect();
        self.append(disk, batch)
    }

    fn append(&mut self, disk: &dyn Ground, batch: Vec<Transition>) -> Result<(), String> {
        let mut next = self.store.last_position() + 1;
        let (mut expected, mut transitions, mut ends) = (Vec::new(), Vec::new(), self.own.clone());
        for transition in &batch {
            let number = (0..=ends.len() as u64).find(|n| stream(*n) == transition.stream);
            let number = number.ok_or("an unknown history")?;
            let own = Own::default();
            let mut end = ends.get(&number).copied().unwrap_or(own);
            if end.is_deleted || transition.first_sequence != end.last + 1 {
                expected.push(None);
                continue;
            }
            let records = records(transition, next);
            expected.push(Some(next));
            next += records.len() as u64;
            end.last += records.len() as u64;
            end.has_ended = records.last().is_some_and(is_end);
            end.is_deleted = records.last().is_some_and(is_tombstone);
            transitions.push(records);
            ends.insert(number, end);
        }
        let asked = disk.steps();
        let appended = at_once(self.store.append(self.epoch, batch));
        let acknowledged = appended.is_ok().then(|| disk.steps());
        self.history.appends.push(Asked { when: When { asked, acknowledged }, transitions });
        let appended = appended.map_err(text)?.into_iter().map(|appended| match appended {
            Appended::At(position) => Some(position),
            Appended::Conflict { .. } => None,
        });
        if !appended.eq(expected.iter().copied()) {
            return Err(format!("a batch was not appended as {expected:?}"));
        }
        self.own = ends;
        Ok(())
    }

    fn compact(&mut self, disk: &dyn Ground) -> Result<(), String> {
        let forgets = self.random.one_in(3);
        let forget_before = forgets.then_some(Timestamp(u64::MAX));
        for _ in 0..=self.random.below(5) {
            let asked = disk.steps();
            let done = at_once(self.store.compact(self.epoch, Compaction { forget_before }));
            let acknowledged = done.is_ok().then(|| disk.steps());
            let taken = done.as_ref().map_or(0, |done| done.events);
            let when = When { asked, acknowledged };
            self.history.slices.push(Slice { when, forgets, taken });
            done.map_err(text)?;
        }
        Ok(())
    }

    /// Tells of all that has changed since the last one, as the engine does.
    fn checkpoint(&mut self, disk: &dyn Ground) -> Result<(), String> {
        let mut checkpoint = checkpoint(&self.own, self.random);
        checkpoint.complete_to = Some(self.store.last_position());
        let asked = disk.steps();
        let written = at_once(self.store.write_checkpoint(checkpoint.clone()));
        let acknowledged = written.is_ok().then(|| disk.steps());
        let when = When { asked, acknowledged };
        self.history.checkpoints.push((when, Arc::new(checkpoint)));
        written.map_err(text)?;
        for own in self.own.values_mut() {
            own.saved = own.last;
        }
        Ok(())
    }

    /// Closes the store and opens it again.
    fn reopen(&mut self, disk: &dyn Ground) -> Result<(), String> {
        let elsewhere = SledStore::open_simulated(&SimDisk::new(), Default::default());
        self.is_open = false;
        drop(std::mem::replace(&mut self.store, elsewhere.map_err(text)?));
        self.store = open(disk, self.random)?;
        self.is_open = true;
        let found = whole_log(&self.store)?;
        compare(&found, &self.history.until(disk.steps()))?;
        self.epoch = at_once(self.store.acquire()).map_err(text)?;
        self.history.epochs.push((self.epoch.0, disk.steps()));
        self.look_around(&found)
    }
}
