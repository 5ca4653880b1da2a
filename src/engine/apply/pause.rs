//! Pauses, and what a pause keeps from going on.

use crate::engine::event::{ExecutionPaused, ExecutionResumed};
use crate::engine::execution::Execution;
use crate::engine::id::Timestamp;
use crate::engine::pause::Pause;

impl Execution {
    pub(super) fn paused(&mut self, body: &ExecutionPaused, at: Timestamp) {
        self.uncounted_events += 1;
        let pause = Pause { by: body.by.clone(), reason: body.reason.clone(), at };
        *self.pauses.of_mut(body.scope) = Some(pause);
        self.ready.clear();
    }

    pub(super) fn resumed(&mut self, body: &ExecutionResumed) {
        self.uncounted_events += 1;
        *self.pauses.of_mut(body.scope) = None;
        self.refresh_all();
    }
}
