//! Executions as their histories on disk tell them: as they are, and as they were.

use std::ops::Range;

use super::error::Error;
use crate::engine::{Event, Execution, ExecutionId, Timestamp};
use crate::store::{EventStore, Record, codec};

/// Folds the history of an execution from disk.
///
/// # Errors
/// There is no such execution, it was deleted, or the log cannot be read.
pub async fn read_execution(
    store: &dyn EventStore,
    execution: ExecutionId,
) -> Result<Execution, Error> {
    let now = read_up_to(store, execution, u64::MAX).await?;
    if now.sequence == 0 || !super::definitions::is_execution_stream(execution.0) {
        return Err(missing(store, execution).await?);
    }
    Ok(now)
}

/// The execution as it was after the event with this sequence, or after an earlier one: the nearest
/// that is kept. What is not kept at all, or is no more, has no events.
///
/// # Errors
/// The log cannot be read.
pub(super) async fn read_near(
    store: &dyn EventStore,
    execution: ExecutionId,
    sequence: u64,
) -> Result<Execution, Error> {
    let kept = store.find_fold(execution.0, sequence).await?;
    // A fold of another version of this program is of no use.
    let kept = kept.and_then(|kept| codec::decode_execution(&kept.bytes).ok());
    Ok(kept.unwrap_or_else(|| Execution::new(execution)))
}

/// The execution as it was after the event with this sequence, or after its last one if it has fewer.
/// What is not there has no events.
///
/// # Errors
/// The log cannot be read.
async fn read_up_to(
    store: &dyn EventStore,
    execution: ExecutionId,
    sequence: u64,
) -> Result<Execution, Error> {
    let mut then = read_near(store, execution, sequence).await?;
    let rest = then.sequence + 1..sequence.saturating_add(1);
    for record in store.read_history(execution.0, rest).await? {
        then.apply(&record.event, record.time);
    }
    Ok(then)
}

/// Part of the history of an execution.
///
/// # Errors
/// There is no such execution, it was deleted, or the log cannot be read.
pub(super) async fn read_part(
    store: &dyn EventStore,
    execution: ExecutionId,
    range: Range<u64>,
) -> Result<Vec<Record>, Error> {
    let records = store.read_history(execution.0, range).await?;
    let is_execution = super::definitions::is_execution_stream(execution.0);
    if records.is_empty() || !is_execution {
        let why = missing(store, execution).await?;
        let is_deleted = matches!(why, Error::Deleted { .. });
        // Of one that is there, the range may hold nothing.
        if is_deleted || !is_execution || store.last_sequence(execution.0)? == 0 {
            return Err(why);
        }
    }
    Ok(records)
}

/// The same, with the history.
pub(super) async fn read_whole(
    store: &dyn EventStore,
    id: ExecutionId,
) -> Result<(Execution, Vec<Record>), Error> {
    let records = store.read_history(id.0, 1..u64::MAX).await?;
    if records.is_empty() || !super::definitions::is_execution_stream(id.0) {
        return Err(missing(store, id).await?);
    }
    Ok((Record::fold(id, &records), records))
}

/// Why there is nothing to be read of an execution: it was deleted, or never was.
///
/// # Errors
/// The store cannot be read.
async fn missing(store: &dyn EventStore, id: ExecutionId) -> Result<Error, Error> {
    let tombstone = store.find_tombstone(id.0).await?;
    Ok(match tombstone.as_ref().map(|tombstone| &*tombstone.event) {
        Some(Event::ExecutionDeleted(body)) => Error::Deleted {
            execution: id,
            by: body.by.clone(),
            reason: body.reason.clone(),
            at: tombstone.as_ref().map_or(Timestamp(0), |tombstone| tombstone.time),
        },
        _ => Error::NoSuchExecution { id: id.to_string() },
    })
}

/// The history of an execution; empty when there is none.
///
/// # Errors
/// The execution was deleted, or the log cannot be read.
pub(super) async fn read_records(
    store: &dyn EventStore,
    execution: ExecutionId,
) -> Result<Vec<Record>, Error> {
    let records = store.read_history(execution.0, 1..u64::MAX).await?;
    if records.is_empty()
        && let deleted @ Error::Deleted { .. } = missing(store, execution).await?
    {
        return Err(deleted);
    }
    Ok(records)
}

/// Folds the history of an execution from disk, up to the event with this sequence.
///
/// # Errors
/// There is no such execution or event, or the log cannot be read.
pub async fn read_execution_at(
    store: &dyn EventStore,
    execution: ExecutionId,
    sequence: u64,
) -> Result<Execution, Error> {
    let then = read_up_to(store, execution, sequence).await?;
    let found = sequence > 0 && then.sequence == sequence;
    if !found || !super::definitions::is_execution_stream(execution.0) {
        let last = read_execution(store, execution).await?.sequence;
        return Err(Error::NoSuchEvent { execution, sequence, last });
    }
    Ok(then)
}
