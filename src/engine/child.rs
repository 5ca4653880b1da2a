//! Executions that an execution begins: by a Task, or one for each part of a distributed Map.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event::Failure;
use super::execution::{Execution, Status};
use super::id::{ExecutionId, FrameId, JobId, Timestamp};
use crate::language::{Json, StateName};

/// How many percent a part of a distributed Map goes on before its parent hears of it: each time is
/// an event there.
pub const PART_PROGRESS_STEP: u8 = 5;

/// The execution that began this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Which.
    pub execution: ExecutionId,
    /// What waits there.
    pub link: Link,
    /// How many executions stand above this one that wait for it, directly or not.
    pub depth: u32,
}

/// What waits in the parent for the end of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// Nothing: it was only begun.
    Begun(JobId),
    /// A job.
    Job(JobId),
    /// A part of a distributed Map, whose processor is all that this execution runs.
    Item {
        /// The frame that stands in the Map.
        frame: FrameId,
        /// Which item or batch, from 0.
        index: u32,
        /// The Map.
        map: StateName,
    },
}

/// The execution that does the work of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its id.
    pub execution: ExecutionId,
    /// The workflow that it runs, in the newest version when it begins.
    pub workflow: Arc<str>,
    /// The name that it was given.
    pub name: Option<Arc<str>>,
    /// What the job waits for.
    pub wait: ChildWait,
}

/// What a job that an execution does waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildWait {
    /// That it has begun.
    Begin,
    /// That it has ended; its output is given as a text.
    EndAsText,
    /// That it has ended; its output is given as JSON.
    EndAsJson,
}

/// How an execution ends once those that it began have stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It reached its end; the output is what its outermost frame holds.
    Completed,
    /// It failed.
    Failed(Failure),
    /// It ran longer than its machine's `TimeoutSeconds`.
    TimedOut,
}

impl Ending {
    /// Why the execution does not succeed.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Completed => None,
            Self::Failed(failure) => Some(failure.clone()),
            Self::TimedOut => Some(Failure::timeout(false)),
        }
    }
}

/// How a child execution ended, as its parent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildEnd {
    /// The workflow it ran.
    pub workflow: Arc<str>,
    /// Its name.
    pub name: Option<Arc<str>>,
    /// Its input.
    pub input: Json,
    /// A terminal status.
    pub status: Status,
    /// Its output, when it completed.
    pub output: Option<Json>,
    /// Why, when it failed.
    pub failure: Option<Failure>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
}

impl ChildEnd {
    /// What `execution`, which has ended, tells its parent.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        Self {
            workflow: execution.workflow.clone(),
            name: execution.name.clone(),
            input: execution.input.clone(),
            status: execution.status,
            output: execution.output.clone(),
            failure: execution.failure.clone(),
            started_at: execution.started_at,
            ended_at: execution.ended_at.unwrap_or(execution.updated_at),
        }
    }

    /// Why it failed, in the words that a parent's Retry and Catch see.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self.status {
            Status::Completed | Status::CompletedWithErrors => None,
            Status::Pending
            | Status::Running
            | Status::Cancelling
            | Status::Failed
            | Status::Cancelled
            | Status::TimedOut => Some(self.failure.clone().unwrap_or_else(|| {
                Failure::new("States.TaskFailed", "the execution was cancelled")
            })),
        }
    }

    /// The execution as AWS's DescribeExecution tells it: what a Task that waited for it gets. Its
    /// input and output are texts unless `as_json`.
    #[must_use]
    pub fn description(&self, child: ExecutionId, as_json: bool) -> Value {
        let data = |json: &Json| if as_json { json.value() } else { json.as_str().into() };
        let mut told = json!({
            "ExecutionArn": child.to_string(),
            "Input": data(&self.input),
            "InputDetails": {"Included": true},
            "Name": self.name.as_deref().map_or_else(|| child.to_string(), str::to_owned),
            "StartDate": self.started_at.0,
            "StateMachineArn": &*self.workflow,
            "Status": aws_status(self.status),
            "StopDate": self.ended_at.0,
        });
        if let Some(fields) = told.as_object_mut() {
            if let Some(output) = &self.output {
                fields.insert("Output".into(), data(output));
                fields.insert("OutputDetails".into(), json!({"Included": true}));
            }
            if let Some(failure) = &self.failure {
                fields.insert("Error".into(), (*failure.error).into());
                fields.insert("Cause".into(), (*failure.cause).into());
            }
        }
        told
    }
}

/// A status in the words of the Step Functions API.
fn aws_status(status: Status) -> &'static str {
    match status {
        Status::Pending | Status::Running | Status::Cancelling => "RUNNING",
        Status::Completed | Status::CompletedWithErrors => "SUCCEEDED",
        Status::Failed => "FAILED",
        Status::Cancelled => "ABORTED",
        Status::TimedOut => "TIMED_OUT",
    }
}
