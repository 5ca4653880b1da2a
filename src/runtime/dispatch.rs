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
use tokio::time::Instant;

use super::attempt::Attempt;
use super::figures::JobTypeFigures;
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
    waiting: VecDeque<(Offer, Instant)>,
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

    /// No more attempts begin.
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
        let reserve = slots.free > 0 && slots.waiting.is_empty() && !self.is_paused();
        slots.free -= usize::from(reserve);
        reserve
    }

    /// Gives a reserved slot back: its attempt ended, or never began.
    pub(super) fn give_back(&self, job_type: &str) {
        let Some(pool) = self.pools.get(job_type) else { return };
        let mut slots = pool.slots();
        let next = if self.is_paused() { None } else { slots.waiting.pop_front() };
        slots.free += usize::from(next.is_none());
        drop(slots);
        if let Some((next, _)) = next {
            self.start(next);
        }
    }

    /// Queues an attempt, or starts it when a slot is free. One that nobody here serves stays
    /// pending in the log until somebody does.
    pub(super) fn offer(&self, offer: Offer) {
        let Some(pool) = self.pools.get(&offer.job_type) else { return };
        let mut slots = pool.slots();
        if slots.free > 0 && slots.waiting.is_empty() && !self.is_paused() {
            slots.free -= 1;
            drop(slots);
            self.start(offer);
        } else {
            slots.waiting.push_back((offer, Instant::now()));
        }
    }

    /// What each job type has to do, sorted; not those that are ours.
    pub(super) fn figures(&self) -> Vec<JobTypeFigures> {
        let theirs = self.pools.iter().filter(|(name, _)| !name.starts_with(own_jobs::PREFIX));
        let mut figures: Vec<JobTypeFigures> = theirs
            .map(|(job_type, pool)| {
                let slots = pool.slots();
                JobTypeFigures {
                    job_type: job_type.clone(),
                    slots: pool.limit,
                    running: pool.limit.saturating_sub(slots.free),
                    waiting: slots.waiting.len(),
                    oldest: slots.waiting.front().map(|(_, since)| since.elapsed()),
                }
            })
            .collect();
        figures.sort_by(|a, b| a.job_type.cmp(&b.job_type));
        figures
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

impl Pool {
    fn new(service: Service) -> Self {
        let limit = service.concurrency.max(1);
        let (attempts_in, attempts_out) = async_channel::bounded(limit);
        Self {
            handler: service.handler,
            slots: Mutex::new(Slots { free: limit, waiting: VecDeque::new() }),
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
            JobOutcome::Succeeded { output, errors } => {
                Command::CompleteJob { job, token, output, errors }
            }
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
