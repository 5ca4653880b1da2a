//! What the shell owes the world, as a function of an execution's state: the same call serves the
//! live path and recovery, so they cannot disagree.

use super::event::Event;
use super::execution::{Execution, JobStatus};
use super::id::{JobId, Timestamp};

/// Something the shell must do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Offer an attempt of a job to workers.
    OfferJob {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
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
    effects.extend(execution_effects(execution));
    effects
}

/// What `events`, just applied, newly owe. Together with what was owed before and is not done,
/// this is what [`pending_effects`] gives.
#[must_use]
pub fn effects_after(execution: &Execution, events: &[Event]) -> Vec<Effect> {
    if execution.status.is_terminal() || execution.set_aside.is_some() {
        return Vec::new();
    }
    let mut effects = Vec::new();
    for event in events {
        if let Event::JobScheduled(body) = event {
            effects.extend(job_effect(execution, body.job));
        }
    }
    effects.extend(execution_effects(execution));
    effects
}

fn job_effect(execution: &Execution, id: JobId) -> Option<Effect> {
    let job = execution.jobs.get(&id)?;
    match job.status {
        JobStatus::Pending => Some(Effect::OfferJob { job: id, attempt: job.attempt }),
        JobStatus::Running | JobStatus::Retrying | JobStatus::Cancelling => None,
    }
}

fn execution_effects(execution: &Execution) -> impl Iterator<Item = Effect> {
    let advance = (!execution.ready.is_empty()).then_some(Effect::Advance);
    let wake = execution.timers.first().map(|(at, _)| Effect::Wake { at: *at });
    advance.into_iter().chain(wake)
}
