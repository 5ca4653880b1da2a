//! Each event in one line, for people.

use std::collections::HashMap;

use super::catalogued;
use super::text::{counted, one_line};
use crate::engine::event::{
    ExecutionRedriven, ExecutionStarted, ForkStarted, JobProgressed, RetryScheduled,
};
use crate::engine::{Data, Event, Execution, Failure, FrameId, JobId, PauseScope, worker_name};
use crate::language::{Json, StateName};

/// How much of a payload or a cause a sentence shows, in characters.
pub(super) const SHOWN: usize = 100;

/// What `event` says, in one line without a full stop. Total: every event has its words.
#[must_use]
pub fn sentence(event: &Event) -> String {
    match event {
        Event::DefinitionStored(body) => {
            let hash: String = body.hash.to_string().chars().take(12).collect();
            format!("workflow {} got version {hash}", body.name)
        }
        Event::ExecutionStarted(body) => started(body),
        Event::ExecutionRedriven(body) => redriven(body),
        Event::ExecutionAdmitted(_) => "got its place".to_owned(),
        Event::StateEntered(body) => format!("{}% when it began", body.progress),
        Event::StateExited(body) => format!("left{}", gave(&body.output)),
        Event::FailureCaught(body) => {
            let counts = if body.counts { "" } else { ", which does not count as an error" };
            format!("caught {}{counts}", failure(&body.failure))
        }
        Event::RetryScheduled(body) => retry(body),
        Event::RetryStarted(_) => "tries again".to_owned(),
        Event::WaitStarted(body) => format!("waits until {}", body.until),
        Event::WaitEnded(_) => "the time has come".to_owned(),
        Event::ExecutionCompleted(body) => format!("reached the end{}", gave(&body.output)),
        Event::ExecutionFailed(body) => failure(&body.failure),
        Event::ExecutionTimedOut(_) => "ran longer than it may".to_owned(),
        Event::ExecutionSetAside(body) => {
            format!("put aside, waits for people: {}", one_line(&body.reason, SHOWN))
        }
        Event::ExecutionDeleted(body) => {
            let why = body.reason.as_ref().map(|why| format!(": {}", one_line(why, SHOWN)));
            format!("deleted by {}{}", one_line(&body.by, SHOWN), why.unwrap_or_default())
        }
        _ => of_part(event)
            .or_else(|| of_stop(event))
            .or_else(|| of_cleanup(event))
            .or_else(|| of_child(event))
            .or_else(|| of_job(event))
            .or_else(|| of_pause(event))
            .or_else(|| catalogued::sentence(event))
            .unwrap_or_default(),
    }
}

/// The sentences about the parts of a state.
fn of_part(event: &Event) -> Option<String> {
    Some(match event {
        Event::ForkStarted(body) => fork(body),
        Event::PartsKept(body) => {
            format!(
                "{} are kept",
                counted(u64::try_from(body.parts.len()).unwrap_or(u64::MAX), "part")
            )
        }
        Event::FrameStarted(body) => format!("part {} began", u64::from(body.index) + 1),
        Event::FrameSucceeded(body) => format!("thread {} ended{}", body.frame, gave(&body.output)),
        Event::FrameFailed(body) => {
            format!("thread {} failed: {}", body.frame, failure(&body.failure))
        }
        Event::FrameCancelled(body) => format!("thread {} was stopped", body.frame),
        _ => return None,
    })
}

/// The sentences about an execution that somebody stops.
fn of_stop(event: &Event) -> Option<String> {
    Some(match event {
        Event::CancelRequested(body) => {
            let why = body.reason.as_ref().map(|why| format!(": {}", one_line(why, SHOWN)));
            format!("{} asked it to stop{}", one_line(&body.by, SHOWN), why.unwrap_or_default())
        }
        Event::CancelExtended(body) => {
            format!("executions that it began have not stopped; they have until {}", body.deadline)
        }
        Event::CancelForced(body) => {
            let why = body.reason.as_ref().map(|why| format!(": {}", one_line(why, SHOWN)));
            format!("{} forced the end{}", one_line(&body.by, SHOWN), why.unwrap_or_default())
        }
        Event::ExecutionCancelled(body) => {
            match u64::try_from(body.abandoned.len()).unwrap_or(u64::MAX) {
                0 => "stopped as asked".to_owned(),
                left => format!("stopped by force, and left {} behind", counted(left, "execution")),
            }
        }
        _ => return None,
    })
}

