//! The only readers of time and chance. Time is that of workers too, so it stands in `worker/`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::engine::{ExecutionId, Timestamp, Token};
pub use crate::worker::{Clock, SystemClock};

/// Where ids, tokens and seeds come from.
pub trait IdSource: Send + Sync + 'static {
    /// A new execution's id, for one that starts at `now`: a UUID of version 7, higher than the one
    /// before when both are of one millisecond.
    fn execution_id(&self, now: Timestamp) -> ExecutionId;
    /// A new attempt's token, which nobody can guess.
    fn token(&self) -> Token;
    /// Chance for one decision.
    fn seed(&self) -> u64;
    /// A key for a [`Mint`](crate::engine::Mint), which nobody can guess. Drawn once for each time
    /// that a system is opened.
    fn mint_key(&self) -> [u8; 32];
}

/// Ids and tokens from the system's source of randomness.
#[derive(Debug)]
pub struct RandomIds {
    seeds: AtomicU64,
    /// The last execution's id: of those that begin in one millisecond the later has the higher.
    last: Mutex<u128>,
}

impl Default for RandomIds {
    fn default() -> Self {
        let mut bytes = [0; 8];
        fill(&mut bytes);
        Self { seeds: AtomicU64::new(u64::from_le_bytes(bytes)), last: Mutex::default() }
    }
}

impl IdSource for RandomIds {
    fn execution_id(&self, now: Timestamp) -> ExecutionId {
        let mut random = [0; 10];
        fill(&mut random);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        next_id(&mut last, now, random)
    }

    fn token(&self) -> Token {
        let mut bytes = [0; 16];
        fill(&mut bytes);
        Token(bytes)
    }

    fn mint_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        fill(&mut key);
        key
    }

    /// Seeds need not be secret: decide mixes them, and jitter is all that hangs on them.
    fn seed(&self) -> u64 {
        self.seeds.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}

/// The id of an execution that starts at `now`, after `last`.
pub(crate) fn next_id(last: &mut u128, now: Timestamp, random: [u8; 10]) -> ExecutionId {
    let fresh = uuid::Builder::from_unix_timestamp_millis(now.0, &random).into_uuid();
    *last = after(*last, fresh.as_u128());
    ExecutionId(uuid::Uuid::from_u128(*last))
}

/// The id that `fresh` is, or one a little above `last` if both are of one millisecond.
fn after(last: u128, fresh: u128) -> u128 {
    /// The bits of a UUID of version 7 below its time and version, and below its variant.
    const TIME_BITS: u32 = 80;
    const LOW: u128 = (1 << 62) - 1;
    let step = 1 + (fresh & 0xffff_ffff);
    let is_same_moment = last >> TIME_BITS == fresh >> TIME_BITS;
    if is_same_moment && fresh <= last && (last & LOW) + step <= LOW { last + step } else { fresh }
}

/// Fills `bytes` from the system's source, which blocks until it is seeded and does not fail after.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("invariant: the system has a source of randomness");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_are_in_the_order_in_which_they_were_drawn() {
        let ids = RandomIds::default();
        let drawn: Vec<_> =
            (0..1000).map(|_| ids.execution_id(Timestamp(1_700_000_000_000))).collect();
        assert!(drawn.is_sorted_by(|one, next| one < next));
        assert!(drawn.iter().all(|id| id.0.get_version_num() == 7));
        assert!(
            ids.execution_id(Timestamp(1_600_000_000_000)) < drawn[0],
            "the clock was set back"
        );
    }
}
