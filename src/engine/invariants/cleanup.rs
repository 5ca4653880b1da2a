//! Rules about cleaning up.

use std::collections::BTreeSet;

use super::{Violation, ensure};
use crate::engine::child::Ending;
use crate::engine::event::{CleanupStarted, Event};
use crate::engine::execution::{Execution, Status, StepStatus, Timer};
use crate::engine::id::{ExecutionId, FrameId};
use crate::language::StateName;

/// While an execution cleans up, nothing of its work is open.
pub(super) fn cleaning_up_comes_after_the_work(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "cleaning_up_comes_after_the_work";
    let Some(cleanup) = &e.cleanup else { return Ok(()) };
    let unsuccessful = match e.status {
        Status::Running => matches!(e.closing, Some(Ending::Failed(_) | Ending::TimedOut)),
        Status::Cancelling | Status::Cancelled | Status::Failed | Status::TimedOut => true,
        Status::Pending | Status::Completed | Status::CompletedWithErrors => false,
    };
    ensure(unsuccessful, NAME, || format!("{:?}, closing {:?}", e.status, e.closing))?;
    let stray = |id: &&FrameId| **id != FrameId::ROOT && !e.is_open(**id);
    let stray = e.frames.keys().find(stray);
    ensure(stray.is_none(), NAME, || format!("frame {stray:?} belongs to the work"))?;
    let open = e
        .steps
        .iter()
        .find(|(_, step)| matches!(step.status, StepStatus::Running | StepStatus::Waiting));
    ensure(open.is_none(), NAME, || format!("a step is open: {open:?}"))?;
    let known =
        cleanup.running.as_ref().is_none_or(|running| e.frames.contains_key(&running.frame));
    ensure(known, NAME, || format!("{:?} runs in no frame", cleanup.running))?;
    let timed = e.timers.contains(&(cleanup.deadline, Timer::CleanupDeadline));
    ensure(timed == cleanup.running.is_some(), NAME, || {
        format!("{:?} runs, its timer is {timed}", cleanup.running)
    })
}

/// What runs at most once, and never again when it is over.
pub(super) fn each_step_is_undone_once(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "each_step_is_undone_once";
    let Some(cleanup) = &e.cleanup else { return Ok(()) };
    let running = cleanup.running.iter().map(|running| &running.of);
    let mut known = BTreeSet::new();
    for of in cleanup.done.iter().map(|done| &done.of).chain(running) {
        ensure(known.insert(of), NAME, || format!("{of:?} twice"))?;
    }
    Ok(())
}

/// What a history says about its clean-up.
#[derive(Default)]
pub(super) struct CleanupSeen {
    /// Whether the work is over: somebody asked it to stop, or it failed.
    is_over: bool,
    /// Whether somebody asked it to stop.
    cancelled: bool,
    /// Whether somebody forced the end.
    forced: bool,
    /// The clean-up that runs.
    running: Option<(FrameId, Option<StateName>)>,
    known: BTreeSet<Option<StateName>>,
}

impl CleanupSeen {
    /// Takes the next event; `leaving` are the executions that were asked to stop.
    pub(super) fn take(
        &mut self,
        event: &Event,
        leaving: &BTreeSet<ExecutionId>,
    ) -> Result<(), Violation> {
        match event {
            Event::CancelRequested(_) => {
                (self.is_over, self.cancelled) = (true, true);
                Ok(())
            }
            Event::ExecutionClosing(body) => {
                self.is_over = body.ending != Ending::Completed;
                Ok(())
            }
            Event::CancelForced(_) => {
                self.forced = true;
                ensure(self.cancelled, "a_forced_end_follows_a_cancel", String::new)
            }
            Event::CleanupStarted(body) => self.start(body, leaving),
            Event::CleanupSucceeded(body) => self.end(Some(body.frame), None),
            Event::CleanupFailed(body) => self.end(body.frame, Some(&body.of)),
            Event::ExecutionCancelled(body) => {
                let abandoned: BTreeSet<ExecutionId> = body.abandoned.iter().copied().collect();
                let told = if self.forced { abandoned == *leaving } else { abandoned.is_empty() };
                ensure(told, "only_a_forced_end_abandons", || format!("{abandoned:?}"))?;
                self.ended()
            }
            Event::ExecutionCompleted(_)
            | Event::ExecutionFailed(_)
            | Event::ExecutionTimedOut(_) => self.ended(),
            _ => Ok(()),
        }
    }

    /// Whether cleaning up has begun.
    pub(super) fn has_begun(&self) -> bool {
        !self.known.is_empty()
    }

    /// Whether an end may leave executions behind that have not stopped.
    pub(super) fn may_abandon(&self) -> bool {
        self.forced
    }

    fn start(
        &mut self,
        body: &CleanupStarted,
        leaving: &BTreeSet<ExecutionId>,
    ) -> Result<(), Violation> {
        ensure(self.is_over, "cleaning_up_comes_after_the_work", String::new)?;
        ensure(self.running.is_none() && leaving.is_empty(), "one_cleanup_runs_at_a_time", || {
            format!("{:?} runs, {leaving:?} have not ended", self.running)
        })?;
        self.running = Some((body.frame, body.of.clone()));
        self.note(body.of.clone())
    }

    fn note(&mut self, of: Option<StateName>) -> Result<(), Violation> {
        let told = format!("{of:?} is undone twice");
        ensure(self.known.insert(of), "each_step_is_undone_once", || told)
    }

    fn end(
        &mut self,
        frame: Option<FrameId>,
        of: Option<&Option<StateName>>,
    ) -> Result<(), Violation> {
        const NAME: &str = "every_started_cleanup_ends_once";
        let Some(frame) = frame else {
            ensure(self.is_over, "cleaning_up_comes_after_the_work", String::new)?;
            ensure(self.running.is_none(), NAME, || format!("{:?} still runs", self.running))?;
            return self.note(of.cloned().flatten());
        };
        let running = self.running.take();
        let fits = running
            .as_ref()
            .is_some_and(|(runs, undoes)| *runs == frame && of.is_none_or(|of| of == undoes));
        ensure(fits, NAME, || format!("frame {frame} ends, but {running:?} runs"))
    }

    fn ended(&self) -> Result<(), Violation> {
        ensure(self.running.is_none(), "every_started_cleanup_ends_before_the_execution", || {
            format!("{:?} still runs", self.running)
        })
    }
}
