//! The one task that writes the log. It has a thread of its own.
//!
//! It takes whatever decisions are waiting, without a timer, writes them as one atomic batch, and
//! only when that is durable lets go of what hangs on them, in the order of the log: replies,
//! job offers, attempts. When a write fails it lets go of nothing more, ever.

use std::sync::Arc;

use async_channel::Receiver;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::attempt::Attempt;
use super::checkpoint::{Rounds, Saved};
use super::clock::Clock;
use super::dispatch::{Dispatch, Offer};
use super::error::Error;
use super::figures::Figures;
use super::shards::{Note, Shards};
use super::summary::Summary;
use super::tasks::Tasks;
use crate::engine::{Execution, ExecutionId, Timestamp};
use crate::store::{
    self, Appended, Compacted, Compaction, Epoch, EventStore, Position, Transition,
};

/// Looks for further units before the committer sleeps: some tens of microseconds.
const SPINS: u32 = 1500;

/// Commits after which a slice of a compaction has its turn although more is waiting.
const PATIENCE: u32 = 64;

/// The part of the events between two checkpoints after which one begins while there is nothing
/// else to do, so that a crash after a busy time leaves little to read, and long histories have
/// folds on their way.
const IDLE_SHARE: u64 = 8;
/// Not more often than this, in milliseconds: a system that is busy with little is idle all the time.
const BETWEEN_IDLE_ROUNDS_MS: u64 = 1000;

/// A decision on its way to the log, with what must wait for it.
pub(super) struct Unit {
    /// What to write; nothing when only order matters: a query's answer leaves after everything
    /// decided before it.
    pub(super) transition: Option<Transition>,
    /// What to let go of when it is durable.
    pub(super) releases: Vec<Release>,
}

/// Something that waits for durability.
pub(super) enum Release {
    /// Tell a caller that its command is durable.
    Accepted(oneshot::Sender<Result<Accepted, Error>>, Accepted),
    /// Show a caller an execution as it stands, or that there is none in memory.
    Show(oneshot::Sender<Option<Box<Execution>>>, Option<Box<Execution>>),
    /// Show a caller the rows of a list.
    List(oneshot::Sender<Vec<Summary>>, Vec<Summary>),
    /// Tell a caller how many executions have changed.
    Counted(oneshot::Sender<u64>, u64),
    /// Offer an attempt to workers.
    Offer(Offer),
    /// A shard has offered all that waits in it since before the process began.
    ShardReady,
    /// Run an attempt.
    Run(Box<Attempt>),
    /// Leave a note for the shard of an execution.
    Note(ExecutionId, Note),
    /// Write a part of a checkpoint.
    Checkpoint(Saved),
    /// Take away what was deleted.
    Compact(Wish),
}

/// A request to take away what was deleted.
pub(super) struct Wish {
    /// How.
    pub(super) compaction: Compaction,
    /// Whom to tell when all is done.
    pub(super) reply: Option<oneshot::Sender<Result<Compacted, Error>>>,
}

/// A compaction that is under way, a slice at a time.
pub(super) struct Compacting {
    compaction: Compaction,
    done: Compacted,
    replies: Vec<oneshot::Sender<Result<Compacted, Error>>>,
    /// Groups that were committed since the last slice.
    waited: u32,
}

/// What an accepted command gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The execution.
    pub execution: ExecutionId,
    /// The sequence of its last event, durable.
    pub sequence: u64,
}

/// Whether the log can still be written.
#[derive(Debug, Clone)]
pub(super) enum Health {
    /// It can.
    Working,
    /// It cannot any more, for this reason.
    Failed(Arc<str>),
}

/// What the committer works with.
pub(super) struct Committer {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) epoch: Epoch,
    pub(super) units: Receiver<Vec<Unit>>,
    pub(super) group_units: usize,
    pub(super) checkpoint_events: u64,
    /// Where the log ended when the last checkpoint began, and when that was.
    pub(super) last_round: (Position, Timestamp),
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) shards: Shards,
    pub(super) figures: Arc<Figures>,
    pub(super) durable: watch::Sender<Position>,
    pub(super) health: watch::Sender<Health>,
    pub(super) rounds: Arc<Rounds>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: Tasks,
    /// How long tombstones stay, in milliseconds.
    pub(super) keep_tombstones_ms: u64,
    pub(super) compacting: Option<Compacting>,
}

impl Committer {
    /// Commits until nobody can send any more, or a write fails.
    pub(super) async fn run(mut self) {
        // What was deleted before the last stop, and tombstones that have become old meanwhile.
        self.wish(Wish { compaction: Compaction::default(), reply: None });
        while let Some(first) = self.next_units().await {
            self.begin_round_after(self.checkpoint_events);
            let mut group = first;
            while group.len() < self.group_units
                && let Ok(more) = self.units.try_recv()
            {
                group.extend(more);
            }
            if !self.commit(group).await {
                return;
            }
            if let Some(compacting) = &mut self.compacting {
                compacting.waited += 1;
                if compacting.waited >= PATIENCE && !self.compact().await {
                    return;
                }
            }
        }
    }

    /// Begins a checkpoint once so many events have passed since the last.
    fn begin_round_after(&mut self, events: u64) {
        let last = self.store.last_position();
        if last - self.last_round.0 >= events.max(1) {
            self.last_round = (last, self.clock.now());
            self.rounds.begin(last);
        }
    }

