//! Cleaning up: steps are undone in reverse order, then `OnCancel` runs.
//!
//! What fails here is recorded, and never changes how the execution ends.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Decision;
use crate::engine::child::Ending;
use crate::engine::event::{CleanupFailed, CleanupStarted, CleanupSucceeded, Data, Failure};
use crate::engine::execution::{Status, Step, StepStatus};
use crate::engine::id::{FrameId, Timestamp};
use crate::language::{Json, StateName};

/// A clean-up that is owed.
pub(super) struct Owed {
    /// The step that is undone; none for `OnCancel`.
    of: Option<StateName>,
    state: StateName,
}

impl Decision<'_> {
    /// The clean-up that comes next: that of the step that was entered last of those whose clean-up
    /// is not over; after all of them, on cancel, `OnCancel`.
    pub(super) fn next_cleanup(&self) -> Option<Owed> {
        let execution = &*self.execution;
        let done = execution.cleanup.iter().flat_map(|cleanup| &cleanup.done);
        let done: BTreeSet<Option<&StateName>> = done.map(|done| done.of.as_ref()).collect();
        let owed = execution.steps.iter().filter_map(|(name, step)| {
            let state = self.input.program.state(name)?.cleanup.as_ref()?;
            // What a redrive took back has been undone, or never was done.
            let is_owed = step.status != StepStatus::Pending && !done.contains(&Some(name));
            is_owed.then_some((step.entered_by, name, state))
        });
        if let Some((_, of, state)) = owed.max_by_key(|(entered_by, ..)| *entered_by) {
            return Some(Owed { of: Some(of.clone()), state: state.clone() });
        }
        // A part of a distributed Map is not the workflow; and what has done nothing is just gone.
        let is_whole = execution.map().is_none() && !execution.steps.is_empty();
        let cancelled = execution.status == Status::Cancelling && is_whole && !done.contains(&None);
        let state = self.input.program.workflow.on_cancel.clone().filter(|_| cancelled)?;
        Some(Owed { of: None, state })
    }

    /// Begins the next clean-up; whether there was one. What comes after the deadline is not begun.
    pub(super) fn begin_next_cleanup(&mut self) -> bool {
        while let Some(owed) = self.next_cleanup() {
            let deadline = self.execution.cleanup.as_ref().map(|cleanup| cleanup.deadline);
            if deadline.is_some_and(|deadline| self.now >= deadline) {
                self.skip_cleanup(owed, &out_of_time());
                continue;
            }
            let seconds = self.input.program.workflow.cleanup_timeout_seconds;
            let deadline = deadline.unwrap_or_else(|| self.now.plus_seconds(seconds));
            self.begin_cleanup(owed, deadline);
            return true;
        }
        false
    }

    fn begin_cleanup(&mut self, owed: Owed, deadline: Timestamp) {
        if self.execution.cleanup.is_none() {
            self.cancel_all_frames();
        }
        let frame = FrameId(self.execution.frame_count);
        let input = Data::New(Json::from_value(&self.cleanup_input(&owed)));
        let Owed { of, state } = owed;
        self.emit(CleanupStarted { frame, of, state: state.clone(), input, deadline });
        self.enter(frame, state);
    }

    /// What a state that cleans up gets: of the step that it undoes its name, status and result, and
    /// why it failed; of a cancel who asked, and why.
    fn cleanup_input(&self, owed: &Owed) -> Value {
        let execution = &*self.execution;
        let Some(of) = &owed.of else {
            let root = execution.frames.get(&FrameId::ROOT);
            let mut input = json!({"By": execution.cancel.as_ref().map(|cancel| &*cancel.by)});
            let reason = execution.cancel.as_ref().and_then(|cancel| cancel.reason.as_deref());
            put(&mut input, "Reason", reason.map(Value::from));
            put(&mut input, "Step", root.and_then(|root| root.state.as_deref()).map(Value::from));
            return input;
        };
        let Some(step) = execution.steps.get(of) else { return Value::Object(Map::new()) };
        let (status, failure) = self.outcome_of(step);
        let mut input = json!({"Step": &**of, "Status": status.as_str()});
        put(&mut input, "Result", step.result.as_ref().map(Json::value));
        put(&mut input, "Error", failure.as_ref().map(|failure| Value::from(&*failure.error)));
        put(&mut input, "Cause", failure.as_ref().map(|failure| Value::from(&*failure.cause)));
        input
    }

    /// How a step ends, or has ended. One that is open ends as its execution does.
    fn outcome_of(&self, step: &Step) -> (StepStatus, Option<Failure>) {
        if step.ended_at.is_some() {
            return (step.status, step.failure.clone());
        }
        match self.execution.closing.as_ref().and_then(Ending::failure) {
            Some(failure) => (StepStatus::Failed, Some(failure)),
            None => (StepStatus::Cancelled, step.failure.clone()),
        }
    }

    pub(super) fn succeed_cleanup(&mut self, frame: FrameId) {
        self.emit(CleanupSucceeded { frame });
        self.go_on_ending();
    }

    /// The clean-up that runs has failed, and nothing of it is open.
    pub(super) fn fail_cleanup(&mut self, failure: Failure) {
        self.end_running_cleanup(failure);
        self.go_on_ending();
    }

    fn end_running_cleanup(&mut self, failure: Failure) {
        let cleanup = self.execution.cleanup.as_ref();
        let Some(running) = cleanup.and_then(|cleanup| cleanup.running.clone()) else { return };
        let (frame, of, state) = (Some(running.frame), running.of, running.state);
        self.emit(CleanupFailed { frame, of, state, failure: failure.bounded() });
    }

    fn skip_cleanup(&mut self, owed: Owed, failure: &Failure) {
        let Owed { of, state } = owed;
        self.emit(CleanupFailed { frame: None, of, state, failure: failure.clone() });
    }

    /// Gives up what runs and what is left.
    pub(super) fn give_up_cleanup(&mut self, failure: &Failure) {
        if let Some(frame) = self.execution.cleanup_frame() {
            self.quiet(frame);
        }
        self.end_running_cleanup(failure.clone());
        while let Some(owed) = self.next_cleanup() {
            self.skip_cleanup(owed, failure);
        }
    }

    pub(super) fn miss_cleanup_deadline(&mut self) {
        self.give_up_cleanup(&out_of_time());
        self.go_on_ending();
    }
}

fn out_of_time() -> Failure {
    Failure::new("States.Timeout", "the time for cleaning up ran out")
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(name.to_owned(), value);
    }
}
