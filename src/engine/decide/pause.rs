//! Pausing an execution, and going on.

use std::sync::Arc;

use super::Decision;
use crate::engine::event::{ExecutionPaused, ExecutionResumed};
use crate::engine::pause::{PauseScope, PauseWish, bounded_by};
use crate::engine::rejection::Rejection;

impl Decision<'_> {
    pub(super) fn pause_execution(
        &mut self,
        scope: PauseScope,
        wish: PauseWish,
    ) -> Result<(), Rejection> {
        self.execution.permits_pause(scope)?;
        self.pause(scope, wish);
        Ok(())
    }

    /// Records a pause that does not hold yet.
    pub(super) fn pause(&mut self, scope: PauseScope, wish: PauseWish) {
        let PauseWish { by, reason } = wish.bounded();
        self.emit(ExecutionPaused { scope, by, reason });
    }

    pub(super) fn resume_execution(
        &mut self,
        scope: PauseScope,
        by: Arc<str>,
    ) -> Result<(), Rejection> {
        self.execution.permits_resume(scope)?;
        self.emit(ExecutionResumed { scope, by: bounded_by(by) });
        Ok(())
    }

    /// Refuses what a pause forbids.
    pub(super) fn require_not_paused(&self) -> Result<(), Rejection> {
        let Some((scope, held)) = self.execution.pauses.all().next() else { return Ok(()) };
        Err(Rejection::Paused {
            command: self.action,
            scope: scope.as_str(),
            by: held.by.to_string(),
            since: held.at,
        })
    }
}
