//! Stopping an execution, or parts of it.

use std::sync::Arc;

use super::Decision;
use crate::engine::event::{CancelRequested, ExecutionCancelled, FrameCancelled, JobCancelled};
use crate::engine::execution::{Activity, JobStatus, Status};
use crate::engine::id::{FrameId, JobId};
use crate::engine::rejection::Rejection;

impl Decision<'_> {
    pub(super) fn cancel_execution(
        &mut self,
        by: Arc<str>,
        reason: Option<Arc<str>>,
    ) -> Result<(), Rejection> {
        self.require("to cancel", &[Status::Running])?;
        let deadline = self.now.plus_ms(self.input.limits.cancel_deadline_ms);
        self.emit(CancelRequested { by, reason, deadline });
        let idle: Vec<JobId> = self
            .execution
            .jobs
            .iter()
            .filter(|(_, job)| job.status != JobStatus::Cancelling)
            .map(|(id, _)| *id)
            .collect();
        for job in idle {
            self.emit(JobCancelled { job });
        }
        self.end_cancel_when_quiet();
        Ok(())
    }

    /// Ends a cancelled execution once no worker has a job of it.
    pub(super) fn end_cancel_when_quiet(&mut self) {
        let cancelling = self.execution.status == Status::Cancelling;
        let busy = self.execution.jobs.values().any(|job| job.status == JobStatus::Cancelling);
        if cancelling && !busy {
            self.end_cancel();
        }
    }

    /// Ends a cancelled execution, whatever workers still do.
    pub(super) fn end_cancel(&mut self) {
        self.cancel_all_frames();
        self.emit(ExecutionCancelled {});
    }

    pub(super) fn cancel_all_frames(&mut self) {
        self.cancel_children(FrameId::ROOT);
        if let Some(job) = self.execution.frames.get(&FrameId::ROOT).and_then(|root| root.job) {
            self.emit(JobCancelled { job });
        }
    }

    /// Stops every part of the Parallel or Map that `frame` stands in, the innermost first.
    pub(super) fn cancel_children(&mut self, frame: FrameId) {
        let running: Vec<FrameId> = match self.execution.frames.get(&frame) {
            Some(frame) => match &frame.activity {
                Activity::Forked(fork) => fork.running.iter().copied().collect(),
                Activity::Ready
                | Activity::Job
                | Activity::Waiting(_)
                | Activity::BackingOff(_) => Vec::new(),
            },
            None => Vec::new(),
        };
        for child in running {
            self.cancel_children(child);
            if let Some(job) = self.execution.frames.get(&child).and_then(|child| child.job) {
                self.emit(JobCancelled { job });
            }
            self.emit(FrameCancelled { frame: child });
        }
    }
}
