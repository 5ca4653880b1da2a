//! Rules about pauses in a history: nothing begins while one holds.

use std::collections::BTreeSet;

use super::{Violation, ensure};
use crate::engine::event::{Event, JobScheduled};
use crate::engine::id::JobId;
use crate::engine::pause::PauseScope;

/// Whether the event is a step of the machine or hands work out, and so never happens while its
/// execution is paused. That a job is scheduled can only be judged by what was before.
#[must_use]
pub fn begins(event: &Event) -> bool {
    match event {
        Event::JobScheduled(JobScheduled { child, .. }) => child.is_some(),
        Event::StateEntered(_)
        | Event::StateExited(_)
        | Event::FailureCaught(_)
        | Event::RetryScheduled(_)
        | Event::WaitStarted(_)
        | Event::ForkStarted(_)
        | Event::FrameStarted(_)
        | Event::FrameSucceeded(_)
        | Event::FrameFailed(_)
        | Event::ItemStarted(_)
        | Event::JobStarted(_)
        | Event::ExecutionCompleted(_)
        | Event::ExecutionFailed(_) => true,
        _ => false,
    }
}

/// The pauses that hold, and the jobs whose newest attempt was lost.
#[derive(Default)]
pub(super) struct SeenPauses {
    execution: bool,
    workflow: bool,
    lost: BTreeSet<JobId>,
}

impl SeenPauses {
    pub(super) fn take(&mut self, event: &Event) -> Result<(), Violation> {
        const NAME: &str = "pauses_begin_and_end_in_turn";
        match event {
            Event::ExecutionPaused(body) => {
                let held = std::mem::replace(self.of(body.scope), true);
                return ensure(!held, NAME, || format!("{:?} is paused already", body.scope));
            }
            Event::ExecutionResumed(body) => {
                let held = std::mem::replace(self.of(body.scope), false);
                return ensure(held, NAME, || format!("{:?} is not paused", body.scope));
            }
            _ => {}
        }
        let paused = self.execution || self.workflow;
        ensure(!paused || !self.begins(event), "nothing_begins_while_paused", String::new)?;
        self.remember(event);
        Ok(())
    }

    fn of(&mut self, scope: PauseScope) -> &mut bool {
        match scope {
            PauseScope::Execution => &mut self.execution,
            PauseScope::Workflow => &mut self.workflow,
        }
    }

    fn begins(&self, event: &Event) -> bool {
        match event {
            // What the end of a process cut off is made ready again, and kept back.
            Event::JobScheduled(JobScheduled { job, .. }) => !self.lost.contains(job),
            event => begins(event),
        }
    }

    fn remember(&mut self, event: &Event) {
        match event {
            Event::AttemptLost(body) => drop(self.lost.insert(body.job)),
            Event::JobScheduled(body) => drop(self.lost.remove(&body.job)),
            // A request to stop ends the pause, and so does whatever ends the execution.
            Event::CancelRequested(_) | Event::ExecutionClosing(_) => {
                (self.execution, self.workflow) = (false, false);
            }
            event if event.is_end() => (self.execution, self.workflow) = (false, false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{CancelRequested, ExecutionPaused, ExecutionResumed, RetryStarted};
    use crate::engine::id::{FrameId, Timestamp, Token};

    fn check(events: &[Event]) -> Result<(), Violation> {
        let mut seen = SeenPauses::default();
        events.iter().try_for_each(|event| seen.take(event))
    }

    fn paused(scope: PauseScope) -> Event {
        ExecutionPaused { scope, by: "me".into(), reason: None }.into()
    }

    fn resumed(scope: PauseScope) -> Event {
        ExecutionResumed { scope, by: "me".into() }.into()
    }

    fn started() -> Event {
        let (worker, token) = ("w".into(), Token([0; 16]));
        crate::engine::event::JobStarted { job: JobId(1), attempt: 1, worker, token }.into()
    }

    #[test]
    fn a_job_that_starts_between_pause_and_resume_is_noticed() {
        let (own, all) = (PauseScope::Execution, PauseScope::Workflow);
        assert!(check(&[paused(own), resumed(own), started()]).is_ok());
        for events in [
            vec![paused(own), started()],
            vec![paused(own), paused(all), resumed(own), started()],
            vec![paused(own), paused(own)],
            vec![resumed(all)],
        ] {
            assert!(check(&events).is_err(), "{events:?}");
        }
    }

    #[test]
    fn time_goes_on_while_paused_and_a_request_to_stop_ends_it() {
        let stop = CancelRequested { by: "me".into(), reason: None, deadline: Timestamp(1) };
        let own = PauseScope::Execution;
        let retry = RetryStarted { frame: FrameId::ROOT };
        assert!(check(&[paused(own), retry.into(), stop.into(), started()]).is_ok());
    }
}
