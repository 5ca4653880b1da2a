//! Executions as their histories on disk tell them: as they are, and as they were.

use super::delete::missing;
use super::error::Error;
use crate::engine::{Execution, ExecutionId};
use crate::store::{EventStore, Record};

/// Folds the history of an execution from disk.
///
/// # Errors
/// There is no such execution, or the log cannot be read.
pub async fn read_execution(
    store: &dyn EventStore,
    execution: ExecutionId,
) -> Result<Execution, Error> {
    let records = store.read_history(execution.0, 1..u64::MAX).await?;
    if records.is_empty() || !super::definitions::is_execution_stream(execution.0) {
        return Err(missing(store, execution).await?);
    }
    folded(execution, &records)
}

/// Folds all records of an execution.
///
/// # Errors
/// There is no such execution.
pub(super) fn folded(execution: ExecutionId, records: &[Record]) -> Result<Execution, Error> {
    if records.is_empty() || !super::definitions::is_execution_stream(execution.0) {
        return Err(Error::NoSuchExecution { id: execution.to_string() });
    }
    let history = records.iter().map(|record| (&*record.event, record.time));
    Ok(Execution::replay(execution, history))
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
    let records = store.read_history(execution.0, 1..sequence.saturating_add(1)).await?;
    let found = records.last().is_some_and(|record| record.sequence == sequence);
    if !found || !super::definitions::is_execution_stream(execution.0) {
        let last = read_execution(store, execution).await?.sequence;
        return Err(Error::NoSuchEvent { execution, sequence, last });
    }
    Ok(Execution::replay(execution, records.iter().map(|record| (&*record.event, record.time))))
}
