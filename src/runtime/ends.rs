//! Executions that end, go on after their end, or are deleted.

use std::sync::Arc;

use super::error::Error;
use super::shard::{Reply, Shard};
use super::slot::Slot;
use super::summary::{Summary, name_key};
use crate::engine::{Command, Execution, ExecutionId, Program, Rejection};

impl Shard {
    /// Whether what was read of an execution that has ended is all there is of it.
    pub(super) fn may_redrive(&self, ended: &Execution) -> Result<(), Error> {
        let last = match self.slots.get(&ended.id) {
            Some(slot) if slot.execution.deleted.is_some() => {
                return Err(Rejection::Deleted { command: "to retry" }.into());
            }
            Some(slot) => slot.execution.sequence,
            // Of what is not in memory all events are durable, so the store knows its end.
            None => self.tools.store.last_sequence(ended.id.0)?,
        };
        if last == ended.sequence { Ok(()) } else { Err(Rejection::PlanOutdated.into()) }
    }

    /// Takes an execution in again that has ended. Only one redrive at a time comes here, and it has
    /// read all of the history.
    pub(super) fn redrive(
        &mut self,
        ended: Execution,
        program: Arc<Program>,
        command: Command,
        reply: Reply,
    ) {
        let (id, sequence) = (ended.id, ended.sequence);
        let command = self.redriven_with_workflow(command, &ended.workflow);
        let is_over = |slot: &Slot| slot.execution.status.is_terminal();
        if self.slots.get(&id).is_some_and(|slot| !is_over(slot)) {
            return self.answer(id, command, reply);
        }
        if let Err(error) = self.may_redrive(&ended) {
            drop(reply.send(Err(error)));
            return;
        }
        let before = self.slots.insert(id, Slot::new(ended, Some(program)));
        self.answer(id, command, reply);
        if self.slots.get(&id).is_some_and(|slot| slot.execution.sequence > sequence) {
            self.recent.remove(id);
            self.finished.remove(id);
        } else {
            self.slots.remove(&id);
            self.slots.extend(before.map(|slot| (id, slot)));
        }
    }

    /// The end is durable: what lists need stays, the rest is read from disk when asked for.
    pub(super) fn forget(&mut self, id: ExecutionId) {
        // One that goes on already has not ended any more, and keeps its place.
        if self.slots.get(&id).is_some_and(|slot| !slot.execution.status.is_terminal()) {
            return;
        }
        self.tools.free_place(id);
        let Some(slot) = self.slots.remove(&id) else { return };
        if let Some(armed) = slot.armed {
            self.timers.remove(&(armed, id));
        }
        self.finished.insert(Summary::of(&slot.execution));
        self.tools.figures.ended(slot.execution.status);
        self.recent.keep(slot.execution);
    }

    /// The tombstone is durable: nothing is left here.
    pub(super) fn bury(&mut self, id: ExecutionId) {
        let Some(slot) = self.slots.remove(&id) else { return };
        if let Some(key) = name_key(&slot.execution) {
            self.tools.names.free(key, id);
        }
        self.finished.remove(id);
        self.recent.remove(id);
    }

    /// Whether the tombstone of an execution is on its way.
    pub(super) fn is_going(&self, id: ExecutionId) -> bool {
        self.slots.get(&id).is_some_and(|slot| slot.execution.deleted.is_some())
    }
}
