//! Lives every order of small simulated lives: who takes the next step is told and not drawn.
//!
//! ```sh
//! cargo run --release --features testing --example orders -- --seeds 10 --deviations 2
//! ```

#![expect(clippy::print_stdout, reason = "a program that talks to people")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use everstep::testing::sim::{search, small};

#[path = "lib/words.rs"]
mod words;

use words::Words;

/// What to do.
struct Wish {
    seed: u64,
    seeds: u64,
    actions: usize,
    deviations: usize,
}

fn wish() -> Result<Wish, String> {
    let mut wish = Wish { seed: 0, seeds: 10, actions: 2, deviations: 1 };
    let mut words = Words::of_this_program();
    while let Some(word) = words.next_word() {
        match word.as_str() {
            "--seed" => wish.seed = words.number()?,
            "--seeds" => wish.seeds = words.number()?,
            "--actions" => wish.actions = words.number()?,
            "--deviations" => wish.deviations = words.number()?,
            _ => return Err(words.unknown()),
        }
    }
    Ok(wish)
}

fn main() -> Result<(), String> {
    let wish = wish()?;
    let (next, lives) = (AtomicU64::new(0), AtomicU64::new(0));
    let broken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= wish.seeds {
                        break;
                    }
                    let seed = wish.seed + number;
                    match search(&small(seed, wish.actions), wish.deviations) {
                        Ok(searched) => {
                            println!("seed {seed}: {} lives", searched.lives);
                            lives.fetch_add(searched.lives, Ordering::Relaxed);
                        }
                        Err(failed) => {
                            let (order, outcome) = *failed;
                            let fault = outcome.fault.unwrap_or_default();
                            for told in &outcome.story {
                                println!("  {told}");
                            }
                            println!("seed {seed}, {order:?}: {fault}");
                            if let Ok(mut broken) = broken.lock() {
                                broken.push(seed);
                            }
                        }
                    }
                }
            });
        }
    });
    println!("{} lives", lives.into_inner());
    match broken.into_inner() {
        Ok(broken) if broken.is_empty() => Ok(()),
        broken => Err(format!("a promise is broken with the seeds {broken:?}")),
    }
}
