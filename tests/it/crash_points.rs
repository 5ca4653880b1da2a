//! The store on a simulated disk, stopped after every step of it: see `testing::crash_points`.
//!
//! `EVERSTEP_CRASH_POINTS` says how many crashes are looked at, `EVERSTEP_SEED` from which workload
//! on.

use everstep::store::Record;
use everstep::testing::crash_points::{Found, Setting, run};
use everstep::view::Verifier;

use crate::environment::number;

const DEFAULT_POINTS: u64 = 6000;

/// Looks at a log as `log verify` does.
pub(crate) fn verify(log: &[Record]) -> Result<(), String> {
    let mut verifier = Verifier::default();
    log.iter().for_each(|record| verifier.take(record));
    let report = verifier.finish();
    if report.is_sound() { Ok(()) } else { Err(format!("verify: {:?}", report.faults)) }
}

/// Looks at so many crashes, on two threads.
fn look(points: u64, ignores_syncs: bool) -> Found {
    let first = number("EVERSTEP_SEED").unwrap_or(0);
    let setting = Setting { ignores_syncs, verify: &verify };
    let half = |odd: u64| {
        let mut found = Found::default();
        let mut seed = first + odd;
        while found.points < points / 2 && found.faults.is_empty() {
            found.add(run(seed, setting));
            seed += 2;
        }
        found
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut found = half(0);
        found.add(other.join().unwrap());
        found
    })
}

#[test]
fn whatever_a_crash_leaves_holds_all_that_was_acknowledged() {
    let found = look(number("EVERSTEP_CRASH_POINTS").unwrap_or(DEFAULT_POINTS), false);
    println!("{} crashes after {} steps of the disk", found.points, found.steps);
    assert!(found.faults.is_empty(), "{}", found.faults[0]);
    assert!(found.points > 0);
}

#[test]
fn a_disk_that_keeps_nothing_of_what_it_says_is_durable_is_found_out() {
    let found = look(2000, true);
    let fault = found.faults.first().expect("a loss that nobody noticed");
    assert!(fault.what.contains("lost"), "{fault}");
}
