//! Sled itself, stopped after anything that it did to its files: see `testing::crash_points::traced`.
//!
//! Each test runs itself again with a shim below it. `EVERSTEP_POWER_CUTS` says how many crashes are
//! looked at, `EVERSTEP_SEED` from which workload on.

use std::path::Path;
use std::process::Command;

use everstep::testing::crash_points::traced::{Place, run};
use everstep::testing::crash_points::{Found, Setting};
use tempfile::TempDir;

use crate::crash_points::verify;
use crate::environment::number;
use crate::shim;

const DEFAULT_CUTS: u64 = 300;
/// Crashes of one workload.
const OF_A_SEED: u64 = 150;

/// Below the shim: looks at so many crashes.
fn look(place: Place<'_>, cuts: u64, ignores_syncs: bool) -> Found {
    let mut seed = number("EVERSTEP_SEED").unwrap_or(0);
    let setting = Setting { ignores_syncs, verify: &verify };
    let mut found = Found::default();
    while found.points < cuts && found.faults.is_empty() {
        found.add(run(seed, OF_A_SEED, place, setting));
        seed += 1;
    }
    found
}

/// Does `work` below the shim, by running the test of this name again.
#[expect(clippy::print_stdout, reason = "how much was looked at, for who asks to see it")]
fn under_the_shim(test: &str, work: impl FnOnce(Place<'_>)) {
    let trace = std::env::var_os("EVERSTEP_SHIM_TRACE");
    if let Some(trace) = trace {
        let trace = Path::new(&trace);
        work(Place { folder: trace.parent().unwrap(), trace });
        return;
    }
    let shim = shim::build();
    // On a disk: a trace may be larger than what a machine gives for files in memory.
    let place = TempDir::new().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("power_cuts::{test}"), "--nocapture"]);
    command.env("LD_PRELOAD", &shim.library);
    // What is wrong says which file it is in; a trace would only bury that.
    command.env("RUST_BACKTRACE", "0");
    // As the system names them.
    let path = place.path().canonicalize().unwrap();
    command.env("EVERSTEP_SHIM_FOLDER", path.join("live"));
    command.env("EVERSTEP_SHIM_TRACE", path.join("trace"));
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        let place = place.keep();
        let error = String::from_utf8_lossy(&done.stderr);
        panic!("{said}{error}all is left in {}", place.display());
    }
    let counts: Vec<&str> = said.lines().filter(|line| line.contains("crashes")).collect();
    assert_eq!(counts.len(), 1, "{said}");
    println!("{}", counts[0]);
}

#[test]
fn what_sled_wrote_holds_all_that_was_acknowledged_wherever_the_power_is_cut() {
    let name = "what_sled_wrote_holds_all_that_was_acknowledged_wherever_the_power_is_cut";
    under_the_shim(name, |place| {
        let found = look(place, number("EVERSTEP_POWER_CUTS").unwrap_or(DEFAULT_CUTS), false);
        println!("{} crashes of sled", found.points);
        assert!(found.faults.is_empty(), "{}", found.faults[0]);
        assert!(found.points > 0);
    });
}

#[test]
fn a_disk_below_sled_that_keeps_nothing_of_what_it_says_is_durable_is_found_out() {
    let name = "a_disk_below_sled_that_keeps_nothing_of_what_it_says_is_durable_is_found_out";
    under_the_shim(name, |place| {
        let found = look(place, 2000, true);
        println!("{} crashes of sled", found.points);
        assert!(!found.faults.is_empty(), "a loss that nobody noticed");
    });
}
