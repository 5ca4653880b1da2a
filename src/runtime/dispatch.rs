//! Hands jobs to in-process workers.
//!
//! Each job type has a number of slots. A job that finds a free slot is started in the same
//! decision that schedules it; others queue here, in order, until a slot is free. A worker takes
//! attempts from its type's channel, which never holds more than there are slots. Nothing here
//! waits.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::attempt::Attempt;
use super::shards::{Note, Shards};
use super::tasks;
use crate::engine::{Command, ExecutionId, JobId, own_jobs};
use crate::worker::{JobOutcome, SharedHandler};

/// An attempt that waits for a slot.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) execution: ExecutionId,
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) job_type: Arc<str>,
    /// Its place in the queue of its type, once it has one.
    pub(super) ticket: u64,
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
    shards: Shards,
    runtime: Handle,
    /// Set when the process stops. A job type that is paused is held in its pool.
    paused: AtomicBool,
    /// How many attempts are with workers.
    running: watch::Sender<usize>,
}

struct Pool {
    handler: SharedHandler,
    slots: Mutex<Slots>,
    /// Workers there are.
    workers: AtomicUsize,
    /// Those of them that wait for an attempt.
    idle: AtomicUsize,
    limit: usize,
    attempts_in: Sender<Attempt>,
    attempts_out: Receiver<Attempt>,
}

struct Slots {
    free: usize,
    /// Bounded by the jobs of live executions, which are in memory anyway.
    waiting: VecDeque<Offer>,
    /// Tickets given out.
    tickets: u64,
    /// Whether the job type is paused.
    held: bool,
}

impl Dispatch {
    pub(super) fn new(services: Vec<Service>, shards: Shards, runtime: Handle) -> Self {
        let pools = services
            .into_iter()
            .map(|service| (service.job_type.clone(), Arc::new(Pool::new(service))))
            .collect();
        let (running, _) = watch::channel(0);
        Self { pools, shards, runtime, paused: AtomicBool::new(false), running }
    }

    /// The job types that have a worker, sorted; not those that are ours.
    pub(super) fn job_types(&self) -> Vec<String> {
        let theirs = self.pools.keys().filter(|job_type| !job_type.starts_with(own_jobs::PREFIX));
        let mut types: Vec<String> = theirs.map(ToString::to_string).collect();
        types.sort();
        types
    }

    /// Whether a job type has a worker.
    pub(super) fn serves(&self, job_type: &str) -> bool {
        self.pools.contains_key(job_type)
    }

    /// No more attempts begin: the process stops.
    pub(super) fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// Waits until no attempt is with a worker.
    pub(super) async fn quiet(&self) {
        // The sender is ours, so waiting cannot fail.
        drop(self.running.subscribe().wait_for(|running| *running == 0).await);
    }

    /// Takes a slot for a job that is being scheduled, if one is free and nobody queues for it.
    pub(super) fn try_reserve(&self, job_type: &str) -> bool {
        let Some(pool) = self.pools.get(job_type) else { return false };
        let mut slots = pool.slots();
        let reserve = slots.gives_out() && !self.is_paused();
        slots.free -= usize::from(reserve);
        reserve
    }

    /// Gives a reserved slot back: its attempt ended, or never began.
    pub(super) fn give_back(&self, job_type: &str) {
        let Some(pool) = self.pools.get(job_type) else { return };
        let mut slots = pool.slots();
        let kept_back = slots.held || self.is_paused();
        let next = if kept_back { None } else { slots.waiting.pop_front() };
        slots.free += usize::from(next.is_none());
        drop(slots);
        if let Some(next) = next {
            self.start(next);
        }
    }

    /// Queues an attempt, or starts it when a slot is free. One that nobody here serves stays
    /// pending in the log until somebody does.
    pub(super) fn offer(&self, mut offer: Offer) {
        let Some(pool) = self.pools.get(&offer.job_type) else { return };
        let mut slots = pool.slots();
        slots.tickets += 1;
        offer.ticket = slots.tickets;
        if slots.gives_out() && !self.is_paused() {
            slots.free -= 1;
            drop(slots);
            self.start(offer);
        } else {
            slots.waiting.push_back(offer);
        }
    }

    /// Gives out no more attempts of a job type, or goes on with those that waited, in their order.
    pub(super) fn hold(&self, job_type: &str, held: bool) {
        let Some(pool) = self.pools.get(job_type) else { return };
        let mut slots = pool.slots();
        slots.held = held;
        let mut next = Vec::new();
        while slots.free > 0
            && !(held || self.is_paused())
            && let Some(offer) = slots.waiting.pop_front()
        {
            slots.free -= 1;
            next.push(offer);
        }
        drop(slots);
        next.into_iter().for_each(|offer| self.start(offer));
    }

