//! States. Each type of state is a type here, and has the fields that it may have.

use std::marker::PhantomData;

use serde_json::Value;

use super::handlers::{Catcher, Retrier, Rule};
use super::machine::Machine;
use super::{Object, setters};

/// A state of type `K` in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct State<K> {
    object: Object,
    kind: PhantomData<K>,
}

/// Defines the types of states, and what each of them has.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $($has:ident)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $kind;
            $(impl $has for $kind {})*
        )*
    };
}

/// A state that leads to another, or ends its machine.
pub trait LeadsOn {}
/// A state whose input and output can be shaped.
pub trait HasInput {}
/// A state whose work gives a result.
pub trait HasResult {}
/// A state that can be tried again, and whose errors can be caught.
pub trait HasHandlers {}

kinds! {
    /// A Pass state.
    Pass: LeadsOn HasInput HasResult;
    /// A Task state.
    Task: LeadsOn HasInput HasResult HasHandlers;
    /// A Choice state.
    Choice: HasInput;
    /// A Wait state.
    Wait: LeadsOn HasInput;
    /// A Succeed state.
    Succeed: HasInput;
    /// A Fail state.
    Fail:;
    /// A Parallel state.
    Parallel: LeadsOn HasInput HasResult HasHandlers;
    /// A Map state.
    Map: LeadsOn HasInput HasResult HasHandlers;
}

/// A state of any type, ready to stand in a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct AnyState {
    object: Object,
}

impl AnyState {
    pub(super) fn value(self) -> Value {
        self.object.value()
    }
}

impl<K> From<State<K>> for AnyState {
    fn from(state: State<K>) -> Self {
        Self { object: state.object }
    }
}

impl<K> State<K> {
    fn typed(type_name: &str) -> Self {
        Self { object: Object::default().set("Type", type_name), kind: PhantomData }
    }

    setters! {
        /// `Comment`: a note for whoever reads the definition.
        comment(text: &str) => "Comment";
        /// `Title`: the state's name for people.
        title(text: &str) => "Title";
        /// `Weight`: its share of progress; 0 hides it. Default 1.
        weight(weight: f64) => "Weight";
        /// `Cleanup`: the state that undoes this one on cancel or failure.
        cleanup(state: &str) => "Cleanup";
    }

    /// `QueryLanguage`: this state is written in JSONata, in a definition that is not.
    #[must_use]
    pub fn in_jsonata(mut self) -> Self {
        self.object = self.object.set("QueryLanguage", "JSONata");
        self
    }
}

impl<K: LeadsOn> State<K> {
    /// One that ends its machine, until it is said where it leads.
    fn ending(type_name: &str) -> Self {
        let mut state = Self::typed(type_name);
        state.object = state.object.set("End", true);
        state
    }

    /// `Next`: the state that follows. Without one, this state ends its machine.
    #[must_use]
    pub fn next(mut self, name: &str) -> Self {
        self.object.0.shift_remove("End");
        self.object = self.object.set("Next", name);
        self
    }
}

impl<K: HasInput> State<K> {
    setters! {
        /// `InputPath`: the part of the input that it sees; `null` is nothing. JSONPath.
        input_path(path: impl Into<Value>) => "InputPath";
        /// `OutputPath`: the part of the output that it passes on; `null` is nothing. JSONPath.
        output_path(path: impl Into<Value>) => "OutputPath";
        /// `Output`: what it passes on. JSONata.
        output(template: impl Into<Value>) => "Output";
    }

    /// `Assign`: a variable, and its value. In JSONPath the name of a computed one ends in `.$`.
    #[must_use]
    pub fn assign(mut self, variable: &str, value: impl Into<Value>) -> Self {
        self.object = self.object.put("Assign", variable, value.into());
        self
    }
}

impl<K: HasResult> State<K> {
    setters! {
        /// `Parameters`: what its work gets. JSONPath.
        parameters(template: Value) => "Parameters";
        /// `ResultPath`: where the result is put into the input; `null` drops it. JSONPath.
        result_path(path: impl Into<Value>) => "ResultPath";
    }
}

impl<K: HasHandlers> State<K> {
    setters! {
        /// `ResultSelector`: what is taken of the result. JSONPath.
        result_selector(template: Value) => "ResultSelector";
        /// `Arguments`: what its work gets. JSONata; a Map has `ItemSelector` instead.
        arguments(template: impl Into<Value>) => "Arguments";
    }

    /// Adds to `Retry`.
    #[must_use]
    pub fn retry(mut self, retrier: Retrier) -> Self {
        self.object = self.object.push("Retry", retrier.object.value());
        self
    }

    /// Adds to `Catch`.
    #[must_use]
    pub fn catch(mut self, catcher: Catcher) -> Self {
        self.object = self.object.push("Catch", catcher.object.value());
        self
    }
}

impl State<Pass> {
    /// Passes its input on.
    #[must_use]
    pub fn pass() -> Self {
        Self::ending("Pass")
    }

    setters! {
        /// `Result`: a fixed result. JSONPath.
        result(value: impl Into<Value>) => "Result";
    }
}

