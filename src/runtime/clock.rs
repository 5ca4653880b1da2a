//! The only readers of time and chance. Time is that of workers too, so it stands in `worker/`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{ExecutionId, Timestamp, Token};
pub use crate::worker::{Clock, SystemClock};

/// Where ids, tokens and seeds come from.
pub trait IdSource: Send + Sync + 'static {
    /// A new execution's id, for one that starts at `now`.
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
}

impl Default for RandomIds {
    fn default() -> Self {
        let mut bytes = [0; 8];
        fill(&mut bytes);
        Self { seeds: AtomicU64::new(u64::from_le_bytes(bytes)) }
    }
}

impl IdSource for RandomIds {
    fn execution_id(&self, now: Timestamp) -> ExecutionId {
        let mut random = [0; 10];
        fill(&mut random);
        ExecutionId(uuid::Builder::from_unix_timestamp_millis(now.0, &random).into_uuid())
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

/// Fills `bytes` from the system's source, which blocks until it is seeded and does not fail after.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("invariant: the system has a source of randomness");
}
