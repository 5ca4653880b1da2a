//! Workers from afar, as far as they have been heard of. In memory only.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Timestamp;

/// The most workers that are remembered: beyond that, those that were silent longest are forgotten.
const MOST_WORKERS: usize = 10_000;
/// For how long a worker counts as there after it was heard of, in milliseconds: a poll takes a
/// minute at most.
pub(super) const THERE_MS: u64 = 90_000;

/// A worker, as it last showed itself.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) job_types: Vec<Arc<str>>,
    pub(super) slots: usize,
    pub(super) address: Option<Arc<str>>,
    pub(super) since: Timestamp,
    pub(super) heard_at: Timestamp,
    pub(super) is_draining: bool,
}

impl Known {
    /// Whether it was heard of lately.
    pub(super) fn is_there(&self, now: Timestamp) -> bool {
        now.ms_since(self.heard_at) <= THERE_MS
    }
}

/// All workers from afar.
#[derive(Debug, Default)]
pub(super) struct Workers(Mutex<HashMap<Arc<str>, Known>>);

impl Workers {
    fn known(&self) -> MutexGuard<'_, HashMap<Arc<str>, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker polls; whether it is to end.
    pub(super) fn polls(
        &self,
        name: &Arc<str>,
        job_types: &[Arc<str>],
        slots: usize,
        address: Option<Arc<str>>,
        now: Timestamp,
    ) -> bool {
        let mut all = self.known();
        if !all.contains_key(name) {
            make_room(&mut all);
        }
        let known = all.entry(name.clone()).or_insert_with(|| Known {
            job_types: Vec::new(),
            slots,
            address: None,
            since: now,
            heard_at: now,
            is_draining: false,
        });
        if !known.is_there(now) {
            // It comes back after a long time: as a new one.
            (known.since, known.is_draining) = (now, false);
        }
        known.job_types = job_types.to_vec();
        (known.slots, known.address, known.heard_at) = (slots, address, now);
        known.is_draining
    }

    /// A worker reports.
    pub(super) fn heard(&self, name: &str, now: Timestamp) {
        if let Some(known) = self.known().get_mut(name) {
            known.heard_at = now;
        }
    }

    /// A worker is to get nothing more; whether it is known.
    pub(super) fn drain(&self, name: &str) -> bool {
        let mut all = self.known();
        let known = all.get_mut(name);
        known.map(|known| known.is_draining = true).is_some()
    }

    /// The job types that somebody takes who was heard of lately.
    pub(super) fn job_types(&self, now: Timestamp) -> BTreeSet<Arc<str>> {
        let all = self.known();
        let there = all.values().filter(|known| !known.is_draining && known.is_there(now));
        there.flat_map(|known| known.job_types.iter().cloned()).collect()
    }

    /// Everyone who is remembered.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Known)> {
        self.known().iter().map(|(name, known)| (name.clone(), known.clone())).collect()
    }
}

fn make_room(all: &mut HashMap<Arc<str>, Known>) {
    if all.len() < MOST_WORKERS {
        return;
    }
    let silent_longest = all.iter().min_by_key(|(_, known)| known.heard_at);
    if let Some(name) = silent_longest.map(|(name, _)| name.clone()) {
        all.remove(&name);
    }
}
