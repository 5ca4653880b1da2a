//! The fold: our events become theirs.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Names;
use super::details;
use super::forks::Opened;
use super::page::Writer;
use super::work::{Served, Work};
use crate::engine::event::{
    CleanupStarted, ExecutionRedriven, ExecutionStarted, FailureCaught, JobScheduled, JobStarted,
    StateEntered, StateExited,
};
use crate::engine::{
    ChildWait, Event, Execution, ExecutionId, Failure, FrameId, JobId, Program, Timestamp,
    worker_name,
};
use crate::language::{Json, StateKind, StateName};

/// What fails when an expression does; only then there is an event of its own.
const QUERY: &str = "States.QueryEvaluationError";
/// What a job failed with whose attempt was cut off with its worker.
const ATTEMPT_LOST: &str = "Everstep.AttemptLost";

/// What led to what, while it is open.
pub(super) struct Fold<'f> {
    pub(super) program: &'f Program,
    pub(super) names: &'f dyn Names,
    pub(super) execution: Execution,
    pub(super) branches: HashMap<FrameId, Branch>,
    jobs: HashMap<JobId, Work>,
    at: Timestamp,
    pub(super) writer: Writer,
}

/// The outermost machine, a branch, an iteration, or a clean-up.
#[derive(Default)]
pub(super) struct Branch {
    /// The frame in whose Parallel or Map it is, and which part of it.
    pub(super) of: Option<(FrameId, u32)>,
    /// Its last event, or what led to it.
    pub(super) last: u64,
    /// The state that was entered and not left.
    pub(super) standing: Option<Standing>,
}

/// A state that was entered and not left.
pub(super) struct Standing {
    pub(super) name: StateName,
    pub(super) kind: &'static str,
    /// What led to its entrance.
    before: u64,
    entered: u64,
    /// Whether its job failed last, so that its own failure has been told.
    work_failed: bool,
    has_failed: bool,
    /// Its parts, when it is a Parallel or Map that has opened.
    pub(super) opened: Option<Opened>,
    /// The run of a distributed Map, by its first id: a redrive goes on with it.
    pub(super) run: Option<Uuid>,
    /// How often a redrive went on with that run.
    pub(super) redrives: u32,
    /// Whether the next to open is that run.
    pub(super) resumes: bool,
}

impl<'f> Fold<'f> {
    pub(super) fn new(
        program: &'f Program,
        id: ExecutionId,
        names: &'f dyn Names,
        writer: Writer,
    ) -> Self {
        Self {
            program,
            names,
            execution: Execution::new(id),
            branches: HashMap::new(),
            jobs: HashMap::new(),
            at: Timestamp(0),
            writer,
        }
    }

    /// The next event of the history.
    pub(super) fn take(&mut self, event: &Event, at: Timestamp) {
        self.at = at;
        self.execution.apply(event, at);
        match event {
            Event::ExecutionStarted(body) => self.started(body),
            Event::ExecutionRedriven(body) => self.redriven(body),
            Event::StateEntered(body) => self.entered(body),
            Event::StateExited(body) => self.exited(body),
            Event::FailureCaught(body) => self.caught(body),
            Event::RetryScheduled(body) => self.fail(body.frame, &body.failure, false),
            Event::CleanupStarted(body) => self.cleanup_started(body),
            Event::CleanupSucceeded(body) => drop(self.branches.remove(&body.frame)),
            Event::CleanupFailed(body) => {
                if let Some(frame) = body.frame {
                    self.fail(frame, &body.failure, true);
                    self.branches.remove(&frame);
                }
            }
            Event::ExecutionClosing(body) => {
                if let Some(failure) = body.ending.failure() {
                    self.fail(FrameId::ROOT, &failure, true);
                }
            }
            _ if self.take_part(event) || self.take_job(event) => {}
            _ => self.take_end(event),
        }
    }