/// The sentences about what is paused and goes on.
fn of_pause(event: &Event) -> Option<String> {
    let with = |scope: PauseScope| match scope {
        PauseScope::Execution => "",
        PauseScope::Workflow => " with its whole workflow",
    };
    let why = |reason: &Option<std::sync::Arc<str>>| {
        let why = reason.as_ref().map(|why| format!(": {}", one_line(why, SHOWN)));
        why.unwrap_or_default()
    };
    let who = |by: &str| one_line(by, SHOWN);
    Some(match event {
        Event::ExecutionPaused(body) => {
            format!("{} paused it{}{}", who(&body.by), with(body.scope), why(&body.reason))
        }
        Event::ExecutionResumed(body) => {
            format!("{} resumed it{}", who(&body.by), with(body.scope))
        }
        Event::WorkflowPaused(body) => {
            format!("{} paused workflow {}{}", who(&body.by), body.workflow, why(&body.reason))
        }
        Event::WorkflowResumed(body) => {
            format!("{} resumed workflow {}", who(&body.by), body.workflow)
        }
        Event::JobTypePaused(body) => {
            format!("{} paused job type {}{}", who(&body.by), body.job_type, why(&body.reason))
        }
        Event::JobTypeResumed(body) => {
            format!("{} resumed job type {}", who(&body.by), body.job_type)
        }
        _ => return None,
    })
}

/// The sentences about clean-up.
fn of_cleanup(event: &Event) -> Option<String> {
    let of = |of: &Option<StateName>| match of {
        Some(step) => format!("undoes {}", one_line(step, SHOWN)),
        None => "is OnCancel".to_owned(),
    };
    Some(match event {
        Event::CleanupStarted(body) => {
            let (thread, deadline) = (body.frame, body.deadline);
            format!("thread {thread} {} and has until {deadline}", of(&body.of))
        }
        Event::CleanupSucceeded(body) => format!("thread {} has cleaned up", body.frame),
        Event::CleanupFailed(body) => {
            let state = one_line(&body.state, SHOWN);
            let how = if body.frame.is_some() { "failed" } else { "never began" };
            format!("{state}, which {}, {how}: {}", of(&body.of), failure(&body.failure))
        }
        _ => return None,
    })
}

/// The sentences about executions that this one began.
fn of_child(event: &Event) -> Option<String> {
    Some(match event {
        Event::ItemStarted(body) => {
            format!("part {} began as execution {}", u64::from(body.index) + 1, body.child)
        }
        Event::ItemProgressed(body) => {
            format!("execution {} is at {}%", body.child, body.percent)
        }
        Event::ItemSucceeded(body) => {
            format!("execution {} ended{}", body.child, gave(&body.output))
        }
        Event::ItemFailed(body) => {
            format!("execution {} failed: {}", body.child, failure(&body.failure))
        }
        Event::ItemCancelled(body) => format!("execution {} is asked to stop", body.child),
        Event::ChildStopped(body) => format!("execution {} has stopped", body.child),
        Event::ExecutionClosing(_) => "is over but for what stops or is undone".to_owned(),
        _ => return None,
    })
}

