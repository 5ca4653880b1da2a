//! A shard: the only task that touches its executions.
//!
//! Each turn takes what waits in both lanes and what time brings, decides, applies, and hands the
//! decisions to the committer in one batch. It goes on deciding on that state while the batch is
//! written: nothing has left yet.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_channel::Sender;
use tokio::sync::oneshot;

use super::align::Alignment;
use super::attempt::ReporterPlace;
use super::catalogue::Catalogue;
use super::clock::{Clock, IdSource};
use super::committer::{Accepted, Release, Unit};
use super::controls::Controls;
use super::definitions::Definitions;
use super::dispatch::{Dispatch, Offer};
use super::ended::EndedRows;
use super::error::Error;
use super::figures::{Figures, Unfinished};
use super::limits::Limits;
use super::names::Names;
use super::page::{self, Candidate};
use super::places::Places;
use super::recent::Recent;
use super::shards::{Lanes, Note, Request, Shards};
use super::slot::{Decided, Slot};
use super::summary::{Summary, name_key};
use super::tasks::Tasks;
use super::totals::InMemory;
use crate::engine::{
    Command, Event, Execution, ExecutionId, JobId, Mint, Program, Rejection, Timestamp, Token,
    effects_after, pending_effects,
};
use crate::store::{EventStore, NameKey};

/// Messages taken in one turn before its decisions are handed on.
const TURN_MESSAGES: usize = 256;
/// Timers fired in one turn. When more are due at once, others get their turns in between.
const TURN_TIMERS: usize = 256;
/// Executions saved in one turn of a checkpoint.
pub(super) const TURN_SNAPSHOTS: usize = 128;

/// What the handle and every shard share.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) limits: Arc<Limits>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) reporters: Arc<ReporterPlace>,
    pub(super) mint: Mint,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) definitions: Arc<Definitions>,
    pub(super) controls: Arc<Controls>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) names: Arc<Names>,
    pub(super) places: Arc<Places>,
    pub(super) figures: Arc<Figures>,
    pub(super) shards: Shards,
    pub(super) tasks: Tasks,
    pub(super) units: Sender<Vec<Unit>>,
    pub(super) worker_name: Arc<str>,
}

/// One shard.
pub(super) struct Shard {
    pub(super) tools: Tools,
    pub(super) lanes: Lanes,
    pub(super) slots: HashMap<ExecutionId, Box<Slot>>,
    pub(super) timers: BTreeSet<(Timestamp, ExecutionId)>,
    /// Executions that a long decision left work for.
    pub(super) advances: VecDeque<ExecutionId>,
    /// Decisions of this turn.
    pub(super) units: Vec<Unit>,
    /// Executions that changed since they were last saved.
    pub(super) dirty: Vec<ExecutionId>,
    /// Those that ended last, for whoever asks at once.
    pub(super) recent: Recent,
    /// Executions that have ended and that no checkpoint holds.
    pub(super) finished: EndedRows,
    /// What a running checkpoint still has to save.
    pub(super) saving: Option<Saving>,
    /// What still has to follow workflows that were paused or resumed.
    pub(super) alignments: VecDeque<Alignment>,
}

/// What a running checkpoint still has to save.
#[derive(Default)]
pub(super) struct Saving {
    pub(super) round: u64,
    pub(super) todo: Vec<ExecutionId>,
}

/// An execution that recovery found.
pub(super) struct Adopted {
    pub(super) execution: Execution,
    /// None when the log does not hold its definition.
    pub(super) program: Option<Arc<Program>>,
    /// Whether the last checkpoint holds it as it is. If not, the next one must.
    pub(super) is_saved: bool,
}

impl Tools {
    /// Gives the place of an execution to the next.
    pub(super) fn free_place(&self, execution: ExecutionId) {
        self.admit(self.places.free(execution));
    }

    /// Tells executions that they have their places.
    pub(super) fn admit(&self, executions: Vec<ExecutionId>) {
        for execution in executions {
            self.shards.note(execution, Note::Admit(execution));
        }
    }
}

pub(super) type Reply = oneshot::Sender<Result<Accepted, Error>>;

impl Shard {
    pub(super) fn new(tools: Tools, lanes: Lanes) -> Self {
        Self {
            tools,
            lanes,
            slots: HashMap::new(),
            timers: BTreeSet::new(),
            advances: VecDeque::new(),
            units: Vec::new(),
            dirty: Vec::new(),
            recent: Recent::default(),
            finished: EndedRows::default(),
            saving: None,
            alignments: VecDeque::new(),
        }
    }

