//! Rows of executions that have ended, for as long as no checkpoint holds them.
//!
//! A row leaves the memory only once it is written: until then lists find it here, and a checkpoint
//! that could not be written is made good by the next.

use std::collections::HashMap;

use super::summary::Summary;
use crate::engine::ExecutionId;

/// The rows of one shard.
#[derive(Default)]
pub(super) struct EndedRows {
    rows: HashMap<ExecutionId, Row>,
    /// Parts of checkpoints that were asked for rows.
    parts: u64,
}

struct Row {
    summary: Summary,
    /// The part of a checkpoint with which it is on its way to the disk.
    part: Option<u64>,
}

/// Rows that are on their way to the disk together.
pub(super) struct RowsInPart {
    pub(super) part: u64,
    pub(super) executions: Vec<ExecutionId>,
}

impl EndedRows {
    /// An execution has ended, maybe again.
    pub(super) fn insert(&mut self, summary: Summary) {
        self.rows.insert(summary.id, Row { summary, part: None });
    }

    pub(super) fn remove(&mut self, execution: ExecutionId) {
        self.rows.remove(&execution);
    }

    pub(super) fn get(&self, execution: ExecutionId) -> Option<&Summary> {
        self.rows.get(&execution).map(|row| &row.summary)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Summary> {
        self.rows.values().map(|row| &row.summary)
    }

    /// Those that are to be written, and are not on their way.
    pub(super) fn send(&mut self) -> (Vec<Summary>, RowsInPart) {
        self.parts += 1;
        let part = self.parts;
        let mut sent = Vec::new();
        for row in self.rows.values_mut().filter(|row| row.part.is_none()) {
            row.part = Some(part);
            sent.push(row.summary.clone());
        }
        // The oldest first, whatever the map says.
        sent.sort_unstable_by_key(|row| row.id);
        let executions = sent.iter().map(|row| row.id).collect();
        (sent, RowsInPart { part, executions })
    }

    /// Those that were sent together were written, or could not be.
    pub(super) fn arrived(&mut self, sent: &RowsInPart, written: bool) {
        for execution in &sent.executions {
            // One that has ended anew since then is another row.
            let Some(row) = self.rows.get_mut(execution) else { continue };
            if row.part != Some(sent.part) {
                continue;
            }
            row.part = None;
            if written {
                self.rows.remove(execution);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::engine::Execution;

    fn row(n: u128) -> Summary {
        Summary::of(&Execution::new(ExecutionId(Uuid::from_u128(n))))
    }

    #[test]
    fn a_row_stays_until_it_is_written_and_is_sent_again_when_it_was_not() {
        let mut rows = EndedRows::default();
        rows.insert(row(1));
        let (sent, first) = rows.send();
        assert_eq!((sent.len(), rows.all().count()), (1, 1));
        assert!(rows.send().0.is_empty(), "it is on its way");
        rows.arrived(&first, false);
        let (sent, second) = rows.send();
        assert_eq!(sent.len(), 1);
        rows.arrived(&second, true);
        assert_eq!(rows.all().count(), 0);
    }

    #[test]
    fn an_execution_that_ended_anew_keeps_its_row_when_the_one_before_arrives() {
        let mut rows = EndedRows::default();
        rows.insert(row(1));
        let (_, first) = rows.send();
        rows.insert(row(1));
        rows.arrived(&first, true);
        assert_eq!(rows.send().0.len(), 1);
    }
}
