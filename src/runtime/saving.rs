//! A shard's part of a checkpoint.

use super::checkpoint::Saved;
use super::committer::Release;
use super::shard::{Saving, Shard, TURN_SNAPSHOTS};
use super::summary::Summary;
use crate::store::Snapshot;
use crate::store::codec::encode_execution;

impl Shard {
    /// Saves a part of what a running checkpoint asks for.
    pub(super) fn save_some(&mut self) {
        let Some(Saving { round, todo }) = &mut self.saving else { return };
        let round = *round;
        let rest = todo.len().saturating_sub(TURN_SNAPSHOTS);
        let mut snapshots = Vec::new();
        let mut is_whole = true;
        for id in todo.split_off(rest) {
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            if slot.execution.deleted.is_some() {
                continue;
            }
            slot.is_dirty = false;
            let (stream, sequence) = (slot.execution.stream(), slot.execution.sequence);
            match encode_execution(&slot.execution) {
                Ok(bytes) => snapshots.push(Snapshot { stream, sequence, bytes }),
                Err(error) => {
                    tracing::error!(execution = %id, %error, "an execution cannot be saved");
                    is_whole = false;
                }
            }
        }
        let done = todo.is_empty();
        let (rows, sent) = self.finished.send();
        let names = rows.iter().filter_map(|row| Some((row.name_key()?, row.id))).collect();
        let finished = rows.iter().map(Summary::finished).collect();
        self.release(Release::Checkpoint(Saved::Part { snapshots, finished, names, sent }));
        if !is_whole {
            self.release(Release::Checkpoint(Saved::Unsaved));
        }
        if done {
            self.saving = None;
            self.release(Release::Checkpoint(Saved::ShardDone(round)));
        }
    }
}