    /// An event of a job; whether it is one.
    fn take_job(&mut self, event: &Event) -> bool {
        match event {
            Event::JobScheduled(body) => self.job_scheduled(body),
            Event::JobStarted(body) => self.job_started(body),
            Event::CallbackAwaited(body) => self.job_submitted(body.job),
            Event::JobSucceeded(body) => {
                let wanted = self.writer.has_payloads();
                let gave = || details::payload("output", &body.output, wanted);
                self.job_event(body.job, "Succeeded", |served| Some(served.gave(gave())));
                self.jobs.remove(&body.job);
            }
            Event::JobFailed(body) => self.job_failed(body.job, "Failed", &body.failure),
            Event::JobTimedOut(body) => {
                self.job_failed(body.job, "TimedOut", &Failure::timeout(body.heartbeat));
            }
            Event::AttemptLost(body) => {
                let cause = "the attempt was cut off with the process that ran it";
                self.job_failed(body.job, "Failed", &Failure::new(ATTEMPT_LOST, cause));
            }
            Event::JobCancelled(body) => drop(self.jobs.remove(&body.job)),
            _ => return false,
        }
        true
    }

    /// An end of the whole execution; what is left is nothing to AWS.
    fn take_end(&mut self, event: &Event) {
        let root = |fold: &Self| fold.last(FrameId::ROOT);
        match event {
            Event::ExecutionCompleted(_) => {
                let output = self.execution.output.clone().unwrap_or_else(Json::null);
                let wanted = self.writer.has_payloads();
                let details = || Some(details::payload("output", &output, wanted).into());
                self.push("ExecutionSucceeded", root(self), details);
            }
            Event::ExecutionFailed(body) => {
                self.fail(FrameId::ROOT, &body.failure, true);
                let details = || Some(details::failure(&body.failure));
                self.push("ExecutionFailed", root(self), details);
            }
            Event::ExecutionTimedOut(_) => {
                self.abort_root();
                let details = || Some(json!({"error": "States.Timeout"}));
                self.push("ExecutionTimedOut", 0, details);
            }
            Event::ExecutionCancelled(_) => {
                self.abort_root();
                let cancel = self.execution.cancel.as_ref();
                let reason = cancel.and_then(|cancel| cancel.reason.clone());
                let failure = self.names.reason(reason.as_deref().unwrap_or_default());
                self.push("ExecutionAborted", 0, || Some(details::failure(&failure)));
            }
            _ => {}
        }
    }

    /// Tells an event; gives its id.
    pub(super) fn push(
        &mut self,
        kind: impl Into<String>,
        previous: u64,
        details: impl FnOnce() -> Option<Value>,
    ) -> u64 {
        self.writer.push(self.at, kind.into(), previous, details)
    }

    /// Tells an event of a branch, its next.
    pub(super) fn go_on(
        &mut self,
        frame: FrameId,
        kind: impl Into<String>,
        details: impl FnOnce() -> Option<Value>,
    ) {
        let id = self.push(kind, self.last(frame), details);
        self.lead(frame, id);
    }

    /// What leads to the next event of a branch.
    pub(super) fn last(&self, frame: FrameId) -> u64 {
        self.branches.get(&frame).map_or(0, |branch| branch.last)
    }

    /// Says what leads to the next event of a branch.
    pub(super) fn lead(&mut self, frame: FrameId, last: u64) {
        if let Some(branch) = self.branches.get_mut(&frame) {
            branch.last = last;
        }
    }

    pub(super) fn standing(&mut self, frame: FrameId) -> Option<&mut Standing> {
        self.branches.get_mut(&frame)?.standing.as_mut()
    }

    /// What the frame holds.
    fn data(&self, frame: FrameId) -> Json {
        self.execution.frames.get(&frame).map_or_else(Json::null, |frame| frame.data.clone())
    }

