//! Lives simulated lives for some time, and says what was seen.
//!
//! ```sh
//! cargo run --release --features testing --example simulate -- --seconds 60
//! cargo run --release --features testing --example simulate -- --seed 17 --seeds 1
//! ```

#![expect(clippy::print_stdout, reason = "a program that talks to people")]
#![expect(clippy::disallowed_methods, reason = "it measures how long it takes in real time")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use everstep::testing::sim::{Plan, Totals, live_safely, report};

#[path = "lib/words.rs"]
mod words;

use words::Words;

/// What to do.
struct Wish {
    seconds: u64,
    seed: u64,
    seeds: u64,
    threads: usize,
    /// Every so many seeds one is lived twice.
    twice: u64,
    /// After how many that fail no more are lived.
    most: usize,
    /// Whether the first that fails is made smaller.
    shrinks: bool,
}

fn wish() -> Result<Wish, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut wish =
        Wish { seconds: 60, seed: 0, seeds: u64::MAX, threads, twice: 100, most: 1, shrinks: true };
    let mut words = Words::of_this_program();
    while let Some(word) = words.next_word() {
        match word.as_str() {
            "--seconds" => wish.seconds = words.number()?,
            "--seed" => wish.seed = words.number()?,
            "--seeds" => wish.seeds = words.number()?,
            "--threads" => wish.threads = words.number::<usize>()?.max(1),
            "--failing" => wish.most = words.number()?,
            "--shrink" => wish.shrinks = words.number::<u64>()? > 0,
            "--twice" => wish.twice = words.number::<u64>()?.max(1),
            _ => return Err(words.unknown()),
        }
    }
    Ok(wish)
}

fn main() -> Result<(), String> {
    let wish = wish()?;
    let (next, began) = (AtomicU64::new(0), Instant::now());
    let totals = Mutex::new(Totals::default());
    let failing = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..wish.threads {
            scope.spawn(|| {
                let mut mine = Totals::default();
                while began.elapsed() < Duration::from_secs(wish.seconds) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let failed = failing.lock().unwrap_or_else(PoisonError::into_inner).len();
                    if number >= wish.seeds || failed >= wish.most {
                        break;
                    }
                    let plan = Plan::of(wish.seed + number);
                    let outcome = live_safely(&plan);
                    mine.add(&outcome.counts);
                    let mut fault = outcome.fault;
                    if number.is_multiple_of(wish.twice)
                        && live_safely(&plan).digest != outcome.digest
                    {
                        fault = fault.or(Some("its second life differs from the first".to_owned()));
                    }
                    if let Some(fault) = fault {
                        failing.lock().unwrap_or_else(PoisonError::into_inner).push((plan, fault));
                    }
                }
                totals.lock().unwrap_or_else(PoisonError::into_inner).merge(&mine);
            });
        }
    });
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(&totals, began.elapsed());
    let failing = failing.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((plan, fault)) = failing.first() {
        for (plan, fault) in failing.iter().take(20) {
            println!("seed {}: {}", plan.seed, fault.lines().next().unwrap_or_default());
        }
        println!("{} seeds fail; the first: {fault}", failing.len());
        if wish.shrinks {
            println!("{}", report(plan.seed));
        }
        return Err(format!("{} seeds fail", failing.len()));
    }
    Ok(())
}

fn tell(totals: &Totals, took: Duration) {
    let counts = &totals.counts;
    let per_minute = totals.lives as f64 * 60.0 / took.as_secs_f64().max(0.001);
    println!("{} seeds in {:.1} s: {per_minute:.0} a minute", totals.lives, took.as_secs_f64());
    println!(
        "{} executions, {} events, {} commands acknowledged, {} restarts, {} steps, {:.1} days",
        counts.executions,
        counts.events,
        counts.acknowledged,
        counts.restarts,
        counts.steps,
        counts.virtual_ms as f64 / 86_400_000.0,
    );
    for (kind, count) in totals.faults() {
        println!("{kind:>20} {count}");
    }
}
