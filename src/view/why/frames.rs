//! Reasons that threads of control are: times that must come, and parts that are executions.

use super::{Reason, ReasonKind, Seen};
use crate::engine::execution::Activity;
use crate::engine::{Frame, FrameId, Timestamp};
use crate::view::{FailureCard, job_label};

impl Seen<'_> {
    pub(super) fn of_frames(&self) -> Vec<Reason> {
        let frames = self.execution.frames.iter();
        frames.flat_map(|(id, frame)| self.of_frame(*id, frame)).collect()
    }

    fn of_frame(&self, id: FrameId, frame: &Frame) -> Vec<Reason> {
        let place = |kind| Reason { step_name: frame.state.clone(), ..Reason::new(kind) };
        match &frame.activity {
            Activity::Waiting(until) => vec![Reason {
                since: Some(frame.entered_at),
                until: Some(*until),
                ..place(ReasonKind::Timer)
            }],
            Activity::BackingOff(due) => vec![self.retry(id, frame, *due)],
            Activity::Ready if self.execution.ready.contains(&id) => {
                vec![Reason { since: Some(frame.entered_at), ..place(ReasonKind::Ready) }]
            }
            Activity::Forked(_) => {
                let children = frame.map_run().into_iter().flat_map(|run| run.children.keys());
                let waits_for = |child: &crate::engine::ExecutionId| Reason {
                    since: Some(frame.entered_at),
                    execution: Some(child.to_string()),
                    execution_handle: Some(child.short()),
                    ..place(ReasonKind::Execution)
                };
                children.map(waits_for).collect()
            }
            Activity::Ready | Activity::Job => Vec::new(),
        }
    }

    fn retry(&self, id: FrameId, frame: &Frame, due: Timestamp) -> Reason {
        let scheduled = self.facts.retry(id);
        let body = scheduled.map(|(_, body)| body);
        let state = frame.state.as_ref().and_then(|name| self.program.state(name));
        let retrier = body.and_then(|body| state?.retry.get(usize::try_from(body.retrier).ok()?));
        let job = frame.job.and_then(|job| Some((job, self.execution.jobs.get(&job)?)));
        Reason {
            step_name: frame.state.clone(),
            job_id: job.map(|(id, _)| job_label(self.execution.id, id)),
            job_type: job.map(|(_, job)| job.job_type.clone()),
            attempt: job.map(|(_, job)| job.attempt.saturating_add(1)),
            retry: body.map(|body| body.count),
            max_retries: retrier.map(|retrier| retrier.max_attempts),
            since: scheduled.map(|(record, _)| record.time),
            until: Some(due),
            last_error: body.map(|body| FailureCard::of(&body.failure)),
            // What failed stands before it; that is looked for once it is known to be told.
            last_error_event: scheduled.map(|(record, _)| record.sequence),
            ..Reason::new(ReasonKind::Retry)
        }
    }
}
