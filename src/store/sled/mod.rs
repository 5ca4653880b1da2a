//! The store on disk, in two sled databases and one small file.
//!
//! ```text
//! DIR/lock         held while the store is open; names the process
//! DIR/log/         the log: chunks of records under the position of their first one
//! DIR/index/       a projection: ends of histories, snapshots, rows; may be thrown away
//! DIR/high-water   the last durable position, outside of sled
//! ```
//!
//! sled's `flush` does not sync on Linux, so every commit is followed by an `fdatasync` of our own,
//! and only then is anything acknowledged or shown to readers.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Appended, Checkpoint, Compacted, Compaction, DEFAULT_MAX_EVENT_BYTES, Epoch, Error, EventStore,
    Finished, Mishap, NameKey, OpenReport, Position, Record, Snapshot, Stream, Transition,
};
use crate::engine::ExecutionId;
use disk::Disk;
#[cfg(any(test, feature = "testing"))]
pub(crate) use disk::simulated::Entries;
#[cfg(any(test, feature = "testing"))]
pub use disk::simulated::{Crash, SimDisk, Step};

mod append;
mod compact;
mod digest;
mod disk;
mod files;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
mod guard;
mod heads;
mod high_water;
mod index;
mod log;
mod open;
mod read;
mod redo;
mod rows;
pub(super) mod salvage;
mod scan;
mod tail;
#[cfg(any(test, feature = "testing"))]
pub(super) mod tamper;
mod waypoints;

#[cfg(test)]
mod compact_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;

/// How much of the log is looked at when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// All of it: damage anywhere refuses to open. Takes about a second for a million records.
    #[default]
    All,
    /// What came after the last checkpoint. Damage before it is found when it is read.
    Tail,
}

/// How to open a store.
#[derive(Debug, Clone, Copy)]
pub struct SledOptions {
    /// Memory for pages of the log, in bytes. sled holds some more than this.
    pub log_cache_bytes: u64,
    /// Memory for pages of the index, in bytes.
    pub index_cache_bytes: u64,
    /// The largest encoded event that is taken, in bytes; at most 128 MiB.
    pub max_event_bytes: usize,
    /// How much is checked.
    pub check: Check,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            log_cache_bytes: 8 * 1024 * 1024,
            index_cache_bytes: 4 * 1024 * 1024,
            max_event_bytes: DEFAULT_MAX_EVENT_BYTES,
            check: Check::All,
        }
    }
}

/// What makes the log durable. Tests put their own here, to see when it is called or to let it
/// fail.
pub trait Barrier: Send + Sync + 'static {
    /// Returns once everything written to `file` survives a power cut.
    ///
    /// # Errors
    /// The disk's. The store then stops, and never calls this again.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The barrier for work: `fdatasync`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fdatasync;

impl Barrier for Fdatasync {
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// Where a history ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Head {
    /// The first record of its last transition; 0 when it has none.
    position: Position,
    /// The sequence of its last record.
    sequence: u64,
    /// Whether that record ended it.
    ended: bool,
    /// Whether that record is its tombstone.
    deleted: bool,
    /// Whether the index has this.
    saved: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is guarded here is left half-changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A durable event log in a folder of its own, for one process at a time.
///
/// Appends run on the thread that calls them, for as long as the disk takes; give them a thread of
/// their own. Reads and checkpoints move to a thread for blocking work when there is a runtime.
///
/// Memory grows with live histories only, as long as checkpoints are written: each one moves the
/// ends of finished histories to the disk.
pub struct SledStore {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore")
            .field("last_position", &self.inner.last_position())
            .finish_non_exhaustive()
    }
}

/// The order of the fields is the order of closing: the lock goes last.
struct Inner {
    log: log::Log,
    index: index::Index,
    barrier: Box<dyn Barrier>,
    options: SledOptions,
    writer: Mutex<append::Writer>,
    /// Ends of live histories, and of those that the index does not have yet. Changes together
    /// with `last`.
    heads: Mutex<heads::Heads>,
    /// The last durable position.
    last: AtomicU64,
    checkpointing: Mutex<()>,
    /// Counts the changes that compaction makes to what is written: odd while one is being made.
    rewrites: AtomicU64,
    high_water_file: disk::SmallFile,
    report: OpenReport,
    _held: Arc<disk::Held>,
}

