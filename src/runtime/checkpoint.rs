//! Checkpoints: what lets recovery read a tail and not the whole log.
//!
//! When enough events have passed, the committer asks every shard for the executions that changed
//! since the last round. Their answers pass through the committer, behind all events they hold, so
//! a checkpoint is never ahead of the log. A task of its own writes them, beside the commits.

use std::sync::{Arc, Mutex, PoisonError};

use async_channel::{Receiver, Sender};
use tokio::sync::watch;

use super::catalogue::Catalogue;
use super::controls::Controls;
use super::definitions::Definitions;
use super::ended::RowsInPart;
use super::names::Names;
use super::shard::Tools;
use super::shards::{Note, Shards};
use crate::engine::ExecutionId;
use crate::store::{Checkpoint, EventStore, Finished, NameKey, Position, Snapshot};

/// A shard's part of a round.
pub(super) enum Saved {
    /// Some of its executions.
    Part {
        snapshots: Vec<Snapshot>,
        finished: Vec<Finished>,
        names: Vec<(NameKey, ExecutionId)>,
        /// The rows, for the shard to be told what became of them.
        sent: RowsInPart,
    },
    /// One of its executions could not be saved.
    Unsaved,
    /// It has given all for this round.
    ShardDone(u64),
    /// A round began when the log ended at the position.
    RoundBegan(u64, Position),
}

/// Begins rounds. A round that begins while another is under way takes its place: it covers more.
pub(super) struct Rounds {
    last: Mutex<u64>,
    parts: Sender<Saved>,
    shards: Shards,
}

impl Rounds {
    pub(super) fn new(parts: Sender<Saved>, shards: Shards) -> Arc<Self> {
        Arc::new(Self { last: Mutex::new(0), parts, shards })
    }

    /// Asks every shard for what changed up to `covered`, the last durable position.
    pub(super) fn begin(&self, covered: Position) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        // The writer is gone only when the process stops.
        drop(self.parts.try_send(Saved::RoundBegan(*last, covered)));
        self.shards.note_all(|| Note::Checkpoint(*last));
    }

    /// Passes on what a shard saved; never waits.
    pub(super) fn pass_on(&self, saved: Saved) {
        drop(self.parts.try_send(saved));
    }

    /// Lets the writer end once it has written what it has.
    pub(super) fn close(&self) {
        self.parts.close();
    }
}

/// Writes what shards save.
pub(super) struct CheckpointWriter {
    store: Arc<dyn EventStore>,
    definitions: Arc<Definitions>,
    controls: Arc<Controls>,
    catalogue: Arc<Catalogue>,
    names: Arc<Names>,
    parts: Receiver<Saved>,
    shards: Shards,
    /// How many rounds are complete.
    rounds: watch::Sender<u64>,
}

impl CheckpointWriter {
    pub(super) fn new(tools: &Tools, parts: Receiver<Saved>, rounds: watch::Sender<u64>) -> Self {
        Self {
            store: tools.store.clone(),
            definitions: tools.definitions.clone(),
            controls: tools.controls.clone(),
            catalogue: tools.catalogue.clone(),
            names: tools.names.clone(),
            parts,
            shards: tools.shards.clone(),
            rounds,
        }
    }

    /// Writes until nobody can send any more.
    pub(super) async fn run(self) {
        let mut current = (0, None);
        let mut done = 0;
        // What is missing once is missing until the execution changes again. From then on no
        // checkpoint may say that it is complete, or the next start would not know of it.
        let mut is_whole = true;
        while let Ok(saved) = self.parts.recv().await {
            let mut rows = None;
            let checkpoint = match saved {
                Saved::RoundBegan(round, covered) => {
                    current = (round, Some(covered));
                    done = 0;
                    continue;
                }
                Saved::Part { snapshots, finished, names, sent } => {
                    rows = Some(sent);
                    Checkpoint { snapshots, finished, names, complete_to: None }
                }
                Saved::Unsaved => {
                    is_whole = false;
                    continue;
                }
                Saved::ShardDone(round) => {
                    done += usize::from(round == current.0);
                    if round != current.0 || done < self.shards.count() {
                        continue;
                    }
                    Checkpoint {
                        snapshots: self.system_snapshots(),
                        finished: Vec::new(),
                        names: Vec::new(),
                        complete_to: current.1.filter(|_| is_whole),
                    }
                }
            };
            let ends_round = done == self.shards.count();
            let names = checkpoint.names.clone();
            let written = self.store.write_checkpoint(checkpoint).await;
            if let Some(sent) = rows {
                self.tell(sent, written.is_ok());
            }
            match written {
                Ok(()) => self.names.let_go(&names),
                // The log is not affected: recovery then reads more of it.
                Err(error) => {
                    is_whole = false;
                    let code = error.code();
                    tracing::warn!(code, %error, "a checkpoint could not be written");
                }
            }
            if ends_round {
                done = 0;
                self.rounds.send_modify(|rounds| *rounds += 1);
            }
        }
    }

    /// Tells a shard what became of rows of its own.
    fn tell(&self, sent: RowsInPart, written: bool) {
        if let Some(first) = sent.executions.first().copied() {
            self.shards.note(first, Note::RowsArrived { sent, written });
        }
    }

    /// Of histories that are no execution's.
    fn system_snapshots(&self) -> Vec<Snapshot> {
        let snapshot = |(stream, sequence, versions)| Snapshot {
            stream,
            sequence,
            bytes: serde_json::to_vec(&versions).unwrap_or_default(),
        };
        let definitions = self.definitions.saved().into_iter().map(snapshot);
        definitions.chain(self.controls.snapshot()).chain(self.catalogue.snapshot()).collect()
    }
}
