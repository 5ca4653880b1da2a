//! An execution in memory: its fold, its program, and the attempts of it that run here.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::attempt::{Attempt, Reporter};
use super::children::{ChildOrder, end_note, order_for, progress_note, set_aside_note};
use super::committer::Release;
use super::dispatch::Offer;
use super::places::{Ask, Asking};
use super::remote::{Holder, Lease, Seat};
use super::shard::Tools;
use super::shards::Note;
use crate::engine::{
    CallbackToken, Command, DecisionInput, Effect, Event, Execution, ExecutionId, Job, JobId,
    JobStatus, Program, Rejection, Timer, Timestamp, decide, effects_after,
};
use crate::store::Transition;
use crate::worker::{AttemptId, CancelToken};

/// An execution in memory.
pub(super) struct Slot {
    pub(super) execution: Execution,
    program: Option<Arc<Program>>,
    attempts: HashMap<JobId, Running>,
    /// Attempts that are offered to workers and have not come back: they are not offered twice.
    offered: HashSet<(JobId, u32)>,
    pub(super) waiters: Vec<oneshot::Sender<Option<Box<Execution>>>>,
    pub(super) armed: Option<Timestamp>,
    pub(super) is_dirty: bool,
}

/// What was decided in one transition, and what waits for it.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) events: Vec<Event>,
    pub(super) releases: Vec<Release>,
    /// Whether it follows from what a crash cut off, so that effects may have been carried out.
    pub(super) recovers: bool,
    /// Whether the engine panicked while an attempt was started.
    pub(super) panicked: bool,
}

/// The worker of another process that has a job.
fn remote_worker(job: &Job) -> Option<Holder> {
    job.worker.as_deref().and_then(Holder::of)
}

/// An attempt that a worker has.
struct Running {
    attempt: u32,
    cancel: watch::Sender<bool>,
    reporter: Arc<Reporter>,
}

impl Slot {
    /// Boxed, as the table of a shard has room for twice as many as it holds, and moves all of them
    /// when it grows.
    pub(super) fn new(execution: Execution, program: Option<Arc<Program>>) -> Box<Self> {
        Box::new(Self {
            execution,
            program,
            attempts: HashMap::new(),
            offered: HashSet::new(),
            waiters: Vec::new(),
            armed: None,
            is_dirty: false,
        })
    }

