//! What the shell owes the world, as a function of an execution's state: the same call serves the
//! live path and recovery, so they cannot disagree.

use super::event::Event;
use super::execution::{Execution, Frame, JobStatus};
use super::id::{ExecutionId, FrameId, JobId, Timestamp};

/// Something the shell must do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// See that it gets its place, in the order of asking, and send `AdmitExecution` then.
    TakePlace,
    /// Offer an attempt of a job to workers.
    OfferJob {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
    },
    /// See that an execution begins, if it has not, and hear of its end.
    RunChild {
        /// Which.
        child: ExecutionId,
    },
    /// See that an execution stops, and hear of its end.
    StopChild {
        /// Which.
        child: ExecutionId,
    },
    /// Send `Advance`: a long decision left work for later.
    Advance,
    /// Send `FireTimer` for the earliest timer when this moment has come.
    Wake {
        /// When.
        at: Timestamp,
    },
}

/// Everything owed for `execution`.
#[must_use]
pub fn pending_effects(execution: &Execution) -> Vec<Effect> {
    if execution.status.is_terminal() || execution.set_aside.is_some() {
        return Vec::new();
    }
    let mut effects: Vec<Effect> =
        execution.jobs.keys().filter_map(|job| job_effect(execution, *job)).collect();
    for run in execution.frames.values().filter_map(Frame::map_run) {
        effects.extend(run.children.keys().map(|child| Effect::RunChild { child: *child }));
    }
    effects.extend(execution.leaving.keys().map(|child| Effect::StopChild { child: *child }));
    effects.extend(execution.waits_for_place().then_some(Effect::TakePlace));
    effects.extend(execution_effects(execution));
    effects
}

/// What `events`, just applied, newly owe. Together with what was owed before and is not done,
/// this is what [`pending_effects`] gives.
#[must_use]
pub fn effects_after(execution: &Execution, events: &[Event]) -> Vec<Effect> {
    if execution.status.is_terminal() {
        return events.iter().flat_map(left_behind).collect();
    }
    if execution.set_aside.is_some() {
        return Vec::new();
    }
    let mut effects = Vec::new();
    let resumed = events.iter().any(|event| matches!(event, Event::ExecutionResumed(_)));
    if resumed {
        // Nothing of what waits for a worker was owed before.
        let jobs = execution.jobs.keys().filter_map(|job| job_effect(execution, *job));
        effects.extend(jobs.filter(is_offer));
    }
    for event in events {
        match event {
            Event::JobScheduled(body) => {
                let effect = job_effect(execution, body.job);
                effects.extend(effect.filter(|effect| !(resumed && is_offer(effect))));
            }
            Event::ItemStarted(body) => {
                let child = body.child;
                let open = part_of(execution, body.frame, child);
                effects.extend(open.then_some(Effect::RunChild { child }));
            }
            _ => {}
        }
    }
    let before = execution.sequence - u64::try_from(events.len()).unwrap_or(0);
    let leaving = execution.leaving.iter().filter(|(_, since)| **since > before);
    effects.extend(leaving.map(|(child, _)| Effect::StopChild { child: *child }));
    let asks = execution.waits_for_place() && execution.asked_for_place > before;
    effects.extend(asks.then_some(Effect::TakePlace));
    effects.extend(execution_effects(execution));
    effects
}

/// Executions that a forced end did not wait for are told to stop, once more or for the first time.
fn left_behind(event: &Event) -> Vec<Effect> {
    match event {
        Event::ExecutionCancelled(body) => {
            body.abandoned.iter().map(|child| Effect::StopChild { child: *child }).collect()
        }
        _ => Vec::new(),
    }
}

fn part_of(execution: &Execution, frame: FrameId, child: ExecutionId) -> bool {
    let run = execution.frames.get(&frame).and_then(Frame::map_run);
    run.is_some_and(|run| run.children.contains_key(&child))
}

fn is_offer(effect: &Effect) -> bool {
    matches!(effect, Effect::OfferJob { .. })
}

fn job_effect(execution: &Execution, id: JobId) -> Option<Effect> {
    let job = execution.jobs.get(&id)?;
    match job.status {
        JobStatus::Pending if execution.is_paused() => None,
        JobStatus::Pending => Some(Effect::OfferJob { job: id, attempt: job.attempt }),
        JobStatus::Running => {
            job.child.as_ref().map(|child| Effect::RunChild { child: child.execution })
        }
        JobStatus::Waiting | JobStatus::Retrying | JobStatus::Cancelling => None,
    }
}

fn execution_effects(execution: &Execution) -> impl Iterator<Item = Effect> {
    let advance = (!execution.ready.is_empty()).then_some(Effect::Advance);
    let wake = execution.timers.first().map(|(at, _)| Effect::Wake { at: *at });
    advance.into_iter().chain(wake)
}
