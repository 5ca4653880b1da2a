//! Reasons that jobs are.

use super::pauses::held;
use super::{Reason, ReasonKind, Seen, Workers};
use crate::engine::{
    Execution, ExecutionId, Job, JobId, JobStatus, Status, Timer, Timestamp, worker_name,
};
use crate::view::job_label;

impl Seen<'_> {
    pub(super) fn of_jobs(&self) -> Vec<Reason> {
        let jobs = self.execution.jobs.iter();
        jobs.filter_map(|(id, job)| self.of_job(*id, job)).collect()
    }

    fn of_job(&self, id: JobId, job: &Job) -> Option<Reason> {
        let held_type = self.around.held.job_types.get(&job.job_type);
        let kind = match (job.status, &job.child) {
            (JobStatus::Pending, _) if held_type.is_some() => ReasonKind::JobTypePaused,
            // What holds all of it is said once.
            (JobStatus::Pending, _) if self.execution.is_paused() => return None,
            (JobStatus::Pending, _) => self.missing_worker(job),
            (JobStatus::Running, Some(_)) => ReasonKind::Execution,
            (JobStatus::Running, None) => self.unless_cut_off(ReasonKind::AtWork),
            (JobStatus::Waiting, _) => ReasonKind::Callback,
            (JobStatus::Cancelling, _) => self.unless_cut_off(ReasonKind::WorkerStopping),
            // Its frame says when it is tried again.
            (JobStatus::Retrying, _) => return None,
        };
        let child = job.child.as_ref().map(|child| child.execution);
        let since = match kind {
            ReasonKind::Callback => self.facts.callback(id),
            ReasonKind::WorkerStopping => self.execution.cancel.as_ref().map(|cancel| cancel.at),
            _ => job.started_at,
        };
        let due = |wanted: Timer| due(self.execution, |timer| timer == wanted);
        let deadline = (kind == ReasonKind::WorkerStopping).then(|| due(Timer::CancelDeadline));
        let empty = match held_type.filter(|_| kind == ReasonKind::JobTypePaused) {
            Some(pause) => held(kind, pause),
            None => Reason::new(kind),
        };
        let reason = Reason {
            step_name: self.place(job),
            job_id: Some(job_label(self.execution.id, id)),
            job_type: Some(job.job_type.clone()),
            attempt: Some(job.attempt),
            worker: job.worker.as_deref().map(|name| worker_name(name).into()),
            progress: job.percent,
            message: job.message.clone(),
            since: empty.since.or(since).or(Some(job.scheduled_at)),
            until: deadline.flatten(),
            times_out_at: due(Timer::JobTimeout(id, job.attempt)),
            heartbeat_due_at: due(Timer::Heartbeat(id, job.attempt)),
            execution: child.map(|child| child.to_string()),
            execution_handle: child.map(|child| child.short()),
            ..empty
        };
        Some(self.with_slot(id, reason))
    }

    fn place(&self, job: &Job) -> Option<crate::language::StateName> {
        self.execution.frames.get(&job.frame)?.state.clone()
    }

    fn missing_worker(&self, job: &Job) -> ReasonKind {
        match self.around.workers {
            Workers::None | Workers::Unknown => ReasonKind::Worker,
            Workers::Of(types) if job.is_own() || serves(types, &job.job_type) => {
                ReasonKind::WorkersBusy
            }
            Workers::Of(_) => ReasonKind::NoWorker,
        }
    }

    /// An attempt that a worker has is over when there is no process that it could be in.
    fn unless_cut_off(&self, kind: ReasonKind) -> ReasonKind {
        if matches!(self.around.workers, Workers::None) { ReasonKind::CutOff } else { kind }
    }

    /// Executions that are no longer wanted and have not ended.
    pub(super) fn of_leaving(&self) -> Vec<Reason> {
        let reason = |(child, since): (&ExecutionId, &u64)| Reason {
            since: self.facts.time_of(*since),
            execution: Some(child.to_string()),
            execution_handle: Some(child.short()),
            ..Reason::new(ReasonKind::ExecutionStopping)
        };
        // While it is running, it goes on without them.
        let is_over = self.execution.status == Status::Cancelling;
        let waits = is_over || self.execution.closing.is_some();
        self.execution.leaving.iter().filter(|_| waits).map(reason).collect()
    }
}

fn serves(types: &[String], job_type: &str) -> bool {
    types.iter().any(|served| served == job_type)
}

fn due(execution: &Execution, is_wanted: impl Fn(Timer) -> bool) -> Option<Timestamp> {
    execution.timers.iter().find(|(_, timer)| is_wanted(*timer)).map(|(due, _)| *due)
}
