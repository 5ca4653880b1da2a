//! Why nothing happens in an execution at the moment.

use std::sync::Arc;

use serde::Serialize;

use crate::engine::execution::Activity;
use crate::engine::{Execution, Frame, FrameId, Job, JobStatus, Timer, Timestamp};

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
    /// The job type, when a worker or a callback is waited for.
    pub job_type: Option<Arc<str>>,
    /// What executions share the place by that is waited for; empty when the workflow has one key
    /// for all.
    pub place: Option<Arc<str>>,
    /// The execution that is waited for; of a distributed Map, the one that began first.
    pub execution: Option<String>,
}

/// What has to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// The place that it needs must be free.
    Place,
    /// A Wait state's time must come.
    Timer,
    /// The delay before another attempt must pass.
    Retry,
    /// A worker must take the job: all are busy, or there is none for its type.
    Worker,
    /// Whoever has the job's token must call back.
    Callback,
    /// An execution that this one began must end.
    Execution,
}

impl WaitingFor {
    /// The word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Timer => "timer",
            Self::Retry => "retry",
            Self::Worker => "worker",
            Self::Callback => "callback",
            Self::Execution => "execution",
        }
    }
}

impl Waiting {
    /// What `execution` waits for; nothing while any worker is at work on it.
    pub(super) fn of(execution: &Execution) -> Option<Self> {
        let at_work = |job: &Job| {
            job.child.is_none() && matches!(job.status, JobStatus::Running | JobStatus::Cancelling)
        };
        if execution.status.is_terminal() || execution.jobs.values().any(at_work) {
            return None;
        }
        for_place(execution)
            .or_else(|| pending(execution))
            .or_else(|| child(execution))
            .or_else(|| callback(execution))
            .or_else(|| timed(execution))
    }
}

/// The place that it needs before anything else.
fn for_place(execution: &Execution) -> Option<Waiting> {
    let place = execution.place.as_ref().filter(|_| execution.waits_for_place())?;
    Some(Waiting {
        reason: WaitingFor::Place,
        step_name: None,
        since: Some(execution.updated_at.to_string()),
        until: None,
        attempt: None,
        job_type: None,
        place: Some(place.key.clone()),
        execution: None,
    })
}

/// The execution that has been waited for longest.
fn child(execution: &Execution) -> Option<Waiting> {
    let of_jobs = execution.jobs.values().filter_map(|job| {
        let child = job.child.as_ref().filter(|_| job.status == JobStatus::Running)?;
        Some((job.scheduled_at, job.frame, child.execution))
    });
    let of_runs = execution.frames.iter().filter_map(|(id, frame)| {
        Some((frame.entered_at, *id, *frame.map_run()?.children.keys().next()?))
    });
    let stopping = execution.leaving.keys().next().map(|child| {
        let since = execution.cancel.as_ref().map_or(execution.updated_at, |cancel| cancel.at);
        (since, FrameId::ROOT, *child)
    });
    let (since, frame, child) = of_jobs.chain(of_runs).chain(stopping).min()?;
    Some(Waiting {
        reason: WaitingFor::Execution,
        step_name: execution.frames.get(&frame).and_then(|frame| frame.state.clone()),
        since: Some(since.to_string()),
        until: None,
        attempt: None,
        job_type: None,
        place: None,
        execution: Some(child.to_string()),
    })
}

/// The job that has waited longest for its callback.
fn callback(execution: &Execution) -> Option<Waiting> {
    let waiting = execution.jobs.iter().filter(|(_, job)| job.status == JobStatus::Waiting);
    let (id, job) = waiting.min_by_key(|(_, job)| job.scheduled_at)?;
    let timers = execution.timers.iter();
    let until = timers.filter(|(_, timer)| {
        matches!(timer, Timer::JobTimeout(job, _) | Timer::Heartbeat(job, _) if job == id)
    });
    Some(Waiting {
        reason: WaitingFor::Callback,
        step_name: execution.frames.get(&job.frame).and_then(|frame| frame.state.clone()),
        since: Some(job.started_at.unwrap_or(job.scheduled_at).to_string()),
        until: until.map(|(due, _)| due).min().map(ToString::to_string),
        attempt: None,
        job_type: Some(job.job_type.clone()),
        place: None,
        execution: None,
    })
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
        place: None,
        execution: None,
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
        place: None,
        execution: None,
    }
}
