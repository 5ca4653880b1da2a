//! Hands jobs to workers, of this process and of others.
//!
//! Each job type has a number of slots, and so has the process. A job that finds both free is
//! started in the same decision that schedules it; others queue, in order (see `slots.rs`). A worker
//! takes attempts from its type's channel, which never holds more than there are slots. Nothing here
//! waits.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use tokio::sync::watch;
use tokio::time::Instant;

use super::attempt::Attempt;
use super::clock::Clock;
use super::error::Error;
use super::figures::JobTypeFigures;
use super::remote::{Leases, PollId, Remote, Seat, Wish};
use super::shards::{Note, Shards};
use super::slots::{JobQueue, Slots};
use super::tasks::Tasks;
use crate::engine::{Command, ExecutionId, JobId, Timestamp, own_jobs};
use crate::worker::{AttemptId, JobOutcome, SharedHandler};

/// Gives the trace that an attempt is part of, as the header `traceparent` has it.
pub type TraceParents = Arc<dyn Fn(AttemptId) -> Option<Arc<str>> + Send + Sync>;

/// An attempt that waits for a slot.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) execution: ExecutionId,
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) job_type: Arc<str>,
    /// When the attempt became ready, or the one before it that a crash or a stop cut off.
    pub(super) scheduled_at: Timestamp,
    /// Its place in the queue of its type, once it has one.
    pub(super) ticket: u64,
    /// Since when it has queued.
    pub(super) since: Option<Instant>,
    /// Where it is to run, once it may.
    pub(super) seat: Seat,
}

/// A job type's handler, and how many attempts of it may run at once.
pub(super) struct Service {
    pub(super) job_type: Arc<str>,
    pub(super) handler: SharedHandler,
    pub(super) concurrency: usize,
}

/// All job types that have a worker here.
pub(super) struct Dispatch {
    pools: HashMap<Arc<str>, Arc<Pool>>,
    slots: Mutex<Slots>,
    shards: Shards,
    tasks: Tasks,
    remote: Remote,
    /// Whether workers of other processes may have jobs.
    takes_remote: bool,
    clock: Arc<dyn Clock>,
    /// How many attempts are with workers here.
    running: watch::Sender<usize>,
    /// What workers here are told of traces.
    trace_parents: Option<TraceParents>,
}

struct Pool {
    handler: SharedHandler,
    /// Workers there are.
    workers: AtomicUsize,
    /// Those of them that wait for an attempt.
    idle: AtomicUsize,
    limit: usize,
    attempts_in: Sender<Attempt>,
    attempts_out: Receiver<Attempt>,
}

impl Dispatch {
    /// Workers for these services, which together run at most `most` attempts at once.
    pub(super) fn new(
        services: Vec<Service>,
        most: usize,
        shards: Shards,
        tasks: Tasks,
        clock: Arc<dyn Clock>,
        takes_remote: bool,
    ) -> Self {
        let types = services.iter().map(|service| (service.job_type.clone(), service.concurrency));
        let slots = Mutex::new(Slots::new(most, types));
        let pools = services
            .into_iter()
            .map(|service| (service.job_type.clone(), Arc::new(Pool::new(service))))
            .collect();
        let (running, _) = watch::channel(0);
        let leases = Arc::new(Leases::new(clock.clone(), shards.clone(), tasks.clone()));
        let remote = Remote::new(leases);
        let trace_parents = None;
        Self { pools, slots, shards, tasks, remote, takes_remote, clock, running, trace_parents }
    }

    /// Tells workers here of which trace their attempts are part.
    pub(super) fn with_trace_parents(mut self, parents: Option<TraceParents>) -> Self {
        self.trace_parents = parents;
        self
    }

    /// Whether workers of other processes may have jobs.
    pub(super) fn takes_remote(&self) -> bool {
        self.takes_remote
    }

