//! How an execution ends: after every execution that it began and waits for, and after its clean-up.

use std::sync::Arc;

use super::Decision;
use crate::engine::child::Ending;
use crate::engine::cleanup::CANCEL_FORCED;
use crate::engine::event::{
    CancelForced, Data, ExecutionCancelled, ExecutionClosing, ExecutionCompleted, ExecutionFailed,
    ExecutionTimedOut, Failure, JobCancelled,
};
use crate::engine::execution::{JobStatus, Status};
use crate::engine::id::JobId;
use crate::engine::rejection::Rejection;

impl Decision<'_> {
    /// Ends the execution; if others that it asked to stop have not, once they have, and once what is
    /// to be undone is.
    pub(super) fn end(&mut self, ending: Ending) {
        let cleans_up = ending != Ending::Completed && self.next_cleanup().is_some();
        if self.execution.leaving.is_empty() && !cleans_up {
            self.end_now(ending);
        } else {
            self.emit(ExecutionClosing { ending });
            self.go_on_ending();
        }
    }

    /// Goes on with the end of an execution that is to end: once no worker has a job of it and what it
    /// began has ended, the next clean-up begins; after the last one it ends.
    pub(super) fn go_on_ending(&mut self) {
        let execution = &*self.execution;
        let cancelling = execution.status == Status::Cancelling;
        let ends = cancelling || (execution.closing.is_some() && !execution.status.is_terminal());
        if !ends || execution.cleanup_frame().is_some() || !execution.leaving.is_empty() {
            return;
        }
        // Looked at last, as there may be many; and most executions are not about to end.
        if execution.jobs.values().any(|job| job.status == JobStatus::Cancelling) {
            return;
        }
        let has_worked = execution.closing != Some(Ending::Completed);
        if has_worked && self.begin_next_cleanup() {
            return;
        }
        match self.execution.closing.clone() {
            Some(ending) => self.end_now(ending),
            None => self.end_cancel(),
        }
    }

    fn end_cancel(&mut self) {
        self.cancel_all_frames();
        let abandoned = self.execution.leaving.keys().copied().collect();
        let summary = self.summary(Status::Cancelled, None);
        self.emit(ExecutionCancelled { abandoned, summary });
    }

    fn end_now(&mut self, ending: Ending) {
        match ending {
            Ending::Completed => {
                let summary = self.summary(self.execution.completed_status(), None);
                self.emit(ExecutionCompleted { output: Data::Kept, summary });
            }
            Ending::Failed(failure) => {
                let summary = self.summary(Status::Failed, Some(&failure));
                self.emit(ExecutionFailed { failure, summary });
            }
            Ending::TimedOut => {
                let summary = self.summary(Status::TimedOut, Some(&Failure::timeout(false)));
                self.emit(ExecutionTimedOut { summary });
            }
        }
    }

    /// Ends a cancel that has taken too long: workers and clean-up are given up, and executions that
    /// have not stopped are not waited for.
    pub(super) fn force_cancel(
        &mut self,
        by: Arc<str>,
        reason: Option<Arc<str>>,
    ) -> Result<(), Rejection> {
        self.execution.permits_force(self.now)?;
        let cause = format!("{by} forced the end before it was done");
        self.emit(CancelForced { by, reason });
        let jobs: Vec<JobId> = self.execution.jobs.keys().copied().collect();
        for job in jobs {
            self.emit(JobCancelled { job });
        }
        self.cancel_all_frames();
        self.give_up_cleanup(&Failure::new(CANCEL_FORCED, &cause));
        self.end_cancel();
        Ok(())
    }
}
