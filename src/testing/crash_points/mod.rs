//! Crash points: the store's own code over a simulated disk, stopped after every step of the disk.
//!
//! A made-up client works with a store for a while, and every step that the disk does is recorded
//! beside what was asked and acknowledged until then. The steps are then done again on a copy, and
//! after each of them crashes are looked at: what a restart finds is opened and judged by what the
//! client knows, without looking into the store.

use super::at_once;
use super::random::Random;
use crate::store::{Crash, SimDisk, Step};

pub(super) mod client;
mod ground;
pub(super) mod history;
mod judge;
pub(super) mod own;
pub mod traced;

use client::Client;
use history::History;
pub use judge::Verify;
use judge::judge;

/// Processes that work on one disk, one after the other.
const LIVES: u64 = 3;
/// Crashes that are looked at after each step.
const CRASHES: u64 = 6;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Setting<'v> {
    /// Whether the disk says that all is durable and keeps nothing: then faults must be found.
    pub ignores_syncs: bool,
    /// Looks at a whole log that was read after a crash; gives what is wrong with it.
    pub verify: Verify<'v>,
}

/// A crash after which something is not as it must be.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The workload.
    pub seed: u64,
    /// Which of its lives, from 0.
    pub life: u64,
    /// After how many steps of the disk.
    pub step: usize,
    /// How, and which crash of this step.
    pub crash: (Crash, u64),
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, life, step, crash: (crash, number), what } = self;
        write!(f, "EVERSTEP_SEED={seed}, life {life}, step {step}, {crash:?} {number}: {what}")
    }
}

/// What was done, and found.
#[derive(Debug, Default)]
pub struct Found {
    /// Crashes that were looked at.
    pub points: u64,
    /// Steps of the disk after which that was.
    pub steps: u64,
    /// The faults, at most a few of each workload.
    pub faults: Vec<Fault>,
}

impl Found {
    /// Counts another one in.
    pub fn add(&mut self, other: Self) {
        self.points += other.points;
        self.steps += other.steps;
        self.faults.extend(other.faults);
    }
}

/// One process on a disk: how the disk was found, and what was done.
struct Life {
    seed: u64,
    number: u64,
    found: SimDisk,
    steps: Vec<Step>,
    history: History,
}

/// Runs the workload of a seed and looks at every crash point of it.
///
/// # Panics
/// The store refuses what it must take, which is a fault too.
#[must_use]
pub fn run(seed: u64, setting: Setting<'_>) -> Found {
    let mut random = Random::new(seed);
    let mut all = Found::default();
    let mut disk = SimDisk::new();
    let mut history = History::default();
    for number in 0..LIVES {
        let found = disk.fork();
        if setting.ignores_syncs {
            disk.ignore_syncs();
        }
        disk.record();
        let client = Client::new(&disk, history, &mut random);
        let lived = client.and_then(|client| client.work(&disk));
        let steps = disk.take_recorded();
        let history_of_life = match lived {
            Ok(lived) => lived,
            Err(what) => {
                let (crash, step) = ((Crash::Killed, 0), steps.len());
                all.faults.push(Fault { seed, life: number, step, crash, what });
                return all;
            }
        };
        let life = Life { seed, number, found, steps, history: history_of_life };
        let points = life.look_at_all(setting);
        let is_sound = points.faults.is_empty();
        all.add(points);
        if !is_sound {
            return all;
        }
        let compacts = life.history.until(u64::MAX).compacts;
        disk = disk.crash(crash_of(number, compacts), &mut random);
        history = life.history.after_crash();
    }
    all
}

/// The kinds of crashes, in turn. Compaction relies on sled, which loses changes of one database only
/// from the end: a chunk is packed again that was just made.
fn crash_of(number: u64, compacts: bool) -> Crash {
    match number % 3 {
        0 => Crash::Killed,
        1 if !compacts => Crash::Scrambled,
        _ => Crash::PowerCut,
    }
}

impl Life {
    fn look_at_all(&self, setting: Setting<'_>) -> Found {
        let mut found = Found::default();
        let disk = self.found.fork();
        for step in 0..=self.steps.len() {
            let known = self.history.until(step as u64);
            for number in 0..CRASHES {
                let crash = (crash_of(number, known.compacts), number);
                found.points += 1;
                let place = (self.number << 48) | ((step as u64) << 8) | number;
                let mut random = Random::new(self.seed.rotate_left(32) ^ place);
                let crashed = disk.crash(crash.0, &mut random);
                if let Err(what) = judge(&crashed, &known, &mut random, setting) {
                    let (seed, life) = (self.seed, self.number);
                    found.faults.push(Fault { seed, life, step, crash, what });
                    return found;
                }
            }
            found.steps += 1;
            if let Some(next) = self.steps.get(step)
                && let Err(error) = disk.redo(next)
            {
                unreachable!("a step cannot be done again: {error}");
            }
        }
        found
    }
}