    /// Decides; nothing when the engine panicked. Decisions of one transition are given the same
    /// time, because the log keeps one for all its events.
    pub(super) fn decide(
        &mut self,
        tools: &Tools,
        now: Timestamp,
        command: Command,
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
            mint: &tools.mint,
        };
        let execution = &mut self.execution;
        match catch_unwind(AssertUnwindSafe(|| decide(input, execution, command))) {
            Ok(decided) => decided.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Does what an effect asks: a job that finds a free worker is started in the same transition.
    pub(super) fn carry_out(
        &mut self,
        tools: &Tools,
        now: Timestamp,
        effect: Effect,
        decided: &mut Decided,
    ) {
        let (job, attempt) = match effect {
            Effect::OfferJob { job, attempt } => (job, attempt),
            Effect::TakePlace => return self.take_place(tools, now, decided),
            Effect::RunChild { child } => {
                let order = self.order(child, !decided.recovers);
                let note = order.map(|order| Release::Note(child, Note::RunChild(order)));
                return decided.releases.extend(note);
            }
            Effect::StopChild { child } => {
                let note = Note::StopChild { parent: self.execution.id, child };
                return decided.releases.push(Release::Note(child, note));
            }
            // The shard looks at what is ready, and at the timers, itself.
            Effect::Advance | Effect::Wake { .. } => return,
        };
        let Some(open) = self.execution.jobs.get(&job) else { return };
        let (job_type, scheduled_at) = (open.job_type.clone(), open.scheduled_at);
        if self.offered.contains(&(job, attempt)) {
            // It still queues from before a pause, and keeps its place.
            return;
        }
        if let Some(seat) = tools.dispatch.try_reserve(&job_type) {
            if !self.start(tools, now, (job, attempt), seat.clone(), decided) {
                tools.dispatch.give_back(&job_type, &seat);
            }
        } else {
            let execution = self.execution.id;
            self.offered.insert((job, attempt));
            decided.releases.push(Release::Offer(Offer {
                execution,
                job,
                attempt,
                job_type,
                scheduled_at,
                ticket: 0,
                since: None,
                seat: Seat::Here,
            }));
        }
    }

    /// Asks for the place that an execution needs which is about to begin.
    ///
    /// # Errors
    /// It finds none, and is not to wait.
    pub(super) fn ask_for_place(&self, tools: &Tools) -> Result<(), Rejection> {
        let Some(asking) = Asking::of(&self.execution) else { return Ok(()) };
        let program = self.program.as_ref();
        let concurrency = program.and_then(|program| program.workflow.concurrency.as_ref());
        let when_full = concurrency.map(|own| own.when_full).unwrap_or_default();
        tools.places.take(&asking, Ask::ToStart(when_full)).map(drop)
    }

    /// Lets the execution run in the same transition, if there is a place for it.
    fn take_place(&mut self, tools: &Tools, now: Timestamp, decided: &mut Decided) {
        let Some(asking) = Asking::of(&self.execution) else { return };
        // One that has begun is never refused.
        if !tools.places.take(&asking, Ask::Again).unwrap_or(false) {
            return;
        }
        match self.decide(tools, now, Command::AdmitExecution) {
            Ok(Some(admitted)) => {
                let owed = effects_after(&self.execution, &admitted);
                decided.events.extend(admitted);
                for effect in owed {
                    self.carry_out(tools, now, effect, decided);
                }
            }
            // The shard sets it aside, and frees its place with that.
            Ok(None) => decided.panicked = true,
            Err(rejection) => {
                let (execution, code) = (self.execution.id, rejection.code());
                tracing::error!(%execution, code, "an execution does not take its place");
            }
        }
    }

    /// Whom a decision concerns is told of it once it is durable; `progress` is as it was before.
    pub(super) fn tell_others(&mut self, progress: u8, decided: &mut Decided) {
        self.stop_attempts(&decided.events);
        let (execution, releases) = (&self.execution, &mut decided.releases);
        let parent = if execution.status.is_terminal() {
            // Before anybody is told: who then asks for something finds that it has left the memory.
            releases.push(Release::Note(execution.id, Note::Ended(execution.id)));
            let shown = std::mem::take(&mut self.waiters).into_iter();
            let show = |reply| Release::Show(reply, Some(Box::new(execution.clone())));
            releases.extend(shown.map(show));
            end_note(execution)
        } else if execution.set_aside.is_some() {
            releases.push(Release::Note(execution.id, Note::FreePlace(execution.id)));
            set_aside_note(execution)
        } else if execution.progress != progress {
            progress_note(execution, progress)
        } else {
            None
        };
        releases.extend(parent.map(|(to, note)| Release::Note(to, note)));
    }

    /// An attempt that was offered has a slot, or would have one.
    pub(super) fn came_back(&mut self, offer: &Offer) {
        self.offered.remove(&(offer.job, offer.attempt));
    }

    /// What the execution wants to begin under the id `child`, if it still does.
    pub(super) fn order(&self, child: ExecutionId, is_fresh: bool) -> Option<Box<ChildOrder>> {
        order_for(&self.execution, self.program.as_ref(), child, is_fresh)
    }

    /// Starts an attempt whose seat is reserved, unless it is no longer wanted.
    pub(super) fn start(
        &mut self,
        tools: &Tools,
        now: Timestamp,
        (job, attempt): (JobId, u32),
        seat: Seat,
        decided: &mut Decided,
    ) -> bool {
        let token = tools.ids.token();
        let worker = match &seat {
            Seat::Here => tools.worker_name.clone(),
            Seat::Afar { holder, .. } => holder.logged(),
        };
        let command = Command::StartJob { job, attempt, worker, token };
        match self.decide(tools, now, command) {
            Ok(Some(started)) => decided.events.extend(started),
            // The shard sets it aside: the fold can no longer be trusted.
            Ok(None) => {
                decided.panicked = true;
                return false;
            }
            Err(_) => return false,
        }
        let Some(open) = self.execution.jobs.get(&job) else { return false };
        let reporter = Reporter::new(token, tools.reporters.clone());
        let (cancel, cancel_token) = CancelToken::new();
        let release = Attempt {
            id: AttemptId { execution: self.execution.id, job, attempt },
            job_type: open.job_type.clone(),
            input: open.input.clone(),
            token,
            cancel: cancel_token,
            reporter: reporter.clone(),
            heartbeat_seconds: open.heartbeat_seconds,
            seat,
        };
        self.attempts.insert(job, Running { attempt, cancel, reporter });
        decided.releases.push(Release::Run(Box::new(release)));
        true
    }

    /// Asks the workers of attempts that no longer count to stop.
    fn stop_attempts(&mut self, events: &[Event]) {
        let over = |event: &Event| {
            matches!(
                event,
                Event::JobSucceeded(_)
                    | Event::CallbackAwaited(_)
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

    /// Asks all workers to stop: nothing that they bring is taken any more. Looks at no job of the
    /// execution: what a panic left half changed may have lost some.
    pub(super) fn stop_all_attempts(&mut self, tools: &Tools) {
        let execution = self.execution.id;
        for (job, running) in self.attempts.drain() {
            running.cancel.send_replace(true);
            let token = running.reporter.token();
            tools.dispatch.remote().leases.end(&CallbackToken { execution, job, token });
        }
    }

    /// Jobs that workers of this process have. Where none of others may, theirs too: nobody can bring
    /// those any more.
    pub(super) fn jobs_with_workers(&self, tools: &Tools) -> Vec<JobId> {
        let here = |job: &Job| !(tools.dispatch.takes_remote() && remote_worker(job).is_some());
        self.jobs_at_work().filter(|(_, job)| here(job)).map(|(id, _)| id).collect()
    }

    fn jobs_at_work(&self) -> impl Iterator<Item = (JobId, &Job)> {
        let with_worker = |status| matches!(status, JobStatus::Running | JobStatus::Cancelling);
        let jobs = self.execution.jobs.iter().map(|(id, job)| (*id, job));
        jobs.filter(move |(_, job)| with_worker(job.status) && job.child.is_none())
    }

    /// Lends the attempts anew that workers of other processes have since before a restart.
    pub(super) fn lend_again(&mut self, tools: &Tools) {
        if !tools.dispatch.takes_remote() || self.execution.set_aside.is_some() {
            return;
        }
        let mut again = Vec::new();
        for (id, job) in self.jobs_at_work() {
            let (Some(holder), Some(token)) = (remote_worker(job), job.token) else { continue };
            let (cancel, cancel_token) = CancelToken::new();
            cancel.send_replace(job.status == JobStatus::Cancelling);
            let reporter = Reporter::new(token, tools.reporters.clone());
            let execution = self.execution.id;
            let lease = Lease {
                id: AttemptId { execution, job: id, attempt: job.attempt },
                proof: CallbackToken { execution, job: id, token },
                job_type: job.job_type.clone(),
                holder,
                cancel: cancel_token,
                reporter: reporter.clone(),
            };
            again.push((id, Running { attempt: job.attempt, cancel, reporter }));
            tools.dispatch.remote().leases.begin(lease);
        }
        self.attempts.extend(again);
    }

    pub(super) fn last_heartbeat(&self, timer: Timer) -> Option<Timestamp> {
        match timer {
            Timer::Heartbeat(job, _) => self.attempts.get(&job)?.reporter.last_heartbeat(),
            Timer::Wait(_)
            | Timer::Retry(_)
            | Timer::JobTimeout(..)
            | Timer::ExecutionTimeout
            | Timer::CancelDeadline
            | Timer::CleanupDeadline => None,
        }
    }

    /// Brings the shard's timers in line with the execution's earliest.
    pub(super) fn rearm(&mut self, timers: &mut BTreeSet<(Timestamp, ExecutionId)>) {
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

    pub(super) fn transition(&self, first_sequence: u64, events: Vec<Event>) -> Transition {
        Transition {
            stream: self.execution.stream(),
            first_sequence,
            time: self.execution.updated_at,
            events,
        }
    }
}
