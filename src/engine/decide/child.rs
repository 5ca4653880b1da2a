//! What executions that this one began have to say.

use serde_json::json;

use super::Decision;
use super::job::result_too_large;
use crate::engine::child::{ChildEnd, ChildWait, PART_PROGRESS_STEP};
use crate::engine::event::{
    CallbackAwaited, ChildStopped, Failure, ItemProgressed, JobFailed, JobProgressed, JobSucceeded,
};
use crate::engine::execution::Status;
use crate::engine::id::{ExecutionId, FrameId, JobId, Timestamp};
use crate::engine::rejection::Rejection;
use crate::language::Json;

/// The most parts that a distributed Map may have for their progress to be recorded.
const MOST_PARTS_HEARD: u32 = 100;

/// What an execution is to the one that began it.
enum Tie {
    /// It does the work of a job.
    Job(JobId),
    /// It is a part of the Map that this frame stands in.
    Item(FrameId),
    /// It is no longer wanted.
    Leaving,
}

impl Decision<'_> {
    pub(super) fn child_started(
        &mut self,
        child: ExecutionId,
        at: Timestamp,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        let Some(Tie::Job(job)) = self.tie_to(child) else {
            return Err(Rejection::ChildNotOpen { child });
        };
        if self.has_begun(job, child, at) { Ok(()) } else { Err(Rejection::NothingToDo) }
    }

    /// Goes on with a job that waits for no more than that its execution has begun; whether it is
    /// such a one.
    fn has_begun(&mut self, job: JobId, child: ExecutionId, at: Timestamp) -> bool {
        let Some(open) = self.execution.jobs.get(&job) else { return false };
        let begins = open.child.as_ref().is_some_and(|child| child.wait == ChildWait::Begin);
        if !begins || !open.status.is_under_way() {
            return false;
        }
        let attempt = open.attempt;
        if open.callback.is_some() {
            self.emit(CallbackAwaited { job, attempt });
        } else {
            let told = json!({"ExecutionArn": child.to_string(), "StartDate": at.0});
            let output = Json::from_value(&told);
            self.emit(JobSucceeded { job, attempt, output, errors: 0 });
        }
        true
    }

    pub(super) fn child_refused(
        &mut self,
        child: ExecutionId,
        failure: Failure,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        match self.tie_to(child).ok_or(Rejection::ChildNotOpen { child })? {
            Tie::Job(job) => self.fail_child_job(job, failure),
            Tie::Item(frame) => self.item_failed(frame, child, failure),
            Tie::Leaving => self.child_stopped(child),
        }
        Ok(())
    }

    pub(super) fn child_progressed(
        &mut self,
        child: ExecutionId,
        percent: u8,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        match self.tie_to(child) {
            Some(Tie::Job(job)) => self.child_job_progressed(job, percent.min(100)),
            Some(Tie::Item(frame)) => self.item_progressed(frame, child, percent.min(100)),
            Some(Tie::Leaving) | None => Err(Rejection::ChildNotOpen { child }),
        }
    }

    fn child_job_progressed(&mut self, job: JobId, percent: u8) -> Result<(), Rejection> {
        let known = self.execution.jobs.get(&job).and_then(|job| job.percent);
        if known.is_some_and(|known| known >= percent) {
            return Err(Rejection::NothingToDo);
        }
        let percent = Some(percent);
        let (message, processed, total) = (None, None, None);
        let event = JobProgressed { job, percent, message, processed, total, progress: 0 };
        self.emit_with_progress(event.into());
        Ok(())
    }

    /// What a part of a distributed Map tells is an event of the parent, so it is heard only where
    /// it moves the whole: of Maps with few parts, and in steps.
    fn item_progressed(
        &mut self,
        frame: FrameId,
        child: ExecutionId,
        percent: u8,
    ) -> Result<(), Rejection> {
        let fork = self.fork_of(frame).filter(|fork| fork.total <= MOST_PARTS_HEARD);
        let run = fork.and_then(|fork| fork.run.as_ref());
        let part = run.and_then(|run| run.children.get(&child)).ok_or(Rejection::NothingToDo)?;
        if percent / PART_PROGRESS_STEP <= part.percent / PART_PROGRESS_STEP {
            return Err(Rejection::NothingToDo);
        }
        self.emit_with_progress(ItemProgressed { frame, child, percent, progress: 0 }.into());
        Ok(())
    }

    pub(super) fn child_ended(
        &mut self,
        child: ExecutionId,
        end: Option<&ChildEnd>,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        let tie = self.tie_to(child).ok_or(Rejection::ChildNotOpen { child })?;
        let lost = || Failure::new("States.TaskFailed", "the execution is not to be found");
        match (tie, end) {
            (Tie::Leaving, _) => self.child_stopped(child),
            (Tie::Job(job), Some(end)) => self.child_job_ended(job, child, end),
            (Tie::Job(job), None) => self.fail_child_job(job, lost()),
            (Tie::Item(frame), None) => self.item_failed(frame, child, lost()),
            (Tie::Item(frame), Some(end)) => match (end.failure(), &end.output) {
                (None, Some(output)) => {
                    let with_errors = end.status == Status::CompletedWithErrors;
                    self.item_succeeded(frame, child, output.clone(), with_errors);
                }
                (failure, _) => {
                    self.item_failed(frame, child, failure.unwrap_or_else(lost));
                }
            },
        }
        Ok(())
    }

    fn child_job_ended(&mut self, job: JobId, child: ExecutionId, end: &ChildEnd) {
        // What has ended has begun.
        if self.has_begun(job, child, end.started_at) {
            return;
        }
        let Some(open) = self.execution.jobs.get(&job) else { return };
        let attempt = open.attempt;
        let as_json = open.child.as_ref().is_some_and(|child| child.wait == ChildWait::EndAsJson);
        let told = end.description(child, as_json);
        if end.failure().is_some() {
            return self.fail_child_job(job, Failure::new("States.TaskFailed", &told.to_string()));
        }
        let (output, limit) = (Json::from_value(&told), self.input.limits.payload_bytes);
        if output.len_bytes() > limit {
            let name = self.task_name(job);
            let failure = result_too_large(&name, output.len_bytes(), limit);
            self.fail_child_job(job, failure);
        } else {
            // The child counts its own; for its parent it is one thing that went not quite well.
            let errors = u32::from(end.status == Status::CompletedWithErrors);
            self.emit(JobSucceeded { job, attempt, output, errors });
        }
    }

    fn fail_child_job(&mut self, job: JobId, failure: Failure) {
        let Some(attempt) = self.execution.jobs.get(&job).map(|job| job.attempt) else { return };
        self.emit(JobFailed { job, attempt, failure: failure.bounded() });
    }

    fn child_stopped(&mut self, child: ExecutionId) {
        self.emit(ChildStopped { child });
        self.go_on_ending();
    }

    /// What the execution `child` is to this one; none when it is nothing, or no longer.
    fn tie_to(&self, child: ExecutionId) -> Option<Tie> {
        if self.execution.leaving.contains_key(&child) {
            return Some(Tie::Leaving);
        }
        let job = self.execution.jobs.iter().find(|(_, job)| {
            job.status.is_under_way() && job.child.as_ref().is_some_and(|c| c.execution == child)
        });
        let item = || {
            let mut runs =
                self.execution.frames.iter().filter_map(|(id, frame)| Some((id, frame.map_run()?)));
            let (frame, _) = runs.find(|(_, run)| run.children.contains_key(&child))?;
            Some(Tie::Item(*frame))
        };
        job.map(|(id, _)| Tie::Job(*id)).or_else(item)
    }
}
