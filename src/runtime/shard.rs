//! A shard: the only task that touches its executions.
//!
//! Each turn takes what waits in both lanes and what time brings, decides, applies, and hands the
//! decisions to the committer in one batch. It goes on deciding on that state while the batch is
//! written: nothing has left yet.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_channel::Sender;
use tokio::sync::{oneshot, watch};

use super::attempt::{Attempt, Reporter, ReporterPlace};
use super::checkpoint::Saved;
use super::clock::{Clock, IdSource};
use super::committer::{Accepted, Release, Unit};
use super::dispatch::{Dispatch, Offer};
use super::error::Error;
use super::limits::Limits;
use super::shards::{Lanes, Note, Request};
use super::summary::Summary;
use crate::engine::event::ExecutionSetAside;
use crate::engine::{
    Command, DecisionInput, Effect, Event, Execution, ExecutionId, JobId, JobStatus, Program,
    Rejection, Timer, Timestamp, decide, effects_after, pending_effects,
};
use crate::store::codec::encode_execution;
use crate::store::{Finished, Snapshot, Transition};
use crate::worker::{AttemptId, CancelToken};

/// Messages taken in one turn before its decisions are handed on.
const TURN_MESSAGES: usize = 256;
/// Executions saved in one turn of a checkpoint.
const TURN_SNAPSHOTS: usize = 128;

/// What every shard is given.
#[derive(Clone)]
pub(super) struct ShardTools {
    pub(super) limits: Arc<Limits>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) reporters: Arc<ReporterPlace>,
    pub(super) units: Sender<Vec<Unit>>,
    pub(super) worker_name: Arc<str>,
}

/// One shard.
pub(super) struct Shard {
    tools: ShardTools,
    lanes: Lanes,
    slots: HashMap<ExecutionId, Slot>,
    timers: BTreeSet<(Timestamp, ExecutionId)>,
    /// Executions that a long decision left work for.
    advances: VecDeque<ExecutionId>,
    /// Decisions of this turn.
    units: Vec<Unit>,
    /// Executions that changed since they were last saved.
    dirty: Vec<ExecutionId>,
    /// Executions that ended since the last checkpoint.
    finished: HashMap<ExecutionId, Summary>,
    /// What a running checkpoint still has to save.
    saving: Option<Vec<ExecutionId>>,
}

/// An execution in memory.
struct Slot {
    execution: Execution,
    program: Option<Arc<Program>>,
    attempts: HashMap<JobId, Running>,
    waiters: Vec<oneshot::Sender<Option<Box<Execution>>>>,
    armed: Option<Timestamp>,
    is_dirty: bool,
}

/// An attempt that a worker of this process has.
struct Running {
    attempt: u32,
    cancel: watch::Sender<bool>,
    reporter: Arc<Reporter>,
}

type Reply = oneshot::Sender<Result<Accepted, Error>>;

impl Shard {
    pub(super) fn new(tools: ShardTools, lanes: Lanes) -> Self {
        Self {
            tools,
            lanes,
            slots: HashMap::new(),
            timers: BTreeSet::new(),
            advances: VecDeque::new(),
            units: Vec::new(),
            dirty: Vec::new(),
            finished: HashMap::new(),
            saving: None,
        }
    }

    /// Takes over what recovery found: executions with their programs, and rows of those that
    /// ended in the tail.
    pub(super) fn adopt(
        &mut self,
        live: Vec<(Execution, Option<Arc<Program>>)>,
        finished: Vec<Summary>,
    ) {
        self.finished.extend(finished.into_iter().map(|row| (row.id, row)));
        for (execution, program) in live {
            let id = execution.id;
            let has_program = program.is_some();
            self.slots.insert(id, Slot::new(execution, program));
            // The next checkpoint covers the log that it was folded from.
            self.mark_dirty(id);
            if has_program {
                self.resume(id);
            } else {
                self.set_aside(id, "its definition is missing from the log");
            }
        }
    }

    /// Runs until its lanes are closed.
    pub(super) async fn run(mut self) {
        loop {
            self.flush().await;
            let mut open = true;
            tokio::select! {
                biased;
                note = self.lanes.notes.recv() => match note {
                    Ok(note) => self.take_note(note),
                    Err(_) => open = false,
                },
                request = self.lanes.requests.recv() => match request {
                    Ok(request) => self.take_request(request),
                    Err(_) => open = !self.lanes.notes.is_closed(),
                },
                () = self.next_timer() => {}
                () = std::future::ready(()), if self.has_own_work() => {}
            }
            self.drain_lanes();
            self.fire_due_timers();
            self.advance_some();
            self.save_some();
            if !open {
                self.flush().await;
                return;
            }
        }
    }

