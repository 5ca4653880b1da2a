//! Places: a workflow may say how many of its executions run at once.
//!
//! Which place an execution needs is worked out once, when it is started, and is in its first
//! event; who has places, and who comes next, is the shell's to know, because it is about all
//! executions together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::execution::{Execution, Status};
use super::id::{ExecutionId, Timestamp};
use super::program::Program;
use super::rejection::Rejection;
use crate::language::expression::Scope;
use crate::language::{DefinitionHash, Json};

/// The longest key, in bytes.
pub const MAX_PLACE_KEY_BYTES: usize = 1024;

/// A place that an execution needs to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Executions of the workflow with the same key share its places. Empty when the workflow has
    /// one key for all.
    pub key: Arc<str>,
    /// How many places there were for the key when the execution was started. The newest version of
    /// the workflow says how many there are.
    pub limit: u32,
}

/// An execution that is to begin, as far as its place hangs on it.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer<'a> {
    /// Its id.
    pub id: ExecutionId,
    /// The workflow's name.
    pub workflow: &'a str,
    /// The version.
    pub definition: DefinitionHash,
    /// The caller's own name for it.
    pub name: Option<&'a str>,
    /// Its input.
    pub input: &'a Json,
}

impl Place {
    /// The place that an execution of `program` needs; none when the workflow sets no limit.
    ///
    /// # Errors
    /// The key cannot be worked out, or is no text that can be one.
    pub fn of(
        program: &Program,
        newcomer: Newcomer<'_>,
        now: Timestamp,
        seed: u64,
    ) -> Result<Option<Self>, Rejection> {
        let Some(concurrency) = &program.workflow.concurrency else { return Ok(None) };
        let limit = concurrency.limit;
        let Some(template) = &concurrency.key else {
            return Ok(Some(Self { key: Arc::from(""), limit }));
        };
        let (input, context) = (newcomer.input.value(), newcomer.context(now));
        let scope = Scope {
            input: &input,
            context: &context,
            variables: &Map::new(),
            result: None,
            error_output: None,
            now_ms: now.0,
            seed,
        };
        let failed = |cause| Rejection::PlaceKeyFailed { cause };
        let value = template.evaluate(&scope).map_err(|error| failed(error.cause))?;
        let key = key_of(&value).map_err(failed)?;
        Ok(Some(Self { key: key.into(), limit }))
    }

    /// The key as people see it: all executions of a workflow without keys share one.
    #[must_use]
    pub fn key_words(&self, workflow: &str) -> String {
        if self.key.is_empty() { format!("all of {workflow}") } else { self.key.to_string() }
    }
}

impl Newcomer<'_> {
    /// The context object, before there is a state.
    fn context(&self, now: Timestamp) -> Value {
        let id = self.id.to_string();
        json!({
            "Execution": {
                "Name": self.name.unwrap_or(&id),
                "Id": id,
                "Input": self.input.value(),
                "StartTime": now.to_string(),
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": self.definition.to_string(), "Name": self.workflow},
        })
    }
}

/// A text, or what a number or a boolean looks like as one.
fn key_of(value: &Value) -> Result<String, String> {
    let key = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err("it must give a text, a number or a boolean".to_owned());
        }
    };
    match key.len() {
        0 => Err("it gives an empty text".to_owned()),
        1..=MAX_PLACE_KEY_BYTES => Ok(key),
        bytes => Err(format!("it gives {bytes} bytes, over the limit of {MAX_PLACE_KEY_BYTES}")),
    }
}

impl Execution {
    /// Whether it has begun and runs as soon as it gets its place.
    #[must_use]
    pub fn waits_for_place(&self) -> bool {
        self.status == Status::Pending && self.sequence > 0 && self.set_aside.is_none()
    }

    /// The place that it has. What was set aside has given its place up: nobody knows for how long
    /// it waits for people.
    #[must_use]
    pub fn held_place(&self) -> Option<&Place> {
        let holds = self.admitted_at.is_some() && !self.status.is_terminal();
        self.place.as_ref().filter(|_| holds && self.set_aside.is_none())
    }
}
