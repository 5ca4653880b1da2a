//! A store that fails on command and remembers what was asked of it.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::engine::ExecutionId;
use crate::store::{
    Appended, Checkpoint, Compacted, Compaction, Epoch, Error, EventStore, Finished, Mishap,
    NameKey, OpenReport, Position, Record, Snapshot, Stream, Transition,
};

/// A call that a [`FaultyStore`] has seen, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `acquire`.
    Acquire,
    /// `append` of that many transitions began.
    AppendBegan(usize),
    /// That `append` ended, well or not.
    AppendEnded(bool),
    /// `read_log` from that position.
    ReadLog(Position),
    /// `read_history` of that history.
    ReadHistory(Stream),
    /// `write_checkpoint`.
    WriteCheckpoint,
    /// Something the test wrote between: see [`FaultyStore::note`].
    Note(String),
}

/// What the next appends do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// Fail before anything is written.
    Before(io::ErrorKind),
    /// Write, then say that it failed: what a failed sync looks like.
    After(io::ErrorKind),
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    appends_until_fault: Option<(usize, Fault)>,
    stopped: Option<String>,
    checkpoint_fault: Option<io::ErrorKind>,
    compact_fault: Option<io::ErrorKind>,
    rows_read: usize,
    history_faults: usize,
}

/// Passes everything to a store inside, until told to fail.
pub struct FaultyStore {
    inner: Arc<dyn EventStore>,
    state: Mutex<State>,
}

impl std::fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyStore").field("state", &self.state).finish_non_exhaustive()
    }
}