    fn drain_lanes(&mut self) {
        for _ in 0..TURN_MESSAGES {
            if let Ok(note) = self.lanes.notes.try_recv() {
                self.take_note(note);
            } else if let Ok(request) = self.lanes.requests.try_recv() {
                self.take_request(request);
            } else {
                break;
            }
        }
    }

    async fn flush(&mut self) {
        if !self.units.is_empty() {
            // When the committer has stopped, dropping the units tells every caller.
            drop(self.tools.units.send(std::mem::take(&mut self.units)).await);
        }
    }

    fn has_own_work(&self) -> bool {
        !self.advances.is_empty() || self.saving.is_some()
    }

    fn next_timer(&self) -> impl Future<Output = ()> + use<> {
        let wait = self.timers.first().map(|(due, _)| {
            let ms = due.ms_since(self.tools.clock.now());
            // Look again at least once an hour, in case the wall clock was moved.
            self.tools.clock.sleep(Duration::from_millis(ms.min(3_600_000)))
        });
        async move {
            match wait {
                Some(sleep) => sleep.await,
                None => std::future::pending().await,
            }
        }
    }

    fn take_note(&mut self, note: Note) {
        match note {
            Note::StartReserved(offer) => self.start_reserved(&offer),
            Note::Reported { execution, command } => {
                if let Err(rejection) = self.decide_on(execution, command, None) {
                    tracing::debug!(%execution, code = rejection.code(), "a report came too late");
                }
            }
            Note::Ended(execution) => self.forget(execution),
            Note::Checkpoint => {
                self.saving.get_or_insert_default().append(&mut self.dirty);
            }
            Note::Stop => self.lose_all_attempts(),
        }
    }

    fn take_request(&mut self, request: Request) {
        match request {
            Request::Start { execution, program, command, reply } => {
                let fresh = Slot::new(Execution::new(execution), Some(program));
                self.slots.entry(execution).or_insert(fresh);
                self.answer(execution, command, reply);
                if self.slots.get(&execution).is_some_and(|slot| slot.execution.sequence == 0) {
                    self.slots.remove(&execution);
                }
            }
            Request::Command { execution, command, reply } => {
                self.answer(execution, command, reply);
            }
            Request::Show { execution, reply } => {
                let shown = self.slots.get(&execution).map(|slot| Box::new(slot.execution.clone()));
                self.release(Release::Show(reply, shown));
            }
            Request::ShowEnded { execution, reply } => match self.slots.get_mut(&execution) {
                Some(slot) if !slot.execution.status.is_terminal() => slot.waiters.push(reply),
                Some(slot) => {
                    let shown = Some(Box::new(slot.execution.clone()));
                    self.release(Release::Show(reply, shown));
                }
                None => self.release(Release::Show(reply, None)),
            },
            Request::List { reply } => {
                let live = self.slots.values().map(|slot| Summary::of(&slot.execution));
                let rows = live.chain(self.finished.values().cloned()).collect();
                self.release(Release::List(reply, rows));
            }
        }
    }

    fn answer(&mut self, execution: ExecutionId, command: Command, reply: Reply) {
        if !self.slots.contains_key(&execution) {
            let id = execution.to_string();
            // Not in memory: it has ended, or never was. The handle finds out which.
            drop(reply.send(Err(Error::NoSuchExecution { id })));
            return;
        }
        let mut reply = Some(reply);
        if let Err(rejection) = self.decide_on(execution, command, Some(&mut reply))
            && let Some(reply) = reply
        {
            // A rejection writes nothing, so it waits for nothing.
            drop(reply.send(Err(rejection.into())));
        }
    }

    /// Lets something go once everything decided so far is durable.
    fn release(&mut self, release: Release) {
        self.units.push(Unit { transition: None, releases: vec![release] });
    }