/// The sentences about jobs.
fn of_job(event: &Event) -> Option<String> {
    let told = match event {
        Event::JobScheduled(body) => {
            let what = match &body.child {
                None => "is ready".to_owned(),
                Some(child) => {
                    format!("is execution {} of {}", child.execution, child.workflow)
                }
            };
            format!("job {} ({}) attempt {} {what}", body.job, body.job_type, body.attempt)
        }
        Event::JobStarted(body) => {
            let worker = one_line(worker_name(&body.worker), 60);
            format!("job {} attempt {} on {worker}", body.job, body.attempt)
        }
        Event::CallbackAwaited(body) => {
            format!("job {} attempt {} waits for its callback", body.job, body.attempt)
        }
        Event::JobProgressed(body) => progressed(body),
        Event::MapRunChanged(body) => format!(
            "{} of the map run may be at work at once and {} may fail, by {}",
            counted(body.change.concurrency.into(), "part"),
            counted(body.change.tolerated_failures.into(), "item"),
            one_line(&body.change.by, 60)
        ),
        Event::JobHeartbeat(body) => format!("job {} gave a sign of life", body.job),
        Event::JobSucceeded(body) => {
            let errors = match body.errors {
                0 => String::new(),
                errors => format!(", with {}", counted(u64::from(errors), "error")),
            };
            format!("job {} gave {}{errors}", body.job, json(&body.output))
        }
        Event::JobFailed(body) => {
            format!("job {} attempt {}: {}", body.job, body.attempt, failure(&body.failure))
        }
        Event::JobTimedOut(body) => {
            let what = if body.heartbeat { "gave no sign of life in time" } else { "ran too long" };
            format!("job {} attempt {} {what}", body.job, body.attempt)
        }
        Event::AttemptLost(body) => {
            let how = if body.stopped {
                "was taken back: its process stopped in order, or no worker got it"
            } else {
                "was cut off: its process was killed"
            };
            format!("job {} attempt {} {how}", body.job, body.attempt)
        }
        Event::JobCancelled(body) => format!("job {} was cancelled", body.job),
        _ => return None,
    };
    Some(told)
}

fn started(body: &ExecutionStarted) -> String {
    let name = body.name.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
    let by = body.parent.as_ref();
    let by = by.map(|by| format!(" by {}", by.execution)).unwrap_or_default();
    let place = body.place.as_ref().map(|place| {
        let key = one_line(&place.key_words(&body.workflow), SHOWN);
        format!("; needs a place ({key}, limit {})", place.limit)
    });
    let place = place.unwrap_or_default();
    let of = body.rerun_of.map(|of| format!(", a rerun of {of},")).unwrap_or_default();
    let version = body.started_as.as_ref().map(|it| format!(" version {}", it.version));
    let of = version.unwrap_or_default() + &of;
    format!("started {}{name}{by}{of} with {}{place}", body.workflow, json(&body.input))
}

fn redriven(body: &ExecutionRedriven) -> String {
    let why = body.reason.as_ref().map(|why| format!(": {}", one_line(why, SHOWN)));
    let input = if body.input_changed { " with another input" } else { "" };
    format!(
        "{} retried it from \"{}\" on{input}{}",
        one_line(&body.by, SHOWN),
        one_line(&body.step, 60),
        why.unwrap_or_default()
    )
}

fn retry(body: &RetryScheduled) -> String {
    format!("tries again at {} (retry {}) after {}", body.due, body.count, failure(&body.failure))
}

fn fork(body: &ForkStarted) -> String {
    let parts = if body.total == 1 { "part" } else { "parts" };
    let at_once = match body.concurrency {
        0 => String::new(),
        most => format!(", at most {most} at once"),
    };
    format!("opened with {} {parts}{at_once}", body.total)
}

fn progressed(body: &JobProgressed) -> String {
    let mut told = format!("job {}", body.job);
    if let Some(percent) = body.percent {
        told.push_str(&format!(" {percent}%"));
    }
    if let (Some(processed), Some(total)) = (body.processed, body.total) {
        told.push_str(&format!(" {processed}/{total}"));
    }
    if let Some(message) = &body.message {
        told.push_str(&format!(" {}", one_line(message, SHOWN)));
    }
    told
}

fn json(json: &Json) -> String {
    one_line(json.as_str(), SHOWN)
}

fn gave(data: &Data) -> String {
    match data {
        Data::New(output) => format!(" with {}", json(output)),
        Data::Kept | Data::Result => String::new(),
    }
}