    /// Begins a checkpoint sooner while nothing is to be written, but not all the time.
    fn begin_round_when_idle(&mut self) {
        if self.clock.now().ms_since(self.last_round.1) >= BETWEEN_IDLE_ROUNDS_MS {
            self.begin_round_after(self.checkpoint_events / IDLE_SHARE);
        }
    }

    /// Waits for units; none when nobody can send any more.
    ///
    /// After a commit the next units are often only a worker's moment away, so look for them for
    /// some microseconds before going to sleep: being woken costs more than that.
    async fn next_units(&mut self) -> Option<Vec<Unit>> {
        let spins = if self.tasks.have_threads() { SPINS } else { 0 };
        for _ in 0..spins {
            if let Ok(units) = self.units.try_recv() {
                return Some(units);
            }
            std::hint::spin_loop();
        }
        while self.compacting.is_some() && !self.units.is_closed() {
            if !self.compact().await {
                return None;
            }
            if let Ok(units) = self.units.try_recv() {
                return Some(units);
            }
        }
        self.begin_round_when_idle();
        self.units.recv().await.ok()
    }

    /// Takes a request to compact in.
    fn wish(&mut self, wish: Wish) {
        let kept = self.clock.now().0.saturating_sub(self.keep_tombstones_ms);
        let asked = wish.compaction.forget_before.map_or(kept, |before| before.0);
        let compacting = self.compacting.get_or_insert_with(|| Compacting {
            compaction: Compaction::default(),
            done: Compacted::default(),
            replies: Vec::new(),
            waited: 0,
        });
        let before = compacting.compaction.forget_before.map_or(0, |before| before.0);
        compacting.compaction.forget_before = Some(Timestamp(asked.max(before)));
        compacting.replies.extend(wish.reply);
    }

    /// Does a slice of the compaction; whether the log still works.
    async fn compact(&mut self) -> bool {
        let Some(compacting) = &mut self.compacting else { return true };
        compacting.waited = 0;
        let slice = self.store.compact(self.epoch, compacting.compaction);
        match slice.await {
            Ok(slice) => {
                compacting.done.add(slice);
                if !slice.is_done {
                    if slice.events == 0 {
                        self.tasks.rest().await;
                    }
                    return true;
                }
                let done = compacting.done;
                let replies = std::mem::take(&mut compacting.replies);
                self.compacting = None;
                if done.events > 0 {
                    let Compacted { events, bytes, .. } = done;
                    tracing::info!(events, bytes, "took away what was deleted");
                }
                replies.into_iter().for_each(|reply| drop(reply.send(Ok(done))));
                true
            }
            // What is deleted cannot be read: it stays, and all else goes on.
            Err(error @ store::Error::Damaged { .. }) => {
                tracing::warn!(code = error.code(), %error, "what was deleted cannot be taken away");
                let replies = self.compacting.take().map(|compacting| compacting.replies);
                for reply in replies.unwrap_or_default() {
                    drop(reply.send(Err(error.clone().into())));
                }
                true
            }
            Err(error) => {
                self.fail(&error);
                self.compacting = None;
                false
            }
        }
    }

    /// Makes a group durable and lets go of what waits for it; whether the log still works.
    async fn commit(&mut self, group: Vec<Unit>) -> bool {
        let mut transitions = Vec::with_capacity(group.len());
        let mut releases = Vec::with_capacity(group.len());
        for unit in group {
            transitions.extend(unit.transition);
            releases.push(unit.releases);
        }
        if !transitions.is_empty() {
            if let Err(error) = self.append(transitions).await {
                // Before the waiting callers are dropped with `releases`: they ask why.
                self.fail(&error);
                return false;
            }
            self.durable.send_replace(self.store.last_position());
        }
        releases.into_iter().flatten().for_each(|release| self.release(release));
        true
    }

    async fn append(&self, batch: Vec<Transition>) -> Result<(), store::Error> {
        let events = batch.iter().map(|transition| transition.events.len()).sum();
        let (began, transitions) = (Instant::now(), batch.len());
        let appended = self.store.append(self.epoch, batch).await?;
        self.figures.committed(transitions, events, began.elapsed());
        // Shards are the only writers and number their own events.
        if appended.iter().any(|a| matches!(a, Appended::Conflict { .. })) {
            let first = "a history moved under its only writer".to_owned();
            return Err(store::Error::Stopped { first });
        }
        Ok(())
    }

    /// Nothing is acknowledged any more. Dropping what waits tells every caller.
    fn fail(&self, error: &store::Error) {
        tracing::error!(code = error.code(), %error, "the log cannot be written");
        self.health.send_replace(Health::Failed(error.to_string().into()));
        self.units.close();
        while self.units.try_recv().is_ok() {}
    }

    /// Lets go. Never waits: everything here goes to a place that is known to be free.
    fn release(&mut self, release: Release) {
        match release {
            // A caller that went away does not want its answer.
            Release::Accepted(reply, accepted) => drop(reply.send(Ok(accepted))),
            Release::Show(reply, execution) => drop(reply.send(execution)),
            Release::List(reply, rows) => drop(reply.send(rows)),
            Release::Counted(reply, count) => drop(reply.send(count)),
            Release::Offer(offer) => self.dispatch.offer(offer),
            Release::ShardReady => self.dispatch.shard_is_ready(),
            Release::Run(attempt) => self.dispatch.run(*attempt),
            Release::Note(execution, note) => self.shards.note(execution, note),
            Release::Checkpoint(saved) => self.rounds.pass_on(saved),
            Release::Compact(wish) => self.wish(wish),
        }
    }
}
