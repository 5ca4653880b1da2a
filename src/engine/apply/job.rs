//! Jobs: what workers and child executions do.

use crate::engine::event::{
    AttemptLost, Data, Failure, JobHeartbeat, JobProgressed, JobScheduled, JobStarted,
    JobSucceeded, JobTimedOut,
};
use crate::engine::execution::{Activity, Execution, Frame, Job, JobStatus, StepStatus, Timer};
use crate::engine::id::{FrameId, JobId, Timestamp};
use crate::language::Json;

impl Execution {
    /// The input that an attempt which is to be scheduled will have.
    pub(in crate::engine) fn input_of_job(&self, body: &JobScheduled) -> Json {
        match (&body.input, self.jobs.get(&body.job)) {
            (Data::New(input), _) => input.clone(),
            (_, Some(earlier)) => earlier.input.clone(),
            (_, None) => self.resolve(body.frame, &Data::Kept),
        }
    }

    pub(super) fn job_scheduled(&mut self, body: &JobScheduled, at: Timestamp) {
        self.job_count = self.job_count.max(body.job.0);
        let input = self.input_of_job(body);
        let earlier = self.jobs.remove(&body.job);
        // Its frame still waits for what was cut off; a retry begins from the state.
        let waits = |frame: &Frame| matches!(frame.activity, Activity::Job);
        let cut_off = earlier.as_ref().filter(|_| self.frames.get(&body.frame).is_some_and(waits));
        let scheduled_at = cut_off.map_or(at, |earlier| earlier.scheduled_at);
        let job = Job {
            frame: body.frame,
            job_type: body.job_type.clone(),
            input,
            // An execution needs no worker that takes it: it is under way from here on.
            status: if body.child.is_some() { JobStatus::Running } else { JobStatus::Pending },
            attempt: body.attempt,
            lost: earlier.as_ref().map_or(0, |job| job.lost),
            token: None,
            callback: body.callback,
            child: body.child.clone(),
            worker: None,
            timeout_seconds: body.timeout_seconds,
            heartbeat_seconds: body.heartbeat_seconds,
            scheduled_at,
            started_at: None,
            percent: None,
            message: None,
            processed: None,
            total: None,
            reported_at: None,
        };
        self.jobs.insert(body.job, job);
        if let Some(frame) = self.frames.get_mut(&body.frame) {
            frame.job = Some(body.job);
            frame.joined |= matches!(frame.activity, Activity::Forked(_));
        }
        self.set_activity(body.frame, Activity::Job);
        if body.child.is_some() {
            self.clock_started(body.job, at);
        }
        let is_own = self.jobs.get(&body.job).is_some_and(Job::is_own);
        if let Some(step) = self.step_of(body.frame) {
            step.job = Some(body.job);
            step.child = body.child.as_ref().map(|child| child.execution);
            // A Map that reads or writes files is still the same attempt.
            step.attempts += u32::from(!is_own);
        }
    }

    pub(super) fn job_started(&mut self, body: &JobStarted, at: Timestamp) {
        let Some(job) = self.jobs.get_mut(&body.job) else { return };
        job.status = JobStatus::Running;
        job.token = Some(body.token);
        job.worker = Some(body.worker.clone());
        self.clock_started(body.job, at);
    }

    /// The time of a job's attempt begins to run.
    pub(super) fn clock_started(&mut self, id: JobId, at: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.started_at = Some(at);
        if let Some(seconds) = job.timeout_seconds {
            let timer = Timer::JobTimeout(id, job.attempt);
            self.timers.insert((at.plus_seconds(seconds), timer));
        }
        self.move_heartbeat(id, at);
    }

    pub(super) fn job_heartbeat(&mut self, body: &JobHeartbeat) {
        self.uncounted_events += 1;
        self.move_heartbeat(body.job, body.beat_at);
    }

    pub(super) fn callback_awaited(&mut self, id: JobId, at: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.status = JobStatus::Waiting;
        job.token = None;
        let frame = job.frame;
        // Handing it on is a sign of life.
        self.move_heartbeat(id, at);
        self.set_step(frame, StepStatus::Waiting);
    }