    /// What is known of work afar.
    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// A worker of another process waits for jobs.
    ///
    /// # Errors
    /// None may, or `most` wait already.
    pub(super) fn begin_poll(&self, wish: Wish, most: usize) -> Result<PollId, Error> {
        if !self.takes_remote {
            return Err(Error::NoRemoteWorkers);
        }
        let (id, next) = {
            let mut slots = self.slots();
            if slots.demand().len() >= most {
                return Err(Error::TooManyPolls { most });
            }
            slots.begin_poll(wish)
        };
        self.start(next);
        Ok(id)
    }

    /// A poll asks for no more; it may be answered once nothing is under way to it.
    pub(super) fn close_poll(&self, id: PollId) {
        self.slots().demand().close(id);
    }

    /// How many jobs are under way to a poll.
    pub(super) fn under_way(&self, id: PollId) -> usize {
        self.slots().demand().under_way(id)
    }

    /// A poll waits no more.
    pub(super) fn end_poll(&self, id: PollId) {
        self.slots().demand().remove(id);
    }

    /// A worker got no answer to these requests, and listens to them no more: what was given to
    /// them, or is about to be, goes back.
    pub(super) fn take_back_unanswered(&self, worker: &str, requests: &HashSet<String>) {
        if requests.is_empty() {
            return;
        }
        self.slots().demand().remove_requests(worker, requests);
        self.remote.leases.take_back(worker, requests);
    }

    /// No poll of a worker gets more.
    pub(super) fn close_polls_of(&self, worker: &str) {
        self.slots().demand().close_all_of(Some(worker));
    }

    /// The job types that have a worker, sorted; not those that are ours.
    pub(super) fn job_types(&self) -> Vec<String> {
        let theirs = self.pools.keys().filter(|job_type| !job_type.starts_with(own_jobs::PREFIX));
        let mut types = self.remote.job_types(self.clock.now());
        types.extend(theirs.cloned());
        types.iter().map(ToString::to_string).collect()
    }

    /// Whether a job of this type can come to a worker, now or later.
    pub(super) fn may_serve(&self, job_type: &str) -> bool {
        self.takes_remote || self.pools.contains_key(job_type)
    }

    /// No more attempts begin.
    pub(super) fn pause(&self) {
        self.slots().stop();
    }

    /// Waits until no attempt is with a worker.
    pub(super) async fn quiet(&self) {
        // The sender is ours, so waiting cannot fail.
        drop(self.running.subscribe().wait_for(|running| *running == 0).await);
    }

    /// Takes the slots for a job that is being scheduled, if they are free.
    pub(super) fn try_reserve(&self, job_type: &str) -> Option<Seat> {
        self.slots().try_reserve(job_type)
    }

    /// Gives reserved slots back: their attempt ended, or never began.
    pub(super) fn give_back(&self, job_type: &str, seat: &Seat) {
        let next = self.slots().give_back(job_type, seat);
        self.start(next);
    }

    /// Queues an attempt, or starts it when its slots are free.
    pub(super) fn offer(&self, offer: Offer) {
        if !self.may_serve(&offer.job_type) {
            // It stays pending in the log until somebody may.
            return;
        }
        let next = self.slots().offer(offer);
        self.start(next);
    }

    /// Starts nothing before so many shards have said what waits in them.
    pub(super) fn await_shards(&self, count: usize) {
        self.slots().await_shards(count);
    }

    /// A shard has said all that waits in it.
    pub(super) fn shard_is_ready(&self) {
        let next = self.slots().shard_is_ready();
        self.start(next);
    }

    /// Gives out no more attempts of a job type, or goes on with those that waited, in their order.
    pub(super) fn hold(&self, job_type: &str, held: bool) {
        let next = self.slots().hold(job_type, held);
        self.start(next);
    }

    /// Puts an attempt back that was given slots just before its job type was paused; whether it is.
    pub(super) fn put_back(&self, offer: &Offer) -> bool {
        let Some(next) = self.slots().put_back(offer) else { return false };
        self.start(next);
        true
    }

    /// How many attempts of a job type queue.
    #[cfg(test)]
    pub(super) fn queued(&self, job_type: &str) -> usize {
        self.slots().queued(job_type)
    }

