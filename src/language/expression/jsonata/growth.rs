//! How large texts may grow while an expression is evaluated.
//!
//! The library limits time, depth and the length of lists, but not how long a text may be: one that
//! is joined to itself doubles, and forty doublings need more memory than there is. So what joins
//! texts is looked at here first. [`complete`](super::context::complete) puts the calls in.

use std::cell::Cell;

use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;

use super::super::session::MAX_RESULT_BYTES;
use super::function::{Outcome, call, failure};

/// The function that what becomes a part of a text goes through. No expression can name it.
pub(super) const GUARD: &str = "&";

/// What stands in for `$join`, which the library does not let be replaced under its name.
pub(super) const JOIN: &str = "join()";

/// How large a part of a text, and what `$join` makes, may be, in bytes: a result must not be
/// larger either.
const LARGEST: usize = MAX_RESULT_BYTES;

/// How large all of them may be in sum: they may all be kept.
const ALL: usize = 1024 * 1024 * 1024;

/// What one evaluation may still make of texts.
#[derive(Debug)]
pub(super) struct Growth {
    left: Cell<usize>,
}

impl Growth {
    pub(super) fn new() -> Self {
        Self { left: Cell::new(ALL) }
    }

    /// Counts a text that is about to be made.
    pub(super) fn note(&self, bytes: usize) -> Result<(), EvaluatorError> {
        if bytes > LARGEST {
            return Err(failure(format!("a text would be larger than {LARGEST} bytes")));
        }
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| {
            failure(format!("the texts that were joined have more than {ALL} bytes together"))
        })?;
        self.left.set(left);
        Ok(())
    }

    /// Gives its argument back, which is about to become a part of a text.
    pub(super) fn guard(&self, args: &[JValue]) -> Outcome {
        let Some(value) = args.first() else { return Ok(JValue::Undefined) };
        self.note(size(value))?;
        Ok(value.clone())
    }

    /// `$join(texts, separator)`
    pub(super) fn join(&self, args: &[JValue]) -> Outcome {
        let texts = args.first().map_or(0, size);
        let between = match args {
            [JValue::Array(items), JValue::String(separator), ..] => {
                separator.len().saturating_mul(items.len())
            }
            _ => 0,
        };
        self.note(texts.saturating_add(between))?;
        let text = match args.len() {
            0 => "$join()",
            1 => "$join($a)",
            2 => "$join($a, $b)",
            _ => "$join($a, $b, $c)",
        };
        call(text, args)
    }
}

/// Roughly how long a value is as a text; not much more is looked at than [`LARGEST`] bytes. A value
/// in which others stand again and again is small here and long when it is written.
fn size(value: &JValue) -> usize {
    const EACH: usize = 8;
    let mut size = 0_usize;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            JValue::String(text) => size = size.saturating_add(text.len()),
            JValue::Array(items) => {
                size = size.saturating_add(items.len().saturating_mul(EACH));
                open.extend(items.iter());
            }
            JValue::Object(fields) => {
                for (name, value) in fields.iter() {
                    size = size.saturating_add(name.len() + EACH);
                    open.push(value);
                }
            }
            _ => size = size.saturating_add(EACH),
        }
        if size > LARGEST {
            break;
        }
    }
    size
}
