//! The fold: an event changes an execution. Total and dull: no refusals, no errors, no expressions,
//! no clock. Whatever an event says is believed; deciding what to say is `decide`'s part.

use super::event::{
    AttemptLost, CancelRequested, Data, Event, ExecutionStarted, Failure, FailureCaught,
    ForkStarted, FrameStarted, JobProgressed, JobScheduled, JobStarted, RetryScheduled,
    StateEntered, StateExited,
};
use super::execution::{
    Activity, Cancel, Execution, Fork, Frame, Items, Job, JobStatus, Status, Step, StepStatus,
    Timer,
};
use super::id::{FrameId, JobId, Timestamp};
use crate::language::Json;

impl Execution {
    /// Folds a history from its first event.
    pub fn replay<'a>(
        id: super::ExecutionId,
        history: impl IntoIterator<Item = (&'a Event, Timestamp)>,
    ) -> Self {
        let mut execution = Self::new(id);
        for (event, at) in history {
            execution.apply(event, at);
        }
        execution
    }

    /// Believes one event, the next of the history, decided at `at`.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        self.sequence += 1;
        self.updated_at = at;
        match event {
            Event::DefinitionStored(_) => {}
            Event::ExecutionStarted(body) => self.started(body, at),
            Event::StateEntered(body) => self.state_entered(body, at),
            Event::StateExited(body) => self.state_exited(body, at),
            Event::FailureCaught(body) => self.failure_caught(body, at),
            Event::RetryScheduled(body) => self.retry_scheduled(body),
            Event::RetryStarted(body) => self.resume(body.frame, StepStatus::Running),
            Event::WaitStarted(body) => {
                self.set_activity(body.frame, Activity::Waiting(body.until));
                self.set_step(body.frame, StepStatus::Waiting);
            }
            Event::WaitEnded(body) => {
                if let Some(frame) = self.frames.get_mut(&body.frame) {
                    frame.result = Some(frame.data.clone());
                }
                self.resume(body.frame, StepStatus::Running);
            }
            Event::ForkStarted(body) => self.fork_started(body),
            Event::FrameStarted(body) => self.frame_started(body, at),
            Event::FrameSucceeded(body) => {
                self.progress = self.progress.max(body.progress);
                self.frame_succeeded(body.frame, &body.output);
            }
            Event::FrameFailed(body) => {
                self.progress = self.progress.max(body.progress);
                self.frame_failed(body.frame, &body.failure);
            }
            Event::FrameCancelled(body) => {
                self.close_frame(body.frame);
            }
            Event::JobScheduled(body) => self.job_scheduled(body, at),
            Event::JobStarted(body) => self.job_started(body, at),
            Event::JobProgressed(body) => self.job_progressed(body, at),
            Event::JobHeartbeat(body) => self.move_heartbeat(body.job, body.beat_at),
            Event::JobSucceeded(body) => self.job_succeeded(body.job, &body.output),
            Event::JobFailed(body) => self.job_failed(body.job, &body.failure),
            Event::JobTimedOut(body) => {
                self.job_failed(body.job, &Failure::timeout(body.heartbeat));
            }
            Event::AttemptLost(body) => self.attempt_lost(body),
            Event::JobCancelled(body) => self.forget_job(body.job),
            Event::CancelRequested(body) => self.cancel_requested(body, at),
            Event::ExecutionCancelled(_) => self.ended(Status::Cancelled, at),
            Event::ExecutionCompleted(body) => self.completed(&body.output, at),
            Event::ExecutionFailed(body) => {
                self.failure = Some(body.failure.clone());
                self.ended(Status::Failed, at);
            }
            Event::ExecutionTimedOut(_) => {
                self.failure = Some(Failure::timeout(false));
                self.ended(Status::TimedOut, at);
            }
            Event::ExecutionSetAside(body) => self.set_aside = Some(body.reason.clone()),
        }
    }

    fn started(&mut self, body: &ExecutionStarted, at: Timestamp) {
        self.status = Status::Running;
        self.workflow = body.workflow.clone();
        self.definition = body.definition;
        self.name.clone_from(&body.name);
        self.input = body.input.clone();
        self.started_at = at;
        if let Some(deadline) = body.deadline {
            self.timers.insert((deadline, Timer::ExecutionTimeout));
        }
        self.frames.insert(FrameId::ROOT, Frame::new(None, body.input.clone(), at));
        self.frame_count = 1;
        self.refresh(FrameId::ROOT);
    }

    fn state_entered(&mut self, body: &StateEntered, at: Timestamp) {
        self.progress = self.progress.max(body.progress);
        self.leave_job(body.frame);
        let Some(frame) = self.frames.get_mut(&body.frame) else { return };
        if let Data::New(input) = &body.input {
            frame.data = input.clone();
        }
        frame.state = Some(body.state.clone());
        frame.entered_at = at;
        frame.result = None;
        frame.failure = None;
        frame.retries.clear();
        if body.frame == FrameId::ROOT {
            let step = self.steps.entry(body.state.clone()).or_insert_with(|| Step::new(at));
            step.status = StepStatus::Running;
            step.ended_at = None;
        }
        self.set_activity(body.frame, Activity::Ready);
    }

    fn state_exited(&mut self, body: &StateExited, at: Timestamp) {
        let output = self.resolve(body.frame, &body.output);
        self.leave_job(body.frame);
        let Some(frame) = self.frames.get_mut(&body.frame) else { return };
        let result = frame.take_result();
        frame.data = output;
        frame.variables.extend(body.assigned.iter().cloned());
        if let Some(step) = self.step_of(body.frame) {
            step.status = match step.parts_failed {
                0 => StepStatus::Completed,
                _ => StepStatus::CompletedWithErrors,
            };
            step.ended_at = Some(at);
            step.failure = None;
            if step.parts > 0 {
                step.result = result;
            }
        }
        self.set_activity(body.frame, Activity::Ready);
    }

    fn failure_caught(&mut self, body: &FailureCaught, at: Timestamp) {
        let output = self.resolve(body.frame, &body.output);
        self.leave_job(body.frame);
        self.total_errors += u32::from(body.counts);
        let Some(frame) = self.frames.get_mut(&body.frame) else { return };
        frame.data = output;
        frame.failure = None;
        frame.result = None;
        frame.variables.extend(body.assigned.iter().cloned());
        if let Some(step) = self.step_of(body.frame) {
            step.status = StepStatus::Failed;
            step.ended_at = Some(at);
            step.failure = Some(body.failure.clone());
        }
        self.set_activity(body.frame, Activity::Ready);
    }

    fn retry_scheduled(&mut self, body: &RetryScheduled) {
        if let Some(frame) = self.frames.get_mut(&body.frame) {
            let index = body.retrier as usize;
            if frame.retries.len() <= index {
                frame.retries.resize(index + 1, 0);
            }
            if let Some(count) = frame.retries.get_mut(index) {
                *count = body.count;
            }
            frame.failure = None;
            frame.result = None;
        }
        self.set_activity(body.frame, Activity::BackingOff(body.due));
        if let Some(step) = self.step_of(body.frame) {
            step.status = StepStatus::Waiting;
            step.failure = Some(body.failure.clone());
        }
    }

    fn resume(&mut self, frame: FrameId, status: StepStatus) {
        self.set_activity(frame, Activity::Ready);
        self.set_step(frame, status);
    }

    fn fork_started(&mut self, body: &ForkStarted) {
        let items = body.items.as_ref().map(|items| Items::of(self.resolve(body.frame, items)));
        let fork = Fork {
            total: body.total,
            concurrency: body.concurrency,
            items,
            batch_ends: body.batch_ends.clone(),
            batch_input: body.batch_input.clone(),
            tolerated_failures: body.tolerated_failures,
            started: 0,
            running: std::collections::BTreeSet::new(),
            outputs: std::collections::BTreeMap::new(),
            failed: 0,
            failure: None,
        };
        self.set_activity(body.frame, Activity::Forked(fork));
        if let Some(step) = self.step_of(body.frame) {
            step.attempts += 1;
            step.parts = body.total;
            step.parts_completed = 0;
            step.parts_failed = 0;
        }
    }

    fn frame_started(&mut self, body: &FrameStarted, at: Timestamp) {
        self.frame_count = self.frame_count.max(body.frame.0.saturating_add(1));
        let parent = Some((body.parent, body.index));
        self.frames.insert(body.frame, Frame::new(parent, Json::null(), at));
        if let Some(fork) = self.fork_mut(body.parent) {
            fork.started += 1;
            fork.running.insert(body.frame);
        }
        self.refresh(body.parent);
        self.refresh(body.frame);
    }

    fn frame_succeeded(&mut self, id: FrameId, output: &Data) {
        let output = self.resolve(id, output);
        let Some((parent, index)) = self.close_frame(id) else { return };
        if let Some(fork) = self.fork_mut(parent) {
            fork.outputs.insert(index, output);
        }
        if let Some(step) = self.step_of(parent) {
            step.parts_completed += 1;
        }
        self.refresh(parent);
    }

    fn frame_failed(&mut self, id: FrameId, failure: &Failure) {
        let Some((parent, _)) = self.close_frame(id) else { return };
        let mut tolerated = false;
        if let Some(fork) = self.fork_mut(parent) {
            fork.failed += 1;
            tolerated = fork.failed <= fork.tolerated_failures;
            if !tolerated && fork.failure.is_none() {
                fork.failure = Some(failure.clone());
            }
        }
        self.total_errors += u32::from(tolerated);
        if let Some(step) = self.step_of(parent) {
            step.parts_failed += 1;
            step.failure = Some(failure.clone());
        }
        self.refresh(parent);
    }

    fn job_scheduled(&mut self, body: &JobScheduled, at: Timestamp) {
        self.job_count = self.job_count.max(body.job.0);
        let earlier = self.jobs.remove(&body.job);
        let input = match (&body.input, &earlier) {
            (Data::New(input), _) => input.clone(),
            (_, Some(earlier)) => earlier.input.clone(),
            (_, None) => self.resolve(body.frame, &Data::Kept),
        };
        let job = Job {
            frame: body.frame,
            job_type: body.job_type.clone(),
            input,
            status: JobStatus::Pending,
            attempt: body.attempt,
            lost: earlier.as_ref().map_or(0, |job| job.lost),
            token: None,
            worker: None,
            timeout_seconds: body.timeout_seconds,
            heartbeat_seconds: body.heartbeat_seconds,
            scheduled_at: at,
            started_at: None,
            percent: None,
            message: None,
            processed: None,
            total: None,
        };
        self.jobs.insert(body.job, job);
        if let Some(frame) = self.frames.get_mut(&body.frame) {
            frame.job = Some(body.job);
        }
        self.set_activity(body.frame, Activity::Job);
        if let Some(step) = self.step_of(body.frame) {
            step.job = Some(body.job);
            step.attempts += 1;
        }
    }

    fn job_started(&mut self, body: &JobStarted, at: Timestamp) {
        let Some(job) = self.jobs.get_mut(&body.job) else { return };
        job.status = JobStatus::Running;
        job.token = Some(body.token);
        job.worker = Some(body.worker.clone());
        job.started_at = Some(at);
        if let Some(seconds) = job.timeout_seconds {
            let timer = Timer::JobTimeout(body.job, job.attempt);
            self.timers.insert((at.plus_seconds(seconds), timer));
        }
        self.move_heartbeat(body.job, at);
    }

    fn job_progressed(&mut self, body: &JobProgressed, at: Timestamp) {
        self.progress = self.progress.max(body.progress);
        let Some(job) = self.jobs.get_mut(&body.job) else { return };
        job.percent = body.percent.or(job.percent);
        job.processed = body.processed.or(job.processed);
        job.total = body.total.or(job.total);
        let frame = job.frame;
        if let Some(message) = &body.message {
            job.message = Some(message.clone());
            self.message = Some(message.clone());
            if let Some(step) = self.step_of(frame) {
                step.message = Some(message.clone());
            }
        }
        self.move_heartbeat(body.job, at);
    }

    fn job_succeeded(&mut self, id: JobId, output: &Json) {
        let Some(frame_id) = self.jobs.get(&id).map(|job| job.frame) else { return };
        self.forget_job(id);
        if let Some(frame) = self.frames.get_mut(&frame_id) {
            frame.result = Some(output.clone());
        }
        if let Some(step) = self.step_of(frame_id) {
            step.result = Some(output.clone());
        }
        self.set_activity(frame_id, Activity::Ready);
    }

    fn job_failed(&mut self, id: JobId, failure: &Failure) {
        self.stop_job_timers(id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.status = JobStatus::Retrying;
        job.token = None;
        let frame_id = job.frame;
        if let Some(frame) = self.frames.get_mut(&frame_id) {
            frame.failure = Some(failure.clone());
        }
        self.set_activity(frame_id, Activity::Ready);
    }

    fn attempt_lost(&mut self, body: &AttemptLost) {
        self.stop_job_timers(body.job);
        let Some(job) = self.jobs.get_mut(&body.job) else { return };
        job.status = JobStatus::Retrying;
        job.token = None;
        job.lost += u32::from(!body.stopped);
    }

    fn cancel_requested(&mut self, body: &CancelRequested, at: Timestamp) {
        self.status = Status::Cancelling;
        self.cancel = Some(Cancel { by: body.by.clone(), reason: body.reason.clone(), at });
        for job in self.jobs.values_mut().filter(|job| job.status == JobStatus::Running) {
            job.status = JobStatus::Cancelling;
        }
        self.ready.clear();
        self.timers.clear();
        self.timers.insert((body.deadline, Timer::CancelDeadline));
    }

    fn completed(&mut self, output: &Data, at: Timestamp) {
        self.output = Some(self.resolve(FrameId::ROOT, output));
        self.progress = 100;
        let status =
            if self.total_errors == 0 { Status::Completed } else { Status::CompletedWithErrors };
        self.ended(status, at);
    }

    /// Nothing is open any more; the steps keep what was gathered.
    fn ended(&mut self, status: Status, at: Timestamp) {
        let open_step = match status {
            Status::Failed | Status::TimedOut => StepStatus::Failed,
            Status::Completed | Status::CompletedWithErrors | Status::Cancelled => {
                StepStatus::Cancelled
            }
            Status::Pending | Status::Running | Status::Cancelling => return,
        };
        for step in self.steps.values_mut().filter(|step| step.ended_at.is_none()) {
            step.status = open_step;
            step.ended_at = Some(at);
            if open_step == StepStatus::Failed {
                step.failure.clone_from(&self.failure);
            }
        }
        self.status = status;
        self.ended_at = Some(at);
        self.frames.clear();
        self.jobs.clear();
        self.ready.clear();
        self.timers.clear();
    }

    /// What `data` stands for in `frame`.
    fn resolve(&self, frame: FrameId, data: &Data) -> Json {
        let Some(frame) = self.frames.get(&frame) else { return Json::null() };
        match data {
            Data::Kept => frame.data.clone(),
            Data::Result => frame.current_result().unwrap_or_else(|| frame.data.clone()),
            Data::New(json) => json.clone(),
        }
    }

    /// Changes what a frame does, and with it its timers and whether decide owes it a step.
    fn set_activity(&mut self, id: FrameId, activity: Activity) {
        let Some(frame) = self.frames.get_mut(&id) else { return };
        let before = std::mem::replace(&mut frame.activity, activity);
        if let Some(timer) = timer_of(id, &before) {
            self.timers.remove(&timer);
        }
        if let Some(timer) = timer_of(id, &frame.activity) {
            self.timers.insert(timer);
        }
        self.refresh(id);
    }

    /// Brings `ready` in line with what the frame is doing.
    fn refresh(&mut self, id: FrameId) {
        let actionable = self.status == Status::Running
            && self.frames.get(&id).is_some_and(|frame| match &frame.activity {
                Activity::Ready => true,
                Activity::Forked(fork) => fork.is_actionable(),
                Activity::Job | Activity::Waiting(_) | Activity::BackingOff(_) => false,
            });
        if actionable {
            self.ready.insert(id);
        } else {
            self.ready.remove(&id);
        }
    }

    /// Removes a frame with its job and timers; gives where it belonged.
    fn close_frame(&mut self, id: FrameId) -> Option<(FrameId, u32)> {
        self.leave_job(id);
        let frame = self.frames.remove(&id)?;
        if let Some(timer) = timer_of(id, &frame.activity) {
            self.timers.remove(&timer);
        }
        self.ready.remove(&id);
        let (parent, index) = frame.parent?;
        if let Some(fork) = self.fork_mut(parent) {
            fork.running.remove(&id);
        }
        self.refresh(parent);
        Some((parent, index))
    }

    fn fork_mut(&mut self, frame: FrameId) -> Option<&mut Fork> {
        match &mut self.frames.get_mut(&frame)?.activity {
            Activity::Forked(fork) => Some(fork),
            Activity::Ready | Activity::Job | Activity::Waiting(_) | Activity::BackingOff(_) => {
                None
            }
        }
    }

    /// The step that people see a frame in: that of the outermost machine's current state, when
    /// the frame is the outermost.
    fn step_of(&mut self, frame: FrameId) -> Option<&mut Step> {
        if frame != FrameId::ROOT {
            return None;
        }
        let state = self.frames.get(&frame)?.state.as_ref()?;
        self.steps.get_mut(state)
    }

    fn set_step(&mut self, frame: FrameId, status: StepStatus) {
        if let Some(step) = self.step_of(frame) {
            step.status = status;
        }
    }

    /// The frame is done with its state's job.
    fn leave_job(&mut self, frame: FrameId) {
        if let Some(job) = self.frames.get(&frame).and_then(|frame| frame.job) {
            self.forget_job(job);
        }
    }

    fn forget_job(&mut self, id: JobId) {
        self.stop_job_timers(id);
        let Some(job) = self.jobs.remove(&id) else { return };
        if let Some(frame) = self.frames.get_mut(&job.frame) {
            frame.job = None;
        }
    }

    fn stop_job_timers(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if job.timeout_seconds.is_some() || job.heartbeat_seconds.is_some() {
            self.timers.retain(|(_, timer)| {
                !matches!(timer, Timer::JobTimeout(job, _) | Timer::Heartbeat(job, _) if *job == id)
            });
        }
    }

    fn move_heartbeat(&mut self, id: JobId, beat_at: Timestamp) {
        let Some(job) = self.jobs.get(&id) else { return };
        // A worker that was asked to stop has until the cancel's deadline, whatever it reports.
        if job.status != JobStatus::Running {
            return;
        }
        if let Some(seconds) = job.heartbeat_seconds {
            let timer = Timer::Heartbeat(id, job.attempt);
            self.timers.retain(|(_, other)| *other != timer);
            self.timers.insert((beat_at.plus_seconds(seconds), timer));
        }
    }
}