    /// Takes over what recovery found: executions with their programs, and rows of those that
    /// ended in the tail.
    pub(super) fn adopt(&mut self, live: Vec<Adopted>, finished: Vec<Summary>) {
        for row in finished {
            self.hold_name(row.name_key(), row.id);
            self.finished.insert(row);
        }
        for Adopted { execution, program, is_saved } in live {
            let id = execution.id;
            self.hold_name(name_key(&execution), id);
            let has_program = program.is_some();
            let mut slot = Slot::new(execution, program);
            if !is_saved {
                slot.is_dirty = true;
                self.dirty.push(id);
            }
            self.slots.insert(id, slot);
            if has_program {
                // A crash may have come before it followed its workflow. Nothing of it may begin then.
                self.align_pause(id);
                self.resume(id);
                self.align_resume_recovered(id);
            } else {
                self.set_aside(id, "its definition is missing from the log");
            }
        }
        self.release(Release::ShardReady);
    }

    fn hold_name(&self, key: Option<NameKey>, id: ExecutionId) {
        if let Some(key) = key {
            self.tools.names.hold(key, id);
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
            self.align_some();
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
        !self.advances.is_empty()
            || self.saving.is_some()
            || !self.alignments.is_empty()
            || self.has_due_timer()
    }

    /// Whether the last turn left some: the clock would only be asked to wait for no time at all.
    fn has_due_timer(&self) -> bool {
        self.timers.first().is_some_and(|(due, _)| *due <= self.tools.clock.now())
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
            Note::RunChild(order) => self.run_child(order),
            Note::OrderAgain(order) => self.order_again(&order),
            Note::StopChild { parent, child } => self.stop_child(parent, child),
            Note::AskParent { parent, child } => self.answer_child(parent, child),
            Note::Ended(execution) => self.forget(execution),
            Note::Admit(execution) => self.admit(execution),
            Note::FreePlace(execution) => self.tools.free_place(execution),
            Note::Deleted(execution) => self.bury(execution),
            Note::Checkpoint(round) => {
                let saving = self.saving.get_or_insert_default();
                saving.round = saving.round.max(round);
                saving.todo.append(&mut self.dirty);
            }
            Note::RowsArrived { sent, written } => self.finished.arrived(&sent, written),
            Note::LoseAttempt { execution, job, token, stopped } => {
                self.lose_attempt(execution, (job, token), stopped);
            }
            Note::Stop => self.lose_all_attempts(),
        }
    }

    fn take_request(&mut self, request: Request) {
        match request {
            Request::Start { execution, program, command, reply } => {
                let fresh = Slot::new(Execution::new(execution), Some(program));
                self.slots.entry(execution).or_insert(fresh);
                let command = self.held_with_workflow(command);
                self.answer(execution, command, reply);
                if self.slots.get(&execution).is_some_and(|slot| slot.execution.sequence == 0) {
                    self.slots.remove(&execution);
                }
            }
            Request::Redrive { ended, program, command, reply } => {
                self.redrive(*ended, program, command, reply);
            }
            Request::Command { execution, expected, command, reply } => {
                match expected.is_some_and(|expected| self.has_changed(execution, expected)) {
                    true => drop(reply.send(Err(Error::Changed { execution }))),
                    false => self.answer(execution, command, reply),
                }
            }
            Request::Delete { execution, command, reply } => {
                self.delete(execution, command, reply);
            }
            Request::Show { execution, reply } => self.show(execution, reply),
            Request::ShowEnded { execution, reply } => match self.slots.get_mut(&execution) {
                Some(slot) if !slot.execution.status.is_terminal() => slot.waiters.push(reply),
                _ => self.show(execution, reply),
            },
            Request::Align { workflow: Some(workflow), by, reply } => {
                self.align_workflow(&workflow, by, reply);
            }
            Request::Align { workflow: None, reply, .. } => {
                self.release(Release::Counted(reply, 0));
            }
            Request::List { reply } => {
                let slots = self.slots.values().map(|slot| &slot.execution);
                let live = slots.filter(|execution| execution.deleted.is_none()).map(Summary::of);
                let ended = self.finished.all().filter(|row| !self.is_going(row.id)).cloned();
                let rows = live.chain(ended).collect();
                self.release(Release::List(reply, rows));
            }
            Request::Page { filter, before, limit, reply } => {
                let live = self.slots.values().map(|slot| Candidate::Live(&slot.execution));
                let all = live.chain(self.finished.all().map(Candidate::Ended));
                let rows = page::newest(all, &filter, before, limit);
                self.release(Release::List(reply, rows));
            }
            Request::Rows { ids, reply } => {
                let row = |id: &ExecutionId| match self.slots.get(id) {
                    Some(slot) => Some(Summary::of(&slot.execution)),
                    None => self.finished.get(*id).cloned(),
                };
                let rows = ids.iter().filter_map(row).collect();
                self.release(Release::List(reply, rows));
            }
            Request::Total { filter, reply } => {
                let live = self.slots.values().map(|slot| &slot.execution);
                // A count shows nothing that may be lost again.
                drop(reply.send(InMemory::count(live, &self.finished, &filter)));
            }
            Request::Count { reply } => {
                let mut counts = Unfinished::default();
                self.slots.values().for_each(|slot| counts.add(&slot.execution));
                drop(reply.send(counts));
            }
        }
    }

