//! What somebody asked, or what time brought, for an event to be recorded.

use std::sync::Arc;

use crate::engine::event::{
    CallbackAwaited, Event, ExecutionStarted, JobFailed, JobSucceeded, JobTimedOut,
};
use crate::engine::event_kind::of_catalogue;
use crate::engine::execution::{Activity, Execution, JobStatus, Status, Timer};
use crate::engine::id::{JobId, Token};
use crate::engine::{Command, StartExecution};
use crate::language::{DefinitionHash, Json};

/// Why an event was recorded.
pub(super) enum Cause {
    /// Somebody said so, and no definition has a say in it.
    Given,
    /// It is the first event of the answer to one of these commands.
    Commands(Vec<Command>),
}

/// Why `event`, the next of the history of `execution`, was recorded.
pub(super) fn cause_of(event: &Event, execution: &Execution, definition: DefinitionHash) -> Cause {
    match event {
        Event::ExecutionStarted(body) => Cause::from(started(body, definition)),
        // Its time came, or somebody would not wait for it.
        Event::RetryStarted(body) => {
            let timed = fired(execution, Timer::Retry(body.frame));
            Cause::Commands(timed.into_iter().chain([Command::SkipBackoff]).collect())
        }
        Event::WaitEnded(body) => timer(execution, Timer::Wait(body.frame)),
        Event::JobSucceeded(body) => succeeded(execution, body),
        Event::JobFailed(body) => failed(execution, body),
        Event::CallbackAwaited(body) => awaited(execution, body),
        Event::JobTimedOut(body) => timer(execution, timed_out(body)),
        Event::ChildStopped(body) => {
            Cause::from(Command::ChildEnded { child: body.child, end: None })
        }
        Event::CancelRequested(body) => Cause::from(stop(&body.by, &body.reason, false)),
        Event::CancelForced(body) => Cause::from(stop(&body.by, &body.reason, true)),
        // Its own state failed, or its time ran out.
        Event::CleanupFailed(_) => advanced_or(execution, Timer::CleanupDeadline),
        Event::CancelExtended(_) | Event::ExecutionCancelled(_) => {
            timer(execution, Timer::CancelDeadline)
        }
        Event::ExecutionTimedOut(_) => timer(execution, Timer::ExecutionTimeout),
        Event::JobCancelled(body) => cancelled(execution, Some(body.job)),
        Event::FrameCancelled(_) | Event::ItemCancelled(_) => cancelled(execution, None),
        // It failed, or its time ran out.
        Event::ExecutionClosing(_) => advanced_or(execution, Timer::ExecutionTimeout),
        // A lost attempt is scheduled again as it was.
        Event::JobScheduled(body) if is_lost(execution, body.job) => Cause::Given,
        Event::DefinitionStored(_)
        | Event::JobStarted(_)
        | Event::JobProgressed(_)
        | Event::JobHeartbeat(_)
        | Event::AttemptLost(_)
        | Event::ItemProgressed(_)
        | Event::ItemSucceeded(_)
        | Event::ItemFailed(_)
        | Event::MapRunChanged(_)
        // Where it goes on after an end is worked out from its history, and not by a definition.
        | Event::ExecutionRedriven(_)
        | Event::PartsKept(_)
        | Event::ExecutionAdmitted(_)
        | Event::ExecutionPaused(_)
        | Event::ExecutionResumed(_)
        | Event::ExecutionDeleted(_)
        | Event::WorkflowPaused(_)
        | Event::WorkflowResumed(_)
        | Event::JobTypePaused(_)
        | Event::JobTypeResumed(_)
        | of_catalogue!()
        | Event::ExecutionSetAside(_) => Cause::Given,
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
        | Event::JobScheduled(_)
        | Event::CleanupStarted(_)
        | Event::CleanupSucceeded(_)
        | Event::ExecutionCompleted(_)
        | Event::ExecutionFailed(_) => Cause::from(Command::Advance),
    }
}

impl From<Command> for Cause {
    fn from(command: Command) -> Self {
        Self::Commands(vec![command])
    }
}

