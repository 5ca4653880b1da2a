//! What a history of the system's own tells, as it stands.
//!
//! The ground state is that one history, which no execution can have. What it tells is so from the
//! moment it is durable.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::definitions;
use crate::engine::{Event, Timestamp};
use crate::store::{Snapshot, Stream};

/// The fold of a history of the system's own.
pub(super) trait Fold: Clone + Default + Serialize + DeserializeOwned {
    /// The name of its history, which no workflow can have.
    const HISTORY: &str;

    /// The sequence of the last event that it knows of.
    fn sequence(&self) -> u64;

    /// Believes an event with this sequence. One that it knows changes nothing.
    fn apply(&mut self, event: &Event, sequence: u64, at: Timestamp);
}

/// Such a fold, as it stands.
#[derive(Debug, Default)]
pub(super) struct Told<T>(RwLock<Arc<T>>);

impl<T: Fold> Told<T> {
    /// The history that tells all of it.
    pub(super) fn stream() -> Stream {
        definitions::stream_named(T::HISTORY)
    }

    /// Everything, as it stands.
    pub(super) fn now(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sequence of the next event.
    pub(super) fn next_sequence(&self) -> u64 {
        self.now().sequence() + 1
    }

    /// Believes an event that is durable.
    pub(super) fn apply(&self, event: &Event, sequence: u64, at: Timestamp) {
        let mut told = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever still reads it keeps what was.
        Arc::make_mut(&mut told).apply(event, sequence, at);
    }

    /// For a checkpoint; nothing when there never was anything told.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let told = self.now();
        let (stream, sequence) = (Self::stream(), told.sequence());
        let bytes = serde_json::to_vec(&*told).unwrap_or_default();
        (sequence > 0).then_some(Snapshot { stream, sequence, bytes })
    }

    /// Takes what a checkpoint kept; whether it could be read.
    pub(super) fn restore(&self, bytes: &[u8]) -> bool {
        let Ok(kept) = serde_json::from_slice(bytes) else { return false };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(kept);
        true
    }
}
