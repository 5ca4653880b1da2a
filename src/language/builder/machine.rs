//! Machines: the outermost one, branches and processors.

use serde_json::{Map as Fields, Value, json};

use super::Object;
use super::state::AnyState;

/// States with an entrance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    start_at: Option<String>,
    states: Fields<String, Value>,
    /// `ProcessorConfig`, when each item is an execution of its own.
    distributed: bool,
}

impl Machine {
    /// Without any states so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a state; the first one is where the machine starts.
    #[must_use]
    pub fn state(mut self, name: &str, state: impl Into<AnyState>) -> Self {
        self.start_at.get_or_insert_with(|| name.to_owned());
        self.states.insert(name.to_owned(), state.into().value());
        self
    }

    /// `StartAt`: starts elsewhere than at the first state.
    #[must_use]
    pub fn start_at(mut self, name: &str) -> Self {
        self.start_at = Some(name.to_owned());
        self
    }

    /// As the processor of a Map: each item or batch is an execution of its own.
    #[must_use]
    pub fn distributed(mut self) -> Self {
        self.distributed = true;
        self
    }

    /// The machine's fields after those that there are.
    pub(super) fn onto(self, mut object: Object) -> Object {
        if self.distributed {
            let config = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
            object = object.set("ProcessorConfig", config);
        }
        if let Some(start_at) = self.start_at {
            object = object.set("StartAt", start_at);
        }
        object.set("States", self.states)
    }

    pub(super) fn value(self) -> Value {
        self.onto(Object::default()).value()
    }
}
