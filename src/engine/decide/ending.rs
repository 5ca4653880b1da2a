//! How an execution ends: after every execution that it began and waits for.

use super::Decision;
use crate::engine::child::Ending;
use crate::engine::event::{
    Data, ExecutionClosing, ExecutionCompleted, ExecutionFailed, ExecutionTimedOut,
};

impl Decision<'_> {
    /// Ends the execution; if others that it asked to stop have not, once they have.
    pub(super) fn end(&mut self, ending: Ending) {
        if self.execution.leaving.is_empty() {
            self.end_now(ending);
        } else {
            self.emit(ExecutionClosing { ending });
        }
    }

    /// Ends an execution that waited for the last of those it began.
    pub(super) fn end_when_alone(&mut self) {
        if self.execution.leaving.is_empty()
            && let Some(ending) = self.execution.closing.clone()
        {
            self.end_now(ending);
        }
    }

    fn end_now(&mut self, ending: Ending) {
        match ending {
            Ending::Completed => self.emit(ExecutionCompleted { output: Data::Kept }),
            Ending::Failed(failure) => self.emit(ExecutionFailed { failure }),
            Ending::TimedOut => self.emit(ExecutionTimedOut {}),
        }
    }
}
