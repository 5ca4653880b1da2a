//! What is held in the whole system: paused workflows and job types.
//!
//! The ground state is one history of its own, which no execution can have. What it says is so from
//! the moment it is durable; executions follow (see `align.rs`), also after a crash in between.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::definitions;
use crate::engine::held::Kind;
use crate::engine::{Event, Held, Pause, Timestamp};
use crate::store::{Snapshot, Stream};

/// What is paused, as it stands.
#[derive(Debug, Default)]
pub(super) struct Controls(RwLock<Held>);

/// The history that holds them all.
pub(super) fn stream() -> Stream {
    definitions::stream_named("everstep controls")
}

impl Controls {
    /// Everything, as it stands.
    pub(super) fn held(&self) -> Held {
        self.read().clone()
    }

    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<Pause> {
        self.read().get(kind, name).cloned()
    }

    /// The pause of a workflow, while it is paused.
    pub(super) fn workflow(&self, name: &str) -> Option<Pause> {
        self.get(Kind::Workflow, name)
    }

    /// The sequence of the next event.
    pub(super) fn next_sequence(&self) -> u64 {
        self.read().sequence + 1
    }

    /// Believes an event that is durable.
    pub(super) fn apply(&self, event: &Event, sequence: u64, at: Timestamp) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        held.apply(event, sequence, at);
    }

    /// For a checkpoint; nothing when there never was anything to hold.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let held = self.read();
        let bytes = serde_json::to_vec(&*held).unwrap_or_default();
        (held.sequence > 0).then(|| Snapshot { stream: stream(), sequence: held.sequence, bytes })
    }

    /// Takes what a checkpoint kept; whether it could be read.
    pub(super) fn restore(&self, bytes: &[u8]) -> bool {
        let Ok(kept) = serde_json::from_slice(bytes) else { return false };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = kept;
        true
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{WorkflowPaused, WorkflowResumed};

    fn paused(workflow: &str) -> Event {
        WorkflowPaused { workflow: workflow.into(), by: "me".into(), reason: None }.into()
    }

    #[test]
    fn what_was_saved_and_then_read_again_from_the_log_counts_once() {
        let controls = Controls::default();
        assert_eq!(controls.snapshot(), None);
        controls.apply(&paused("a"), 1, Timestamp(10));
        let saved = controls.snapshot().unwrap();
        let resumed = WorkflowResumed { workflow: "a".into(), by: "me".into() };
        let restored = Controls::default();
        assert!(restored.restore(&saved.bytes));
        // The tail of the log begins before the snapshot was made.
        restored.apply(&resumed.clone().into(), 1, Timestamp(5));
        assert_eq!(restored.workflow("a").map(|pause| pause.at), Some(Timestamp(10)));
        restored.apply(&resumed.into(), 2, Timestamp(20));
        assert_eq!((restored.workflow("a"), restored.next_sequence()), (None, 3));
    }

    #[test]
    fn the_history_of_controls_is_nothing_else() {
        assert!(!definitions::is_execution_stream(stream()));
        assert!(!definitions::is_definition_stream(stream()));
    }
}
