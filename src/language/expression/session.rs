//! One evaluation: the scope, and what its expressions share.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::Value;

use super::jsonata::Cache;
use super::scope::{EvaluationError, EvaluationErrorKind, Scope};

/// How many nodes all paths of one evaluation may visit.
const MAX_VISITS: usize = 4_000_000;

/// How much the filters and functions of all paths of one evaluation may look up, compare and copy, in
/// bytes, roughly. An item that is visited once may be compared with all others.
pub(super) const MAX_WORK: usize = 1024 * 1024 * 1024;

/// What is copied counts so many times: it costs more than a comparison.
const COPYING: usize = 4;

/// How large the results of one evaluation may be in sum, in bytes, roughly.
pub(super) const MAX_RESULT_BYTES: usize = 64 * 1024 * 1024;

/// How deep a result may nest. JSON deeper than 127 levels cannot be read back; the rest is room
/// for what the result is put into.
pub(super) const MAX_RESULT_DEPTH: usize = 120;

/// A scope in use: randomness goes on from call to call, and limits add up.
pub(super) struct Session<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) random: Rc<Random>,
    /// What JSONata expressions have already converted.
    pub(super) cache: Cache,
    visits: Cell<usize>,
    work: Cell<usize>,
    bytes: Cell<usize>,
}

impl<'a> Session<'a> {
    pub(super) fn new(scope: Scope<'a>) -> Self {
        let random = Rc::new(Random::new(scope.seed));
        let (visits, work, bytes) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self { scope, random, cache: Cache::default(), visits, work, bytes }
    }

    /// Counts visited nodes; false when there were too many.
    pub(super) fn visit(&self, nodes: usize) -> bool {
        let visits = self.visits.get().saturating_add(nodes);
        self.visits.set(visits);
        visits <= MAX_VISITS
    }

    /// Counts bytes that are compared, or what costs as much; false when that was too much.
    pub(super) fn work(&self, bytes: usize) -> bool {
        let work = self.work.get().saturating_add(bytes);
        self.work.set(work);
        work <= MAX_WORK
    }

    /// Counts a value all of which is compared; false when that was too much.
    pub(super) fn compare(&self, value: &Value) -> bool {
        self.work(measure(value, MAX_WORK.saturating_sub(self.work.get())).0)
    }

    /// Counts a value that is copied; false when that was too much.
    pub(super) fn copy(&self, value: &Value) -> bool {
        let room = MAX_WORK.saturating_sub(self.work.get()) / COPYING;
        self.work(measure(value, room).0.saturating_mul(COPYING))
    }

    /// Counts the size of a value about to become part of the result, and checks its depth.
    /// `kind` is what failed if it is too much.
    pub(super) fn charge(
        &self,
        value: &Value,
        kind: EvaluationErrorKind,
    ) -> Result<(), EvaluationError> {
        let room = MAX_RESULT_BYTES.saturating_sub(self.bytes.get());
        let (size, depth) = measure(value, room);
        if depth > MAX_RESULT_DEPTH {
            return Err(too_deep(kind));
        }
        self.bytes.set(self.bytes.get().saturating_add(size));
        if size > room {
            let cause = format!(
                "The result is larger than {MAX_RESULT_BYTES} bytes; select less, or pass large \
                 data by reference."
            );
            return Err(EvaluationError { kind, cause });
        }
        Ok(())
    }
}

/// Roughly the size of a value in bytes, and its depth; stops soon after `limit` bytes.
fn measure(value: &Value, limit: usize) -> (usize, usize) {
    let (mut size, mut deepest) = (0_usize, 0_usize);
    let mut open = vec![(value, 0_usize)];
    while let Some((value, depth)) = open.pop() {
        size = size.saturating_add(8);
        deepest = deepest.max(depth);
        match value {
            Value::String(text) => size = size.saturating_add(text.len()),
            Value::Array(items) => {
                deepest = deepest.max(depth + 1);
                open.extend(items.iter().map(|item| (item, depth + 1)));
            }
            Value::Object(fields) => {
                deepest = deepest.max(depth + 1);
                for (name, value) in fields {
                    size = size.saturating_add(name.len());
                    open.push((value, depth + 1));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        if size > limit {
            break;
        }
    }
    (size, deepest)
}

pub(super) fn too_deep(kind: EvaluationErrorKind) -> EvaluationError {
    let cause = format!("The result is nested deeper than {MAX_RESULT_DEPTH} levels");
    EvaluationError { kind, cause }
}

/// How deep a value nests: 0 for a text, 1 for an array of texts.
pub(super) fn depth_of(value: &Value) -> usize {
    measure(value, usize::MAX).1
}

/// Numbers that look random and follow from a seed (the SplitMix64 sequence).
#[derive(Debug)]
pub(super) struct Random(Cell<u64>);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub(super) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to but not including `bound`; 0 when `bound` is 0.
    pub(super) fn below(&self, bound: u64) -> u64 {
        // The high half of a 128-bit product: even enough for any bound that fits in 64 bits.
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number from 0 up to but not including 1.
    pub(super) fn fraction(&self) -> f64 {
        // 53 bits: every value is exact in a double, 1 is out of reach.
        let bits = self.next() >> 11;
        let high = u32::try_from(bits >> 32).unwrap_or(0);
        let low = u32::try_from(bits & 0xFFFF_FFFF).unwrap_or(0);
        (f64::from(high) * 4_294_967_296.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// A version 4 UUID in its usual spelling.
    pub(super) fn uuid(&self) -> String {
        let mut bytes = [0_u8; 16];
        let (first, second) = bytes.split_at_mut(8);
        first.copy_from_slice(&self.next().to_be_bytes());
        second.copy_from_slice(&self.next().to_be_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_sequence_and_another_seed_another() {
        let draw = |seed| {
            let random = Random::new(seed);
            (random.next(), random.uuid(), random.below(10), random.uuid())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let (_, first, _, second) = draw(7);
        assert_ne!(first, second);
        assert_eq!(first.len(), 36);
        assert_eq!(first.as_bytes()[14], b'4', "{first}");
    }

    #[test]
    fn bounded_numbers_stay_in_bounds() {
        let random = Random::new(1);
        for _ in 0..1000 {
            assert!(random.below(3) < 3);
            assert!((0.0..1.0).contains(&random.fraction()));
        }
        assert_eq!(random.below(0), 0);
        let seen: std::collections::BTreeSet<u64> = (0..100).map(|_| random.below(3)).collect();
        assert_eq!(seen.len(), 3);
    }

    const KIND: EvaluationErrorKind = EvaluationErrorKind::Query;

    #[test]
    fn sizes_add_up_to_a_limit() {
        let (null, object) = (Value::Null, serde_json::Map::new());
        let session = Session::new(Scope {
            input: &null,
            context: &null,
            variables: &object,
            result: None,
            error_output: None,
            now_ms: 0,
            seed: 0,
        });
        let large = Value::String("x".repeat(MAX_RESULT_BYTES / 2 - 100));
        assert!(session.charge(&large, KIND).is_ok());
        assert!(session.charge(&json!({"a": [large, 1]}), KIND).is_ok());
        let error = session.charge(&json!(["x".repeat(200)]), KIND).unwrap_err();
        assert_eq!(error.kind, KIND);
    }
}
