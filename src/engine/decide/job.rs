//! What workers say about jobs.

use std::sync::Arc;

use super::Decision;
use super::failure::DATA_LIMIT;
use crate::engine::event::{
    AttemptLost, CallbackAwaited, Data, Failure, JobCancelled, JobFailed, JobHeartbeat,
    JobProgressed, JobScheduled, JobStarted, JobSucceeded, cut_shared,
};
use crate::engine::execution::{Job, JobStatus, Status, Timer};
use crate::engine::id::{JobId, Token};
use crate::engine::own_jobs::READ_ITEMS;
use crate::engine::rejection::Rejection;
use crate::language::{Json, StateKind};

/// The error of a job that crashes cut off too often.
const ATTEMPT_LOST: &str = "Everstep.AttemptLost";

/// The most of a worker's words that is kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 4096;

/// What a report of progress says.
pub(super) struct Report {
    pub(super) percent: Option<u8>,
    pub(super) message: Option<Arc<str>>,
    pub(super) processed: Option<u64>,
    pub(super) total: Option<u64>,
}

/// Who shows a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// The worker of the running attempt.
    Worker,
    /// Whoever is to call back.
    Callback,
}

impl Decision<'_> {
    pub(super) fn start_job(
        &mut self,
        job: JobId,
        attempt: u32,
        worker: Arc<str>,
        token: Token,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        self.require_not_paused()?;
        let open = self.execution.jobs.get(&job).ok_or(Rejection::JobNotOpen { job })?;
        if open.status != JobStatus::Pending || open.attempt != attempt {
            return Err(Rejection::NotPending { job, attempt });
        }
        self.emit(JobStarted { job, attempt, worker, token });
        Ok(())
    }

    pub(super) fn report_progress(
        &mut self,
        job: JobId,
        token: Token,
        report: Report,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        let (open, _) = self.holder(job, token)?;
        if open.status == JobStatus::Pending {
            // Whoever is to call back was told by an attempt that a crash cut off.
            return Err(Rejection::NotPending { job, attempt: open.attempt });
        }
        if open.status == JobStatus::Cancelling {
            // How far it is no longer matters.
            let (command, status) = (self.action, self.execution.status);
            return Err(Rejection::NotInStatus { command, status });
        }
        let Report { percent, message, processed, total } = report;
        let percent = percent.map(|percent| percent.min(100));
        let message = message.map(|message| cut_shared(message, MAX_MESSAGE_BYTES));
        let event = JobProgressed { job, percent, message, processed, total, progress: 0 };
        self.emit_with_progress(event.into());
        Ok(())
    }

    pub(super) fn complete_job(
        &mut self,
        job: JobId,
        token: Token,
        output: Json,
        errors: u32,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        let (open, holder) = self.holder(job, token)?;
        let attempt = open.attempt;
        open.refuse_late_callback(job, holder)?;
        let limit = self.result_limit(open);
        if holder == Holder::Worker && open.callback.is_some() {
            // What the worker gave is not the result: it has handed the job on.
            if open.status == JobStatus::Cancelling {
                self.emit(JobCancelled { job });
            } else {
                self.emit(CallbackAwaited { job, attempt });
            }
        } else if output.len_bytes() > limit {
            let name = self.task_name(job);
            let failure = result_too_large(&name, output.len_bytes(), limit);
            self.emit(JobFailed { job, attempt, failure });
        } else {
            self.emit(JobSucceeded { job, attempt, output, errors });
        }
        self.go_on_ending();
        Ok(())
    }

    pub(super) fn fail_job(
        &mut self,
        job: JobId,
        token: Token,
        failure: Failure,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        let (open, holder) = self.holder(job, token)?;
        open.refuse_late_callback(job, holder)?;
        let attempt = open.attempt;
        if open.status == JobStatus::Cancelling {
            self.emit(JobCancelled { job });
        } else {
            self.emit(JobFailed { job, attempt, failure: failure.bounded() });
        }
        self.go_on_ending();
        Ok(())
    }

    /// A sign of life of whoever is to call back. Unlike a worker's in this process it is an event,
    /// for whoever gave it may be far away and believe it is known; one a second is enough,
    /// or ten in the time that it may be silent.
    pub(super) fn heartbeat(&mut self, job: JobId, token: Token) -> Result<(), Rejection> {
        const OFTEN_ENOUGH_MS: u64 = 1000;
        self.require(&[Status::Running, Status::Cancelling])?;
        let (open, _) = self.holder(job, token)?;
        let timer = Timer::Heartbeat(job, open.attempt);
        let armed = self.execution.timers.iter().find(|(_, other)| *other == timer);
        let (Some(seconds), Some((due, _))) = (open.heartbeat_seconds, armed) else {
            return Err(Rejection::NothingToDo);
        };
        let often_enough = OFTEN_ENOUGH_MS.min(seconds.saturating_mul(1000) / 10);
        if self.now.plus_seconds(seconds).ms_since(*due) < often_enough {
            return Err(Rejection::NothingToDo);
        }
        self.emit(JobHeartbeat { job, beat_at: self.now });
        Ok(())
    }

    /// How large a job's result may be: items that we read have a limit of their own.
    fn result_limit(&self, job: &Job) -> usize {
        match &*job.job_type {
            READ_ITEMS => self.input.limits.items_bytes,
            _ => self.input.limits.payload_bytes,
        }
    }

    /// What AWS calls the task of a job when it speaks of its result: the ARN of a function or an
    /// activity, the service of an integration. Whatever is no Task is called by its state.
    pub(super) fn task_name(&self, job: JobId) -> String {
        let frame =
            self.execution.jobs.get(&job).and_then(|job| self.execution.frames.get(&job.frame));
        let Some(name) = frame.and_then(|frame| frame.state.clone()) else { return String::new() };
        match self.input.program.state(&name).map(|state| &state.kind) {
            Some(StateKind::Task(task)) => task.resource.short_name().to_owned(),
            _ => name.to_string(),
        }
    }

    pub(super) fn acknowledge_cancel(&mut self, job: JobId, token: Token) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        let (holder, _) = self.holder(job, token)?;
        let attempt = holder.attempt;
        if holder.status == JobStatus::Cancelling {
            self.emit(JobCancelled { job });
            self.go_on_ending();
        } else {
            let failure = Failure::new("States.TaskFailed", "the worker stopped without a result");
            self.emit(JobFailed { job, attempt, failure });
        }
        Ok(())
    }

    pub(super) fn lose_attempts(&mut self, jobs: &[JobId], stopped: bool) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        let before = self.events.len();
        for id in jobs {
            let Some(job) = self.execution.jobs.get(id) else { continue };
            let attempt = job.attempt;
            match job.status {
                JobStatus::Running if job.child.is_none() => {
                    self.emit(AttemptLost { job: *id, attempt, stopped });
                    self.schedule_lost_again(*id);
                }
                JobStatus::Cancelling => self.emit(JobCancelled { job: *id }),
                JobStatus::Running
                | JobStatus::Waiting
                | JobStatus::Pending
                | JobStatus::Retrying => {}
            }
        }
        if self.events.len() == before {
            return Err(Rejection::NothingToDo);
        }
        self.go_on_ending();
        Ok(())
    }

    /// A lost attempt is tried again without using up the workflow's own retries, within a limit.
    fn schedule_lost_again(&mut self, id: JobId) {
        let Some(job) = self.execution.jobs.get(&id) else { return };
        let (attempt, lost) = (job.attempt, job.lost);
        if lost > self.input.limits.lost_attempts {
            let cause = format!(
                "{lost} attempts of this job were cut off by a crash of the process that ran it, \
                 more than the limit of {}; the job may be what crashes it",
                self.input.limits.lost_attempts
            );
            let failure = Failure::new(ATTEMPT_LOST, &cause);
            return self.emit(JobFailed { job: id, attempt, failure });
        }
        let event = JobScheduled {
            job: id,
            frame: job.frame,
            attempt: attempt + 1,
            job_type: job.job_type.clone(),
            input: Data::Kept,
            timeout_seconds: job.timeout_seconds,
            heartbeat_seconds: job.heartbeat_seconds,
            // The same token: whoever was told of it by the attempt that was cut off may answer.
            callback: job.callback,
            child: None,
        };
        self.emit(event);
    }

    /// The job, if `token` is that of its running attempt or of its callback.
    fn holder(&self, job: JobId, token: Token) -> Result<(&Job, Holder), Rejection> {
        let open = self.execution.jobs.get(&job).ok_or(Rejection::JobNotOpen { job })?;
        let shows = |wanted: Option<Token>| wanted.is_some_and(|wanted| wanted.is_same(&token));
        if shows(open.token) {
            Ok((open, Holder::Worker))
        } else if shows(open.callback) && open.status != JobStatus::Retrying {
            Ok((open, Holder::Callback))
        } else {
            Err(Rejection::StaleToken { job })
        }
    }
}

impl Job {
    /// A callback comes too late when the job is to stop: its worker is told, and answers.
    fn refuse_late_callback(&self, job: JobId, holder: Holder) -> Result<(), Rejection> {
        let late = holder == Holder::Callback && self.status == JobStatus::Cancelling;
        if late { Err(Rejection::StaleToken { job }) } else { Ok(()) }
    }
}

/// The failure of a state or task whose result is over the limit. AWS says the first sentence; it
/// names a state by its name, and a task by its resource.
pub(super) fn result_too_large(name: &str, bytes: usize, limit: usize) -> Failure {
    let cause = format!(
        "The state/task '{name}' returned a result with a size exceeding the maximum number of \
         bytes service limit. It has {bytes} bytes, and {limit} is the most."
    );
    Failure::new(DATA_LIMIT, &cause)
}

/// The same failure of other data, for which AWS's words are not known.
pub(super) fn too_large(what: &str, bytes: usize, limit: usize) -> Failure {
    let cause = format!("{what} has {bytes} bytes, over the limit of {limit}");
    Failure::new(DATA_LIMIT, &cause)
}