    fn started(&mut self, body: &ExecutionStarted) {
        let (names, wanted) = (self.names, self.writer.has_payloads());
        self.push("ExecutionStarted", 0, || {
            let mut fields = details::payload("input", &body.input, wanted);
            if let Some(role) = names.role() {
                fields.insert("roleArn".to_owned(), role.into());
            }
            let mut tell = |name: &str, qualifier: &str| {
                fields.insert(name.to_owned(), names.qualified(&body.workflow, qualifier).into());
            };
            if let Some(of) = &body.started_as {
                tell("stateMachineVersionArn", &of.version.to_string());
                of.alias.iter().for_each(|alias| tell("stateMachineAliasArn", alias));
            }
            Some(fields.into())
        });
        // Nothing leads to the first state.
        self.branches.insert(FrameId::ROOT, Branch::default());
    }

    /// The step runs again: it stands in it as before where it had not been left.
    fn redriven(&mut self, body: &ExecutionRedriven) {
        let count = self.execution.redrives;
        let before = self.writer.count();
        let id = self.push("ExecutionRedriven", before, || Some(json!({"redriveCount": count})));
        let mut root = self.branches.remove(&FrameId::ROOT).unwrap_or_default();
        self.branches.clear();
        self.jobs.clear();
        root.last = id;
        let is_same = |standing: &Standing| standing.name == body.step && !body.input_changed;
        root.standing = root.standing.filter(is_same);
        if let Some(standing) = &mut root.standing {
            standing.go_on();
        }
        self.branches.insert(FrameId::ROOT, root);
    }

    fn entered(&mut self, body: &StateEntered) {
        let (frame, name) = (body.frame, &body.state);
        // To AWS, a state that a redrive goes on with has not been left.
        if self.standing(frame).is_some() {
            return;
        }
        let kind = self.program.state(name).map_or("Pass", |state| state.kind.type_name());
        let (input, wanted) = (self.data(frame), self.writer.has_payloads());
        let before = self.last(frame);
        let details = || Some(details::state(name, "input", &input, wanted).into());
        self.go_on(frame, format!("{kind}StateEntered"), details);
        let entered = self.writer.count();
        if let Some(branch) = self.branches.get_mut(&frame) {
            branch.standing = Some(Standing {
                name: name.clone(),
                kind,
                before,
                entered,
                work_failed: false,
                has_failed: false,
                opened: None,
                run: None,
                redrives: 0,
                resumes: false,
            });
        }
    }

    fn exited(&mut self, body: &StateExited) {
        self.join(body.frame);
        self.leave(body.frame, &body.state, &body.assigned);
    }

    fn caught(&mut self, body: &FailureCaught) {
        self.fail(body.frame, &body.failure, true);
        self.leave(body.frame, &body.state, &body.assigned);
    }

    fn leave(
        &mut self,
        frame: FrameId,
        name: &StateName,
        assigned: &[(std::sync::Arc<str>, Json)],
    ) {
        let standing = self.branches.get_mut(&frame).and_then(|branch| branch.standing.take());
        let kind = standing.map_or("Pass", |standing| standing.kind);
        let (output, wanted) = (self.data(frame), self.writer.has_payloads());
        self.go_on(frame, format!("{kind}StateExited"), || {
            let mut fields = details::state(name, "output", &output, wanted);
            if wanted && !assigned.is_empty() {
                details::assign(&mut fields, assigned);
            }
            Some(fields.into())
        });
    }

    /// The state of a branch failed, for good or to be tried again.
    pub(super) fn fail(&mut self, frame: FrameId, failure: &Failure, is_final: bool) {
        let last = self.last(frame);
        let Some(standing) = self.standing(frame).filter(|standing| !standing.has_failed) else {
            return;
        };
        standing.has_failed = is_final;
        let broken = standing.opened.as_ref().and_then(|opened| opened.broken);
        let is_own = &*failure.error == QUERY && !standing.work_failed && broken.is_none();
        let (opened, run, kind) = (standing.opened.take(), standing.run, standing.kind);
        if is_own {
            // AWS says that what led to the state led to this.
            let previous = if last == standing.entered { standing.before } else { last };
            let details = evaluation(&standing.name, failure);
            let id = self.push("EvaluationFailed", previous, || Some(details));
            self.lead(frame, id);
        }
        if let Some(broken) = broken {
            self.lead(frame, broken);
        }
        if opened.as_ref().is_some_and(|opened| opened.is_run) && run.is_some() {
            self.go_on(frame, "MapRunFailed", || Some(details::failure(failure)));
        }
        let has_parts = matches!(kind, "Map" | "Parallel") && (opened.is_some() || is_own);
        if is_final && has_parts {
            self.go_on(frame, format!("{kind}StateFailed"), || None);
        }
    }

