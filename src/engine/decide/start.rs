//! Beginning an execution.

use super::Decision;
use crate::engine::child::{Link, Parent};
use crate::engine::command::StartExecution;
use crate::engine::event::{ExecutionAdmitted, ExecutionStarted};
use crate::engine::execution::Status;
use crate::engine::id::Timestamp;
use crate::engine::pause::PauseScope;
use crate::engine::place::{Newcomer, Place};
use crate::engine::rejection::Rejection;
use crate::language::{DefinitionHash, Json};

impl Decision<'_> {
    pub(super) fn start_execution(&mut self, start: StartExecution) -> Result<(), Rejection> {
        let StartExecution {
            workflow,
            definition,
            name,
            input,
            parent,
            rerun_of,
            started_as,
            pause,
        } = start;
        if self.execution.sequence > 0 {
            return Err(Rejection::AlreadyStarted);
        }
        let limit = self.input.limits.payload_bytes;
        if input.len_bytes() > limit {
            let bytes = input.len_bytes();
            return Err(Rejection::TooLarge { what: "the input", bytes, limit });
        }
        // The limits are the workflow's own: a part of a distributed Map has none.
        let whole = !matches!(&parent, Some(Parent { link: Link::Item { .. }, .. }));
        let place =
            if whole { self.place(&workflow, definition, name.as_deref(), &input)? } else { None };
        let deadline = self.deadline_of_start(parent.as_ref(), place.as_ref());
        self.emit(ExecutionStarted {
            workflow,
            definition,
            name,
            input,
            deadline,
            parent,
            place,
            rerun_of,
            started_as,
        });
        if let Some(wish) = pause {
            self.pause(PauseScope::Workflow, wish);
        }
        Ok(())
    }

    fn place(
        &mut self,
        workflow: &str,
        definition: DefinitionHash,
        name: Option<&str>,
        input: &Json,
    ) -> Result<Option<Place>, Rejection> {
        let seed = self.draw();
        let newcomer = Newcomer { id: self.execution.id, workflow, definition, name, input };
        Place::of(self.input.program, newcomer, self.now, seed)
    }

    /// When an execution times out that starts now, or starts again. The time of what waits for its
    /// place has not begun; and the limit is the workflow's own: a part of a distributed Map has
    /// none.
    pub(super) fn deadline_of_start(
        &self,
        parent: Option<&Parent>,
        place: Option<&Place>,
    ) -> Option<Timestamp> {
        let whole = !matches!(parent, Some(Parent { link: Link::Item { .. }, .. }));
        if whole && place.is_none() { self.deadline() } else { None }
    }

    /// When the execution times out, if its time begins now.
    fn deadline(&self) -> Option<Timestamp> {
        let seconds = self.input.program.workflow.timeout_seconds?;
        Some(self.now.plus_seconds(seconds))
    }

    pub(super) fn admit_execution(&mut self) -> Result<(), Rejection> {
        self.require(&[Status::Pending])?;
        if !self.execution.waits_for_place() {
            return Err(Rejection::NothingToDo);
        }
        let deadline = self.deadline();
        self.emit(ExecutionAdmitted { deadline });
        Ok(())
    }
}
