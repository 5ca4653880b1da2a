//! The reason that a clean-up is.

use super::{Reason, ReasonKind, Seen};

impl Seen<'_> {
    /// What is being undone.
    pub(super) fn of_cleanup(&self) -> Option<Reason> {
        let cleanup = self.execution.cleanup.as_ref()?;
        let running = cleanup.running.as_ref()?;
        Some(Reason {
            step_name: running.of.clone(),
            cleanup_state: Some(running.state.clone()),
            since: Some(running.since),
            until: Some(cleanup.deadline),
            ..Reason::new(ReasonKind::Cleanup)
        })
    }
}
