//! Whole systems under a virtual clock, with faults, in an order that a seed decides.
//!
//! `EVERSTEP_SEEDS` says how many lives are lived, `EVERSTEP_SEED` with which seed they begin.

use std::sync::atomic::{AtomicU64, Ordering};

use everstep::testing::sim::{Plan, live_safely, report, search, small};

use crate::environment::number;

#[test]
fn whatever_goes_wrong_no_promise_is_broken_and_everything_ends() {
    let first = number("EVERSTEP_SEED").unwrap_or(0);
    let end = first + number("EVERSTEP_SEEDS").unwrap_or(200);
    let (next, failing) = (AtomicU64::new(first), AtomicU64::new(u64::MAX));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while failing.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    if live_safely(&Plan::of(seed)).fault.is_some() {
                        failing.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failing = failing.into_inner();
    if failing != u64::MAX {
        panic!("{}", report(failing));
    }
}

#[test]
fn a_seed_lives_the_same_life_again() {
    let first = number("EVERSTEP_SEED").unwrap_or(0);
    // In these a worker gives several jobs back at once that it never got.
    let several_taken_back = [320, 1018];
    for seed in (first..first + 20).chain(several_taken_back) {
        let lives = [seed, seed].map(|seed| live_safely(&Plan::of(seed)));
        let mut told = lives[0].story.iter().zip(&lives[1].story);
        let differs = told.find(|(first, second)| first != second);
        assert_eq!(lives[0].digest, lives[1].digest, "seed {seed}, from here on: {differs:?}");
    }
}

#[test]
fn in_every_order_with_one_deviation_and_an_end_at_any_step_no_promise_is_broken() {
    for seed in 0..number("EVERSTEP_SMALL_LIVES").unwrap_or(1) {
        let plan = small(seed, 2);
        let searched = search(&plan, 1).unwrap_or_else(|broken| {
            let (order, outcome) = *broken;
            panic!("seed {seed}, {order:?}: {}", outcome.fault.unwrap_or_default())
        });
        assert!(searched.lives > 100, "seed {seed}: {searched:?}");
        println!("seed {seed}: {searched:?}");
    }
}
