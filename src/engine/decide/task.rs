//! Task states: a job for a worker, with or without a callback, or an execution of its own.

use serde_json::Value;

use super::Decision;
use super::flow::Evaluation;
use super::number::Field;
use crate::engine::child::{Child, ChildWait};
use crate::engine::event::{Data, Failure, JobScheduled};
use crate::engine::id::{FrameId, JobId};
use crate::engine::mint::CallbackToken;
use crate::language::model::{Pattern, Service, Task};
use crate::language::{Json, State};

impl Decision<'_> {
    pub(super) fn schedule_task(
        &mut self,
        frame: FrameId,
        state: &State,
        task: &Task,
    ) -> Result<(), Failure> {
        let seed = self.draw();
        let job = self.job_of(frame);
        let place = self.execution.sequence + 1;
        let callback = (task.resource.pattern == Pattern::Callback)
            .then(|| self.input.mint.token(self.execution.id, place));
        let evaluation = Evaluation::new(self, frame, state, seed);
        let evaluation = match callback {
            None => evaluation,
            Some(token) => {
                let execution = self.execution.id;
                evaluation.with_token(&CallbackToken { execution, job, token })
            }
        };
        let input = evaluation.effective_input()?;
        let seconds = |number: &Option<_>, name| {
            number.as_ref().map(|number| evaluation.whole(number, Field::of_task(name))).transpose()
        };
        let timeout_seconds = seconds(&task.timeout, "TimeoutSeconds")?;
        let heartbeat_seconds = seconds(&task.heartbeat, "HeartbeatSeconds")?;
        let (child, input) = match &task.resource.service {
            Service::Job(_) => (None, input),
            Service::Execution => {
                let (child, input) = self.child_of(frame, input, task.resource.pattern)?;
                (Some(child), Data::New(input))
            }
        };
        let earlier = self.execution.jobs.get(&job);
        let attempt = earlier.map_or(0, |job| job.attempt) + 1;
        let input = match earlier {
            None => input,
            Some(earlier) => self.repeated_input(frame, input, &earlier.input),
        };
        let job_type = match &task.resource.service {
            Service::Job(job_type) => job_type.clone(),
            Service::Execution => task.resource.service.name().into(),
        };
        self.emit(JobScheduled {
            job,
            frame,
            attempt,
            job_type,
            input,
            timeout_seconds,
            heartbeat_seconds,
            callback,
            child,
        });
        Ok(())
    }

    /// The job of the frame's state: the one that it has, or the next.
    pub(super) fn job_of(&self, frame: FrameId) -> JobId {
        let earlier = self.execution.frames.get(&frame).and_then(|frame| frame.job);
        earlier.unwrap_or(JobId(self.execution.job_count + 1))
    }

    /// The execution that a Task asks for, and its input.
    fn child_of(
        &self,
        frame: FrameId,
        asked: Data,
        pattern: Pattern,
    ) -> Result<(Child, Json), Failure> {
        let asked = match asked {
            Data::New(json) => json.value(),
            Data::Kept | Data::Result => self.data_of(frame).value(),
        };
        let text = |name: &str| asked.get(name).and_then(Value::as_str);
        let Some(workflow) = text("StateMachineArn").map(workflow_name) else {
            let cause = "startExecution needs a StateMachineArn: the name of a workflow, or an ARN \
                         that ends in it";
            return Err(Failure::new("States.Runtime", cause));
        };
        let wait = match pattern {
            Pattern::Response | Pattern::Callback => ChildWait::Begin,
            Pattern::SyncText => ChildWait::EndAsText,
            Pattern::SyncJson => ChildWait::EndAsJson,
        };
        self.check_depth(wait)?;
        let child = Child {
            execution: self.next_id(),
            workflow: workflow.into(),
            name: text("Name").map(Into::into),
            wait,
        };
        Ok((child, input_of(asked.get("Input"))?))
    }

    /// An execution that waits for one that waits for one … is refused at some depth: without
    /// that, a workflow that starts itself would go on for ever.
    fn check_depth(&self, wait: ChildWait) -> Result<(), Failure> {
        let (depth, limit) = (self.execution.depth(), self.input.limits.child_depth);
        if wait == ChildWait::Begin || depth < limit {
            return Ok(());
        }
        let cause = format!("{depth} executions wait for this one, the most that may");
        Err(Failure::new("States.Runtime", &cause))
    }

    /// The input of a repeated attempt: kept where it is what the attempt before had.
    fn repeated_input(&self, frame: FrameId, input: Data, before: &Json) -> Data {
        let now = match input {
            Data::New(json) => json,
            Data::Kept | Data::Result => self.data_of(frame),
        };
        if now == *before { Data::Kept } else { Data::New(now) }
    }
}

/// The name in `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`, with or without a version or an
/// alias after it; else the text itself.
fn workflow_name(text: &str) -> &str {
    let mut parts = text.split(':');
    match (parts.next(), parts.nth(4), parts.next()) {
        (Some("arn"), Some("stateMachine"), Some(name)) => name,
        _ => text,
    }
}

/// The input of the execution: JSON, or a text that holds it, as the API takes it.
fn input_of(input: Option<&Value>) -> Result<Json, Failure> {
    match input {
        None => Ok(Json::empty_object()),
        Some(Value::String(text)) => Json::parse(text).map_err(|error| {
            let cause = format!("Input is a text that is no JSON: {error}");
            Failure::new("States.Runtime", &cause)
        }),
        Some(value) => Ok(Json::from_value(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_a_workflow_by_its_last_part() {
        let of = |arn| workflow_name(arn);
        assert_eq!(of("arn:aws:states:eu-west-1:123456789012:stateMachine:import"), "import");
        assert_eq!(of("arn:aws:states:eu-west-1:123456789012:stateMachine:import:3"), "import");
        assert_eq!(of("import"), "import");
    }
}
