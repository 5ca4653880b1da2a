//! JSONata expressions: `{% $states.input.total * 1.2 %}`.
//!
//! The language itself comes from a crate, behind the small trait [`Engine`], so that it can be
//! replaced. What AWS adds to JSONata or takes from it is here: `$states`, variables, six more
//! functions, no `$eval`, no data at the top level but what has a name, and an undefined result
//! is an error.
//!
//! Time, depth, the length of lists and the size of the result are limited, and of texts what `&`,
//! `$string`, `$join` and `$pad` make. All other memory is limited by the time alone, as `$replace`
//! with a long replacement: who may register definitions must be trusted with that.

mod check;
mod context;
mod convert;
mod core;
mod date;
mod fault;
mod function;
mod growth;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::scope::{EvaluationError, ExpressionFault};
use super::session::Session;
use check::{Top, Uses};
pub(super) use convert::Cache;

use self::core::Core;

/// The length of `{%`.
pub(super) const MARK_LENGTH: usize = 2;

/// What stands between `{%` and `%}`, if a text starts and ends so.
pub(super) fn strip_marks(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}")
}

/// What one evaluation may use.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// How long it may run.
    time: Duration,
    /// How deep evaluation may nest; a function that calls itself takes about three levels.
    depth: usize,
    /// How many items a list that it makes may have.
    items: usize,
}

const LIMITS: Limits = Limits { time: Duration::from_secs(1), depth: 3000, items: 1_000_000 };

/// An implementation of JSONata.
trait Engine {
    /// A parsed expression.
    type Parsed: fmt::Debug + Send + Sync + 'static;

    /// Parses an expression and finds what it uses. `top` is what it stands on.
    fn parse(text: &str, top: Top) -> Result<(Self::Parsed, Uses), ExpressionFault>;

    /// Evaluates it; `None` is JSONata's undefined. `data` is what it stands on. The error is a
    /// sentence.
    fn evaluate(
        parsed: &Self::Parsed,
        uses: &Uses,
        data: Option<&Value>,
        session: &Session<'_>,
        limits: Limits,
    ) -> Result<Option<Value>, String>;
}

/// A parsed JSONata expression.
#[derive(Debug, Clone)]
pub(super) struct Program {
    parsed: Arc<<Core as Engine>::Parsed>,
    uses: Arc<Uses>,
}

/// Parses the text between the marks.
pub(super) fn compile(text: &str) -> Result<Program, ExpressionFault> {
    let (parsed, uses) = Core::parse(text, Top::Nothing)?;
    Ok(Program { parsed: Arc::new(parsed), uses: Arc::new(uses) })
}

/// Evaluates an expression about `data`, as JSONata has it outside of definitions. The error is a
/// sentence.
#[cfg(any(test, feature = "testing"))]
pub(super) fn evaluate_on(
    text: &str,
    data: Option<&Value>,
    session: &Session<'_>,
) -> Result<Option<Value>, String> {
    let (parsed, uses) = Core::parse(text, Top::Data).map_err(|fault| fault.message)?;
    Core::evaluate(&parsed, &uses, data, session, LIMITS)
}

impl Program {
    pub(super) fn references_context(&self) -> bool {
        self.uses.state("context")
    }

    pub(super) fn states_fields(&self) -> impl Iterator<Item = &str> {
        self.uses.states_fields()
    }

    pub(super) fn newer_operator(&self) -> Option<&'static str> {
        self.uses.newer_operator
    }

    /// Evaluates it; `named` gives its text and its place for messages.
    pub(super) fn evaluate(
        &self,
        session: &Session<'_>,
        named: impl FnOnce() -> String,
    ) -> Result<Value, EvaluationError> {
        self.evaluate_within(session, named, LIMITS)
    }

    fn evaluate_within(
        &self,
        session: &Session<'_>,
        named: impl FnOnce() -> String,
        limits: Limits,
    ) -> Result<Value, EvaluationError> {
        let what = match Core::evaluate(&self.parsed, &self.uses, None, session, limits) {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => "returned nothing (undefined).".to_owned(),
            Err(cause) if cause == convert::UNSUPPORTED => {
                "returned an unsupported result type.".to_owned()
            }
            // AWS makes a sentence of its own of an error with a code.
            Err(cause) if fault::has_code(&cause) => {
                format!("threw an error during evaluation. {cause}")
            }
            Err(cause) => format!("threw an error during evaluation: {cause}"),
        };
        Err(EvaluationError::query(format!("The JSONata expression {} {what}", named())))
    }
}

#[cfg(test)]
mod standard_tests;
#[cfg(test)]
mod tests;
