//! The durable log: what every store promises, and the stores.
//!
//! A log is a sequence of records with dense positions from 1. A record is an event with the
//! history it belongs to (its stream), its place there and its time. Stores keep order, give back
//! what they took, and say "durable" only when it is.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::engine::{Event, Execution, ExecutionId, Status, Timestamp};

pub mod codec;
mod error;
pub(crate) mod frame;
mod memory;
mod sled;
mod upcast;

#[cfg(test)]
mod golden;

pub use error::{Damage, Error, OpenReport};
pub use memory::MemoryStore;
pub use sled::salvage::{LostHistory, LostPart, Moved, Salvaged, Span, salvage};
pub use sled::{Barrier, Check, Fdatasync, SledOptions, SledStore};
#[cfg(any(test, feature = "testing"))]
pub use sled::{Crash, SimDisk, Step};
#[cfg(any(test, feature = "testing"))]
pub(crate) use sled::{
    Entries, fuzz,
    tamper::{values, write_format},
};

/// How large one encoded event may be unless a store is told otherwise: 96 MiB. More than the limits
/// of the engine let any event have, which is 64 MiB for the items that a Map reads.
pub const DEFAULT_MAX_EVENT_BYTES: usize = 96 * 1024 * 1024;

/// A place in the whole log, dense, from 1.
pub type Position = u64;

/// The history that a record belongs to: an execution's id, or that of a definition.
pub type Stream = Uuid;

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Which history.
    pub stream: Stream,
    /// Place in that history, dense, from 1.
    pub sequence: u64,
    /// Place in the log.
    pub position: Position,
    /// When it was decided. Never earlier than the record before it in the same history.
    pub time: Timestamp,
    /// What happened.
    pub event: Arc<Event>,
}

impl Record {
    /// What a fold takes.
    #[must_use]
    pub fn dated(&self) -> (&Event, Timestamp) {
        (&self.event, self.time)
    }

    /// The execution as this history, from its first event on, leaves it.
    #[must_use]
    pub fn fold(id: ExecutionId, history: &[Self]) -> Execution {
        Execution::replay(id, history.iter().map(Self::dated))
    }
}

/// Events of one history that belong together: all of them become durable, or none.
#[derive(Debug, Clone)]
pub struct Transition {
    /// Which history.
    pub stream: Stream,
    /// The sequence of the first event: one more than the history has.
    pub first_sequence: u64,
    /// When they were decided.
    pub time: Timestamp,
    /// The events, at least one.
    pub events: Vec<Event>,
}

impl Transition {
    /// Whether a store takes such events: there are some, and a tombstone stands alone, so that all
    /// before it can be taken away.
    fn is_sound(&self) -> bool {
        let is_tombstone = |event: &Event| codec::deletes_history(codec::tag(event));
        match self.events.as_slice() {
            [] => false,
            [_] => true,
            events => !events.iter().any(is_tombstone),
        }
    }
}

/// What became of one transition of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Durable, with the position of its first event.
    At(Position),
    /// Refused: the history does not end where the transition expects; it ends here.
    Conflict {
        /// The sequence of the last record of the history.
        last_sequence: u64,
    },
}

/// A saved fold: a cache, never the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Which history.
    pub stream: Stream,
    /// The sequence of the last event folded in.
    pub sequence: u64,
    /// The fold, as the caller encoded it.
    pub bytes: Vec<u8>,
}

/// How an execution ended that did not plainly complete. Few end so, and those are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It completed with errors.
    WithErrors,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It timed out.
    TimedOut,
}

impl Mishap {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::WithErrors, Self::Failed, Self::Cancelled, Self::TimedOut];

    /// The one that is an end in this status.
    #[must_use]
    pub fn of(status: Status) -> Option<Self> {
        match status {
            Status::Pending | Status::Running | Status::Cancelling | Status::Completed => None,
            Status::CompletedWithErrors => Some(Self::WithErrors),
            Status::Failed => Some(Self::Failed),
            Status::Cancelled => Some(Self::Cancelled),
            Status::TimedOut => Some(Self::TimedOut),
        }
    }
}

