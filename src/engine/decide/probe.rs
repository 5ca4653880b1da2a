//! Watching the data flow of one state, for tests of single states.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::language::{Json, StateName};

/// A place in the data flow of a state, after which the data can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Stage {
    AfterInputPath,
    AfterParameters,
    AfterArguments,
    Result,
    AfterResultSelector,
    AfterResultPath,
    /// Numbers that a Map goes by.
    MaxConcurrency,
    ToleratedFailureCount,
    ToleratedFailurePercentage,
}

/// What a test of a single state gives the state to see, and sees of it.
#[derive(Debug)]
pub(in crate::engine) struct Probe {
    state: StateName,
    context: Map<String, Value>,
    stages: RefCell<BTreeMap<Stage, Json>>,
}

impl Probe {
    /// Watches the state called `state`. The fields of `context` stand in for those of the context
    /// object.
    pub(in crate::engine) fn new(state: StateName, context: Map<String, Value>) -> Self {
        Self { state, context, stages: RefCell::default() }
    }

    pub(super) fn watches(&self, state: &str) -> bool {
        *self.state == *state
    }

    pub(super) fn context(&self, mut own: Value) -> Value {
        if let Some(fields) = own.as_object_mut() {
            fields.extend(self.context.clone());
        }
        own
    }

    pub(super) fn note(&self, stage: Stage, data: Json) {
        self.stages.borrow_mut().insert(stage, data);
    }

    /// What was seen.
    pub(in crate::engine) fn stages(self) -> BTreeMap<Stage, Json> {
        self.stages.into_inner()
    }
}
