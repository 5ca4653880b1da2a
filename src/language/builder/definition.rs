//! The whole definition, and what it says about itself.

use serde_json::Value;

use super::machine::Machine;
use super::state::AnyState;
use super::{Object, setters};
use crate::language::diagnostic::Diagnostic;
use crate::language::model::Workflow;
use crate::language::read::{Options, parse};
use crate::language::source::Format;

/// A definition in the making.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definition {
    object: Object,
    machine: Machine,
}

impl Definition {
    /// A definition in JSONPath.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A definition in JSONata.
    #[must_use]
    pub fn jsonata() -> Self {
        let object = Object::default().set("QueryLanguage", "JSONata");
        Self { object, ..Self::default() }
    }

    setters! {
        /// `Comment`: a note for whoever reads the definition.
        comment(text: &str) => "Comment";
        /// `Title`: the workflow's name for people.
        title(text: &str) => "Title";
        /// `TimeoutSeconds`: how long an execution may run.
        timeout_seconds(seconds: u64) => "TimeoutSeconds";
        /// `Summary`: what the result sums up, an expression or an object with expressions.
        summary(template: impl Into<Value>) => "Summary";
        /// `OnCancel`: the state that runs before a cancelled execution ends.
        on_cancel(state: &str) => "OnCancel";
        /// `CleanupTimeoutSeconds`: how long all clean-up together may take.
        cleanup_timeout_seconds(seconds: u64) => "CleanupTimeoutSeconds";
    }

    /// `Concurrency`: how many executions may run at once.
    #[must_use]
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.object = self.object.set("Concurrency", concurrency.object.value());
        self
    }

    /// A label, in `Labels`.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.object = self.object.put("Labels", name, value.into());
        self
    }

    /// What people call the jobs of a type, in `JobTypes`.
    #[must_use]
    pub fn job_type(mut self, job_type: &str, words: JobType) -> Self {
        self.object = self.object.put("JobTypes", job_type, words.object.value());
        self
    }

    /// Adds a state; the first one is where it starts.
    #[must_use]
    pub fn state(mut self, name: &str, state: impl Into<AnyState>) -> Self {
        self.machine = self.machine.state(name, state);
        self
    }

    /// `StartAt`: starts elsewhere than at the first state.
    #[must_use]
    pub fn start_at(mut self, name: &str) -> Self {
        self.machine = self.machine.start_at(name);
        self
    }

    /// The definition as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.machine.clone().onto(self.object.clone()).value()
    }

    /// The definition as JSON text, which is what deploying takes.
    #[must_use]
    pub fn text(&self) -> String {
        self.to_value().to_string()
    }

    /// Reads the definition as any other.
    ///
    /// # Errors
    /// All faults, with their places in [`Definition::text`].
    pub fn build(&self) -> Result<Workflow, Vec<Diagnostic>> {
        parse(&self.text(), Format::Json, &Options::default())
    }
}

/// `Concurrency`: how many executions of a workflow may run at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Concurrency {
    object: Object,
}

impl Concurrency {
    /// At most so many; the rest wait in the order of their starts.
    #[must_use]
    pub fn limit(limit: u32) -> Self {
        Self { object: Object::default().set("Limit", limit) }
    }

    setters! {
        /// `Key`: so many for each text that this gives: a fixed text, or in JSONata an expression.
        key(text: &str) => "Key";
        /// `KeyPath`: the same as a path or an intrinsic function, in JSONPath.
        key_path(path: &str) => "KeyPath";
    }

    /// Those that find no place do not begin.
    #[must_use]
    pub fn refuse(mut self) -> Self {
        self.object = self.object.set("WhenFull", "refuse");
        self
    }
}

/// What people call the jobs of a type, and what these count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobType {
    object: Object,
}

impl JobType {
    /// Without any words so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// `Label`: its name for people.
        label(text: &str) => "Label";
        /// `Colour`: a name, or `#rrggbb`.
        colour(colour: &str) => "Colour";
    }

    /// `Unit` and `UnitSingular`: what its jobs count, many of them and one.
    #[must_use]
    pub fn unit(mut self, many: &str, one: &str) -> Self {
        self.object = self.object.set("Unit", many).set("UnitSingular", one);
        self
    }
}