/// What a store remembers of an execution that has ended, so that lists need not read the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Which execution.
    pub execution: ExecutionId,
    /// How it ended, unless it plainly completed.
    pub mishap: Option<Mishap>,
    /// The row that lists show, as the caller encoded it.
    pub row: Vec<u8>,
}

/// A digest of a workflow's name and the name that a caller gave one of its executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameKey(pub [u8; 16]);

impl NameKey {
    /// The key of an execution of `workflow` that is called `name`.
    #[must_use]
    pub fn of(workflow: &str, name: &str) -> Self {
        // Neither holds a zero byte, so no two pairs run together.
        let digest = Sha256::digest([workflow.as_bytes(), &[0], name.as_bytes()].concat());
        let mut key = [0; 16];
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(key)
    }
}

/// What is written, outside of the commit path, so that recovery need not read the whole log.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// Folds of live executions that changed since the last checkpoint.
    pub snapshots: Vec<Snapshot>,
    /// Executions that ended since the last checkpoint.
    pub finished: Vec<Finished>,
    /// The names of those, where callers gave them some.
    pub names: Vec<(NameKey, ExecutionId)>,
    /// When given: every history is covered up to this position, by what this and earlier
    /// checkpoints hold.
    pub complete_to: Option<Position>,
}

impl Checkpoint {
    /// Leaves out what is about some histories.
    fn leave_out(&mut self, is_gone: impl Fn(Stream) -> bool) {
        self.snapshots.retain(|snapshot| !is_gone(snapshot.stream));
        self.finished.retain(|finished| !is_gone(finished.execution.0));
        self.names.retain(|(_, execution)| !is_gone(execution.0));
    }
}

/// What compaction may take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compaction {
    /// Tombstones that were written before this moment go too; without it they stay. What remains
    /// of their executions is then nothing at all.
    pub forget_before: Option<Timestamp>,
}

/// What one slice of a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Compacted {
    /// Records that were taken away.
    pub events: u64,
    /// The bytes of the log that they took.
    pub bytes: u64,
    /// Whether nothing is left to take away.
    pub is_done: bool,
}

impl Compacted {
    /// Counts another slice in.
    pub fn add(&mut self, slice: Self) {
        self.events = self.events.saturating_add(slice.events);
        self.bytes = self.bytes.saturating_add(slice.bytes);
        self.is_done = slice.is_done;
    }
}

