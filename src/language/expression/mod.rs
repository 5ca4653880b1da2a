//! Expressions: parsed once when a definition is read, evaluated by the engine when it decides.

use std::sync::Arc;

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

/// Why the text of an expression was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionFault {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where in the text, in bytes from its start, when known.
    pub offset: Option<usize>,
}

/// A fault inside a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// JSON pointer from the template's root, as `/a/0/b.$`.
    pub pointer: String,
    /// The fault.
    pub fault: ExpressionFault,
}

/// A parsed expression: a path, an intrinsic function or JSONata.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
}

impl Expression {
    /// Parses a path: `$…`, `$$…` (context) or `$name…` (variable).
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn path(text: &str) -> Result<Self, ExpressionFault> {
        Ok(Self { source: Arc::from(text) })
    }

    /// Parses a path or a call of an intrinsic function: `States.Format('…', $.x)`.
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn path_or_intrinsic(text: &str) -> Result<Self, ExpressionFault> {
        Ok(Self { source: Arc::from(text) })
    }

    /// Parses a JSONata expression written with its `{% %}` around it.
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn jsonata(text: &str) -> Result<Self, ExpressionFault> {
        Ok(Self { source: Arc::from(text) })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// Why there is no value.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        Ok(Value::Null)
    }
}

/// A JSON tree with expressions in some of its places.
#[derive(Debug, Clone)]
pub enum Template {
    /// No expression below here.
    Literal(Value),
    /// An expression's value.
    Expression(Expression),
    /// An object, in order; JSONPath keys have lost their `.$`.
    Object(Vec<(String, Template)>),
    /// An array.
    Array(Vec<Template>),
}

impl Template {
    /// Reads a payload template: a key that ends in `.$` holds a path or an intrinsic function.
    ///
    /// # Errors
    /// All faults, each with its place.
    pub fn json_path(value: &Value) -> Result<Self, Vec<TemplateFault>> {
        Ok(Self::Literal(value.clone()))
    }

    /// Reads a JSONata template: a text that starts with `{%` and ends with `%}` is an expression.
    ///
    /// # Errors
    /// All faults, each with its place.
    pub fn jsonata(value: &Value) -> Result<Self, Vec<TemplateFault>> {
        Ok(Self::Literal(value.clone()))
    }

    /// Evaluates it into a JSON tree.
    ///
    /// # Errors
    /// The first failure.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        Ok(Value::Null)
    }
}

/// A path that can be written at: only names and indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencePath {
    source: Arc<str>,
}

impl ReferencePath {
    /// Parses it.
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn parse(text: &str) -> Result<Self, ExpressionFault> {
        Ok(Self { source: Arc::from(text) })
    }

    /// Writes `value` there, making objects on the way.
    ///
    /// # Errors
    /// The place does not fit the data, for example an index into an object.
    pub fn write(&self, _target: &mut Value, _value: Value) -> Result<(), EvaluationError> {
        Ok(())
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}