    fn show(&mut self, execution: ExecutionId, reply: oneshot::Sender<Option<Box<Execution>>>) {
        let live = self.slots.get(&execution).map(|slot| &slot.execution);
        let shown = live.or_else(|| self.recent.get(execution));
        // Of what is deleted only the tombstone tells.
        let shown = shown.filter(|shown| shown.deleted.is_none()).cloned().map(Box::new);
        self.release(Release::Show(reply, shown));
    }

    /// Whether the last event of an execution in memory is another one.
    fn has_changed(&self, execution: ExecutionId, expected: u64) -> bool {
        self.slots.get(&execution).is_some_and(|slot| slot.execution.sequence != expected)
    }

    pub(super) fn answer(&mut self, execution: ExecutionId, command: Command, reply: Reply) {
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

    /// Leaves a note for an execution once everything decided so far is durable.
    pub(super) fn note_when_durable(&mut self, execution: ExecutionId, note: Note) {
        self.release(Release::Note(execution, note));
    }

    /// Lets something go once everything decided so far is durable.
    pub(super) fn release(&mut self, release: Release) {
        self.units.push(Unit { transition: None, releases: vec![release] });
    }

    /// Decides on a command; what it leads to waits for the committer.
    pub(super) fn decide_on(
        &mut self,
        id: ExecutionId,
        command: Command,
        reply: Option<&mut Option<Reply>>,
    ) -> Result<(), Rejection> {
        let Some(slot) = self.slots.get_mut(&id) else { return Ok(()) };
        let first_sequence = slot.execution.sequence + 1;
        let progress = slot.execution.progress;
        let is_over = slot.execution.status.is_terminal();
        let now = self.tools.clock.now();
        let Some(events) = slot.decide(&self.tools, now, command)? else {
            return self.set_aside_after_panic(id, first_sequence, is_over);
        };
        if slot.execution.asked_for_place >= first_sequence
            && let Err(rejection) = slot.ask_for_place(&self.tools)
        {
            // Nothing of it is in the log, and nothing shall be.
            slot.execution = Execution::new(id);
            return Err(rejection);
        }
        let releases = Vec::with_capacity(2);
        let mut decided = Decided { events, releases, ..Decided::default() };
        for effect in effects_after(&slot.execution, &decided.events) {
            slot.carry_out(&self.tools, now, effect, &mut decided);
        }
        slot.tell_others(progress, &mut decided);
        let accepted = Accepted { execution: id, sequence: slot.execution.sequence };
        if let Some(reply) = reply.and_then(Option::take) {
            decided.releases.push(Release::Accepted(reply, accepted));
        }
        self.hand_on(id, first_sequence, decided);
        Ok(())
    }

    /// Hands what was decided to the committer, and notes what it means for the shard.
    pub(super) fn hand_on(&mut self, id: ExecutionId, first_sequence: u64, decided: Decided) {
        let Decided { events, releases, panicked, .. } = decided;
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let next_sequence = first_sequence + u64::try_from(events.len()).unwrap_or(0);
        slot.rearm(&mut self.timers);
        if !slot.execution.ready.is_empty() {
            self.advances.push_back(id);
        }
        let mut transition = None;
        if !events.is_empty() {
            if !slot.is_dirty {
                slot.is_dirty = true;
                self.dirty.push(id);
            }
            transition = Some(slot.transition(first_sequence, events));
        }
        if transition.is_some() || !releases.is_empty() {
            self.units.push(Unit { transition, releases });
        }
        if panicked {
            drop(self.set_aside_after_panic(id, next_sequence, false));
        }
    }

    /// Hands events on that owe nothing.
    pub(super) fn hand_on_events(
        &mut self,
        id: ExecutionId,
        first_sequence: u64,
        events: Vec<Event>,
        releases: Vec<Release>,
    ) {
        self.hand_on(id, first_sequence, Decided { events, releases, ..Decided::default() });
    }

    /// Brings a recovered execution back to life: attempts that the crash cut off are recorded as
    /// lost, and what is owed is done.
    fn resume(&mut self, id: ExecutionId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let owed = pending_effects(&slot.execution);
        let cut_off: Vec<JobId> = slot.jobs_with_workers(&self.tools);
        slot.lend_again(&self.tools);
        // Jobs that wait are offered after the lost ones are scheduled again, so that each is
        // offered once.
        let mut decided = Decided { recovers: true, ..Decided::default() };
        let (first_sequence, progress) = (slot.execution.sequence + 1, slot.execution.progress);
        let now = self.tools.clock.now();
        for effect in owed {
            slot.carry_out(&self.tools, now, effect, &mut decided);
        }
        if !decided.events.is_empty() {
            // It may have got its place, and even have ended with that.
            slot.tell_others(progress, &mut decided);
        }
        if let Some(parent) = slot.execution.waiting_parent() {
            self.tools.shards.note(parent, Note::AskParent { parent, child: id });
        }
        self.hand_on(id, first_sequence, decided);
        if !cut_off.is_empty() {
            let command = Command::LoseAttempts { jobs: cut_off, stopped: false };
            drop(self.decide_on(id, command, None));
        }
    }

    fn start_reserved(&mut self, offer: &Offer) {
        let Offer { execution, job, attempt, job_type, seat, .. } = offer;
        let Some(slot) = self.slots.get_mut(execution) else {
            return self.tools.dispatch.give_back(job_type, seat);
        };
        if self.tools.dispatch.put_back(offer) {
            return;
        }
        slot.came_back(offer);
        let first_sequence = slot.execution.sequence + 1;
        let mut decided = Decided::default();
        let now = self.tools.clock.now();
        if slot.start(&self.tools, now, (*job, *attempt), seat.clone(), &mut decided) {
            self.hand_on(*execution, first_sequence, decided);
        } else {
            self.tools.dispatch.give_back(job_type, seat);
            if decided.panicked {
                drop(self.set_aside_after_panic(*execution, first_sequence, false));
            }
        }
    }

    fn fire_due_timers(&mut self) {
        let now = self.tools.clock.now();
        for _ in 0..TURN_TIMERS {
            let Some((_, id)) = self.timers.first().copied().filter(|(due, _)| *due <= now) else {
                return;
            };
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

    /// Lets an execution run that has got its place, unless it no longer wants it: then its end,
    /// once durable, gives the place to the next.
    fn admit(&mut self, id: ExecutionId) {
        if !self.slots.contains_key(&id) {
            return self.tools.free_place(id);
        }
        if let Err(rejection) = self.decide_on(id, Command::AdmitExecution, None) {
            tracing::debug!(execution = %id, code = rejection.code(), "a place came too late");
        }
    }

    /// An attempt of a worker of another process is lost, if it is still that one.
    fn lose_attempt(
        &mut self,
        execution: ExecutionId,
        (job, token): (JobId, Token),
        stopped: bool,
    ) {
        let Some(slot) = self.slots.get(&execution) else { return };
        let open = slot.execution.jobs.get(&job);
        if open.is_some_and(|open| open.token == Some(token)) {
            let command = Command::LoseAttempts { jobs: vec![job], stopped };
            drop(self.decide_on(execution, command, None));
        }
    }

    fn lose_all_attempts(&mut self) {
        let mut busy: Vec<(ExecutionId, Vec<JobId>)> = self
            .slots
            .iter()
            .map(|(id, slot)| (*id, slot.jobs_with_workers(&self.tools)))
            .filter(|(_, jobs)| !jobs.is_empty())
            .collect();
        busy.sort_unstable_by_key(|(id, _)| *id);
        for (id, jobs) in busy {
            drop(self.decide_on(id, Command::LoseAttempts { jobs, stopped: true }, None));
        }
    }
}
