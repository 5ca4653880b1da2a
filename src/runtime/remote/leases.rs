//! Attempts that workers have from afar. Each is lent: a worker that is silent for longer than its
//! lease is taken for gone, and its attempt for lost.
//!
//! Leases are in memory only. Which attempts run afar is in the log, and after a restart each gets a
//! new lease: a worker outlives the server, and may still bring what it was given.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::attempt::Reporter;
use super::super::clock::Clock;
use super::super::shards::{Note, Shards};
use super::super::tasks::Tasks;
use super::{Holder, NO_LEASE};
use crate::engine::{CallbackToken, ExecutionId, JobId, Timestamp};
use crate::worker::{AttemptId, CancelToken};

/// How often it is looked for leases that have lapsed; they lapse this much late at most.
const LOOK: Duration = Duration::from_secs(1);

/// An attempt that a worker has.
#[derive(Clone)]
pub(in crate::runtime) struct Lease {
    pub(in crate::runtime) id: AttemptId,
    pub(in crate::runtime) proof: CallbackToken,
    pub(in crate::runtime) job_type: Arc<str>,
    pub(in crate::runtime) holder: Holder,
    pub(in crate::runtime) cancel: CancelToken,
    pub(in crate::runtime) reporter: Arc<Reporter>,
}

type Key = (ExecutionId, JobId);

/// All attempts that workers have from afar.
pub(in crate::runtime) struct Leases {
    held: Mutex<Held>,
    clock: Arc<dyn Clock>,
    shards: Shards,
    tasks: Tasks,
}

#[derive(Default)]
struct Held {
    leases: HashMap<Key, (Lease, Timestamp)>,
    /// When each lapses.
    due: BTreeSet<(Timestamp, Key)>,
    /// Whether somebody looks after them.
    is_watched: bool,
}

impl Held {
    fn put(&mut self, lease: Lease, until: Timestamp) {
        let key = (lease.id.execution, lease.id.job);
        self.remove(key);
        self.due.insert((until, key));
        self.leases.insert(key, (lease, until));
    }

    fn remove(&mut self, key: Key) -> Option<Lease> {
        let (lease, until) = self.leases.remove(&key)?;
        self.due.remove(&(until, key));
        Some(lease)
    }

    /// The lease of the attempt that this proves to have.
    fn get(&self, proof: &CallbackToken) -> Option<&Lease> {
        let (lease, _) = self.leases.get(&(proof.execution, proof.job))?;
        (lease.proof == *proof).then_some(lease)
    }
}

impl Leases {
    pub(in crate::runtime) fn new(clock: Arc<dyn Clock>, shards: Shards, tasks: Tasks) -> Self {
        Self { held: Mutex::default(), clock, shards, tasks }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt is lent, in the place of any other of its job.
    pub(in crate::runtime) fn begin(self: &Arc<Self>, lease: Lease) {
        let until = self.until(lease.holder.lease_seconds);
        let mut held = self.held();
        held.put(lease, until);
        if !std::mem::replace(&mut held.is_watched, true) {
            drop(held);
            drop(self.tasks.spawn(watch(self.clone())));
        }
    }

    /// The worker gave a sign of life.
    pub(in crate::runtime) fn renew(&self, proof: &CallbackToken) -> Option<Lease> {
        let mut held = self.held();
        let lease = held.get(proof)?.clone();
        let until = self.until(lease.holder.lease_seconds);
        held.put(lease.clone(), until);
        Some(lease)
    }

    /// A worker got no answer to these requests: what was in them goes back.
    pub(in crate::runtime) fn take_back(&self, worker: &str, requests: &HashSet<String>) {
        let mut held = self.held();
        let is_one = |lease: &Lease| lease.holder.is_one_of(worker, requests);
        let mut keys: Vec<Key> = held
            .leases
            .iter()
            .filter(|(_, (lease, _))| is_one(lease))
            .map(|(key, _)| *key)
            .collect();
        // The oldest first, whatever the map says: in this order they are given out again.
        keys.sort_unstable();
        for lease in keys.into_iter().filter_map(|key| held.remove(key)) {
            let execution = lease.proof.execution;
            tracing::info!(%execution, worker, "an answer did not arrive: its attempt is taken back");
            self.lose(lease.proof, true);
        }
    }

    /// Tells the shard that an attempt is lost. `stopped`: no worker had got it.
    fn lose(&self, proof: CallbackToken, stopped: bool) {
        let CallbackToken { execution, job, token } = proof;
        self.shards.note(execution, Note::LoseAttempt { execution, job, token, stopped });
    }

    /// An attempt has not reached the worker that it was started for.
    pub(in crate::runtime) fn return_unseen(&self, proof: CallbackToken) {
        self.end(&proof);
        self.lose(proof, true);
    }

    /// The attempt has ended.
    pub(in crate::runtime) fn end(&self, proof: &CallbackToken) {
        let mut held = self.held();
        if held.get(proof).is_some() {
            held.remove((proof.execution, proof.job));
        }
    }

    /// What each worker has.
    pub(in crate::runtime) fn by_worker(&self) -> BTreeMap<Arc<str>, Vec<Lease>> {
        let mut by_worker: BTreeMap<Arc<str>, Vec<Lease>> = BTreeMap::new();
        for (lease, _) in self.held().leases.values() {
            by_worker.entry(lease.holder.worker.clone()).or_default().push(lease.clone());
        }
        by_worker
    }

    /// How many attempts of each type workers have.
    pub(in crate::runtime) fn by_type(&self) -> HashMap<Arc<str>, usize> {
        let mut by_type = HashMap::new();
        for (lease, _) in self.held().leases.values() {
            *by_type.entry(lease.job_type.clone()).or_default() += 1;
        }
        by_type
    }

    /// Nobody looks after them any more.
    pub(in crate::runtime) fn close(&self) {
        let mut held = self.held();
        held.leases.clear();
        held.due.clear();
    }

    fn until(&self, seconds: u32) -> Timestamp {
        match seconds {
            NO_LEASE => Timestamp(u64::MAX),
            seconds => self.clock.now().plus_ms(u64::from(seconds).saturating_mul(1000)),
        }
    }

    /// Takes those that have lapsed away, and says so to their shards; whether any are left.
    fn look(&self) -> bool {
        let now = self.clock.now();
        let mut held = self.held();
        while let Some((until, key)) = held.due.first().copied()
            && until <= now
        {
            let Some(lease) = held.remove(key) else { break };
            let execution = lease.proof.execution;
            tracing::warn!(%execution, worker = %lease.holder.worker, "a worker is silent: its attempt is lost");
            self.lose(lease.proof, false);
        }
        // One without a lease that no longer counts would stay for ever.
        let over = |(lease, _): &(Lease, Timestamp)| {
            lease.holder.lease_seconds == NO_LEASE && lease.cancel.is_cancelled()
        };
        let ended: Vec<Key> =
            held.leases.iter().filter(|(_, one)| over(one)).map(|(key, _)| *key).collect();
        for key in ended {
            held.remove(key);
        }
        held.is_watched = !held.leases.is_empty();
        held.is_watched
    }
}

async fn watch(leases: Arc<Leases>) {
    loop {
        leases.clock.sleep(LOOK).await;
        if !leases.look() {
            return;
        }
    }
}