    /// What each job type has to do, sorted; not those that are ours.
    pub(super) fn figures(&self) -> Vec<JobTypeFigures> {
        let mut figures = self.figures_here();
        let (served, running) =
            (self.remote.job_types(self.clock.now()), self.remote.leases.by_type());
        for of in &mut figures {
            let afar = running.get(&of.job_type).copied().unwrap_or_default();
            of.slots += afar + self.slots().demand().wanted(&of.job_type);
            of.running += afar;
            of.is_served |= served.contains(&of.job_type);
        }
        figures
    }

    /// The same, of workers here alone.
    pub(super) fn figures_here(&self) -> Vec<JobTypeFigures> {
        let mut figures = self.slots().figures();
        figures.retain(|figures| !figures.job_type.starts_with(own_jobs::PREFIX));
        figures
    }

    /// The jobs of an execution that wait for slots.
    pub(super) fn queues_of(&self, execution: ExecutionId) -> Vec<JobQueue> {
        self.slots().queues_of(execution)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, offers: impl IntoIterator<Item = Offer>) {
        for offer in offers {
            self.shards.note(offer.execution, Note::StartReserved(offer));
        }
    }

    /// Runs an attempt whose start is durable and whose seat is reserved.
    pub(super) fn run(self: &Arc<Self>, attempt: Attempt) {
        match attempt.seat {
            Seat::Here => self.run_here(attempt),
            Seat::Afar { poll, .. } => self.lend(poll, Box::new(attempt)),
        }
    }

    /// Gives an attempt to the worker that polls; or takes it back, when that has gone.
    fn lend(&self, poll: PollId, attempt: Box<Attempt>) {
        if let Some(lease) = attempt.lease() {
            self.remote.leases.begin(lease);
        }
        let delivered = self.slots().demand().deliver(poll, attempt);
        if let Err(attempt) = delivered {
            self.take_back(&attempt);
        }
    }

    /// An attempt has not reached the worker that it was started for. It ends, durably, so that
    /// the log never names another one than has it.
    pub(super) fn take_back(&self, attempt: &Attempt) {
        self.remote.leases.return_unseen(attempt.proof());
    }

    fn run_here(self: &Arc<Self>, attempt: Attempt) {
        let Some(pool) = self.pools.get(&attempt.job_type) else { return };
        self.running.send_modify(|running| *running += 1);
        // A slot is reserved, so the channel has room.
        drop(pool.attempts_in.try_send(attempt));
        let short = pool.attempts_in.len() > pool.idle.load(Ordering::SeqCst);
        if short && pool.workers.load(Ordering::SeqCst) < pool.limit {
            pool.workers.fetch_add(1, Ordering::SeqCst);
            drop(self.tasks.spawn(work(self.clone(), pool.clone())));
        }
    }

    /// Lets workers end once they are idle.
    pub(super) fn close(&self) {
        for pool in self.pools.values() {
            pool.attempts_in.close();
        }
        self.slots().demand().close_all_of(None);
        self.remote.leases.close();
    }
}

impl Pool {
    fn new(service: Service) -> Self {
        let limit = service.concurrency.max(1);
        let (attempts_in, attempts_out) = async_channel::bounded(limit);
        Self {
            handler: service.handler,
            workers: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            limit,
            attempts_in,
            attempts_out,
        }
    }
}

