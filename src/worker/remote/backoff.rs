//! How long to wait before the next try, so that many workers do not come back all at once.

use std::time::Duration;

/// The longest first wait.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait of all: a server that is back is found within this.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double from failure to failure, each shortened by chance to between half and all of it.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    failures: u32,
    chance: u64,
}

impl Backoff {
    /// With chance from a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, chance: seed }
    }

    /// How long to wait after one more failure.
    pub(super) fn failed(&mut self) -> Duration {
        let most = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = most / 2;
        let span = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_millis(self.draw() % span)
    }

    /// An answer came.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many tries in a row have failed.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The next number of SplitMix64: jitter need not be secret.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_seconds_and_begin_anew_after_an_answer() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed);
            let mut most = FIRST;
            for _ in 0..40 {
                let wait = backoff.failed();
                assert!(wait >= most / 2 && wait <= most, "{wait:?} of {most:?}");
                most = (most * 2).min(LONGEST);
            }
            backoff.succeeded();
            assert!(backoff.failed() <= FIRST);
        }
    }

    #[test]
    fn workers_of_different_seeds_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<Duration> =
            (0..100).map(|seed| Backoff::new(seed).failed()).collect();
        assert!(waits.len() > 50, "only {} different waits", waits.len());
    }
}
