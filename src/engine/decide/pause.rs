//! Pausing an execution, and going on.

use std::sync::Arc;

use super::Decision;
use crate::engine::event::{ExecutionPaused, ExecutionResumed};
use crate::engine::execution::Status;
use crate::engine::pause::{PauseScope, PauseWish, bounded_by};
use crate::engine::rejection::Rejection;

impl Decision<'_> {
    pub(super) fn pause_execution(
        &mut self,
        scope: PauseScope,
        wish: PauseWish,
    ) -> Result<(), Rejection> {
        self.require_pausable()?;
        if let Some(held) = self.execution.pauses.of(scope) {
            let (by, since) = (held.by.to_string(), held.at);
            let (command, scope) = (self.action, scope.as_str());
            return Err(Rejection::Paused { command, scope, by, since });
        }
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
        self.require_pausable()?;
        if self.execution.pauses.of(scope).is_none() {
            let with_workflow = self.execution.pauses.workflow.is_some();
            return Err(Rejection::NotPaused { with_workflow });
        }
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

    fn require_pausable(&self) -> Result<(), Rejection> {
        self.require_begun(&[Status::Pending, Status::Running])?;
        match self.execution.closing {
            Some(_) => Err(Rejection::Ending { command: self.action }),
            None => Ok(()),
        }
    }
}