    fn cleanup_started(&mut self, body: &CleanupStarted) {
        let last = self.last(FrameId::ROOT);
        self.branches.insert(body.frame, Branch { last, ..Branch::default() });
    }

    fn job_scheduled(&mut self, body: &JobScheduled) {
        let Some(job) = self.execution.jobs.get(&body.job).cloned() else { return };
        let frame = body.frame;
        let Some(standing) = self.standing(frame) else { return };
        standing.work_failed = false;
        let name = standing.name.clone();
        if job.is_own() {
            self.jobs.insert(body.job, Work { frame, served: None, is_open: false });
            self.open_reading(frame);
            return;
        }
        let (names, wanted) = (self.names, self.writer.has_payloads());
        let Some(StateKind::Task(task)) = self.program.state(&name).map(|state| &state.kind) else {
            return;
        };
        let served = Served::of(&task.resource, names);
        let details = || Some(served.scheduled(&job, names, wanted));
        self.go_on(frame, served.event("Scheduled"), details);
        self.jobs.insert(body.job, Work { frame, served: Some(served), is_open: true });
        // Nobody takes what an execution does: it is under way.
        if let Some(child) = &body.child {
            self.job_event(body.job, "Started", |served| served.started(""));
            if child.wait != ChildWait::Begin {
                self.job_submitted(body.job);
            }
        }
    }

    fn job_started(&mut self, body: &JobStarted) {
        self.job_event(body.job, "Started", |served| served.started(worker_name(&body.worker)));
    }

    /// Whoever took the job has handed it on.
    fn job_submitted(&mut self, job: JobId) {
        let (names, wanted, at) = (self.names, self.writer.has_payloads(), self.at.0);
        let child = self.execution.jobs.get(&job).and_then(|job| job.child.clone());
        let output = child.map_or_else(Json::empty_object, |child| {
            let arn = names.execution(&child.workflow, child.execution);
            Json::from_value(&json!({"ExecutionArn": arn, "StartDate": at}))
        });
        let gave = || details::payload("output", &output, wanted);
        self.job_event(job, "Submitted", |served| Some(served.gave(gave())));
    }

    fn job_failed(&mut self, job: JobId, what: &str, failure: &Failure) {
        let Some(work) = self.jobs.get(&job).filter(|work| work.is_open) else { return };
        let frame = work.frame;
        self.job_event(job, what, |served| Some(served.failed(failure)));
        if let Some(work) = self.jobs.get_mut(&job) {
            work.is_open = false;
        }
        if let Some(standing) = self.standing(frame) {
            standing.work_failed = true;
        }
    }

    /// Tells something of an open job.
    fn job_event(
        &mut self,
        job: JobId,
        what: &str,
        details: impl FnOnce(&Served) -> Option<Value>,
    ) {
        let Some(work) = self.jobs.get(&job) else { return };
        let (frame, Some(served)) = (work.frame, work.served.clone()) else { return };
        self.go_on(frame, served.event(what), || details(&served));
    }
}

impl Standing {
    /// After a redrive it is as if it had just been entered, but that its run goes on.
    fn go_on(&mut self) {
        (self.opened, self.has_failed, self.work_failed) = (None, false, false);
        if self.run.is_some() {
            self.resumes = true;
            self.redrives += 1;
        }
    }
}

/// An expression of a state failed.
fn evaluation(state: &str, failure: &Failure) -> Value {
    let mut fields = Map::new();
    if let Value::Object(told) = details::failure(failure) {
        fields.extend(told);
    }
    if let Some(location) = details::location(&failure.cause) {
        fields.insert("location".to_owned(), location.into());
    }
    fields.insert("state".to_owned(), state.into());
    fields.into()
}
