//! `Summary`: what the definition tells of an execution when it ends, in whatever status.

use serde_json::{Map, Value, json};

use super::Decision;
use super::context::{visible_variables, whole_context};
use super::flow::failure as failure_of;
use super::job::too_large;
use crate::engine::cleanup::EndSummary;
use crate::engine::event::Failure;
use crate::engine::execution::{Execution, Status, Step, StepStatus};
use crate::engine::id::FrameId;
use crate::language::Json;
use crate::language::expression::Scope;

impl Decision<'_> {
    /// Evaluates the definition's `Summary` for an execution that ends in `status`. A failure of it
    /// does not change that.
    pub(super) fn summary(
        &mut self,
        status: Status,
        failure: Option<&Failure>,
    ) -> Option<EndSummary> {
        // The parts of a distributed Map have no summary: they are not the workflow.
        let program = self.input.program;
        let template = program.workflow.summary.as_ref();
        let template = template.filter(|_| self.execution.map().is_none())?;
        let seed = self.draw();
        let variables = visible_variables(self.execution, FrameId::ROOT);
        let scope = Scope {
            input: &document(self.execution, &variables, status, failure),
            context: &whole_context(self.execution, None),
            variables: &variables,
            result: None,
            error_output: None,
            now_ms: self.now.0,
            seed,
        };
        let made =
            template.evaluate(&scope).map_err(failure_of).and_then(|made| self.checked(&made));
        Some(match made {
            Ok(made) => EndSummary::Made(made),
            Err(failure) => EndSummary::Failed(failure.bounded()),
        })
    }

    fn checked(&self, made: &Value) -> Result<Json, Failure> {
        if !made.is_object() {
            let cause = "Summary must give an object, whose fields stand beside the counts";
            return Err(Failure::new("States.QueryEvaluationError", cause));
        }
        let (made, limit) = (Json::from_value(made), self.input.limits.payload_bytes);
        let bytes = made.len_bytes();
        if bytes > limit { Err(too_large("the summary", bytes, limit)) } else { Ok(made) }
    }
}

/// What `Summary` sees as its input: `status`, `input`, `output`, `error`, `cancel`, `steps`,
/// `variables`, `cleanup` and the counts. What does not apply is `null`.
fn document(
    execution: &Execution,
    variables: &Map<String, Value>,
    status: Status,
    failure: Option<&Failure>,
) -> Value {
    let completed = matches!(status, Status::Completed | Status::CompletedWithErrors);
    let root = execution.frames.get(&FrameId::ROOT).filter(|_| completed);
    // What is open ends with the execution.
    let open = if failure.is_some() { StepStatus::Failed } else { StepStatus::Cancelled };
    let ended_as = |step: &Step| if step.ended_at.is_none() { open } else { step.status };
    let step = |step: &Step| {
        let failure = match step.ended_at {
            Some(_) => step.failure.as_ref(),
            None => failure.or(step.failure.as_ref()),
        };
        json!({
            "status": ended_as(step).as_str(),
            "result": step.result.as_ref().map(Json::value),
            "error": failure.map(error),
            "attempts": step.attempts,
            "parts": step.parts,
            "parts_completed": step.parts_completed,
            "parts_failed": step.parts_failed,
        })
    };
    let steps: Map<String, Value> =
        execution.steps.iter().map(|(name, one)| (name.to_string(), step(one))).collect();
    let count = |wanted: &[StepStatus]| {
        execution.steps.values().filter(|step| wanted.contains(&ended_as(step))).count()
    };
    let cleanup = execution.cleanup.as_ref();
    let cleanup = cleanup.into_iter().flat_map(|cleanup| &cleanup.done).map(|done| {
        json!({
            "step": done.of.as_deref(),
            "state": &*done.state,
            "status": if done.failure.is_none() { "completed" } else { "failed" },
            "error": done.failure.as_ref().map(error),
        })
    });
    json!({
        "status": status.as_str(),
        "input": execution.input.value(),
        "output": root.map(|root| root.data.value()),
        "error": failure.map(error),
        "cancel": execution.cancel.as_ref().map(|cancel| {
            json!({"by": &*cancel.by, "reason": cancel.reason.as_deref()})
        }),
        "steps": steps,
        "variables": variables,
        "cleanup": cleanup.collect::<Vec<Value>>(),
        "total_errors": execution.total_errors,
        "total_steps": execution.steps.len(),
        "completed_steps": count(&[StepStatus::Completed, StepStatus::CompletedWithErrors]),
        "failed_steps": count(&[StepStatus::Failed]),
        "cancelled_steps": count(&[StepStatus::Cancelled]),
    })
}

fn error(failure: &Failure) -> Value {
    json!({"error": &*failure.error, "cause": &*failure.cause})
}