    /// Decides on a command; what it leads to waits for the committer.
    fn decide_on(
        &mut self,
        id: ExecutionId,
        command: Command,
        reply: Option<&mut Option<Reply>>,
    ) -> Result<(), Rejection> {
        let Some(slot) = self.slots.get_mut(&id) else { return Ok(()) };
        let first_sequence = slot.execution.sequence + 1;
        let now = self.tools.clock.now();
        let Some(mut events) = slot.decide(&self.tools, command, now)? else {
            return self.set_aside_after_panic(id, first_sequence);
        };
        let mut releases = Vec::with_capacity(2);
        let effects = effects_after(&slot.execution, &events);
        for effect in effects {
            slot.carry_out(&self.tools, effect, &mut events, &mut releases);
        }
        slot.stop_attempts(&events);
        if !slot.execution.ready.is_empty() {
            self.advances.push_back(id);
        }
        slot.rearm(&mut self.timers);
        let accepted = Accepted { execution: id, sequence: slot.execution.sequence };
        if let Some(reply) = reply.and_then(Option::take) {
            releases.push(Release::Accepted(reply, accepted));
        }
        if slot.execution.status.is_terminal() {
            let shown = std::mem::take(&mut slot.waiters).into_iter();
            let show = |reply| Release::Show(reply, Some(Box::new(slot.execution.clone())));
            releases.extend(shown.map(show));
            releases.push(Release::Ended(id));
        }
        let transition = slot.transition(first_sequence, events);
        self.units.push(Unit { transition: Some(transition), releases });
        self.mark_dirty(id);
        Ok(())
    }

    /// The next checkpoint must save the execution.
    fn mark_dirty(&mut self, id: ExecutionId) {
        if let Some(slot) = self.slots.get_mut(&id)
            && !slot.is_dirty
        {
            slot.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Brings a recovered execution back to life: attempts that the crash cut off are recorded as
    /// lost, and what is owed is done.
    fn resume(&mut self, id: ExecutionId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let owed = pending_effects(&slot.execution);
        let cut_off: Vec<JobId> = slot.jobs_with_workers();
        // Jobs that wait are offered after the lost ones are scheduled again, so that each is
        // offered once.
        let mut releases = Vec::new();
        let mut events = Vec::new();
        let first_sequence = slot.execution.sequence + 1;
        for effect in owed {
            slot.carry_out(&self.tools, effect, &mut events, &mut releases);
        }
        if !slot.execution.ready.is_empty() {
            self.advances.push_back(id);
        }
        slot.rearm(&mut self.timers);
        let transition =
            (!events.is_empty()).then(|| slot.transition(first_sequence, events));
        if transition.is_some() || !releases.is_empty() {
            self.units.push(Unit { transition, releases });
            self.mark_dirty(id);
        }
        if !cut_off.is_empty() {
            let command = Command::LoseAttempts { jobs: cut_off, stopped: false };
            drop(self.decide_on(id, command, None));
        }
    }

    fn start_reserved(&mut self, offer: &Offer) {
        let Offer { execution, job, attempt, job_type } = offer;
        let Some(slot) = self.slots.get_mut(execution) else {
            return self.tools.dispatch.give_back(job_type);
        };
        let first_sequence = slot.execution.sequence + 1;
        let mut events = Vec::new();
        let mut releases = Vec::new();
        slot.start(&self.tools, *job, *attempt, &mut events, &mut releases);
        if events.is_empty() {
            return self.tools.dispatch.give_back(job_type);
        }
        slot.rearm(&mut self.timers);
        let transition = Some(slot.transition(first_sequence, events));
        self.units.push(Unit { transition, releases });
        self.mark_dirty(*execution);
    }

    fn fire_due_timers(&mut self) {
        let now = self.tools.clock.now();
        while let Some((due, id)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.pop_first();
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            slot.armed = None;
            let Some((due, timer)) = slot.execution.timers.first().copied() else { continue };
            let last_heartbeat = slot.last_heartbeat(timer);
            let command = Command::FireTimer { timer, due, last_heartbeat };
            if due > now || self.decide_on(id, command, None).is_err() {
                self.rearm_later(id, now);
            }
        }
    }

    /// A timer that decide did not want is asked about again, but not in a tight loop.
    fn rearm_later(&mut self, id: ExecutionId, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.rearm(&mut self.timers);
            if let Some(armed) = slot.armed.filter(|armed| *armed <= now) {
                self.timers.remove(&(armed, id));
                let later = now.plus_ms(100);
                slot.armed = Some(later);
                self.timers.insert((later, id));
            }
        }
    }

    fn advance_some(&mut self) {
        for _ in 0..self.advances.len().min(TURN_MESSAGES) {
            let Some(id) = self.advances.pop_front() else { break };
            let owed = self.slots.get(&id).is_some_and(|slot| !slot.execution.ready.is_empty());
            if owed {
                drop(self.decide_on(id, Command::Advance, None));
            }
        }
    }

    /// The end is durable: what lists need stays, the rest is read from disk when asked for.
    fn forget(&mut self, id: ExecutionId) {
        let Some(slot) = self.slots.remove(&id) else { return };
        if let Some(armed) = slot.armed {
            self.timers.remove(&(armed, id));
        }
        self.finished.insert(id, Summary::of(&slot.execution));
    }

    /// Saves a part of what a running checkpoint asks for.
    fn save_some(&mut self) {
        let Some(todo) = &mut self.saving else { return };
        let rest = todo.len().saturating_sub(TURN_SNAPSHOTS);
        let snapshots = todo
            .split_off(rest)
            .into_iter()
            .filter_map(|id| {
                let slot = self.slots.get_mut(&id)?;
                slot.is_dirty = false;
                let sequence = slot.execution.sequence;
                let bytes = encode_execution(&slot.execution).ok()?;
                Some(Snapshot { stream: slot.execution.stream(), sequence, bytes })
            })
            .collect();
        let done = todo.is_empty();
        let finished = std::mem::take(&mut self.finished)
            .into_iter()
            .map(|(execution, row)| Finished { execution, row: row.to_bytes() })
            .collect();
        self.release(Release::Checkpoint(Saved::Part { snapshots, finished }));
        if done {
            self.saving = None;
            self.release(Release::Checkpoint(Saved::ShardDone));
        }
    }

    fn lose_all_attempts(&mut self) {
        let busy: Vec<(ExecutionId, Vec<JobId>)> = self
            .slots
            .iter()
            .map(|(id, slot)| (*id, slot.jobs_with_workers()))
            .filter(|(_, jobs)| !jobs.is_empty())
            .collect();
        for (id, jobs) in busy {
            drop(self.decide_on(id, Command::LoseAttempts { jobs, stopped: true }, None));
        }
    }

    fn set_aside(&mut self, id: ExecutionId, reason: &str) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if slot.execution.set_aside.is_some() {
            return;
        }
        tracing::error!(execution = %id, reason, "an execution is set aside");
        let first_sequence = slot.execution.sequence + 1;
        let event: Event = ExecutionSetAside { reason: reason.into() }.into();
        slot.execution.apply(&event, slot.execution.updated_at);
        let transition = Some(slot.transition(first_sequence, vec![event]));
        self.units.push(Unit { transition, releases: Vec::new() });
        self.mark_dirty(id);
    }

