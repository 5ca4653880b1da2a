//! Executions that are set aside: they wait for people.

use super::children::set_aside_note;
use super::committer::Release;
use super::shard::Shard;
use super::shards::Note;
use super::slot::Decided;
use crate::engine::event::ExecutionSetAside;
use crate::engine::{Event, ExecutionId, Rejection};

impl Shard {
    pub(super) fn set_aside(&mut self, id: ExecutionId, reason: &str) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if slot.execution.set_aside.is_some() {
            return;
        }
        tracing::error!(execution = %id, reason, "an execution is set aside");
        let first_sequence = slot.execution.sequence + 1;
        let event: Event = ExecutionSetAside { reason: reason.into() }.into();
        slot.execution.apply(&event, slot.execution.updated_at);
        slot.stop_all_attempts(&self.tools);
        let note = set_aside_note(&slot.execution);
        let free = Release::Note(id, Note::FreePlace(id));
        let note = note.map(|(to, note)| Release::Note(to, note));
        let releases = note.into_iter().chain([free]).collect();
        let events = vec![event];
        self.hand_on(id, first_sequence, Decided { events, releases, ..Decided::default() });
    }

    /// A panic in decide left the execution half changed in memory; its log is whole. It is set
    /// aside in the log, and what is in memory answers no more commands.
    pub(super) fn set_aside_after_panic(
        &mut self,
        id: ExecutionId,
        first_sequence: u64,
        is_over: bool,
    ) -> Result<(), Rejection> {
        let reason = "the engine panicked while it decided on a command; this is a bug";
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.execution.sequence = first_sequence - 1;
        }
        if first_sequence == 1 {
            // Of one that has not begun nothing is in the log, and nothing shall be.
            self.slots.remove(&id);
        } else if !is_over {
            // What has ended stays as it is.
            self.set_aside(id, reason);
        }
        Err(Rejection::SetAside { command: "to go on", reason: reason.to_owned() })
    }
}
