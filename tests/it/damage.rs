//! Data folders whose files were damaged: see `testing::damage`.
//!
//! `EVERSTEP_MUTANTS` says how many are looked at, `EVERSTEP_SEED` from which folders on.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use everstep::store::Record;
use everstep::testing::damage::{Found, Setting, run};
use everstep::view::Verifier;
use tempfile::TempDir;

use crate::environment::number;

const DEFAULT_MUTANTS: u64 = 2000;

/// Mutants of the folders of one seed.
const OF_A_SEED: u64 = 400;

/// How long one mutant may take: far longer than any does, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(120);

fn verify(log: &[Record]) -> Result<(), String> {
    let mut verifier = Verifier::default();
    log.iter().for_each(|record| verifier.take(record));
    let report = verifier.finish();
    if report.is_sound() { Ok(()) } else { Err(format!("verify: {:?}", report.faults)) }
}

/// A new folder, in memory where there is such a place.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let there = if memory.is_dir() { TempDir::new_in(memory).ok() } else { None };
    there.unwrap_or_else(|| TempDir::new().unwrap())
}

enum Told {
    Begins(String),
    Done(Found),
}

/// Looks at so many mutants, on two threads, and gives up on one that takes for ever.
fn look(mutants: u64) -> Found {
    let first = number("EVERSTEP_SEED").unwrap_or(0);
    let (sender, receiver) = mpsc::channel();
    for odd in 0..2 {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut left = mutants / 2;
            let mut seed = first + odd;
            while left > 0 {
                let folder = folder();
                let begins = |what: &str| drop(sender.send((seed, Told::Begins(what.to_owned()))));
                let setting = Setting { place: folder.path(), verify: &verify, begins: &begins };
                let found = run(seed, left.min(OF_A_SEED), setting);
                if !found.faults.is_empty() {
                    let _kept = folder.keep();
                    left = 0;
                }
                left = left.saturating_sub(OF_A_SEED);
                sender.send((seed, Told::Done(found))).unwrap();
                seed += 2;
            }
        });
    }
    drop(sender);
    let mut all = Found::default();
    let mut last = std::collections::BTreeMap::new();
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok((seed, Told::Begins(what))) => drop(last.insert(seed % 2, (seed, what))),
            Ok((_, Told::Done(found))) => all.add(found),
            Err(mpsc::RecvTimeoutError::Disconnected) => return all,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("one of these goes on for ever: {last:?}"),
        }
    }
}

#[test]
fn a_damaged_folder_tells_the_truth_or_that_it_is_damaged() {
    let found = look(number("EVERSTEP_MUTANTS").unwrap_or(DEFAULT_MUTANTS));
    println!("{found}");
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(found.mutants() > 0);
}
//DEV
pub fn main() {
    let t=std::time::Instant::now();
    if let Some(n) = number("SIM") {
        let mut all = Found::default();
        for seed in 0..n/500 { all.add(everstep::testing::damage::run_simulated(number("EVERSTEP_SEED").unwrap_or(0)+seed, 500)); }
        println!("{all}"); for f in all.faults { println!("FAULT {f}"); } println!("{:?}", t.elapsed());
        return;
    }
    let f=look(number("EVERSTEP_MUTANTS").unwrap_or(400)); println!("{f}"); for f in f.faults { println!("FAULT {f}"); } println!("{:?}", t.elapsed()); }
