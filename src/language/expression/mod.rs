//! Expressions: parsed once when a definition is read, evaluated by the engine when it decides.
//!
//! Three languages meet here. A *path* (`$.order.id`, in the dialect that AWS speaks) selects from
//! the input, the context object or a variable. An *intrinsic function* (`States.Format(…)`)
//! computes from literals and paths. *JSONata* (`{% … %}`) does both. An [`Expression`] is any of
//! them; a [`Template`] is a JSON tree with expressions in it.
//!
//! Everything is pure: the clock and randomness come in with the [`Scope`], so one scope always
//! gives one result. Texts come from outside, so every parser and evaluator here has a limit of
//! length, depth and size, and none of them panics.

mod cursor;
mod intrinsic;
mod jsonata;
mod number;
mod path;
mod reference_path;
mod scope;
mod session;
mod template;
mod timestamp;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

pub use reference_path::ReferencePath;
pub use scope::{EvaluationError, EvaluationErrorKind, ExpressionFault, Scope, TemplateFault};
pub use template::Template;
pub use timestamp::{loose_timestamp_ms, timestamp_ms};

pub(super) use number::compare as compare_numbers;
use path::{Path, PathFailure};
use session::Session;
pub(super) use timestamp::parse as parse_timestamp;

/// The longest text of one expression, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// A parsed expression: a path, an intrinsic function or JSONata. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    /// Where it stands in its state, as `Output/total`; empty when that is not known.
    field: Arc<str>,
    form: Arc<Form>,
}

#[derive(Debug)]
enum Form {
    Path(Path),
    Intrinsic(intrinsic::Call),
    Jsonata(jsonata::Program),
}

impl Expression {
    /// Parses a path: `$…`, `$$…` (context) or `$name…` (variable).
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn path(text: &str) -> Result<Self, ExpressionFault> {
        check_length(text)?;
        Ok(Self::new(text, Form::Path(Path::parse(text)?)))
    }

    /// Parses a path or a call of an intrinsic function: `States.Format('…', $.x)`.
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn path_or_intrinsic(text: &str) -> Result<Self, ExpressionFault> {
        if text.starts_with('$') {
            return Self::path(text);
        }
        check_length(text)?;
        Ok(Self::new(text, Form::Intrinsic(intrinsic::parse(text)?)))
    }

    /// Parses a JSONata expression written with its `{% %}` around it.
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn jsonata(text: &str) -> Result<Self, ExpressionFault> {
        check_length(text)?;
        let inner = jsonata::strip_marks(text).ok_or_else(|| {
            ExpressionFault::new("a JSONata expression must start with '{%' and end with '%}'", 0)
        })?;
        let program = jsonata::compile(inner).map_err(|mut fault| {
            fault.offset = fault.offset.map(|offset| offset + jsonata::MARK_LENGTH);
            fault
        })?;
        Ok(Self::new(text, Form::Jsonata(program)))
    }

    fn new(text: &str, form: Form) -> Self {
        Self { source: Arc::from(text), field: Arc::from(""), form: Arc::new(form) }
    }

    /// The same, with the place in its state where it stands, as `Output/total` or `Choices[1]`:
    /// errors name it.
    #[must_use]
    pub fn in_field(mut self, field: &str) -> Self {
        self.field = match *self.form {
            Form::Jsonata(_) => Arc::from(field),
            // Of these AWS names the last field alone.
            Form::Path(_) | Form::Intrinsic(_) => {
                Arc::from(field.rsplit('/').next().unwrap_or(field))
            }
        };
        self
    }

    fn is_jsonata(&self) -> bool {
        matches!(*self.form, Form::Jsonata(_))
    }

    /// The error for a value of another type than its place needs, as `array`.
    #[must_use]
    pub fn unexpected(&self, wanted: &str, value: &Value) -> EvaluationError {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let value = path::excerpt(value);
        EvaluationError::query(format!(
            "The JSONata expression {} returned an unexpected result type. Expected '{wanted}', but \
             was '{found}' for value: {value}",
            self.named()
        ))
    }

