//! What is held in the whole system: paused workflows and job types.
//!
//! The ground state is one history of its own, which no execution can have. What it says is so from
//! the moment it is durable; executions follow (see `align.rs`), also after a crash in between.

use super::told::{Fold, Told};
use crate::engine::held::Kind;
use crate::engine::{Event, Held, Pause, Timestamp};

/// What is paused, as it stands.
pub(super) type Controls = Told<Held>;

impl Fold for Held {
    const HISTORY: &str = "everstep controls";

    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn apply(&mut self, event: &Event, sequence: u64, at: Timestamp) {
        self.apply(event, sequence, at);
    }
}

impl Controls {
    /// Everything, as it stands.
    pub(super) fn held(&self) -> Held {
        Held::clone(&self.now())
    }

    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<Pause> {
        self.now().get(kind, name).cloned()
    }

    /// The pause of a workflow, while it is paused.
    pub(super) fn workflow(&self, name: &str) -> Option<Pause> {
        self.get(Kind::Workflow, name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::definitions;
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
        assert!(!definitions::is_execution_stream(Controls::stream()));
        assert!(!definitions::is_definition_stream(Controls::stream()));
    }
}