impl SledStore {
    /// Opens the store in `folder`, or makes a new one there.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it open, [`Error::NewerFormat`] when a newer
    /// program wrote it, [`Error::Damaged`] when it cannot be read to its end, or what the file
    /// system says.
    pub fn open(folder: &Path, options: SledOptions) -> Result<Self, Error> {
        Self::open_with(folder, options, Fdatasync)
    }

    /// Opens the store with another barrier.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open_with(
        folder: &Path,
        options: SledOptions,
        barrier: impl Barrier,
    ) -> Result<Self, Error> {
        let inner = open::open(&Disk::folder(folder), options, Box::new(barrier))?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens the store on a simulated disk, or makes a new one there. All of its work is done in
    /// the thread that asks for it, and no future of it ever waits.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    #[cfg(any(test, feature = "testing"))]
    pub fn open_simulated(disk: &SimDisk, options: SledOptions) -> Result<Self, Error> {
        let inner = open::open(&Disk::Simulated(disk.clone()), options, Box::new(Fdatasync))?;
        Ok(Self { inner: Arc::new(inner) })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let runtime = tokio::runtime::Handle::try_current().ok();
        let Some(runtime) = runtime.filter(|_| self.inner.log.db.may_block()) else {
            return work(&self.inner);
        };
        let inner = Arc::clone(&self.inner);
        let task = runtime.spawn_blocking(move || work(&inner));
        task.await.unwrap_or_else(|error| {
            let error = io::Error::other(error.to_string());
            Err(Error::io("work on the store", &error))
        })
    }
}

impl Inner {
    fn last_position(&self) -> Position {
        self.last.load(Ordering::Acquire)
    }

    fn set_last_position(&self, position: Position) {
        self.last.store(position, Ordering::Release);
    }

    fn sync(&self) -> Result<(), Error> {
        self.log.db.sync(&*self.barrier).map_err(|error| Error::io("sync of the log", &error))
    }

    /// Where a history ends. A checkpoint writes an end to the index before it forgets it here.
    fn find_head(&self, stream: Stream) -> Result<Option<Head>, Error> {
        let live = lock(&self.heads).get(&stream).copied();
        live.map_or_else(|| self.index.head(stream), |head| Ok(Some(head)))
    }

    /// Whether an execution has gone on, or was deleted, since its row was written.
    fn has_outlived_its_row(&self, execution: ExecutionId) -> bool {
        let head = lock(&self.heads).get(&execution.0).copied();
        head.is_some_and(|head| !head.ended || head.deleted)
    }

    fn is_deleted(&self, stream: Stream) -> Result<bool, Error> {
        Ok(self.find_head(stream)?.is_some_and(|head| head.deleted))
    }

    /// The tombstone of a deleted history.
    fn find_tombstone(&self, stream: Stream) -> Result<Option<Record>, Error> {
        match self.find_head(stream)?.filter(|head| head.deleted) {
            None => Ok(None),
            Some(head) => {
                let found = self.read_log(head.position, 1)?.pop();
                Ok(found.filter(|record| record.stream == stream))
            }
        }
    }

    /// The execution that was last written under a name, unless it is deleted.
    fn find_named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error> {
        let Some(named) = self.index.find_named(key)? else { return Ok(None) };
        // A name may outlive what it was given to by a moment.
        let head = self.find_head(named.0)?;
        Ok(head.is_some_and(|head| !head.deleted).then_some(named))
    }

    /// Leaves out what is about deleted executions: whoever saved it did not know yet.
    fn without_deleted(&self, mut checkpoint: Checkpoint) -> Result<Checkpoint, Error> {
        let mut deleted = std::collections::HashSet::new();
        let snapshots = checkpoint.snapshots.iter().map(|snapshot| snapshot.stream);
        let finished = checkpoint.finished.iter().map(|finished| finished.execution.0);
        let named = checkpoint.names.iter().map(|(_, execution)| execution.0);
        for stream in snapshots.chain(finished).chain(named) {
            if self.is_deleted(stream)? {
                deleted.insert(stream);
            }
        }
        checkpoint.leave_out(|stream| deleted.contains(&stream));
        Ok(checkpoint)
    }