    /// Its text and where it stands, as AWS names it: `'$x' specified for the field 'Output'`.
    fn named(&self) -> String {
        let text = match *self.form {
            Form::Jsonata(_) => jsonata::strip_marks(&self.source).unwrap_or(&self.source).trim(),
            Form::Path(_) | Form::Intrinsic(_) => &*self.source,
        };
        if self.field.is_empty() {
            format!("'{text}'")
        } else {
            format!("'{text}' specified for the field '{}'", self.field)
        }
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether its value can depend on the context object.
    #[must_use]
    pub fn references_context(&self) -> bool {
        match &*self.form {
            Form::Path(path) => path.references_context(),
            Form::Intrinsic(call) => call.references_context(),
            Form::Jsonata(program) => program.references_context(),
        }
    }

    /// The fields of `$states` that a JSONata expression names, as `input` in `$states.input.x`; what
    /// it does with `$states` as a whole is not looked into.
    pub fn states_fields(&self) -> impl Iterator<Item = &str> {
        let program = match &*self.form {
            Form::Jsonata(program) => Some(program),
            Form::Path(_) | Form::Intrinsic(_) => None,
        };
        program.into_iter().flat_map(jsonata::Program::states_fields)
    }

    /// An operator of JSONata that came after version 2.0.6, which AWS has.
    pub(in crate::language) fn newer_operator(&self) -> Option<&'static str> {
        match &*self.form {
            Form::Jsonata(program) => program.newer_operator(),
            Form::Path(_) | Form::Intrinsic(_) => None,
        }
    }

    /// Evaluates it. Only the selected part of the scope is copied.
    ///
    /// # Errors
    /// Why there is no value.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        self.evaluate_in(&Session::new(*scope))
    }

    /// Evaluates it as one of several expressions that share limits and randomness.
    fn evaluate_in(&self, session: &Session<'_>) -> Result<Value, EvaluationError> {
        #[cfg(test)]
        count::note();
        match &*self.form {
            Form::Path(path) => {
                let found = path.select(session, &self.field)?;
                session.charge(&found, EvaluationErrorKind::Path)?;
                Ok(found.into_owned())
            }
            Form::Intrinsic(call) => call.evaluate(session).map_err(|error| EvaluationError {
                // AWS names the whole expression, also where a function inside failed.
                cause: format!(
                    "The function '{}' had the following error: {}",
                    self.source, error.cause
                ),
                ..error
            }),
            Form::Jsonata(program) => {
                let value = program.evaluate(session, || self.named())?;
                session.charge(&value, EvaluationErrorKind::Query)?;
                Ok(value)
            }
        }
    }

    /// Evaluates it for a look at its value, without a copy where it is a path. `None`: a path
    /// that is not there.
    pub(super) fn peek<'a>(
        &self,
        scope: &Scope<'a>,
    ) -> Result<Option<Cow<'a, Value>>, EvaluationError> {
        #[cfg(test)]
        count::note();
        let session = Session::new(*scope);
        match &*self.form {
            Form::Path(path) => match path.resolve(&session, None) {
                Ok(value) => Ok(Some(value)),
                Err(PathFailure::Absent) => Ok(None),
                Err(PathFailure::Unfit(cause)) => Err(EvaluationError::path(cause)),
            },
            Form::Intrinsic(_) | Form::Jsonata(_) => {
                self.evaluate_in(&session).map(|value| Some(Cow::Owned(value)))
            }
        }
    }
}

/// Evaluates JSONata, without marks, about `data`, which is `$` and has the names at the top level.
/// A definition cannot do that, but the suite of the language does. `None` is undefined.
///
/// # Errors
/// Why there is no value, in a sentence.
#[cfg(any(test, feature = "testing"))]
pub fn jsonata_on(
    text: &str,
    data: Option<&Value>,
    scope: &Scope<'_>,
) -> Result<Option<Value>, String> {
    jsonata::evaluate_on(text, data, &Session::new(*scope))
}

fn check_length(text: &str) -> Result<(), ExpressionFault> {
    if text.len() > MAX_TEXT {
        return Err(ExpressionFault {
            message: format!("the expression is longer than {MAX_TEXT} bytes; split it"),
            offset: Some(MAX_TEXT),
        });
    }
    Ok(())
}

/// How often expressions were evaluated: replay must not.
#[cfg(test)]
pub(crate) mod count {
    use std::cell::Cell;

    thread_local! {
        static EVALUATIONS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn note() {
        EVALUATIONS.with(|count| count.set(count.get() + 1));
    }

    /// Evaluations in this thread so far.
    pub(crate) fn evaluations() -> u64 {
        EVALUATIONS.with(Cell::get)
    }
}

#[cfg(test)]
mod tests;
