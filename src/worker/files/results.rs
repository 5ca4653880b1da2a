//! What is said of a child execution, in the form of AWS.

use serde_json::{Map, Value, json};

use crate::engine::Timestamp;
use crate::language::Json;
use crate::language::distributed::Transformation;

/// One child execution of a distributed Map, as it ended or did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildResult {
    /// Its id; `ExecutionArn` of AWS.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it ran; `StateMachineArn` of AWS.
    pub workflow: String,
    /// Its input.
    pub input: Json,
    /// Its output, if it succeeded.
    pub output: Option<Json>,
    /// The name of the error it failed with.
    pub error: Option<String>,
    /// The words that go with the error.
    pub cause: Option<String>,
    /// How it ended.
    pub status: ChildStatus,
    /// When it started, in milliseconds since 1970; of no meaning while it is pending.
    pub started_at_ms: u64,
    /// When it ended.
    pub ended_at_ms: Option<u64>,
    /// How often it was redriven.
    pub redrives: u32,
}

/// How a child execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildStatus {
    /// With an output.
    Succeeded,
    /// With an error.
    Failed,
    /// Its time ran out.
    TimedOut,
    /// It was stopped.
    Aborted,
    /// It was never started, because the Map ended first.
    Pending,
}

/// The three kinds of files, in the order of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Failed,
    Pending,
    Succeeded,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Failed, Self::Pending, Self::Succeeded];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Pending => "PENDING",
            Self::Succeeded => "SUCCEEDED",
        }
    }
}

impl ChildStatus {
    /// In which files it is listed.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Succeeded => Kind::Succeeded,
            Self::Failed | Self::TimedOut | Self::Aborted => Kind::Failed,
            Self::Pending => Kind::Pending,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
            Self::Pending => "PENDING",
        }
    }
}

/// Gives each record that stands for a child to `take`: its output, the parts of its output, or its
/// description. Only outputs are transformed; a child without one is always described.
///
/// # Errors
/// Those of `take`.
pub(super) fn records<E>(
    child: &ChildResult,
    transformation: Transformation,
    mut take: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let output = child.output.as_ref().filter(|_| child.status == ChildStatus::Succeeded);
    match (transformation, output) {
        (Transformation::Compact, Some(output)) => take(output.as_str()),
        (Transformation::Flatten, Some(output)) => match output.elements() {
            None => take(output.as_str()),
            Some(spans) => {
                spans.into_iter().filter_map(|span| output.as_str().get(span)).try_for_each(take)
            }
        },
        (Transformation::None, _) | (_, None) => take(&description(child).to_string()),
    }
}

/// The fields of AWS, in the order of AWS, which is that of their names.
fn description(child: &ChildResult) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let time = |ms| Timestamp(ms).to_string();
    let pending = child.status == ChildStatus::Pending;
    if let Some(cause) = &child.cause {
        put("Cause", json!(cause));
    }
    if let Some(error) = &child.error {
        put("Error", json!(error));
    }
    if !pending {
        put("ExecutionArn", json!(child.id));
    }
    put("Input", json!(child.input.as_str()));
    put("InputDetails", json!({"Included": true}));
    if !pending {
        put("Name", json!(child.name));
        if let Some(output) = &child.output {
            put("Output", json!(output.as_str()));
        }
        put("OutputDetails", json!({"Included": true}));
        put("RedriveCount", json!(child.redrives));
        if child.status == ChildStatus::Succeeded {
            put("RedriveStatus", json!("NOT_REDRIVABLE"));
            put("RedriveStatusReason", json!("Execution is SUCCEEDED and cannot be redriven"));
        } else {
            put("RedriveStatus", json!("REDRIVABLE_BY_MAP_RUN"));
        }
        put("StartDate", json!(time(child.started_at_ms)));
        put("StateMachineArn", json!(child.workflow));
    }
    put("Status", json!(child.status.name()));
    if let Some(ended) = child.ended_at_ms.filter(|_| !pending) {
        put("StopDate", json!(time(ended)));
    }
    Value::Object(fields)
}
