//! What a client of a store knows: what it asked, and what of that was acknowledged when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::Event;
use crate::store::{Checkpoint, Position, Record, Snapshot, Stream, Transition};

/// When something was asked and when it was acknowledged, in steps of the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) asked: u64,
    /// None while it was not, and for ever where it failed.
    pub(super) acknowledged: Option<u64>,
}

/// A batch that was appended.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) when: When,
    /// Its transitions, each as the records that it becomes.
    pub(super) transitions: Vec<Vec<Record>>,
}

/// A slice of compaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) when: When,
    /// Whether it may take tombstones.
    pub(super) forgets: bool,
    /// How many records it said it took.
    pub(super) taken: u64,
}

/// All that a client has asked.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) appends: Vec<Asked>,
    pub(super) slices: Vec<Slice>,
    pub(super) checkpoints: Vec<(When, Arc<Checkpoint>)>,
    /// Epochs, and when they were given.
    pub(super) epochs: Vec<(u64, u64)>,
}

/// The records that a transition becomes.
pub(in super::super) fn records(transition: &Transition, first: Position) -> Vec<Record> {
    let events = transition.events.iter().zip(transition.first_sequence..).zip(first..);
    let record = |((event, sequence), position): ((&_, u64), Position)| Record {
        stream: transition.stream,
        sequence,
        position,
        time: transition.time,
        event: Arc::new(Clone::clone(event)),
    };
    events.map(record).collect()
}

/// Whether a record is a tombstone.
pub(in super::super) fn is_tombstone(record: &Record) -> bool {
    matches!(*record.event, Event::ExecutionDeleted(_))
}

/// Whether a record ends its history.
pub(in super::super) fn is_end(record: &Record) -> bool {
    matches!(*record.event, Event::ExecutionCompleted(_) | Event::ExecutionDeleted(_))
}

/// Records by their histories, in their order.
pub(in super::super) fn by_history<'r>(
    records: impl IntoIterator<Item = &'r Record>,
) -> BTreeMap<Stream, Vec<&'r Record>> {
    let mut histories: BTreeMap<Stream, Vec<&Record>> = BTreeMap::new();
    for record in records {
        histories.entry(record.stream).or_default().push(record);
    }
    histories
}

/// How far the snapshots of a checkpoint tell of histories. Each must be one that was written.
pub(in super::super) fn covered<'c>(
    snapshots: &[Snapshot],
    written: impl Iterator<Item = &'c Checkpoint>,
) -> Result<BTreeMap<Stream, u64>, String> {
    let mut by_place: BTreeMap<_, Vec<&Snapshot>> = BTreeMap::new();
    for one in written.flat_map(|one| &one.snapshots) {
        by_place.entry((one.stream, one.sequence)).or_default().push(one);
    }
    let mut covered = BTreeMap::new();
    for snapshot in snapshots {
        let place = (snapshot.stream, snapshot.sequence);
        // Where an index could not be read, another was written for the same place; a crash may
        // leave the older index.
        let written = by_place.get(&place).map_or(&[][..], Vec::as_slice);
        if !written.contains(&snapshot) {
            let of = |one: &&Snapshot| one.bytes.len();
            let lengths: Vec<_> = written.iter().map(of).collect();
            let length = snapshot.bytes.len();
            return Err(format!(
                "nobody wrote the snapshot {place:?} of {length} bytes, but some of {lengths:?}"
            ));
        }
        covered.insert(snapshot.stream, snapshot.sequence);
    }
    Ok(covered)
}

impl History {
    /// What of it holds after a crash: all was asked before.
    pub(super) fn after_crash(&self) -> Self {
        let before = |when: When| When { asked: 0, acknowledged: when.acknowledged.map(|_| 0) };
        let mut after = self.clone();
        for asked in &mut after.appends {
            asked.when = before(asked.when);
        }
        for slice in &mut after.slices {
            slice.when = before(slice.when);
        }
        for (when, _) in &mut after.checkpoints {
            *when = before(*when);
        }
        for (_, given) in &mut after.epochs {
            *given = 0;
        }
        after
    }

