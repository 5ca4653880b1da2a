//! Entries of `Retry`, `Catch` and `Choices`.

use serde_json::Value;

use super::{Object, setters};

fn names<'n>(errors: impl IntoIterator<Item = &'n str>) -> Value {
    errors.into_iter().map(Value::from).collect()
}

/// An entry of `Retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrier {
    pub(super) object: Object,
}

impl Retrier {
    /// For errors of these names.
    #[must_use]
    pub fn on<'n>(errors: impl IntoIterator<Item = &'n str>) -> Self {
        Self { object: Object::default().set("ErrorEquals", names(errors)) }
    }

    setters! {
        /// `IntervalSeconds`: the delay before the first retry. Default 1.
        interval_seconds(seconds: u64) => "IntervalSeconds";
        /// `MaxAttempts`: how many retries. Default 3.
        max_attempts(most: u32) => "MaxAttempts";
        /// `BackoffRate`: by how much the delay grows. Default 2.
        backoff_rate(rate: f64) => "BackoffRate";
        /// `MaxDelaySeconds`: the longest delay.
        max_delay_seconds(seconds: u64) => "MaxDelaySeconds";
    }

    /// `JitterStrategy`: the delay is drawn from 0 to what it would be.
    #[must_use]
    pub fn full_jitter(mut self) -> Self {
        self.object = self.object.set("JitterStrategy", "FULL");
        self
    }
}

/// An entry of `Catch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Catcher {
    pub(super) object: Object,
}

impl Catcher {
    /// For errors of these names: goes on with the state `next`.
    #[must_use]
    pub fn on<'n>(errors: impl IntoIterator<Item = &'n str>, next: &str) -> Self {
        let object = Object::default().set("ErrorEquals", names(errors)).set("Next", next);
        Self { object }
    }

    setters! {
        /// `ResultPath`: where the error is put into the input; `null` drops it. JSONPath.
        result_path(path: impl Into<Value>) => "ResultPath";
        /// `Output` of the state. JSONata.
        output(template: impl Into<Value>) => "Output";
        /// `Assign`: variables and their values.
        assign(variables: Value) => "Assign";
    }

    /// `CountErrors`: what is caught does not count as an error of the execution.
    #[must_use]
    pub fn ignore_errors(mut self) -> Self {
        self.object = self.object.set("CountErrors", "ignore");
        self
    }
}

/// An entry of `Choices`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub(super) object: Object,
}

impl Rule {
    /// Goes on with the state `next` when the expression holds. JSONata.
    #[must_use]
    pub fn when(condition: &str, next: &str) -> Self {
        Self { object: Object::default().set("Condition", condition).set("Next", next) }
    }

    /// Goes on with the state `next` when the comparison holds: `"$.size"`,
    /// `"NumericGreaterThan"`, 5. JSONPath.
    #[must_use]
    pub fn compare(variable: &str, comparator: &str, value: impl Into<Value>, next: &str) -> Self {
        let object = Object::default().set("Variable", variable).set(comparator, value);
        Self { object: object.set("Next", next) }
    }

    /// Goes on with the state `next` when all (`"And"`), any (`"Or"`) or none (`"Not"`, of one) of
    /// these comparisons hold, each as JSON. JSONPath.
    #[must_use]
    pub fn combine(operator: &str, comparisons: impl Into<Value>, next: &str) -> Self {
        Self { object: Object::default().set(operator, comparisons).set("Next", next) }
    }

    setters! {
        /// `Output` of the state, by this rule. JSONata.
        output(template: impl Into<Value>) => "Output";
        /// `Assign`: variables and their values, by this rule.
        assign(variables: Value) => "Assign";
    }
}
