//! Following the log.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::error::Error;
use crate::engine::ExecutionId;
use crate::store::{EventStore, Position, Record};

/// Records read at once.
const READ_RECORDS: usize = 512;

/// The records of the log from some position on, as they become durable: every one, once, in
/// order. Nothing is queued for a slow reader: it reads the log at its own pace.
pub struct Events {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) durable: watch::Receiver<Position>,
    pub(super) next: Position,
    pub(super) only: Option<ExecutionId>,
    pub(super) read: VecDeque<Record>,
}

impl Events {
    /// The position of the next record to be read from the log.
    #[must_use]
    pub fn position(&self) -> Position {
        self.read.front().map_or(self.next, |record| record.position)
    }

    /// Whether a record has been read and waits to be taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.read.is_empty()
    }

    /// Waits for the next record. Safe to cancel: a record is given once.
    ///
    /// # Errors
    /// The log cannot be read, or the system has stopped.
    pub async fn next(&mut self) -> Result<Record, Error> {
        loop {
            if let Some(record) = self.read.pop_front() {
                return Ok(record);
            }
            let next = self.next;
            let wait = self.durable.wait_for(|durable| *durable >= next).await;
            wait.map_err(|_| Error::Stopping)?;
            let records = self.store.read_log(next, READ_RECORDS).await?;
            if let Some(last) = records.last() {
                self.next = last.position + 1;
            }
            let wanted = |record: &Record| self.only.is_none_or(|id| id.0 == record.stream);
            self.read.extend(records.into_iter().filter(wanted));
        }
    }
}