    /// Puts an attempt back that was given a slot just before its job type was paused; whether it is.
    pub(super) fn put_back(&self, offer: &Offer) -> bool {
        let Some(pool) = self.pools.get(&offer.job_type) else { return false };
        let mut slots = pool.slots();
        if slots.held {
            slots.free += 1;
            let place = slots.waiting.partition_point(|other| other.ticket < offer.ticket);
            slots.waiting.insert(place, offer.clone());
        }
        slots.held
    }

    /// How many attempts of a job type queue.
    #[cfg(test)]
    pub(super) fn queued(&self, job_type: &str) -> usize {
        self.pools.get(job_type).map_or(0, |pool| pool.slots().waiting.len())
    }

    fn start(&self, offer: Offer) {
        self.shards.note(offer.execution, Note::StartReserved(offer));
    }

    /// Runs an attempt whose start is durable and whose slot is reserved.
    pub(super) fn run(self: &Arc<Self>, attempt: Attempt) {
        let Some(pool) = self.pools.get(&attempt.job_type) else { return };
        self.running.send_modify(|running| *running += 1);
        // A slot is reserved, so the channel has room.
        drop(pool.attempts_in.try_send(attempt));
        let short = pool.attempts_in.len() > pool.idle.load(Ordering::SeqCst);
        if short && pool.workers.load(Ordering::SeqCst) < pool.limit {
            pool.workers.fetch_add(1, Ordering::SeqCst);
            drop(tasks::spawn(&self.runtime, work(self.clone(), pool.clone())));
        }
    }

    /// Lets workers end once they are idle.
    pub(super) fn close(&self) {
        for pool in self.pools.values() {
            pool.attempts_in.close();
        }
    }

    fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }
}

impl Slots {
    /// Whether an attempt can have a slot at once, without going before others.
    fn gives_out(&self) -> bool {
        self.free > 0 && self.waiting.is_empty() && !self.held
    }
}

impl Pool {
    fn new(service: Service) -> Self {
        let limit = service.concurrency.max(1);
        let (attempts_in, attempts_out) = async_channel::bounded(limit);
        Self {
            handler: service.handler,
            slots: Mutex::new(Slots {
                free: limit,
                waiting: VecDeque::new(),
                tickets: 0,
                held: false,
            }),
            workers: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            limit,
            attempts_in,
            attempts_out,
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker: takes attempts of one job type until there can be no more.
async fn work(dispatch: Arc<Dispatch>, pool: Arc<Pool>) {
    loop {
        pool.idle.fetch_add(1, Ordering::SeqCst);
        let next = pool.attempts_out.recv().await;
        pool.idle.fetch_sub(1, Ordering::SeqCst);
        let Ok(attempt) = next else { break };
        let outcome = pool.handler.run(attempt.context()).await;
        let (job, token) = (attempt.id.job, attempt.token);
        let command = match outcome {
            JobOutcome::Succeeded(output) => Command::CompleteJob { job, token, output },
            JobOutcome::Failed(failure) => Command::FailJob { job, token, failure },
            JobOutcome::Cancelled => Command::AcknowledgeCancel { job, token },
        };
        let execution = attempt.id.execution;
        dispatch.shards.note(execution, Note::Reported { execution, command });
        dispatch.running.send_modify(|running| *running -= 1);
        dispatch.give_back(&attempt.job_type);
    }
    pool.workers.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
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
        (Dispatch::new(vec![service], shards, Handle::current()), lanes.remove(0))
    }

    fn offer(job: u32) -> Offer {
        let execution = ExecutionId(uuid::Uuid::from_u128(1));
        Offer { execution, job: JobId(job), attempt: 1, job_type: "work".into(), ticket: 0 }
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
        (0..3).for_each(|_| dispatch.give_back("work"));
        assert_eq!(jobs(&given_out(&lanes)), [3, 4, 5]);
    }

    #[tokio::test]
    async fn a_paused_type_reserves_no_slot_and_a_slot_that_comes_back_stays_free() {
        let (dispatch, lanes) = dispatch(1);
        assert!(dispatch.try_reserve("work"));
        dispatch.offer(offer(1));
        dispatch.hold("work", true);
        dispatch.give_back("work");
        assert!(given_out(&lanes).is_empty() && !dispatch.try_reserve("work"));
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
