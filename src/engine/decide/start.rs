//! Beginning an execution.

use std::sync::Arc;

use super::Decision;
use crate::engine::child::{Link, Parent};
use crate::engine::event::ExecutionStarted;
use crate::engine::id::{ExecutionId, Timestamp};
use crate::engine::rejection::Rejection;
use crate::language::{DefinitionHash, Json};

/// What is to begin.
pub(super) struct Request {
    pub(super) workflow: Arc<str>,
    pub(super) definition: DefinitionHash,
    pub(super) name: Option<Arc<str>>,
    pub(super) input: Json,
    pub(super) parent: Option<Parent>,
    pub(super) rerun_of: Option<ExecutionId>,
}

impl Decision<'_> {
    pub(super) fn start_execution(&mut self, request: Request) -> Result<(), Rejection> {
        let Request { workflow, definition, name, input, parent, rerun_of } = request;
        if self.execution.sequence > 0 {
            return Err(Rejection::AlreadyStarted);
        }
        let limit = self.input.limits.payload_bytes;
        if input.len_bytes() > limit {
            let bytes = input.len_bytes();
            return Err(Rejection::TooLarge { what: "the input", bytes, limit });
        }
        let deadline = self.execution_deadline(parent.as_ref());
        self.emit(ExecutionStarted {
            workflow,
            definition,
            name,
            input,
            deadline,
            parent,
            rerun_of,
        });
        Ok(())
    }

    /// When an execution with this parent times out that begins now, or goes on now.
    pub(super) fn execution_deadline(&self, parent: Option<&Parent>) -> Option<Timestamp> {
        // The time limit is the workflow's own: a part of a distributed Map has none.
        let whole = !matches!(parent, Some(Parent { link: Link::Item { .. }, .. }));
        let timeout = self.input.program.workflow.timeout_seconds.filter(|_| whole);
        timeout.map(|seconds| self.now.plus_seconds(seconds))
    }
}
