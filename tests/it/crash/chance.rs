//! Random moments.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::environment::number;

/// A generator that gives the same numbers for the same seed.
pub(super) struct Chance(u64);

impl Chance {
    /// Seeded by `EVERSTEP_SEED`, else by chance. The seed is printed, which a failing test shows.
    #[expect(clippy::print_stdout, reason = "shown when the test fails")]
    pub(super) fn new() -> Self {
        let seed = number("EVERSTEP_SEED");
        let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("EVERSTEP_SEED={seed}");
        Self::seeded(seed)
    }

    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but without, `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A time shorter than so many milliseconds, to the microsecond.
    pub(super) fn within_ms(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end * 1000))
    }
}

/// How many kills a test makes: its own number, scaled as `EVERSTEP_KILLS` is to 50.
pub(super) fn kills(of_fifty: u64) -> u64 {
    number("EVERSTEP_KILLS").map_or(of_fifty, |kills| (kills * of_fifty).div_ceil(50))
}
