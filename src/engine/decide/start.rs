//! Beginning an execution.

use std::sync::Arc;

use super::Decision;
use crate::engine::event::ExecutionStarted;
use crate::engine::rejection::Rejection;
use crate::language::{DefinitionHash, Json};

impl Decision<'_> {
    pub(super) fn start_execution(
        &mut self,
        workflow: Arc<str>,
        definition: DefinitionHash,
        name: Option<Arc<str>>,
        input: Json,
    ) -> Result<(), Rejection> {
        if self.execution.sequence > 0 {
            return Err(Rejection::AlreadyStarted);
        }
        let limit = self.input.limits.payload_bytes;
        if input.len_bytes() > limit {
            let bytes = input.len_bytes();
            return Err(Rejection::TooLarge { what: "the input", bytes, limit });
        }
        let timeout = self.input.program.workflow.timeout_seconds;
        let deadline = timeout.map(|seconds| self.now.plus_seconds(seconds));
        self.emit(ExecutionStarted { workflow, definition, name, input, deadline });
        Ok(())
    }
}
