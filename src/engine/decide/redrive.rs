//! Going on with an execution that has ended, and at once with one that waits to try again.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Decision;
use crate::engine::event::{ExecutionRedriven, Failure, PartsKept, RetryStarted};
use crate::engine::execution::{Activity, JobStatus, Status};
use crate::engine::id::FrameId;
use crate::engine::pause::{PauseScope, PauseWish};
use crate::engine::redrive::{KeptParts, RedrivePlan};
use crate::engine::rejection::Rejection;
use crate::language::StateKind;

impl Decision<'_> {
    pub(super) fn redrive(
        &mut self,
        by: Arc<str>,
        reason: Option<Arc<str>>,
        plan: RedrivePlan,
        pause: Option<PauseWish>,
    ) -> Result<(), Rejection> {
        self.execution.permits_retry()?;
        if plan.sequence != self.execution.sequence {
            return Err(Rejection::PlanOutdated);
        }
        let (bytes, limit) = (plan.input.len_bytes(), self.input.limits.payload_bytes);
        if plan.input_changed && bytes > limit {
            return Err(Rejection::TooLarge { what: "the input", bytes, limit });
        }
        let (parent, place) = (self.execution.parent.as_ref(), self.execution.place.as_ref());
        let deadline = self.deadline_of_start(parent, place);
        let step = plan.step.clone();
        let redriven = ExecutionRedriven {
            by,
            reason,
            step: plan.step,
            back_to: plan.back_to,
            input: plan.input,
            input_changed: plan.input_changed,
            variables: plan.variables,
            kept: plan.kept,
            total_errors: plan.total_errors,
            deadline,
            progress: 0,
        };
        self.emit_with_progress(redriven.into());
        self.enter(FrameId::ROOT, step);
        if let Some(parts) = plan.parts {
            self.reopen(parts);
        }
        if let Some(wish) = pause {
            self.pause(PauseScope::Workflow, wish);
        }
        Ok(())
    }

    /// Opens a Parallel or Map again, without the parts that are kept.
    fn reopen(&mut self, kept: KeptParts) {
        let frame = FrameId::ROOT;
        self.emit(kept.fork);
        let kept = PartsKept { frame, parts: kept.parts, progress: 0 };
        self.emit_with_progress(kept.into());
        let name = self.execution.frames.get(&frame).and_then(|root| root.state.clone());
        let Some(state) = name.and_then(|name| self.input.program.state(&name)) else { return };
        let started: Result<(), Failure> = match &state.kind {
            StateKind::Parallel { branches } => self.fork_other_branches(frame, state, branches),
            // The parts of a Map begin one after the other.
            _ => Ok(()),
        };
        if let Err(failure) = started {
            self.handle_failure(frame, state, failure);
        }
    }

    pub(super) fn skip_backoff(&mut self) -> Result<(), Rejection> {
        self.require(&[Status::Running])?;
        let backs_off = |activity: &Activity| matches!(activity, Activity::BackingOff(_));
        let frames = self.execution.frames.iter();
        let waiting = frames.filter(|(_, frame)| backs_off(&frame.activity)).map(|(id, _)| *id);
        let waiting: Vec<FrameId> = waiting.collect();
        if waiting.is_empty() || self.execution.closing.is_some() {
            return Err(Rejection::NotBackingOff { waits_for: self.waits_for() });
        }
        for frame in waiting {
            self.emit(RetryStarted { frame });
        }
        Ok(())
    }

    /// What the execution waits for, in words.
    fn waits_for(&self) -> String {
        if self.execution.closing.is_some() {
            return "executions that are stopping".to_owned();
        }
        let of_jobs = self.execution.jobs.values().map(|job| match job.status {
            JobStatus::Pending => "a worker",
            JobStatus::Waiting => "a callback",
            JobStatus::Running if job.child.is_some() => "an execution",
            JobStatus::Running | JobStatus::Cancelling => "a job",
            JobStatus::Retrying => "the engine",
        });
        let of_frames = self.execution.frames.values().filter_map(|frame| match &frame.activity {
            Activity::Waiting(_) => Some("a time"),
            Activity::Forked(fork) if fork.run.is_some() => Some("executions"),
            Activity::Ready => Some("the engine"),
            Activity::Forked(_) | Activity::Job | Activity::BackingOff(_) => None,
        });
        let all: BTreeSet<&str> = of_jobs.chain(of_frames).collect();
        all.into_iter().collect::<Vec<_>>().join(" and ")
    }
}