fn failure(failure: &Failure) -> String {
    format!("{}: {}", one_line(&failure.error, SHOWN), one_line(&failure.cause, SHOWN))
}

/// Knows in which state each event of one history happened. What it was not told the beginning of,
/// it does not know.
#[derive(Debug, Clone, Default)]
pub struct Places {
    states: HashMap<FrameId, StateName>,
    frames: HashMap<JobId, FrameId>,
}

impl Places {
    /// What is known of a history as far as it is folded: the same as its events would have told.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        let states = execution.frames.iter();
        let states = states.filter_map(|(id, frame)| Some((*id, frame.state.clone()?)));
        let frames = execution.jobs.iter().map(|(id, job)| (*id, job.frame));
        Self { states: states.collect(), frames: frames.collect() }
    }

    /// The state in which `event`, the next of the history, happened.
    pub fn place(&mut self, event: &Event) -> Option<StateName> {
        let frame = self.frame(event)?;
        match event {
            Event::StateEntered(body) => drop(self.states.insert(frame, body.state.clone())),
            Event::CleanupStarted(body) => drop(self.states.insert(frame, body.state.clone())),
            _ => {}
        }
        let place = self.states.get(&frame).cloned();
        match event {
            Event::StateExited(body) => Some(body.state.clone()),
            Event::FailureCaught(body) => Some(body.state.clone()),
            Event::RetryScheduled(body) => Some(body.state.clone()),
            Event::FrameSucceeded(_)
            | Event::FrameFailed(_)
            | Event::FrameCancelled(_)
            | Event::CleanupSucceeded(_)
            | Event::CleanupFailed(_) => {
                self.states.remove(&frame);
                place
            }
            _ => place,
        }
    }

    /// The state of the outermost machine that it is in, whatever goes on inside that.
    pub(super) fn outermost(&self) -> Option<StateName> {
        self.states.get(&FrameId::ROOT).cloned()
    }

    fn frame(&mut self, event: &Event) -> Option<FrameId> {
        let job = match event {
            Event::StateEntered(body) => return Some(body.frame),
            Event::StateExited(body) => return Some(body.frame),
            Event::FailureCaught(body) => return Some(body.frame),
            Event::RetryScheduled(body) => return Some(body.frame),
            Event::RetryStarted(body) => return Some(body.frame),
            Event::WaitStarted(body) => return Some(body.frame),
            Event::WaitEnded(body) => return Some(body.frame),
            Event::ForkStarted(body) => return Some(body.frame),
            Event::PartsKept(body) => return Some(body.frame),
            Event::FrameStarted(body) => return Some(body.parent),
            Event::FrameSucceeded(body) => return Some(body.frame),
            Event::FrameFailed(body) => return Some(body.frame),
            Event::FrameCancelled(body) => return Some(body.frame),
            Event::CleanupStarted(body) => return Some(body.frame),
            Event::CleanupSucceeded(body) => return Some(body.frame),
            Event::CleanupFailed(body) => return body.frame,
            Event::JobScheduled(body) => {
                self.frames.insert(body.job, body.frame);
                body.job
            }
            Event::JobStarted(body) => body.job,
            Event::ItemStarted(body) => return Some(body.frame),
            Event::MapRunChanged(body) => return Some(body.frame),
            Event::ItemProgressed(body) => return Some(body.frame),
            Event::ItemSucceeded(body) => return Some(body.frame),
            Event::ItemFailed(body) => return Some(body.frame),
            Event::ItemCancelled(body) => return Some(body.frame),
            Event::CallbackAwaited(body) => body.job,
            Event::JobProgressed(body) => body.job,
            Event::JobHeartbeat(body) => body.job,
            Event::JobSucceeded(body) => body.job,
            Event::JobFailed(body) => body.job,
            Event::JobTimedOut(body) => body.job,
            Event::AttemptLost(body) => body.job,
            Event::JobCancelled(body) => body.job,
            _ => return None,
        };
        self.frames.get(&job).copied()
    }
}
