//! Clean-up: it begins when the work is over, and its frames belong to nothing.

use crate::engine::child::Ending;
use crate::engine::cleanup::{Cleanup, Forced, Undoing, Undone};
use crate::engine::event::{
    CancelForced, CleanupFailed, CleanupStarted, Data, ExecutionCancelled, Failure,
};
use crate::engine::execution::{Activity, Execution, Frame, Status, Step, StepStatus, Timer};
use crate::engine::id::{FrameId, Timestamp};
use crate::language::Json;

impl Execution {
    pub(super) fn cleanup_started(&mut self, body: &CleanupStarted, at: Timestamp) {
        self.begin_cleanup(body.deadline, at);
        self.frame_count = self.frame_count.max(body.frame.0.saturating_add(1));
        let input = match &body.input {
            Data::New(input) => input.clone(),
            Data::Kept | Data::Result => Json::null(),
        };
        let mut frame = Frame::new(None, input, at);
        if let Some(root) = self.frames.get(&FrameId::ROOT) {
            frame.variables.clone_from(&root.variables);
        }
        if let Some(cleanup) = &mut self.cleanup {
            cleanup.running = Some(Undoing {
                frame: body.frame,
                of: body.of.clone(),
                state: body.state.clone(),
                since: at,
            });
        }
        self.frames.insert(body.frame, frame);
        self.timers.insert((body.deadline, Timer::CleanupDeadline));
        self.refresh(body.frame);
    }

    pub(super) fn cleanup_succeeded(&mut self, frame: FrameId, at: Timestamp) {
        let running = self.close_cleanup(frame);
        if let (Some(cleanup), Some(running)) = (&mut self.cleanup, running) {
            let Undoing { of, state, since, .. } = running;
            let since = Some(since);
            cleanup.done.push(Undone { of, state, since, ended_at: at, failure: None });
        }
    }

    pub(super) fn cleanup_failed(&mut self, body: &CleanupFailed, at: Timestamp) {
        // One that is given up before it could begin has no time either.
        self.begin_cleanup(at, at);
        let running = body.frame.and_then(|frame| self.close_cleanup(frame));
        if let Some(cleanup) = &mut self.cleanup {
            cleanup.done.push(Undone {
                of: body.of.clone(),
                state: body.state.clone(),
                since: running.map(|running| running.since),
                ended_at: at,
                failure: Some(body.failure.clone()),
            });
        }
    }

    /// Nothing of a clean-up is open any more, and no time runs; gives what it was.
    fn close_cleanup(&mut self, frame: FrameId) -> Option<Undoing> {
        self.close_frame(frame);
        let cleanup = self.cleanup.as_mut()?;
        self.timers.remove(&(cleanup.deadline, Timer::CleanupDeadline));
        cleanup.running.take()
    }

    /// The work is over: what was open in it is closed, and only clean-up has time from now on.
    fn begin_cleanup(&mut self, deadline: Timestamp, at: Timestamp) {
        if self.cleanup.is_some() {
            return;
        }
        match self.closing.as_ref().and_then(Ending::failure) {
            Some(failure) => self.close_steps(StepStatus::Failed, Some(&failure), at),
            None => self.close_steps(StepStatus::Cancelled, None, at),
        }
        self.cleanup = Some(Box::new(Cleanup::new(at, deadline, self.counted_events())));
        self.ready.clear();
        self.timers.clear();
        self.keep_outputs_of_parts(FrameId::ROOT);
        self.set_activity(FrameId::ROOT, Activity::Ready);
    }

    /// Steps that were open end so.
    pub(super) fn close_steps(
        &mut self,
        status: StepStatus,
        failure: Option<&Failure>,
        at: Timestamp,
    ) {
        let is_open =
            |step: &&mut Step| step.ended_at.is_none() && step.status != StepStatus::Pending;
        for step in self.steps.values_mut().filter(is_open) {
            step.status = status;
            step.ended_at = Some(at);
            if failure.is_some() {
                step.failure = failure.cloned();
            }
        }
    }

    pub(super) fn cancel_forced(&mut self, body: &CancelForced, at: Timestamp) {
        if let Some(cancel) = &mut self.cancel {
            let (by, reason) = (body.by.clone(), body.reason.clone());
            cancel.forced = Some(Forced { by, reason, at, abandoned: Vec::new() });
        }
    }

    pub(super) fn cancelled(&mut self, body: &ExecutionCancelled, at: Timestamp) {
        if let Some(forced) = self.cancel.as_mut().and_then(|cancel| cancel.forced.as_mut()) {
            forced.abandoned.clone_from(&body.abandoned);
        }
        self.summary.clone_from(&body.summary);
        self.ended(Status::Cancelled, at);
    }

    /// Counts an error of the work, if it counts.
    pub(super) fn count_error(&mut self, counts: bool) {
        self.count_errors(u32::from(counts));
    }

    /// Counts errors of the work. What goes wrong in clean-up is told by itself.
    pub(super) fn count_errors(&mut self, errors: u32) {
        if self.cleanup.is_none() {
            self.total_errors = self.total_errors.saturating_add(errors);
        }
    }
}
