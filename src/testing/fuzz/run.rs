//! Running bodies without a fuzzer: over inputs that were saved, and over mutations of them that
//! hang on a number alone.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::Body;
use crate::testing::random::Random;

/// How often two saved inputs are joined before they are changed: once in so many.
const JOINED: u64 = 4;

/// An input that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The file that holds it.
    pub name: String,
    /// What it is.
    pub bytes: Vec<u8>,
}

/// The inputs that are saved for a body below `corpus`, in the order of their names.
///
/// # Errors
/// The folder or a file in it cannot be read.
pub fn saved_inputs(corpus: &Path, body: &Body) -> io::Result<Vec<Saved>> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(corpus.join(body.name))? {
        let path = entry?.path();
        inputs.push(Saved { name: path.display().to_string(), bytes: std::fs::read(&path)? });
    }
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(inputs)
}

/// A mutation of saved inputs. The same number gives the same one for as long as they are the same.
#[must_use]
pub fn mutation(saved: &[Saved], number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let mut bytes = random.pick(saved).map(|one| one.bytes.clone()).unwrap_or_default();
    if random.one_in(JOINED)
        && let Some(other) = random.pick(saved)
    {
        bytes.truncate(random.index(bytes.len() + 1));
        let from = random.index(other.bytes.len() + 1);
        bytes.extend_from_slice(other.bytes.get(from..).unwrap_or_default());
    }
    if random.one_in(2) { gently_changed(&mut random, bytes) } else { random.mutated(&bytes) }
}

/// Up to three bytes changed so that what is whole often stays so: they become, or are joined by, a
/// byte that stands elsewhere in the input, or its neighbour in value.
fn gently_changed(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let (at, other) = (random.index(bytes.len()), random.index(bytes.len()));
        let Some(byte) = bytes.get(other).copied() else { break };
        match random.below(3) {
            0 => bytes.insert(at, byte),
            choice => {
                if let Some(place) = bytes.get_mut(at) {
                    *place = if choice == 1 { byte } else { *place ^ 1 };
                }
            }
        }
    }
    bytes
}

thread_local! {
    /// How often something of an input was taken, and not refused.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// Bodies call this when an input, or part of it, was read as what it is to be. Without it nobody saw
/// that all inputs of a body are refused at its door.
pub(crate) fn taken() {
    TAKEN.set(TAKEN.get().wrapping_add(1));
}

/// What came of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// Whether all held that must hold.
    pub holds: bool,
    /// Whether something of it was read, and not refused.
    pub is_taken: bool,
}

/// Runs a body over one input.
#[must_use]
pub fn run(body: &Body, data: &[u8]) -> Ran {
    let before = TAKEN.get();
    let holds = catch_unwind(AssertUnwindSafe(|| (body.run)(data))).is_ok();
    Ran { holds, is_taken: TAKEN.get() != before }
}