    /// A panic in decide left the execution half changed in memory; its log is whole. It is set
    /// aside in the log, and what is in memory answers no more commands.
    fn set_aside_after_panic(
        &mut self,
        id: ExecutionId,
        first_sequence: u64,
    ) -> Result<(), Rejection> {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.execution.sequence = first_sequence - 1;
        }
        let reason = "the engine panicked while it decided on a command; this is a bug";
        self.set_aside(id, reason);
        Err(Rejection::SetAside { command: "to go on", reason: reason.to_owned() })
    }
}

impl Slot {
    fn new(execution: Execution, program: Option<Arc<Program>>) -> Self {
        Self {
            execution,
            program,
            attempts: HashMap::new(),
            waiters: Vec::new(),
            armed: None,
            is_dirty: false,
        }
    }

    /// Decides; nothing when the engine panicked.
    fn decide(
        &mut self,
        tools: &ShardTools,
        command: Command,
        now: Timestamp,
    ) -> Result<Option<Vec<Event>>, Rejection> {
        let Some(program) = self.program.clone() else {
            let reason = "its definition is missing from the log".to_owned();
            return Err(Rejection::SetAside { command: "to go on", reason });
        };
        let input = DecisionInput {
            program: &program,
            now,
            seed: tools.ids.seed(),
            limits: &tools.limits.engine,
        };
        let execution = &mut self.execution;
        match catch_unwind(AssertUnwindSafe(|| decide(input, execution, command))) {
            Ok(decided) => decided.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Does what an effect asks: a job that finds a free worker is started in the same transition.
    fn carry_out(
        &mut self,
        tools: &ShardTools,
        effect: Effect,
        events: &mut Vec<Event>,
        releases: &mut Vec<Release>,
    ) {
        let Effect::OfferJob { job, attempt } = effect else { return };
        let Some(job_type) = self.execution.jobs.get(&job).map(|job| job.job_type.clone()) else {
            return;
        };
        if tools.dispatch.try_reserve(&job_type) {
            let before = events.len();
            self.start(tools, job, attempt, events, releases);
            if events.len() == before {
                tools.dispatch.give_back(&job_type);
            }
        } else {
            let execution = self.execution.id;
            releases.push(Release::Offer(Offer { execution, job, attempt, job_type }));
        }
    }

    /// Starts an attempt whose slot is reserved.
    fn start(
        &mut self,
        tools: &ShardTools,
        job: JobId,
        attempt: u32,
        events: &mut Vec<Event>,
        releases: &mut Vec<Release>,
    ) {
        let token = tools.ids.token();
        let worker = tools.worker_name.clone();
        let command = Command::StartJob { job, attempt, worker, token };
        // All events of a transition have one time: that of its first decision.
        let now =
            if events.is_empty() { tools.clock.now() } else { self.execution.updated_at };
        let Ok(Some(started)) = self.decide(tools, command, now) else { return };
        events.extend(started);
        let Some(open) = self.execution.jobs.get(&job) else { return };
        let reporter = Reporter::new(token, tools.reporters.clone());
        let (cancel, cancel_token) = CancelToken::new();
        let release = Attempt {
            id: AttemptId { execution: self.execution.id, job, attempt },
            job_type: open.job_type.clone(),
            input: open.input.clone(),
            token,
            cancel: cancel_token,
            reporter: reporter.clone(),
        };
        self.attempts.insert(job, Running { attempt, cancel, reporter });
        releases.push(Release::Run(Box::new(release)));
    }

    /// Asks the workers of attempts that no longer count to stop.
    fn stop_attempts(&mut self, events: &[Event]) {
        let over = |event: &Event| {
            matches!(
                event,
                Event::JobSucceeded(_)
                    | Event::JobFailed(_)
                    | Event::JobTimedOut(_)
                    | Event::JobCancelled(_)
                    | Event::AttemptLost(_)
                    | Event::CancelRequested(_)
                    | Event::ExecutionCancelled(_)
                    | Event::ExecutionFailed(_)
                    | Event::ExecutionTimedOut(_)
                    | Event::ExecutionSetAside(_)
            )
        };
        if self.attempts.is_empty() || !events.iter().any(over) {
            return;
        }
        let execution = &self.execution;
        self.attempts.retain(|job, running| {
            let goes_on = execution.may_run(*job, running.attempt);
            if !goes_on {
                // A worker that has ended does not listen any more.
                running.cancel.send_replace(true);
            }
            goes_on
        });
    }

    fn jobs_with_workers(&self) -> Vec<JobId> {
        let with_worker = |status| matches!(status, JobStatus::Running | JobStatus::Cancelling);
        let jobs = self.execution.jobs.iter();
        jobs.filter(|(_, job)| with_worker(job.status)).map(|(id, _)| *id).collect()
    }

    fn last_heartbeat(&self, timer: Timer) -> Option<Timestamp> {
        match timer {
            Timer::Heartbeat(job, _) => self.attempts.get(&job)?.reporter.last_heartbeat(),
            Timer::Wait(_)
            | Timer::Retry(_)
            | Timer::JobTimeout(..)
            | Timer::ExecutionTimeout
            | Timer::CancelDeadline => None,
        }
    }

    /// Brings the shard's timers in line with the execution's earliest.
    fn rearm(&mut self, timers: &mut BTreeSet<(Timestamp, ExecutionId)>) {
        // What was set aside waits for people, not for time.
        let waits = self.execution.set_aside.is_none();
        let wanted = self.execution.timers.first().filter(|_| waits).map(|(due, _)| *due);
        if wanted == self.armed {
            return;
        }
        if let Some(armed) = self.armed {
            timers.remove(&(armed, self.execution.id));
        }
        if let Some(due) = wanted {
            timers.insert((due, self.execution.id));
        }
        self.armed = wanted;
    }

    fn transition(&self, first_sequence: u64, events: Vec<Event>) -> Transition {
        Transition {
            stream: self.execution.stream(),
            first_sequence,
            time: self.execution.updated_at,
            events,
        }
    }
}
