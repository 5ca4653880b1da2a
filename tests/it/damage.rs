//! Data folders whose files were damaged: see `testing::damage`.
//!
//! `EVERSTEP_MUTANTS` says how many are looked at, of which one in ten is a folder with files of sled
//! and the others are simulated; `EVERSTEP_SEED` says from which seed on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use everstep::testing::damage::{Found, Outcome, Setting, run, run_simulated};
use tempfile::TempDir;

use crate::crash_points::verify;
use crate::environment::number;

/// Mutants of folders in a short run; there are four times as many simulated ones.
const DEFAULT_MUTANTS: u64 = 400;

/// Mutants of the folders of one seed.
const OF_A_SEED: u64 = 400;

/// How long one mutant may take: far longer than any does, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// A new folder, in memory where there is such a place.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let there = if memory.is_dir() { TempDir::new_in(memory).ok() } else { None };
    there.unwrap_or_else(|| TempDir::new().unwrap())
}

/// A thread tells of each mutant that it begins with, and of each seed that it is done with.
enum Told {
    Begins(String),
    Done(Found),
}

/// What looks at so many mutants of a seed.
type Run = fn(u64, u64, &(dyn Fn(&str) + Sync)) -> Found;

/// Looks at so many mutants, on two threads, and gives up on one that takes for ever.
fn look(mutants: u64, run: Run) -> Found {
    let first = number("EVERSTEP_SEED").unwrap_or(0);
    let (sender, receiver) = mpsc::channel();
    for odd in 0..2 {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let seeds = (first + odd..).step_by(2);
            let mut left = mutants.div_ceil(2);
            for seed in seeds {
                let begins = |what: &str| drop(sender.send((odd, Told::Begins(what.to_owned()))));
                let found = run(seed, left.min(OF_A_SEED), &begins);
                left = if found.faults.is_empty() { left.saturating_sub(OF_A_SEED) } else { 0 };
                sender.send((odd, Told::Done(found))).unwrap();
                if left == 0 {
                    return;
                }
            }
        });
    }
    drop(sender);
    let (mut all, mut last) = (Found::default(), BTreeMap::new());
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok((odd, Told::Begins(what))) => drop(last.insert(odd, what)),
            Ok((_, Told::Done(found))) => all.add(found),
            Err(RecvTimeoutError::Disconnected) => return all,
            Err(RecvTimeoutError::Timeout) => panic!("one of these takes for ever: {last:?}"),
        }
    }
}

fn folders(seed: u64, mutants: u64, begins: &(dyn Fn(&str) + Sync)) -> Found {
    let folder = folder();
    let found = run(seed, mutants, Setting { place: folder.path(), verify: &verify, begins });
    if !found.faults.is_empty() {
        let _kept = folder.keep();
    }
    found
}

fn disks(seed: u64, mutants: u64, begins: &(dyn Fn(&str) + Sync)) -> Found {
    run_simulated(seed, mutants, begins)
}

fn check(found: &Found) {
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let noticed = found.outcomes.iter().filter(|((_, outcome), _)| *outcome == Outcome::AtOpen);
    assert!(noticed.map(|(_, count)| count).sum::<u64>() * 10 > found.mutants(), "{found}");
}

#[test]
fn a_damaged_folder_tells_the_truth_or_that_it_is_damaged() {
    let mutants = number("EVERSTEP_MUTANTS").map(|mutants| mutants / 10);
    let found = look(mutants.unwrap_or(DEFAULT_MUTANTS), folders);
    println!("{found}");
    check(&found);
}

#[test]
fn a_log_whose_values_are_changed_tells_the_truth_or_that_it_is_damaged() {
    let mutants = number("EVERSTEP_MUTANTS").map(|mutants| mutants - mutants / 10);
    let found = look(mutants.unwrap_or(DEFAULT_MUTANTS * 4), disks);
    println!("{found}");
    check(&found);
}
