//! Stopping an execution, or parts of it.

use std::sync::Arc;

use super::Decision;
use crate::engine::event::{
    CancelExtended, CancelRequested, FrameCancelled, ItemCancelled, JobCancelled,
};
use crate::engine::execution::{Frame, JobStatus};
use crate::engine::id::{FrameId, JobId};
use crate::engine::rejection::Rejection;

impl Decision<'_> {
    pub(super) fn cancel_execution(
        &mut self,
        by: Arc<str>,
        reason: Option<Arc<str>>,
    ) -> Result<(), Rejection> {
        self.execution.permits_cancel()?;
        let deadline = self.now.plus_ms(self.input.limits.cancel_deadline_ms);
        self.emit(CancelRequested { by, reason, deadline });
        if self.execution.cleanup.is_some() {
            // What undoes the work goes on.
            self.go_on_ending();
            return Ok(());
        }
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
        let frames: Vec<FrameId> = self.execution.frames.keys().copied().collect();
        for frame in frames {
            self.cancel_items(frame);
        }
        self.go_on_ending();
        Ok(())
    }

    /// Gives workers up that have not stopped in time. Executions have a deadline of their own, so
    /// they are waited for.
    pub(super) fn miss_cancel_deadline(&mut self) {
        let busy: Vec<JobId> = self.execution.jobs.keys().copied().collect();
        for job in busy {
            self.emit(JobCancelled { job });
        }
        if self.execution.leaving.is_empty() {
            return self.go_on_ending();
        }
        let deadline = self.now.plus_ms(self.input.limits.cancel_deadline_ms);
        self.emit(CancelExtended { deadline });
    }

    /// Has the executions of a distributed Map stopped.
    fn cancel_items(&mut self, frame: FrameId) {
        for child in self.children_of(frame) {
            self.emit(ItemCancelled { frame, child });
        }
    }

    pub(super) fn cancel_all_frames(&mut self) {
        self.quiet(FrameId::ROOT);
    }

    /// Stops all work of a frame that belongs to nothing.
    pub(super) fn quiet(&mut self, frame: FrameId) {
        self.cancel_children(frame);
        if let Some(job) = self.execution.frames.get(&frame).and_then(|frame| frame.job) {
            self.emit(JobCancelled { job });
        }
    }

    /// Stops every part of the Parallel or Map that `frame` stands in, the innermost first.
    pub(super) fn cancel_children(&mut self, frame: FrameId) {
        self.cancel_items(frame);
        let fork = self.execution.frames.get(&frame).and_then(Frame::fork);
        let running: Vec<FrameId> =
            fork.iter().flat_map(|fork| fork.running.iter().copied()).collect();
        for child in running {
            self.cancel_children(child);
            if let Some(job) = self.execution.frames.get(&child).and_then(|child| child.job) {
                self.emit(JobCancelled { job });
            }
            self.emit(FrameCancelled { frame: child });
        }
    }
}