fn started(body: &ExecutionStarted, definition: DefinitionHash) -> Command {
    let start = StartExecution {
        name: body.name.clone(),
        parent: body.parent.clone(),
        rerun_of: body.rerun_of,
        started_as: body.started_as.clone(),
        ..StartExecution::new(body.workflow.clone(), definition, body.input.clone())
    };
    start.into()
}

/// A worker or a callback gave the result, unless an execution told its end.
fn succeeded(execution: &Execution, body: &JobSucceeded) -> Cause {
    let (job, errors) = (body.job, body.errors);
    token(execution, job).map_or(Cause::Given, |token| {
        Cause::from(Command::CompleteJob { job, token, output: body.output.clone(), errors })
    })
}

fn failed(execution: &Execution, body: &JobFailed) -> Cause {
    let job = body.job;
    token(execution, job).map_or(Cause::Given, |token| {
        Cause::from(Command::FailJob { job, token, failure: body.failure.clone() })
    })
}

/// The worker is done, and somebody else gives the result.
fn awaited(execution: &Execution, body: &CallbackAwaited) -> Cause {
    let (job, output) = (body.job, Json::null());
    worker_token(execution, job).map_or(Cause::Given, |token| {
        Cause::from(Command::CompleteJob { job, token, output, errors: 0 })
    })
}

/// Which of its times a job overran.
fn timed_out(body: &JobTimedOut) -> Timer {
    match body.heartbeat {
        false => Timer::JobTimeout(body.job, body.attempt),
        true => Timer::Heartbeat(body.job, body.attempt),
    }
}

fn stop(by: &Arc<str>, reason: &Option<Arc<str>>, force: bool) -> Command {
    Command::CancelExecution { by: by.clone(), reason: reason.clone(), force }
}

/// The execution went on by itself, or this timer's time came.
fn advanced_or(execution: &Execution, timer: Timer) -> Cause {
    let timed = fired(execution, timer);
    Cause::Commands([Command::Advance].into_iter().chain(timed).collect())
}

/// The time of a timer has come.
fn fired(execution: &Execution, timer: Timer) -> Option<Command> {
    let (due, _) = execution.timers.iter().find(|(_, other)| *other == timer)?;
    Some(Command::FireTimer { timer, due: *due, last_heartbeat: None })
}

fn timer(execution: &Execution, timer: Timer) -> Cause {
    // A timer that is not there has been said to fire by a history that is not the engine's.
    fired(execution, timer).map_or(Cause::Given, Cause::from)
}

/// Something stopped: as asked, for lack of time, or because the engine wanted it so.
fn cancelled(execution: &Execution, job: Option<JobId>) -> Cause {
    let mut commands = Vec::new();
    if execution.status == Status::Cancelling {
        let stopped = job.and_then(|job| Some((job, worker_token(execution, job)?)));
        commands.extend(stopped.map(|(job, token)| Command::AcknowledgeCancel { job, token }));
        commands.extend(fired(execution, Timer::CancelDeadline));
        // In its clean-up.
        commands.push(Command::Advance);
    } else {
        commands.push(Command::Advance);
        commands.extend(fired(execution, Timer::ExecutionTimeout));
    }
    commands.extend(fired(execution, Timer::CleanupDeadline));
    Cause::Commands(commands)
}

fn worker_token(execution: &Execution, job: JobId) -> Option<Token> {
    execution.jobs.get(&job)?.token
}

/// What whoever ended a job must have shown: its worker, unless a callback is awaited.
fn token(execution: &Execution, job: JobId) -> Option<Token> {
    let open = execution.jobs.get(&job)?;
    if open.status == JobStatus::Retrying { None } else { open.callback.or(open.token) }
}

/// Whether a crash cut off the job's attempt, and its next one is owed.
fn is_lost(execution: &Execution, job: JobId) -> bool {
    let Some(open) = execution.jobs.get(&job) else { return false };
    let waits = execution.frames.get(&open.frame).is_some_and(|f| f.activity == Activity::Job);
    open.status == JobStatus::Retrying && waits
}
