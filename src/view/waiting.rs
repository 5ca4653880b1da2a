//! Why nothing happens in an execution at the moment.

use std::sync::Arc;

use serde::Serialize;

use crate::engine::execution::Activity;
use crate::engine::{Execution, Frame, Job, JobStatus, Timestamp};

/// What an execution waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waiting {
    /// What must happen before it goes on.
    pub reason: WaitingFor,
    /// The state that waits.
    pub step_name: Option<Arc<str>>,
    /// Since when, as RFC 3339, where that is known.
    pub since: Option<String>,
    /// Until when at most, as RFC 3339; absent when nobody knows.
    pub until: Option<String>,
    /// The attempt that comes next, from 1, when an attempt is waited for.
    pub attempt: Option<u32>,
    /// The job type that needs a worker, when a worker is waited for.
    pub job_type: Option<Arc<str>>,
}

/// What has to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// A Wait state's time must come.
    Timer,
    /// The delay before another attempt must pass.
    Retry,
    /// A worker must take the job: all are busy, or there is none for its type.
    Worker,
}

impl WaitingFor {
    /// The word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Retry => "retry",
            Self::Worker => "worker",
        }
    }
}

impl Waiting {
    /// What `execution` waits for; nothing while any worker is at work on it.
    pub(super) fn of(execution: &Execution) -> Option<Self> {
        let at_work = |job: &Job| matches!(job.status, JobStatus::Running | JobStatus::Cancelling);
        if execution.status.is_terminal() || execution.jobs.values().any(at_work) {
            return None;
        }
        pending(execution).or_else(|| timed(execution))
    }
}

/// The job that has waited longest for a worker.
fn pending(execution: &Execution) -> Option<Waiting> {
    let pending = execution.jobs.values().filter(|job| job.status == JobStatus::Pending);
    let job = pending.min_by_key(|job| job.scheduled_at)?;
    Some(Waiting {
        reason: WaitingFor::Worker,
        step_name: execution.frames.get(&job.frame).and_then(|frame| frame.state.clone()),
        since: Some(job.scheduled_at.to_string()),
        until: None,
        attempt: Some(job.attempt),
        job_type: Some(job.job_type.clone()),
    })
}

/// The frame that goes on first.
fn timed(execution: &Execution) -> Option<Waiting> {
    let due = |frame: &Frame| match frame.activity {
        Activity::Waiting(until) | Activity::BackingOff(until) => Some(until),
        Activity::Ready | Activity::Job | Activity::Forked(_) => None,
    };
    let waiting = execution.frames.values().filter_map(|frame| Some((due(frame)?, frame)));
    let (until, frame) = waiting.min_by_key(|(until, _)| *until)?;
    Some(of_frame(execution, frame, until))
}

fn of_frame(execution: &Execution, frame: &Frame, until: Timestamp) -> Waiting {
    let backs_off = matches!(frame.activity, Activity::BackingOff(_));
    let job = frame.job.and_then(|job| execution.jobs.get(&job));
    Waiting {
        reason: if backs_off { WaitingFor::Retry } else { WaitingFor::Timer },
        step_name: frame.state.clone(),
        // When a delay began is not in the fold; when a state was entered is.
        since: (!backs_off).then(|| frame.entered_at.to_string()),
        until: Some(until.to_string()),
        attempt: job.filter(|_| backs_off).map(|job| job.attempt.saturating_add(1)),
        job_type: None,
    }
}