/// The right to append: only the newest one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A durable event log.
///
/// # Contract
///
/// The suite in `testing::store_suite` holds every store to this:
///
/// - **Atomic conditional append.** A batch is taken in order. Each transition is either whole or
///   absent, also after a crash. One whose `first_sequence` is not one more than its history's
///   last is a [`Appended::Conflict`] and leaves no trace; the others of the batch are unaffected.
/// - **Density.** Positions are 1, 2, 3 … without gap or repeat, in the order of the batches;
///   sequences likewise within a history. Only [`EventStore::compact`] leaves gaps, and those the
///   store states: any other hole is [`Error::Damaged`].
/// - **Deletion.** A history that ends in [`Event::ExecutionDeleted`] is deleted: it reads as
///   nothing, takes no more, and has no row. Its tombstone, which is a transition of its own (else
///   it is a conflict), can be found, and its records stay in the log until compaction takes
///   them. The last record of the log is never taken.
/// - **Durability on return.** When `append` returns `Ok`, every `Appended::At` of it survives a
///   power cut. When it returns an error, nothing may be acknowledged and every later append fails
///   too: a failed fsync is never retried.
/// - **Fencing.** `acquire` gives an epoch greater than any before; an append with an older one
///   fails with [`Error::Fenced`].
/// - **Reading** gives only durable records, in order, as they were written.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Becomes the only writer. Durable on return.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn acquire(&self) -> Result<Epoch, Error>;

    /// Appends a batch. See the trait's contract.
    ///
    /// # Errors
    /// Nothing of the batch is acknowledged. After [`Error::Io`] the store takes no more.
    async fn append(&self, epoch: Epoch, batch: Vec<Transition>) -> Result<Vec<Appended>, Error>;

    /// The position of the last durable record, 0 when there is none.
    fn last_position(&self) -> Position;

    /// Records of the whole log from `from` on, at most `limit` of them; those that compaction took
    /// are passed over. There is always one while `from` is not after the last position.
    ///
    /// # Errors
    /// Damage, with the place.
    async fn read_log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error>;

    /// Records of one history with sequences in `range`. An unknown history is empty, and so is one
    /// that was deleted.
    ///
    /// # Errors
    /// Damage, with the place.
    async fn read_history(&self, stream: Stream, range: Range<u64>) -> Result<Vec<Record>, Error>;

    /// The sequence of the last record of a history: 0 when there is none. Of a deleted one that is
    /// its tombstone's. Looks no further than an index, so that a writer may ask.
    ///
    /// # Errors
    /// Damage.
    fn last_sequence(&self, stream: Stream) -> Result<u64, Error>;

    /// Where in the log the record of a history with this sequence is, as far as an index tells: of a
    /// history's only record always. Who gets none has to read the history; there may be no such
    /// record.
    ///
    /// # Errors
    /// Damage.
    fn position_of(&self, stream: Stream, sequence: u64) -> Result<Option<Position>, Error>;

    /// The tombstone of a history that was deleted.
    ///
    /// # Errors
    /// Damage, with the place.
    async fn find_tombstone(&self, stream: Stream) -> Result<Option<Record>, Error>;

    /// Takes the records of deleted histories away, but for their tombstones: a bounded part of that
    /// work, durable on return. Call it again until it is done. Whenever it is cut off, each record
    /// is there or is gone.
    ///
    /// # Errors
    /// As [`EventStore::append`].
    async fn compact(&self, epoch: Epoch, compaction: Compaction) -> Result<Compacted, Error>;

    /// Writes a checkpoint. It need not be durable on return, but must never be seen to be ahead
    /// of the log: callers give only folds of durable events.
    ///
    /// # Errors
    /// The store cannot be written. The log itself is not affected.
    async fn write_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Error>;

    /// What the last complete checkpoint holds: the snapshots of live histories, and the position
    /// from which the log must be read to catch up (the one after `complete_to`).
    ///
    /// Some snapshots may be newer than that position; skip records whose sequence they cover.
    ///
    /// # Errors
    /// Damage of the checkpoint is not an error: the answer is then "none, read from 1".
    async fn read_checkpoint(&self) -> Result<(Vec<Snapshot>, Position), Error>;

    /// Rows of executions that have ended, newest first, from before `before` (exclusive), at most
    /// `limit`.
    ///
    /// # Errors
    /// Damage.
    async fn list_finished(
        &self,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error>;

    /// The same, of those alone that ended in one of these ways. Reads no others: where very many
    /// executions ended and few of them so, it takes no longer than where few ended.
    ///
    /// # Errors
    /// Damage.
    async fn list_mishaps(
        &self,
        mishaps: &[Mishap],
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error>;

    /// The row of one execution that has ended.
    ///
    /// # Errors
    /// Damage.
    async fn find_finished(&self, execution: ExecutionId) -> Result<Option<Finished>, Error>;

    /// The execution that was last written under a name, in a checkpoint; none once it is deleted.
    ///
    /// # Errors
    /// Damage.
    async fn find_named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error>;

    /// A fold of a history as it was after the event with the sequence `at`, or after an earlier one;
    /// the nearest that the store keeps, as [`codec::encode_execution`] wrote it. A cache, so that
    /// long histories can be looked into: there need be none.
    ///
    /// # Errors
    /// Damage.
    async fn find_fold(&self, stream: Stream, at: u64) -> Result<Option<Snapshot>, Error>;

    /// What was found and repaired when the store was opened.
    fn open_report(&self) -> OpenReport;
}
