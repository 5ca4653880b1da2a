//! Reasons that somebody is: what is paused waits until it is resumed.

use super::{Reason, ReasonKind, Seen};
use crate::engine::{Pause, PauseScope};

impl Seen<'_> {
    /// The pauses of the execution.
    pub(super) fn of_pauses(&self) -> Vec<Reason> {
        let reason = |(scope, pause)| {
            let kind = match scope {
                PauseScope::Execution => ReasonKind::Paused,
                PauseScope::Workflow => ReasonKind::WorkflowPaused,
            };
            Reason { workflow: Some(self.execution.workflow.clone()), ..held(kind, pause) }
        };
        self.execution.pauses.all().map(reason).collect()
    }
}

/// A reason that somebody is.
pub(super) fn held(kind: ReasonKind, pause: &Pause) -> Reason {
    Reason {
        since: Some(pause.at),
        by: Some(pause.by.clone()),
        reason: pause.reason.clone(),
        ..Reason::new(kind)
    }
}