impl State<Task> {
    /// Hands work to a worker: `resource` is a job type, or another `Resource` of the language.
    #[must_use]
    pub fn task(resource: &str) -> Self {
        let mut task = Self::ending("Task");
        task.object = task.object.set("Resource", resource);
        task
    }

    setters! {
        /// `TimeoutSeconds` of one attempt: a number, or in JSONata an expression.
        timeout_seconds(seconds: impl Into<Value>) => "TimeoutSeconds";
        /// `TimeoutSecondsPath`. JSONPath.
        timeout_seconds_path(path: &str) => "TimeoutSecondsPath";
        /// `HeartbeatSeconds`, how long a worker may be silent: a number, or in JSONata an expression.
        heartbeat_seconds(seconds: impl Into<Value>) => "HeartbeatSeconds";
        /// `HeartbeatSecondsPath`. JSONPath.
        heartbeat_seconds_path(path: &str) => "HeartbeatSecondsPath";
    }
}

impl State<Choice> {
    /// Goes on by the first of its rules that holds.
    #[must_use]
    pub fn choice() -> Self {
        Self::typed("Choice")
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.object = self.object.push("Choices", rule.object.value());
        self
    }

    setters! {
        /// `Default`: the state that follows when no rule holds.
        otherwise(next: &str) => "Default";
    }
}

impl State<Wait> {
    /// Waits so many seconds: a number, or in JSONata an expression.
    #[must_use]
    pub fn wait_seconds(seconds: impl Into<Value>) -> Self {
        Self::waiting("Seconds", seconds)
    }

    /// Waits as many seconds as the path says. JSONPath.
    #[must_use]
    pub fn wait_seconds_path(path: &str) -> Self {
        Self::waiting("SecondsPath", path)
    }

    /// Waits until a time, an RFC 3339 text, or in JSONata an expression.
    #[must_use]
    pub fn wait_until(timestamp: &str) -> Self {
        Self::waiting("Timestamp", timestamp)
    }

    /// Waits until the time that the path gives. JSONPath.
    #[must_use]
    pub fn wait_until_path(path: &str) -> Self {
        Self::waiting("TimestampPath", path)
    }

    fn waiting(field: &str, value: impl Into<Value>) -> Self {
        let mut wait = Self::ending("Wait");
        wait.object = wait.object.set(field, value);
        wait
    }
}

impl State<Succeed> {
    /// Ends its machine.
    #[must_use]
    pub fn succeed() -> Self {
        Self::typed("Succeed")
    }
}

impl State<Fail> {
    /// Ends its machine with an error.
    #[must_use]
    pub fn fail(error: &str, cause: &str) -> Self {
        let mut fail = Self::typed("Fail");
        fail.object = fail.object.set("Error", error).set("Cause", cause);
        fail
    }
}

impl State<Parallel> {
    /// Runs branches side by side.
    #[must_use]
    pub fn parallel(branches: impl IntoIterator<Item = Machine>) -> Self {
        let branches: Value = branches.into_iter().map(Machine::value).collect();
        let mut parallel = Self::ending("Parallel");
        parallel.object = parallel.object.set("Branches", branches);
        parallel
    }
}

impl State<Map> {
    /// Runs a machine for each item.
    #[must_use]
    pub fn map(processor: Machine) -> Self {
        let mut map = Self::ending("Map");
        map.object = map.object.set("ItemProcessor", processor.value());
        map
    }

    setters! {
        /// `Items`: an array, or an expression that gives one. JSONata.
        items(items: impl Into<Value>) => "Items";
        /// `ItemsPath`: where the items are. JSONPath.
        items_path(path: &str) => "ItemsPath";
        /// `ItemSelector`: what each part gets.
        item_selector(template: impl Into<Value>) => "ItemSelector";
        /// `MaxConcurrency`: how many parts run at once.
        max_concurrency(most: impl Into<Value>) => "MaxConcurrency";
        /// `ToleratedFailureCount`: how many items may fail.
        tolerated_failure_count(most: impl Into<Value>) => "ToleratedFailureCount";
        /// `ToleratedFailurePercentage`: how many of a hundred items may fail.
        tolerated_failure_percentage(most: impl Into<Value>) => "ToleratedFailurePercentage";
        /// `ItemReader` of a distributed Map, as JSON.
        item_reader(reader: Value) => "ItemReader";
        /// `ResultWriter` of a distributed Map, as JSON.
        result_writer(writer: Value) => "ResultWriter";
        /// `Label` of a distributed Map.
        label(label: &str) => "Label";
    }

    /// `ItemBatcher`: parts get so many items at most, as `{"Items": […]}`.
    #[must_use]
    pub fn batches_of(mut self, most: impl Into<Value>) -> Self {
        self.object = self.object.put("ItemBatcher", "MaxItemsPerBatch", most.into());
        self
    }

    /// `BatchInput` of `ItemBatcher`: what every batch gets besides its items.
    #[must_use]
    pub fn batch_input(mut self, template: impl Into<Value>) -> Self {
        self.object = self.object.put("ItemBatcher", "BatchInput", template.into());
        self
    }

    /// `CountErrors`: failures that are tolerated do not count as errors of the execution.
    #[must_use]
    pub fn ignore_errors(mut self) -> Self {
        self.object = self.object.set("CountErrors", "ignore");
        self
    }
}
