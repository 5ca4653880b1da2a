//! An execution that had ended goes on.

use std::collections::HashSet;

use crate::engine::event::ExecutionRedriven;
use crate::engine::execution::{Execution, Frame, Step, StepStatus, Timer};
use crate::engine::id::{FrameId, Timestamp};
use crate::engine::pace::Pace;
use crate::language::StateName;

impl Execution {
    pub(super) fn redriven(&mut self, body: &ExecutionRedriven, at: Timestamp) {
        self.ask_for_place();
        self.output = None;
        self.failure = None;
        self.cancel = None;
        self.cleanup = None;
        self.summary = None;
        self.ended_at = None;
        self.redrives += 1;
        self.redriven_at = Some(at);
        self.progress = body.progress;
        self.pace = Pace::starting(at, body.progress);
        self.total_errors = body.total_errors;
        // The limit on a history is there to end endless loops, and people are none.
        self.uncounted_events = self.sequence;
        self.keep_steps(&body.kept);
        if let Some(deadline) = body.deadline {
            self.timers.insert((deadline, Timer::ExecutionTimeout));
        }
        let mut root = Frame::new(None, body.input.clone(), at);
        root.state = Some(body.step.clone());
        root.variables = body.variables.iter().cloned().collect();
        self.frames.insert(FrameId::ROOT, root);
        self.frame_count = self.frame_count.max(1);
        self.refresh(FrameId::ROOT);
    }

    /// Takes all steps back but those that are kept, which come first now.
    fn keep_steps(&mut self, kept: &[StateName]) {
        let mut steps = std::mem::take(&mut self.steps);
        let names: HashSet<&StateName> = kept.iter().collect();
        let kept = kept.iter().filter_map(|name| Some((name.clone(), steps.get(name)?.clone())));
        self.steps = kept.collect();
        steps.retain(|name, _| !names.contains(name));
        self.steps.extend(steps.into_iter().map(|(name, step)| (name, step.taken_back())));
    }

    /// The step of the outermost machine that is entered. One that a redrive took back comes after
    /// all that were entered before it.
    pub(super) fn step_entered(&mut self, state: &StateName, at: Timestamp) -> &mut Step {
        let pending = |step: &Step| step.status == StepStatus::Pending;
        if self.steps.get(state).is_some_and(pending)
            && let Some(step) = self.steps.shift_remove(state)
        {
            self.steps.insert(state.clone(), Step { entered_at: at, ..step });
        }
        if self.steps.is_empty() {
            // Very many may wait in their first step. Without this there is room for three.
            self.steps.reserve_exact(1);
        }
        self.steps.entry(state.clone()).or_insert_with(|| Step::new(at))
    }
}

impl Step {
    /// As if it had not been entered; only its attempts go on being counted.
    fn taken_back(self) -> Self {
        let Self { job, attempts, entered_at, .. } = self;
        Self { job, attempts, ..Self::new(entered_at) }
    }
}
