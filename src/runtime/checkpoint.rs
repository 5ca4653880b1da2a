//! Checkpoints: what lets recovery read a tail and not the whole log.
//!
//! When enough events have passed, the committer asks every shard for the executions that changed
//! since the last round. Their answers pass through the committer, behind all events they hold, so
//! a checkpoint is never ahead of the log. A thread of its own writes them, beside the commits.

use std::sync::Arc;

use async_channel::Receiver;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::definitions::Definitions;
use crate::store::{Checkpoint, EventStore, Finished, Position, Snapshot};

/// A shard's part of a round.
pub(super) enum Saved {
    /// Some of its executions.
    Part { snapshots: Vec<Snapshot>, finished: Vec<Finished> },
    /// It has given all.
    ShardDone,
    /// A round began when the log ended here.
    RoundBegan(Position),
}

/// Writes what shards save.
pub(super) struct CheckpointWriter {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) definitions: Arc<Definitions>,
    pub(super) parts: Receiver<Saved>,
    pub(super) shards: usize,
    /// How many rounds are complete.
    pub(super) rounds: watch::Sender<u64>,
}

impl CheckpointWriter {
    /// Writes until nobody can send any more.
    pub(super) fn run(self, runtime: &Handle) {
        let mut began_at = None;
        let mut done = 0;
        while let Ok(saved) = self.parts.recv_blocking() {
            let checkpoint = match saved {
                Saved::RoundBegan(position) => {
                    began_at = Some(position);
                    done = 0;
                    continue;
                }
                Saved::Part { snapshots, finished } => {
                    Checkpoint { snapshots, finished, complete_to: None }
                }
                Saved::ShardDone => {
                    done += 1;
                    if done < self.shards {
                        continue;
                    }
                    Checkpoint {
                        snapshots: self.definition_snapshots(),
                        finished: Vec::new(),
                        complete_to: began_at,
                    }
                }
            };
            let completes = checkpoint.complete_to.is_some();
            // The log is not affected: recovery then reads more of it.
            if let Err(error) = runtime.block_on(self.store.write_checkpoint(checkpoint)) {
                tracing::warn!(code = error.code(), %error, "a checkpoint could not be written");
            }
            if completes {
                self.rounds.send_modify(|rounds| *rounds += 1);
            }
        }
    }

    fn definition_snapshots(&self) -> Vec<Snapshot> {
        let snapshot = |(stream, sequence, versions)| Snapshot {
            stream,
            sequence,
            bytes: serde_json::to_vec(&versions).unwrap_or_default(),
        };
        self.definitions.saved().into_iter().map(snapshot).collect()
    }
}