impl FaultyStore {
    /// A store that works like `inner` until told otherwise.
    #[must_use]
    pub fn new(inner: Arc<dyn EventStore>) -> Self {
        Self { inner, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After `successes` more appends, one fails and leaves nothing; the store then has stopped.
    pub fn fail_append_after(&self, successes: usize, kind: io::ErrorKind) {
        self.state().appends_until_fault = Some((successes, Fault::Before(kind)));
    }

    /// After `successes` more appends, one is written but reported as failed, as when the sync
    /// fails; the store then has stopped.
    pub fn fail_sync_after(&self, successes: usize, kind: io::ErrorKind) {
        self.state().appends_until_fault = Some((successes, Fault::After(kind)));
    }

    /// Makes every checkpoint fail from now on, or work again.
    pub fn fail_checkpoints(&self, kind: Option<io::ErrorKind>) {
        self.state().checkpoint_fault = kind;
    }

    /// Makes every compaction fail from now on, or work again.
    pub fn fail_compactions(&self, kind: Option<io::ErrorKind>) {
        self.state().compact_fault = kind;
    }

    /// Makes the next reads of histories fail, so many of them.
    pub fn fail_history_reads(&self, times: usize) {
        self.state().history_faults = times;
    }

    /// Everything that was asked so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many appends began.
    #[must_use]
    pub fn append_count(&self) -> usize {
        let began = |call: &&Call| matches!(call, Call::AppendBegan(_));
        self.state().calls.iter().filter(began).count()
    }

    /// How many rows of executions that have ended lists have read.
    #[must_use]
    pub fn rows_read(&self) -> usize {
        self.state().rows_read
    }

    /// Puts the test's own mark among the calls, to show what came before what.
    pub fn note(&self, text: impl Into<String>) {
        self.state().calls.push(Call::Note(text.into()));
    }

    fn next_fault(&self) -> Result<Option<Fault>, Error> {
        let mut state = self.state();
        if let Some(first) = &state.stopped {
            return Err(Error::Stopped { first: first.clone() });
        }
        match state.appends_until_fault.take() {
            Some((0, fault)) => Ok(Some(fault)),
            Some((left, fault)) => {
                state.appends_until_fault = Some((left - 1, fault));
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn stop(&self, operation: &'static str, kind: io::ErrorKind) -> Error {
        let error = Error::Io { operation, message: "made to fail".to_owned(), kind };
        self.state().stopped = Some(error.to_string());
        error
    }

    async fn try_append(
        &self,
        epoch: Epoch,
        batch: Vec<Transition>,
    ) -> Result<Vec<Appended>, Error> {
        match self.next_fault()? {
            None => self.inner.append(epoch, batch).await,
            Some(Fault::Before(kind)) => Err(self.stop("write of the log", kind)),
            Some(Fault::After(kind)) => {
                self.inner.append(epoch, batch).await?;
                Err(self.stop("sync of the log", kind))
            }
        }
    }
}

#[async_trait]
impl EventStore for FaultyStore {
    async fn acquire(&self) -> Result<Epoch, Error> {
        self.state().calls.push(Call::Acquire);
        self.inner.acquire().await
    }

    async fn append(&self, epoch: Epoch, batch: Vec<Transition>) -> Result<Vec<Appended>, Error> {
        self.state().calls.push(Call::AppendBegan(batch.len()));
        let result = self.try_append(epoch, batch).await;
        self.state().calls.push(Call::AppendEnded(result.is_ok()));
        result
    }

    fn last_position(&self) -> Position {
        self.inner.last_position()
    }

    async fn read_log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        self.state().calls.push(Call::ReadLog(from));
        self.inner.read_log(from, limit).await
    }

    async fn read_history(&self, stream: Stream, range: Range<u64>) -> Result<Vec<Record>, Error> {
        {
            let mut state = self.state();
            state.calls.push(Call::ReadHistory(stream));
            if state.history_faults > 0 {
                state.history_faults -= 1;
                let (message, kind) = ("made to fail".to_owned(), io::ErrorKind::Other);
                return Err(Error::Io { operation: "read of the log", message, kind });
            }
        }
        self.inner.read_history(stream, range).await
    }

    fn last_sequence(&self, stream: Stream) -> Result<u64, Error> {
        self.inner.last_sequence(stream)
    }

    fn position_of(&self, stream: Stream, sequence: u64) -> Result<Option<Position>, Error> {
        self.inner.position_of(stream, sequence)
    }

    async fn find_tombstone(&self, stream: Stream) -> Result<Option<Record>, Error> {
        self.inner.find_tombstone(stream).await
    }

    async fn compact(&self, epoch: Epoch, compaction: Compaction) -> Result<Compacted, Error> {
        let fault = self.state().compact_fault;
        if let Some(kind) = fault {
            return Err(self.stop("sync of the log", kind));
        }
        self.inner.compact(epoch, compaction).await
    }

    async fn write_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Error> {
        self.state().calls.push(Call::WriteCheckpoint);
        let fault = self.state().checkpoint_fault;
        if let Some(kind) = fault {
            let message = "made to fail".to_owned();
            return Err(Error::Io { operation: "write of the checkpoint", message, kind });
        }
        self.inner.write_checkpoint(checkpoint).await
    }

    async fn read_checkpoint(&self) -> Result<(Vec<Snapshot>, Position), Error> {
        self.inner.read_checkpoint().await
    }

    async fn list_finished(
        &self,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        let rows = self.inner.list_finished(before, limit).await?;
        self.state().rows_read += rows.len();
        Ok(rows)
    }

    async fn list_mishaps(
        &self,
        mishaps: &[Mishap],
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        let rows = self.inner.list_mishaps(mishaps, before, limit).await?;
        self.state().rows_read += rows.len();
        Ok(rows)
    }

    async fn find_finished(&self, execution: ExecutionId) -> Result<Option<Finished>, Error> {
        self.inner.find_finished(execution).await
    }

    async fn find_named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error> {
        self.inner.find_named(key).await
    }

    async fn find_fold(&self, stream: Stream, at: u64) -> Result<Option<Snapshot>, Error> {
        self.inner.find_fold(stream, at).await
    }

    fn open_report(&self) -> OpenReport {
        self.inner.open_report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use crate::testing::store_suite::{self, transition};

    #[tokio::test]
    async fn a_faulty_store_that_is_not_told_to_fail_keeps_every_promise() {
        store_suite::run_all(|| Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())))).await;
    }

    #[tokio::test]
    async fn after_the_failure_every_append_fails() {
        let store = FaultyStore::new(Arc::new(MemoryStore::new()));
        let epoch = store.acquire().await.unwrap();
        store.fail_sync_after(1, io::ErrorKind::StorageFull);
        assert!(store.append(epoch, vec![transition(1, 1, 1)]).await.is_ok());
        let error = store.append(epoch, vec![transition(1, 2, 1)]).await.unwrap_err();
        assert_eq!(error.code(), "STORE_DISK_FULL");
        let error = store.append(epoch, vec![transition(1, 3, 1)]).await.unwrap_err();
        assert_eq!(error.code(), "STORE_STOPPED");
        assert_eq!(store.append_count(), 3);
    }
}
