//! Whole systems under a virtual clock, with faults, in an order that a seed decides.
//!
//! `EVERSTEP_SEEDS` says how many lives are lived, `EVERSTEP_SEED` with which seed they begin.

use everstep::testing::sim::{Plan, live_safely, report};

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn whatever_goes_wrong_no_promise_is_broken_and_everything_ends() {
    let first = number("EVERSTEP_SEED", 0);
    let fails = |seed: &u64| live_safely(&Plan::of(*seed)).fault.is_some();
    let failing = (first..first + number("EVERSTEP_SEEDS", 100)).find(fails);
    assert!(failing.is_none(), "{}", failing.map(report).unwrap_or_default());
}

#[test]
fn a_seed_lives_the_same_life_again() {
    let first = number("EVERSTEP_SEED", 0);
    for seed in first..first + 20 {
        let lives = [seed, seed].map(|seed| live_safely(&Plan::of(seed)));
        assert_eq!(lives[0].digest, lives[1].digest, "seed {seed}");
    }
}