fn timer_of(frame: FrameId, activity: &Activity) -> Option<(Timestamp, Timer)> {
    match activity {
        Activity::Waiting(until) => Some((*until, Timer::Wait(frame))),
        Activity::BackingOff(due) => Some((*due, Timer::Retry(frame))),
        Activity::Ready | Activity::Job | Activity::Forked(_) => None,
    }
}

impl Frame {
    fn new(parent: Option<(FrameId, u32)>, data: Json, at: Timestamp) -> Self {
        Self {
            parent,
            state: None,
            entered_at: at,
            data,
            result: None,
            failure: None,
            job: None,
            variables: std::collections::BTreeMap::new(),
            retries: Vec::new(),
            activity: Activity::Ready,
        }
    }

    /// The result of the state's work: a job's result, or the outputs of its parts in order.
    #[must_use]
    pub fn current_result(&self) -> Option<Json> {
        match &self.activity {
            Activity::Forked(fork) => Some(Json::array(fork.outputs.values())),
            Activity::Ready | Activity::Job | Activity::Waiting(_) | Activity::BackingOff(_) => {
                self.result.clone()
            }
        }
    }

    fn take_result(&mut self) -> Option<Json> {
        let result = self.current_result();
        self.result = None;
        result
    }
}

impl Step {
    fn new(at: Timestamp) -> Self {
        Self {
            status: StepStatus::Pending,
            job: None,
            attempts: 0,
            result: None,
            failure: None,
            entered_at: at,
            ended_at: None,
            message: None,
            parts: 0,
            parts_completed: 0,
            parts_failed: 0,
        }
    }
}

impl Failure {
    /// A failure with this name and cause.
    #[must_use]
    pub fn new(error: &str, cause: &str) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    /// What a timeout looks like to Retry and Catch.
    #[must_use]
    pub fn timeout(heartbeat: bool) -> Self {
        if heartbeat {
            Self::new("States.HeartbeatTimeout", "the worker gave no sign of life in time")
        } else {
            Self::new("States.Timeout", "the time ran out")
        }
    }
}