    /// What of it there was when the disk had done so many steps.
    pub(super) fn cut(&self, step: u64) -> Self {
        let then = |when: When| {
            let acknowledged = when.acknowledged.filter(|at| *at <= step);
            (when.asked <= step).then_some(When { acknowledged, ..when })
        };
        let asked = |one: &Asked| Some(Asked { when: then(one.when)?, ..one.clone() });
        let slice = |one: &Slice| Some(Slice { when: then(one.when)?, ..*one });
        let written = |(when, checkpoint): &(When, Arc<Checkpoint>)| {
            then(*when).map(|when| (when, Arc::clone(checkpoint)))
        };
        Self {
            appends: self.appends.iter().filter_map(asked).collect(),
            slices: self.slices.iter().filter_map(slice).collect(),
            checkpoints: self.checkpoints.iter().filter_map(written).collect(),
            epochs: self.epochs.iter().filter(|(_, given)| *given <= step).copied().collect(),
        }
    }

    /// Whether an append was not acknowledged, and never will be by the same store.
    pub(super) fn is_under_way(&self) -> bool {
        self.appends.iter().any(|asked| asked.when.acknowledged.is_none())
    }

    /// Learns at a restart what became of that which was under way: what is there is durable.
    pub(super) fn settle(&mut self, found: &[Record], now: u64) {
        let is_there = |records: &Vec<Record>| {
            let first = records.first().map(|record| record.position);
            found.binary_search_by_key(&first, |record| Some(record.position)).is_ok()
        };
        for asked in self.appends.iter_mut().filter(|asked| asked.when.acknowledged.is_none()) {
            asked.transitions.retain(is_there);
            asked.when.acknowledged = Some(now);
        }
    }

    /// What was known when the disk had done so many steps.
    pub(super) fn until(&self, step: u64) -> Known<'_> {
        let mut known = Known::default();
        let is_known = |when: When| when.acknowledged.is_some_and(|at| at <= step);
        for asked in self.appends.iter().filter(|asked| asked.when.asked <= step) {
            if is_known(asked.when) {
                known.certain.extend(asked.transitions.iter().flatten());
            } else {
                known.open.extend(asked.transitions.iter().map(Vec::as_slice));
            }
        }
        for slice in self.slices.iter().filter(|slice| slice.when.asked <= step) {
            known.compacts = true;
            known.forgets |= slice.forgets;
            if is_known(slice.when) {
                known.taken += slice.taken;
            }
        }
        let begun = self.checkpoints.iter().filter(|(when, _)| when.asked <= step);
        known.checkpoints = begun.map(|(_, checkpoint)| &**checkpoint).collect();
        let epochs = self.epochs.iter().filter(|(_, given)| *given <= step);
        known.epoch = epochs.map(|(epoch, _)| *epoch).max().unwrap_or(0);
        known
    }
}

/// What a client knew at some moment.
#[derive(Debug, Default)]
pub(super) struct Known<'h> {
    /// Records that were acknowledged, in order.
    pub(super) certain: Vec<&'h Record>,
    /// Transitions that were asked for and not acknowledged, in order.
    pub(super) open: Vec<&'h [Record]>,
    /// Whether any compaction has begun.
    pub(super) compacts: bool,
    /// Whether one may have taken tombstones.
    pub(super) forgets: bool,
    /// Records that were said to be taken.
    pub(super) taken: u64,
    pub(super) checkpoints: Vec<&'h Checkpoint>,
    /// The newest epoch that was given.
    pub(super) epoch: u64,
}

impl Known<'_> {
    /// The histories that were deleted, and acknowledged to be.
    pub(super) fn deleted(&self) -> BTreeSet<Stream> {
        let tombstones = self.certain.iter().filter(|record| is_tombstone(record));
        tombstones.map(|record| record.stream).collect()
    }
}
