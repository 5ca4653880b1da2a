//! Running bodies without a fuzzer: over inputs that were saved, and over mutations of them that
//! hang on a number alone.

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
    random.mutated(&bytes)
}

/// Runs a body over one input; whether all held that must hold.
#[must_use]
pub fn holds(body: &Body, data: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (body.run)(data))).is_ok()
}