/// A worker: takes attempts of one job type until there can be no more.
async fn work(dispatch: Arc<Dispatch>, pool: Arc<Pool>) {
    loop {
        pool.idle.fetch_add(1, Ordering::SeqCst);
        let next = pool.attempts_out.recv().await;
        pool.idle.fetch_sub(1, Ordering::SeqCst);
        let Ok(attempt) = next else { break };
        let traceparent = dispatch.trace_parents.as_ref().and_then(|parent| parent(attempt.id));
        let context = attempt.context().with_traceparent(traceparent);
        let outcome = pool.handler.run(context).await;
        let (job, token) = (attempt.id.job, attempt.token);
        let command = match outcome {
            JobOutcome::Succeeded { output, errors } => {
                Command::CompleteJob { job, token, output, errors }
            }
            JobOutcome::Failed(failure) => Command::FailJob { job, token, failure },
            JobOutcome::Cancelled => Command::AcknowledgeCancel { job, token },
        };
        let execution = attempt.id.execution;
        dispatch.shards.note(execution, Note::Reported { execution, command });
        dispatch.running.send_modify(|running| *running -= 1);
        dispatch.give_back(&attempt.job_type, &attempt.seat);
    }
    pool.workers.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::super::clock::SystemClock;
    use super::super::shards::Lanes;
    use super::*;
    use crate::worker::{JobContext, Registry};

    /// A dispatch with so many slots for `work`, and the lane into which it puts what has one.
    fn dispatch(slots: usize) -> (Dispatch, Lanes) {
        let mut registry = Registry::new();
        registry.handle("work", |_: JobContext, input: serde_json::Value| async move { Ok(input) });
        let service = Service {
            job_type: "work".into(),
            handler: registry.get("work").unwrap(),
            concurrency: slots,
        };
        let (shards, mut lanes) = Shards::new(1, 4);
        let clock = Arc::new(SystemClock);
        let dispatch = Dispatch::new(vec![service], 64, shards, Tasks::on(None), clock, false);
        (dispatch, lanes.remove(0))
    }

    fn offer(job: u32) -> Offer {
        let execution = ExecutionId(uuid::Uuid::from_u128(1));
        Offer {
            execution,
            job: JobId(job),
            attempt: 1,
            job_type: "work".into(),
            ticket: 0,
            since: None,
            scheduled_at: Timestamp(0),
            seat: Seat::Here,
        }
    }

    /// What has been given a slot since this was asked last.
    fn given_out(lanes: &Lanes) -> Vec<Offer> {
        let notes = std::iter::from_fn(|| lanes.notes.try_recv().ok());
        let offers = notes.filter_map(|note| match note {
            Note::StartReserved(offer) => Some(offer),
            _ => None,
        });
        offers.collect()
    }

    fn jobs(offers: &[Offer]) -> Vec<u32> {
        offers.iter().map(|offer| offer.job.0).collect()
    }

    #[tokio::test]
    async fn what_had_a_slot_just_before_the_pause_goes_back_to_its_place() {
        let (dispatch, lanes) = dispatch(2);
        (1..=4).for_each(|job| dispatch.offer(offer(job)));
        let given = given_out(&lanes);
        assert_eq!(jobs(&given), [1, 2]);
        assert!(!dispatch.put_back(&given[0]), "it is not paused");
        dispatch.hold("work", true);
        // Shards come to them in any order.
        assert!(dispatch.put_back(&given[1]) && dispatch.put_back(&given[0]));
        dispatch.offer(offer(5));
        assert_eq!((given_out(&lanes).len(), dispatch.queued("work")), (0, 5));
        dispatch.hold("work", false);
        assert_eq!(jobs(&given_out(&lanes)), [1, 2]);
        (0..3).for_each(|_| dispatch.give_back("work", &Seat::Here));
        assert_eq!(jobs(&given_out(&lanes)), [3, 4, 5]);
    }

    #[tokio::test]
    async fn a_paused_type_reserves_no_slot_and_a_slot_that_comes_back_stays_free() {
        let (dispatch, lanes) = dispatch(1);
        assert_eq!(dispatch.try_reserve("work"), Some(Seat::Here));
        dispatch.offer(offer(1));
        dispatch.hold("work", true);
        dispatch.give_back("work", &Seat::Here);
        assert!(given_out(&lanes).is_empty() && dispatch.try_reserve("work").is_none());
        dispatch.hold("work", false);
        assert_eq!(jobs(&given_out(&lanes)), [1]);
    }

    #[tokio::test]
    async fn the_end_of_a_pause_begins_nothing_while_the_process_stops() {
        let (dispatch, lanes) = dispatch(1);
        dispatch.hold("work", true);
        dispatch.offer(offer(1));
        dispatch.pause();
        dispatch.hold("work", false);
        assert!(given_out(&lanes).is_empty());
    }
}
