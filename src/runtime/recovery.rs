//! Start-up: what was so when the process last stopped is so again.
//!
//! Snapshots of the last checkpoint, then the log from there on. Executions that have ended leave
//! only a row behind, and that only if the checkpoint does not hold it yet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::catalogue::Catalogue;
use super::controls::Controls;
use super::definitions::{Definitions, SavedVersions, is_definition_stream};
use super::summary::Summary;
use crate::engine::event::DefinitionStored;
use crate::engine::{Event, Execution, ExecutionId, Program};
use crate::language::{self, Format};
use crate::store::codec::decode_execution;
use crate::store::{Error, EventStore, Position, Record, Snapshot, Stream};

/// Records read from the log at once.
const READ_RECORDS: usize = 8192;

/// What recovery found.
#[derive(Default)]
pub(super) struct Recovered {
    /// Executions that have not ended.
    pub(super) live: HashMap<Stream, Execution>,
    /// Those of them that the checkpoint holds as they are.
    pub(super) saved: HashSet<Stream>,
    /// Where live executions asked for the places that they need, of what was read of the log.
    pub(super) asked: HashMap<Stream, Position>,
    /// Rows of executions that ended after the last checkpoint.
    pub(super) finished: HashMap<ExecutionId, Summary>,
    /// What people are told.
    pub(super) report: RecoveryReport,
}

/// What recovery did, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Events in the log.
    pub events: u64,
    /// Events that were read, because the last checkpoint did not cover them.
    pub events_read: u64,
    /// Executions that go on.
    pub executions: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What is known of the whole system, to be filled.
#[derive(Clone, Copy)]
pub(super) struct System<'s> {
    pub(super) definitions: &'s Definitions,
    pub(super) controls: &'s Controls,
    pub(super) catalogue: &'s Catalogue,
}

/// Reads the store.
///
/// # Errors
/// The log is damaged or cannot be read.
pub(super) async fn recover(
    store: &dyn EventStore,
    system: System<'_>,
) -> Result<Recovered, Error> {
    let (snapshots, from) = store.read_checkpoint().await?;
    let (mut recovered, mut next) = match restore(snapshots, system) {
        Some(restored) => (restored, from),
        // A checkpoint is only a cache: without it the whole log is read.
        None => (Recovered::default(), 1),
    };
    let last = store.last_position();
    recovered.report.events = last;
    while next <= last {
        let records = store.read_log(next, READ_RECORDS).await?;
        let Some(newest) = records.last().map(|record| record.position) else { break };
        recovered.report.events_read += newest + 1 - next;
        next = newest + 1;
        for record in &records {
            recovered.take_up(record, store).await?;
            recovered.take(record, system);
        }
    }
    recovered.report.executions = u64::try_from(recovered.live.len()).unwrap_or(u64::MAX);
    Ok(recovered)
}

/// Unpacks snapshots; nothing when one of them cannot be read.
fn restore(snapshots: Vec<Snapshot>, system: System<'_>) -> Option<Recovered> {
    let mut recovered = Recovered::default();
    let (mut versions, mut held, mut said) = (Vec::new(), None, None);
    for snapshot in snapshots {
        if is_definition_stream(snapshot.stream) {
            let saved: SavedVersions = serde_json::from_slice(&snapshot.bytes).ok()?;
            versions.extend(saved.0);
        } else if snapshot.stream == Controls::stream() {
            held = Some(snapshot.bytes);
        } else if snapshot.stream == Catalogue::stream() {
            said = Some(snapshot.bytes);
        } else {
            recovered.add(decode_execution(&snapshot.bytes).ok()?);
        }
    }
    if held.is_some_and(|held| !system.controls.restore(&held)) {
        return None;
    }
    if said.is_some_and(|said| !system.catalogue.restore(&said)) {
        return None;
    }
    for stored in versions {
        add_definition(stored, system.definitions);
    }
    Some(recovered)
}

impl Recovered {
    fn add(&mut self, execution: Execution) {
        if execution.status.is_terminal() {
            self.finished.insert(execution.id, Summary::of(&execution));
        } else {
            self.saved.insert(execution.stream());
            self.live.insert(execution.stream(), execution);
        }
    }

    /// What had ended and goes on with this record is live again: all before it is read once more.
    async fn take_up(&mut self, record: &Record, store: &dyn EventStore) -> Result<(), Error> {
        let is_redrive = matches!(&*record.event, Event::ExecutionRedriven(_));
        if !is_redrive || self.live.contains_key(&record.stream) {
            return Ok(());
        }
        let before = store.read_history(record.stream, 1..record.sequence).await?;
        let ended = Record::fold(ExecutionId(record.stream), &before);
        self.finished.remove(&ended.id);
        self.live.insert(record.stream, ended);
        Ok(())
    }

    /// Folds in one record of the tail.
    fn take(&mut self, record: &Record, system: System<'_>) {
        let System { definitions, controls, catalogue } = system;
        if let Event::DefinitionStored(stored) = &*record.event {
            if record.sequence > definitions.version_count(&stored.name) {
                add_definition(stored.clone(), definitions);
            }
            return;
        }
        if record.event.is_control() {
            return controls.apply(&record.event, record.sequence, record.time);
        }
        if record.event.is_of_catalogue() {
            return catalogue.apply(&record.event, record.sequence, record.time);
        }
        if let Event::ExecutionDeleted(_) = &*record.event {
            // Compaction may have taken any part of its history, so it may look alive.
            self.live.remove(&record.stream);
            self.saved.remove(&record.stream);
            self.asked.remove(&record.stream);
            self.finished.remove(&ExecutionId(record.stream));
            return;
        }
        if record.sequence == 1 {
            let fresh = Execution::new(ExecutionId(record.stream));
            self.live.entry(record.stream).or_insert(fresh);
        }
        // A history that is neither live nor begins here has ended, and has its row; or its row is of
        // a later end.
        let Some(execution) = self.live.get_mut(&record.stream) else { return };
        if record.sequence != execution.sequence + 1 {
            // The snapshot covers it.
            return;
        }
        execution.apply(&record.event, record.time);
        self.saved.remove(&record.stream);
        if execution.asked_for_place == record.sequence {
            self.asked.insert(record.stream, record.position);
        }
        if execution.status.is_terminal()
            && let Some(ended) = self.live.remove(&record.stream)
        {
            self.asked.remove(&record.stream);
            self.finished.insert(ended.id, Summary::of(&ended));
        }
    }
}

/// Makes a stored definition runnable again. One that no longer parses is kept out: the executions
/// that run it are set aside.
fn add_definition(stored: DefinitionStored, definitions: &Definitions) {
    let options = language::Options::default();
    match language::parse(stored.source.as_str(), Format::Json, &options) {
        Ok(workflow) => definitions.add(stored, Arc::new(Program::new(workflow))),
        Err(faults) => {
            let fault = faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
            tracing::error!(name = %stored.name, fault, "a stored definition cannot be read");
        }
    }
}
