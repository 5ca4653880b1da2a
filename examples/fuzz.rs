//! Runs the bodies of the fuzz targets over mutations of their saved inputs, on all cores, and says
//! how many.
//!
//! ```sh
//! cargo run --release --features testing --example fuzz -- --seconds 60               # all bodies
//! cargo run --release --features testing --example fuzz -- --seconds 60 names json_path
//! cargo run --release --features testing --example fuzz -- --seed 17 --runs 1 names   # one mutation
//! ```
//!
//! It takes no turn by what an input reached, as libFuzzer does: what it has is speed.

#![expect(clippy::print_stdout, reason = "a program that talks to people")]
#![expect(clippy::disallowed_methods, reason = "it measures how long it takes in real time")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use everstep::testing::fuzz::{BODIES, Body, Saved, mutation, run as run_once, saved_inputs};

#[path = "lib/words.rs"]
mod words;

use words::Words;

/// Mutations that are taken at once, so that threads seldom meet.
const BATCH: u64 = 256;
/// Of the bytes of an input that fails, so many are shown.
const SHOWN: usize = 400;
/// After so many that fail a body is run no more.
const MOST_FAILING: usize = 10;

/// What to do.
struct Wish {
    /// For all bodies together, which share it evenly.
    seconds: u64,
    /// The number of the first mutation.
    seed: u64,
    /// Of each body at most.
    runs: u64,
    threads: usize,
    bodies: Vec<Body>,
}

/// What came of one body.
#[derive(Default)]
struct Outcome {
    runs: u64,
    /// In which something was read, and not refused.
    taken: u64,
    bytes: u64,
    /// How long the slowest took, and its number.
    slowest: (Duration, u64),
    failing: Vec<(u64, Vec<u8>)>,
}

fn wish() -> Result<Wish, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut wish = Wish { seconds: 60, seed: 0, runs: u64::MAX, threads, bodies: Vec::new() };
    let mut words = Words::of_this_program();
    while let Some(word) = words.next_word() {
        match word.as_str() {
            "--seconds" => wish.seconds = words.number()?,
            "--seed" => wish.seed = words.number()?,
            "--runs" => wish.runs = words.number()?,
            "--threads" => wish.threads = words.number::<usize>()?.max(1),
            _ if word.starts_with("--") => return Err(words.unknown()),
            _ => {
                let body = BODIES.iter().find(|body| body.name == word);
                wish.bodies.push(*body.ok_or_else(|| format!("there is no body {word}"))?);
            }
        }
    }
    if wish.bodies.is_empty() {
        wish.bodies = BODIES.to_vec();
    }
    Ok(wish)
}

fn main() -> Result<(), String> {
    let wish = wish()?;
    // What fails is told once, with its input; and one library panics on its way to an error.
    std::panic::set_hook(Box::new(|_| {}));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let count = u32::try_from(wish.bodies.len()).unwrap_or(u32::MAX);
    let (mut runs, mut failing) = (0, 0);
    for body in &wish.bodies {
        let saved =
            saved_inputs(&corpus, body).map_err(|error| format!("{}: {error}", body.name))?;
        let outcome = run(&wish, body, &saved, Duration::from_secs(wish.seconds) / count);
        tell(body, &outcome, wish.seed);
        runs += outcome.runs;
        failing += outcome.failing.len();
    }
    println!("{runs} in all, from number {} on", wish.seed);
    if failing > 0 {
        return Err(format!("{failing} inputs fail"));
    }
    Ok(())
}

fn run(wish: &Wish, body: &Body, saved: &[Saved], time: Duration) -> Outcome {
    let (next, outcome, began) =
        (AtomicU64::new(0), Mutex::new(Outcome::default()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..wish.threads {
            scope.spawn(|| {
                while began.elapsed() < time {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= wish.runs {
                        break;
                    }
                    let numbers = first..first.saturating_add(BATCH).min(wish.runs);
                    let mine = batch(body, saved, wish.seed, numbers, || began.elapsed() < time);
                    let mut all = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    all.add(mine);
                    if all.failing.len() >= MOST_FAILING {
                        break;
                    }
                }
            });
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn batch(
    body: &Body,
    saved: &[Saved],
    seed: u64,
    numbers: std::ops::Range<u64>,
    goes_on: impl Fn() -> bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    for number in numbers.take_while(|_| goes_on()) {
        let number = seed.wrapping_add(number);
        let data = mutation(saved, number);
        let began = Instant::now();
        let ran = run_once(body, &data);
        outcome.slowest = outcome.slowest.max((began.elapsed(), number));
        outcome.runs += 1;
        outcome.bytes += u64::try_from(data.len()).unwrap_or(u64::MAX);
        outcome.taken += u64::from(ran.is_taken);
        if !ran.holds {
            outcome.failing.push((number, data));
        }
    }
    outcome
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.taken += other.taken;
        self.bytes += other.bytes;
        self.slowest = self.slowest.max(other.slowest);
        self.failing.extend(other.failing);
    }
}

fn tell(body: &Body, outcome: &Outcome, seed: u64) {
    let (slowest, number) = outcome.slowest;
    println!(
        "{:>18} {:>10} runs, {:>3} % taken, {:>5} bytes each, the slowest {:>7.1} ms (number {number})",
        body.name,
        outcome.runs,
        (outcome.taken * 100).checked_div(outcome.runs).unwrap_or(0),
        outcome.bytes.checked_div(outcome.runs).unwrap_or(0),
        slowest.as_secs_f64() * 1000.0,
    );
    for (number, data) in outcome.failing.iter().take(MOST_FAILING) {
        let data = data.get(..SHOWN).unwrap_or(data);
        println!("  number {number} fails: {:?}", String::from_utf8_lossy(data));
    }
    if let Some((number, _)) = outcome.failing.first() {
        println!("  again: --seed {number} --runs 1 {} (this run began at {seed})", body.name);
    }
}