    pub(super) fn job_progressed(&mut self, body: &JobProgressed, at: Timestamp) {
        self.uncounted_events += 1;
        self.raise_progress(body.progress);
        let Some(job) = self.jobs.get_mut(&body.job) else { return };
        job.percent = body.percent.or(job.percent);
        job.processed = body.processed.or(job.processed);
        job.total = body.total.or(job.total);
        let (frame, processed, total) = (job.frame, job.processed, job.total);
        if body.percent.is_some() || body.processed.is_some() {
            job.reported_at = Some(at);
        }
        if let Some(message) = &body.message {
            job.message = Some(message.clone());
            self.message = Some(message.clone());
            if let Some(step) = self.step_of(frame) {
                step.message = Some(message.clone());
            }
        }
        if let Some(step) = self.step_of(frame) {
            (step.processed, step.total) = (processed, total);
        }
        self.move_heartbeat(body.job, at);
    }

    pub(super) fn job_succeeded(&mut self, body: &JobSucceeded) {
        let JobSucceeded { job: id, ref output, errors, .. } = *body;
        self.count_errors(errors);
        let Some(job) = self.jobs.get(&id) else { return };
        let (frame_id, is_own) = (job.frame, job.is_own());
        let counted = job.processed.unwrap_or(0);
        self.items_processed = self.items_processed.saturating_add(counted);
        self.forget_job(id);
        if let Some(frame) = self.frames.get_mut(&frame_id) {
            frame.result = Some(output.clone());
        }
        let works = self.cleanup.is_none();
        if let Some(step) = self.outer_step().filter(|_| works) {
            step.errors = step.errors.saturating_add(errors);
        }
        if let Some(step) = self.step_of(frame_id) {
            step.status = StepStatus::Running;
            // Items that were read are no result.
            if !is_own {
                step.result = Some(output.clone());
            }
        }
        self.set_activity(frame_id, Activity::Ready);
    }

    pub(super) fn job_failed(&mut self, id: JobId, failure: &Failure) {
        self.stop_job_timers(id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.status = JobStatus::Retrying;
        job.token = None;
        let frame_id = job.frame;
        if let Some(frame) = self.frames.get_mut(&frame_id) {
            frame.failure = Some(failure.clone());
        }
        self.set_step(frame_id, StepStatus::Running);
        self.set_activity(frame_id, Activity::Ready);
    }

    pub(super) fn job_timed_out(&mut self, body: &JobTimedOut) {
        self.abandon_child(body.job);
        self.job_failed(body.job, &Failure::timeout(body.heartbeat));
    }

    pub(super) fn job_cancelled(&mut self, id: JobId) {
        self.abandon_child(id);
        self.forget_job(id);
    }

    pub(super) fn attempt_lost(&mut self, body: &AttemptLost) {
        self.stop_job_timers(body.job);
        let Some(job) = self.jobs.get_mut(&body.job) else { return };
        job.status = JobStatus::Retrying;
        job.token = None;
        job.lost += u32::from(!body.stopped);
    }

    /// The frame is done with its state's job.
    pub(super) fn leave_job(&mut self, frame: FrameId) {
        if let Some(job) = self.frames.get(&frame).and_then(|frame| frame.job) {
            self.forget_job(job);
        }
    }

    pub(super) fn forget_job(&mut self, id: JobId) {
        self.stop_job_timers(id);
        let Some(job) = self.jobs.remove(&id) else { return };
        if let Some(frame) = self.frames.get_mut(&job.frame) {
            frame.job = None;
        }
    }

    /// A job that no longer waits for its execution has it stopped.
    pub(super) fn abandon_child(&mut self, id: JobId) {
        if let Some(child) = self.jobs.get(&id).and_then(Job::awaited_child) {
            self.leaving.insert(child, self.sequence);
        }
    }

    pub(super) fn stop_job_timers(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if job.timeout_seconds.is_some() || job.heartbeat_seconds.is_some() {
            self.timers.retain(|(_, timer)| {
                !matches!(timer, Timer::JobTimeout(job, _) | Timer::Heartbeat(job, _) if *job == id)
            });
        }
    }

    pub(super) fn move_heartbeat(&mut self, id: JobId, beat_at: Timestamp) {
        let Some(job) = self.jobs.get(&id) else { return };
        // A worker that was asked to stop has until the cancel's deadline, whatever it reports.
        if !job.status.is_under_way() {
            return;
        }
        if let Some(seconds) = job.heartbeat_seconds {
            let timer = Timer::Heartbeat(id, job.attempt);
            self.timers.retain(|(_, other)| *other != timer);
            self.timers.insert((beat_at.plus_seconds(seconds), timer));
        }
    }
}
