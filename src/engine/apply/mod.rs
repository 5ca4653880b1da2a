//! The fold: an event changes an execution. Total and dull: no refusals, no errors, no expressions,
//! no clock. Whatever an event says is believed; deciding what to say is `decide`'s part.

mod cleanup;
mod fork;
mod job;
mod pause;
mod redrive;

use super::child::Ending;
use super::cleanup::Cancel;
use super::event::{
    CancelRequested, Data, Event, ExecutionCompleted, ExecutionStarted, Failure, FailureCaught,
    RetryScheduled, StateEntered, StateExited,
};
use super::event_kind::of_catalogue;
use super::execution::{
    Activity, Deletion, Execution, Frame, Job, JobStatus, Status, Step, StepStatus, Timer,
};
use super::id::{FrameId, Timestamp};
use super::kept::KeptParts;
use super::pace::Pace;
use super::pause::Pauses;
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
        self.keep_pace(at);
        self.sequence += 1;
        self.updated_at = at;
        match event {
            Event::DefinitionStored(_)
            | Event::WorkflowPaused(_)
            | Event::WorkflowResumed(_)
            | Event::JobTypePaused(_)
            | Event::JobTypeResumed(_)
            | of_catalogue!() => {}
            Event::ExecutionStarted(body) => self.started(body, at),
            Event::ExecutionAdmitted(body) => self.admitted(body.deadline, at),
            Event::ExecutionRedriven(body) => self.redriven(body, at),
            Event::PartsKept(body) => self.parts_kept(body),
            Event::StateEntered(body) => self.state_entered(body, at),
            Event::StateExited(body) => self.state_exited(body, at),
            Event::FailureCaught(body) => self.failure_caught(body, at),
            Event::RetryScheduled(body) => self.retry_scheduled(body),
            Event::RetryStarted(body) => self.resume(body.frame, StepStatus::Running),
            Event::WaitStarted(body) => self.wait_started(body.frame, body.until),
            Event::WaitEnded(body) => self.wait_ended(body.frame),
            Event::ForkStarted(body) => self.fork_started(body, at),
            Event::FrameStarted(body) => self.frame_started(body, at),
            Event::FrameSucceeded(body) => self.frame_succeeded(body),
            Event::FrameFailed(body) => self.frame_failed(body),
            Event::FrameCancelled(body) => self.frame_cancelled(body.frame),
            Event::ItemStarted(body) => self.item_started(body),
            Event::ItemProgressed(body) => self.item_progressed(body),
            Event::ItemSucceeded(body) => self.item_succeeded(body),
            Event::ItemFailed(body) => self.item_failed(body),
            Event::ItemCancelled(body) => self.item_cancelled(body.frame, body.child),
            Event::MapRunChanged(body) => self.map_run_changed(body),
            Event::ChildStopped(body) => drop(self.leaving.remove(&body.child)),
            Event::JobScheduled(body) => self.job_scheduled(body, at),
            Event::JobStarted(body) => self.job_started(body, at),
            Event::JobProgressed(body) => self.job_progressed(body, at),
            Event::JobHeartbeat(body) => self.job_heartbeat(body),
            Event::CallbackAwaited(body) => self.callback_awaited(body.job, at),
            Event::JobSucceeded(body) => self.job_succeeded(body),
            Event::JobFailed(body) => self.job_failed(body.job, &body.failure),
            Event::JobTimedOut(body) => self.job_timed_out(body),
            Event::AttemptLost(body) => self.attempt_lost(body),
            Event::JobCancelled(body) => self.job_cancelled(body.job),
            Event::CancelRequested(body) => self.cancel_requested(body, at),
            Event::CancelExtended(body) => self.wait_for_cancel(body.deadline),
            Event::ExecutionClosing(body) => self.close(&body.ending),
            Event::CancelForced(body) => self.cancel_forced(body, at),
            Event::CleanupStarted(body) => self.cleanup_started(body, at),
            Event::CleanupSucceeded(body) => self.cleanup_succeeded(body.frame, at),
            Event::CleanupFailed(body) => self.cleanup_failed(body, at),
            Event::ExecutionCancelled(body) => self.cancelled(body, at),
            Event::ExecutionCompleted(body) => self.completed(body, at),
            Event::ExecutionFailed(body) => {
                self.summary.clone_from(&body.summary);
                self.failed(Status::Failed, body.failure.clone(), at);
            }
            Event::ExecutionTimedOut(body) => {
                self.summary.clone_from(&body.summary);
                self.failed(Status::TimedOut, Failure::timeout(false), at);
            }
            Event::ExecutionPaused(body) => self.paused(body, at),
            Event::ExecutionResumed(body) => self.resumed(body),
            Event::ExecutionSetAside(body) => self.set_aside = Some(body.reason.clone()),
            Event::ExecutionDeleted(body) => {
                let (by, reason) = (body.by.clone(), body.reason.clone());
                self.deleted = Some(Deletion { by, reason, at });
            }
        }
    }

    fn started(&mut self, body: &ExecutionStarted, at: Timestamp) {
        self.workflow = body.workflow.clone();
        self.definition = body.definition;
        self.name.clone_from(&body.name);
        self.parent.clone_from(&body.parent);
        self.place.clone_from(&body.place);
        self.ask_for_place();
        self.rerun_of = body.rerun_of;
        self.started_as.clone_from(&body.started_as);
        self.input = body.input.clone();
        self.started_at = at;
        self.pace = Pace::starting(at, 0);
        if let Some(deadline) = body.deadline {
            self.timers.insert((deadline, Timer::ExecutionTimeout));
        }
        self.frames.insert(FrameId::ROOT, Frame::new(None, body.input.clone(), at));
        self.frame_count = 1;
        self.refresh(FrameId::ROOT);
    }

    /// Runs from now on; first it needs its place, where its workflow says how many may run.
    pub(super) fn ask_for_place(&mut self) {
        self.admitted_at = None;
        if self.place.is_some() {
            self.status = Status::Pending;
            self.asked_for_place = self.sequence;
        } else {
            self.status = Status::Running;
        }
    }

    fn admitted(&mut self, deadline: Option<Timestamp>, at: Timestamp) {
        self.status = Status::Running;
        self.admitted_at = Some(at);
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, Timer::ExecutionTimeout));
        }
        self.refresh_all();
    }

    fn state_entered(&mut self, body: &StateEntered, at: Timestamp) {
        self.raise_progress(body.progress);
        self.leave_job(body.frame);
        let Some(frame) = self.frames.get_mut(&body.frame) else { return };
        if let Data::New(input) = &body.input {
            frame.data = input.clone();
        }
        frame.state = Some(body.state.clone());
        frame.entered_at = at;
        frame.result = None;
        frame.failure = None;
        frame.joined = false;
        frame.retries.clear();
        if body.frame == FrameId::ROOT {
            let sequence = self.sequence;
            let step = self.step_entered(&body.state, at);
            step.entered_by = sequence;
            step.status = StepStatus::Running;
            step.ended_at = None;
            step.errors = 0;
            (step.processed, step.total) = (None, None);
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
            step.status = match (step.parts_failed, step.errors) {
                (0, 0) => StepStatus::Completed,
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
        self.count_error(body.counts);
        self.keep_outputs_of_parts(body.frame);
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
            frame.joined = false;
        }
        self.set_activity(body.frame, Activity::BackingOff(body.due));
        if let Some(step) = self.step_of(body.frame) {
            step.status = StepStatus::Waiting;
            step.failure = Some(body.failure.clone());
        }
    }

    fn wait_started(&mut self, frame: FrameId, until: Timestamp) {
        self.set_activity(frame, Activity::Waiting(until));
        self.set_step(frame, StepStatus::Waiting);
    }

    fn wait_ended(&mut self, id: FrameId) {
        if let Some(frame) = self.frames.get_mut(&id) {
            frame.result = Some(frame.data.clone());
        }
        self.resume(id, StepStatus::Running);
    }

    fn resume(&mut self, frame: FrameId, status: StepStatus) {
        self.set_activity(frame, Activity::Ready);
        self.set_step(frame, status);
    }

    fn cancel_requested(&mut self, body: &CancelRequested, at: Timestamp) {
        self.status = Status::Cancelling;
        self.closing = None;
        self.pauses = Pauses::default();
        self.cancel = Some(Box::new(Cancel {
            by: body.by.clone(),
            reason: body.reason.clone(),
            at,
            deadline: body.deadline,
            forced: None,
        }));
        if self.cleanup.is_some() {
            // What undoes the work goes on.
            return;
        }
        let has_worker = |job: &&mut Job| job.status == JobStatus::Running && job.child.is_none();
        for job in self.jobs.values_mut().filter(has_worker) {
            job.status = JobStatus::Cancelling;
        }
        self.ready.clear();
        self.wait_for_cancel(body.deadline);
    }

    /// Nothing is waited for any more but workers and executions that stop.
    fn wait_for_cancel(&mut self, deadline: Timestamp) {
        self.timers.clear();
        self.timers.insert((deadline, Timer::CancelDeadline));
    }

    /// Nothing is waited for any more but executions that stop, and clean-up.
    fn close(&mut self, ending: &Ending) {
        self.closing = Some(ending.clone());
        self.pauses = Pauses::default();
        self.leave_job(FrameId::ROOT);
        self.ready.clear();
        self.timers.clear();
    }

    fn failed(&mut self, status: Status, failure: Failure, at: Timestamp) {
        self.failure = Some(failure);
        self.ended(status, at);
    }

    fn completed(&mut self, body: &ExecutionCompleted, at: Timestamp) {
        self.output = Some(self.resolve(FrameId::ROOT, &body.output));
        self.summary.clone_from(&body.summary);
        self.progress = 100;
        self.ended(self.completed_status(), at);
    }

    /// How it ends if it completes now.
    pub(in crate::engine) fn completed_status(&self) -> Status {
        if self.total_errors == 0 { Status::Completed } else { Status::CompletedWithErrors }
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
        let failure = self.failure.clone().filter(|_| open_step == StepStatus::Failed);
        self.close_steps(open_step, failure.as_ref(), at);
        self.keep_outputs_of_parts(FrameId::ROOT);
        self.status = status;
        self.ended_at = Some(at);
        self.frames.clear();
        self.jobs.clear();
        self.ready.clear();
        self.timers.clear();
        self.leaving.clear();
        self.closing = None;
        self.pauses = Pauses::default();
    }

    /// What `data` stands for in `frame`.
    pub(super) fn resolve(&self, frame: FrameId, data: &Data) -> Json {
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
        let actionable = self.moves(id)
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

    /// The same for every frame: what became ready meanwhile was kept back.
    fn refresh_all(&mut self) {
        let frames: Vec<FrameId> = self.frames.keys().copied().collect();
        for frame in frames {
            self.refresh(frame);
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

    /// The outermost machine's current step, whatever frame something happens in.
    fn outer_step(&mut self) -> Option<&mut Step> {
        self.step_of(FrameId::ROOT)
    }

    fn set_step(&mut self, frame: FrameId, status: StepStatus) {
        if let Some(step) = self.step_of(frame) {
            step.status = status;
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
            joined: false,
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
            child: None,
            attempts: 0,
            result: None,
            failure: None,
            entered_at: at,
            entered_by: 0,
            ended_at: None,
            message: None,
            parts: 0,
            parts_completed: 0,
            parts_failed: 0,
            errors: 0,
            processed: None,
            total: None,
            kept: KeptParts::default(),
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