    fn write_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Error> {
        let live = checkpoint.snapshots.iter().map(|snapshot| snapshot.stream);
        let ended = checkpoint.finished.iter().map(|finished| finished.execution.0);
        let grown: Vec<Stream> = live.chain(ended).collect();
        self.save(checkpoint, &lock(&self.checkpointing))?;
        for stream in grown {
            // The checkpoint stands without them.
            if let Err(error) = self.set_waypoints(stream) {
                tracing::warn!(code = error.code(), %error, "no waypoints are set in a history");
            }
        }
        Ok(())
    }

    /// Writes a checkpoint, with the ends of histories that the index does not have yet.
    fn save(&self, checkpoint: Checkpoint, _: &MutexGuard<'_, ()>) -> Result<(), Error> {
        let checkpoint = &self.without_deleted(checkpoint)?;
        let (unsaved, last) = {
            let heads = lock(&self.heads);
            (heads.unsaved(), self.last_position())
        };
        self.index.write(checkpoint, &unsaved, last)?;
        lock(&self.heads).note_saved(&unsaved);
        self.high_water_file
            .sync_data()
            .map_err(|error| Error::io("sync of the high-water mark", &error))
    }
}

#[async_trait]
impl EventStore for SledStore {
    async fn acquire(&self) -> Result<Epoch, Error> {
        self.inner.acquire()
    }

    async fn append(&self, epoch: Epoch, batch: Vec<Transition>) -> Result<Vec<Appended>, Error> {
        self.inner.append(epoch, &batch)
    }

    fn last_position(&self) -> Position {
        self.inner.last_position()
    }

    async fn read_log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        self.blocking(move |inner| inner.read_log(from, limit)).await
    }

    async fn read_history(&self, stream: Stream, range: Range<u64>) -> Result<Vec<Record>, Error> {
        self.blocking(move |inner| inner.read_history(stream, range)).await
    }

    fn last_sequence(&self, stream: Stream) -> Result<u64, Error> {
        Ok(self.inner.find_head(stream)?.map_or(0, |head| head.sequence))
    }

    fn position_of(&self, stream: Stream, sequence: u64) -> Result<Option<Position>, Error> {
        // It says where the last transition begins, and not how many records that has.
        let only = |head: &Head| head.sequence == 1 && sequence == 1 && !head.deleted;
        Ok(self.inner.find_head(stream)?.filter(only).map(|head| head.position))
    }

    async fn find_tombstone(&self, stream: Stream) -> Result<Option<Record>, Error> {
        self.blocking(move |inner| inner.find_tombstone(stream)).await
    }

    async fn compact(&self, epoch: Epoch, compaction: Compaction) -> Result<Compacted, Error> {
        self.inner.compact(epoch, compaction)
    }

    async fn write_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Error> {
        self.blocking(move |inner| inner.write_checkpoint(checkpoint)).await
    }

    async fn read_checkpoint(&self) -> Result<(Vec<Snapshot>, Position), Error> {
        self.blocking(|inner| match inner.index.checkpoint() {
            Ok((snapshots, complete_to)) => Ok((snapshots, complete_to.saturating_add(1))),
            Err(Error::Damaged { damage }) => {
                tracing::warn!(reason = %damage.reason, "the checkpoint is not used");
                Ok((Vec::new(), 1))
            }
            Err(error) => Err(error),
        })
        .await
    }

    async fn list_finished(
        &self,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        self.blocking(move |inner| {
            let has_row = |execution| !inner.has_outlived_its_row(execution);
            inner.index.list_finished(before, limit, has_row)
        })
        .await
    }

    async fn list_mishaps(
        &self,
        mishaps: &[Mishap],
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        let mishaps = mishaps.to_vec();
        self.blocking(move |inner| {
            let has_row = |execution| !inner.has_outlived_its_row(execution);
            inner.index.list_mishaps(&mishaps, before, limit, has_row)
        })
        .await
    }

    async fn find_finished(&self, execution: ExecutionId) -> Result<Option<Finished>, Error> {
        self.blocking(move |inner| {
            if inner.has_outlived_its_row(execution) {
                return Ok(None);
            }
            inner.index.find_finished(execution)
        })
        .await
    }

    async fn find_named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error> {
        self.blocking(move |inner| inner.find_named(key)).await
    }

    async fn find_fold(&self, stream: Stream, at: u64) -> Result<Option<Snapshot>, Error> {
        self.blocking(move |inner| inner.find_fold(stream, at)).await
    }

    fn open_report(&self) -> OpenReport {
        self.inner.report.clone()
    }
}
