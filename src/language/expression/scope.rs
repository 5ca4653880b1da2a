//! What goes into an evaluation, and what comes out when it fails.

use std::fmt;

use serde_json::{Map, Value};

/// What an expression can see.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// `$` of a path; `$states.input` of a JSONata expression.
    pub input: &'a Value,
    /// The context object: `$$` of a path; `$states.context`.
    pub context: &'a Value,
    /// The variables that the state can see, by name without `$`.
    pub variables: &'a Map<String, Value>,
    /// `$states.result`, where there is one.
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`, where there is one.
    pub error_output: Option<&'a Value>,
    /// Milliseconds since 1970: what `$now()` and `$millis()` give.
    pub now_ms: u64,
    /// Source of `$random()`, `$uuid()`, `States.UUID()` and `States.MathRandom()`: the same seed
    /// gives the same values.
    pub seed: u64,
}

/// Why an evaluation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationError {
    /// What kind of thing failed; with the place it gives the name of the error.
    pub kind: EvaluationErrorKind,
    /// One sentence for people.
    pub cause: String,
}

/// What kind of evaluation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluationErrorKind {
    /// A path did not fit the data.
    Path,
    /// An intrinsic function failed.
    Intrinsic,
    /// A JSONata expression failed, was undefined, or used up its time or depth.
    Query,
}

impl EvaluationError {
    pub(crate) fn path(cause: impl Into<String>) -> Self {
        Self { kind: EvaluationErrorKind::Path, cause: cause.into() }
    }

    pub(crate) fn intrinsic(cause: impl Into<String>) -> Self {
        Self { kind: EvaluationErrorKind::Intrinsic, cause: cause.into() }
    }

    pub(crate) fn query(cause: impl Into<String>) -> Self {
        Self { kind: EvaluationErrorKind::Query, cause: cause.into() }
    }
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for EvaluationError {}

/// Why the text of an expression was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionFault {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where in the text, in bytes from its start, when known.
    pub offset: Option<usize>,
}

impl ExpressionFault {
    pub(crate) fn new(message: impl Into<String>, offset: usize) -> Self {
        Self { message: message.into(), offset: Some(offset) }
    }
}

impl fmt::Display for ExpressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExpressionFault {}

/// A fault inside a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// JSON pointer from the template's root, as `/a/0/b.$`.
    pub pointer: String,
    /// The fault.
    pub fault: ExpressionFault,
}
