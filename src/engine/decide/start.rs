//! Beginning an execution.

use std::sync::Arc;

use super::Decision;
use crate::engine::child::{Link, Parent};
use crate::engine::event::ExecutionStarted;
use crate::engine::pause::{PauseScope, PauseWish};
use crate::engine::rejection::Rejection;
use crate::language::{DefinitionHash, Json};

/// What is to begin.
pub(super) struct Request {
    pub(super) workflow: Arc<str>,
    pub(super) definition: DefinitionHash,
    pub(super) name: Option<Arc<str>>,
    pub(super) input: Json,
    pub(super) parent: Option<Parent>,
    pub(super) pause: Option<PauseWish>,
}

impl Decision<'_> {
    pub(super) fn start_execution(&mut self, request: Request) -> Result<(), Rejection> {
        let Request { workflow, definition, name, input, parent, pause } = request;
        if self.execution.sequence > 0 {
            return Err(Rejection::AlreadyStarted);
        }
        let limit = self.input.limits.payload_bytes;
        if input.len_bytes() > limit {
            let bytes = input.len_bytes();
            return Err(Rejection::TooLarge { what: "the input", bytes, limit });
        }
        let started =
            ExecutionStarted { workflow, definition, name, input, deadline: None, parent };
        // The time limit is the workflow's own: a part of a distributed Map has none.
        let whole = !matches!(&started.parent, Some(Parent { link: Link::Item { .. }, .. }));
        let timeout = self.input.program.workflow.timeout_seconds.filter(|_| whole);
        let deadline = timeout.map(|seconds| self.now.plus_seconds(seconds));
        self.emit(ExecutionStarted { deadline, ..started });
        if let Some(wish) = pause {
            self.pause(PauseScope::Workflow, wish);
        }
        Ok(())
    }
}
