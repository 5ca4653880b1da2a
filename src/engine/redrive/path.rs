//! The way that an execution went through the states of its outermost machine.

use crate::engine::event::Event;
use crate::engine::execution::{Execution, Status};
use crate::engine::id::{ExecutionId, FrameId, Timestamp};
use crate::language::StateName;

/// The way that led to the end: what earlier redrives took back is no part of it.
pub(super) struct Path {
    pub(super) visits: Vec<Visit>,
    /// Whether it led to the end of the machine.
    pub(super) completed: bool,
}

/// One entrance of a step.
pub(super) struct Visit {
    pub(super) step: StateName,
    /// The sequence of the event that entered it.
    pub(super) entered: u64,
    /// Whether failures in it were caught or tolerated, and counted.
    pub(super) has_errors: bool,
    /// Whether it failed, and a catcher took that.
    pub(super) was_caught: bool,
    /// Whether what it did was undone.
    pub(super) undone: bool,
}

impl Path {
    /// The execution as its history leaves it, and the way it went.
    pub(super) fn of(id: ExecutionId, history: &[(&Event, Timestamp)]) -> (Execution, Self) {
        let mut execution = Execution::new(id);
        let mut path = Self { visits: Vec::new(), completed: false };
        for (event, at) in history {
            let errors = execution.total_errors;
            execution.apply(event, *at);
            path.take(event, &execution, execution.total_errors > errors);
        }
        path.completed = execution.status == Status::CompletedWithErrors;
        (execution, path)
    }

    fn take(&mut self, event: &Event, after: &Execution, has_errors: bool) {
        match event {
            Event::ExecutionRedriven(body) => {
                self.visits.retain(|visit| visit.entered < body.back_to);
                return;
            }
            Event::StateEntered(body) if body.frame == FrameId::ROOT => {
                self.visits.push(Visit {
                    step: body.state.clone(),
                    entered: after.sequence,
                    has_errors: false,
                    was_caught: false,
                    undone: false,
                });
            }
            _ => {}
        }
        if let Some(step) = undone_by(event)
            && let Some(visit) = self.visits.iter_mut().rev().find(|visit| visit.step == *step)
        {
            visit.undone = true;
        }
        if let Some(visit) = self.visits.last_mut() {
            visit.has_errors |= has_errors;
            let caught = |event: &Event| matches!(event, Event::FailureCaught(b) if b.frame == FrameId::ROOT);
            visit.was_caught |= caught(event);
        }
    }

    /// The place of the last visit.
    pub(super) fn last(&self) -> Option<usize> {
        self.visits.len().checked_sub(1)
    }
}

/// The step that an event begins to undo: its `Cleanup` was started.
fn undone_by(event: &Event) -> Option<&StateName> {
    match event {
        Event::CleanupStarted(body) => body.of.as_ref(),
        _ => None,
    }
}
