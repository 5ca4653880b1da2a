//! Commands become events.
//!
//! A decision applies each event as it makes it, because the next one depends on it: a completed
//! job leads through exits, choices and entrances to the next job. After `Ok` the execution is just
//! what [`Execution::apply`] makes of the events; after `Err` it is untouched. Replay uses `apply`
//! alone.

mod cancel;
mod child;
mod cleanup;
mod context;
mod delete;
mod ending;
pub(super) mod failure;
mod flow;
mod fork;
mod job;
mod map_run;
mod number;
mod pause;
pub(super) mod probe;
mod redrive;
mod start;
mod state;
mod summary;
mod task;
mod timer;

use std::sync::Arc;

use self::probe::Probe;
use super::command::Command;
use super::event::{Event, ExecutionSetAside};
use super::execution::{Activity, Execution, Status};
use super::id::{ExecutionId, FrameId, Timestamp};
use super::limits::EngineLimits;
use super::mint::Mint;
use super::pause::PauseWish;
use super::program::Program;
use super::rejection::Rejection;

/// What a decision may know besides the execution and the command.
#[derive(Debug, Clone, Copy)]
pub struct DecisionInput<'a> {
    /// The definition that the execution runs.
    pub program: &'a Program,
    /// The time now. A time before the execution's last event is taken as that event's time.
    pub now: Timestamp,
    /// Chance: feeds jitter, `$random()` and `$uuid()`.
    pub seed: u64,
    /// The bounds to hold.
    pub limits: &'a EngineLimits,
    /// Makes ids and tokens.
    pub mint: &'a Mint,
}

/// Decides on `command`, and applies what it decides to `execution`.
///
/// The events belong together: all of them must become durable, or none. All carry the time
/// [`Execution::updated_at`].
///
/// # Errors
/// A rejection when the command is not legal now; the execution is then untouched.
pub fn decide(
    input: DecisionInput<'_>,
    execution: &mut Execution,
    command: Command,
) -> Result<Vec<Event>, Rejection> {
    decide_watched(input, execution, command, None)
}

/// The same, while `probe` watches what flows through one of the states.
pub(super) fn decide_watched(
    input: DecisionInput<'_>,
    execution: &mut Execution,
    command: Command,
    probe: Option<&Probe>,
) -> Result<Vec<Event>, Rejection> {
    let now = input.now.max(execution.updated_at);
    let events = Vec::with_capacity(6);
    let action = command.action();
    // Who starts a job does so inside of another decision, and looks at what that one owes. What is
    // ready goes on with the next command.
    let goes_on = !matches!(command, Command::StartJob { .. });
    let mut decision = Decision { input, now, execution, action, events, draws: 0, probe };
    decision.take(command)?;
    if goes_on {
        decision.run();
    }
    let events = decision.events;
    debug_assert_eq!(super::invariants::check(execution), Ok(()), "after {events:?}");
    debug_assert!(!events.is_empty(), "a command that changes nothing is refused");
    Ok(events)
}

/// A decision in the making.
struct Decision<'a> {
    input: DecisionInput<'a>,
    now: Timestamp,
    execution: &'a mut Execution,
    /// What is asked, for refusals.
    action: &'static str,
    events: Vec<Event>,
    /// How many numbers have been drawn from the seed.
    draws: u64,
    /// Watches one state, when a single state is tested.
    probe: Option<&'a Probe>,
}

impl Decision<'_> {
    fn take(&mut self, command: Command) -> Result<(), Rejection> {
        match command {
            Command::StartExecution(start) => self.start_execution(start),
            Command::AdmitExecution => self.admit_execution(),
            Command::StartJob { job, attempt, worker, token } => {
                self.start_job(job, attempt, worker, token)
            }
            Command::ReportProgress { job, token, percent, message, processed, total } => {
                self.report_progress(job, token, job::Report { percent, message, processed, total })
            }
            Command::CompleteJob { job, token, output, errors } => {
                self.complete_job(job, token, output, errors)
            }
            Command::FailJob { job, token, failure } => self.fail_job(job, token, failure),
            Command::AcknowledgeCancel { job, token } => self.acknowledge_cancel(job, token),
            Command::Heartbeat { job, token } => self.heartbeat(job, token),
            Command::ChildStarted { child, at } => self.child_started(child, at),
            Command::ChildRefused { child, failure } => self.child_refused(child, failure),
            Command::ChildProgressed { child, percent } => self.child_progressed(child, percent),
            Command::ChildEnded { child, end } => self.child_ended(child, end.as_deref()),
            Command::LoseAttempts { jobs, stopped } => self.lose_attempts(&jobs, stopped),
            Command::FireTimer { timer, due, last_heartbeat } => {
                self.fire_timer(timer, due, last_heartbeat)
            }
            Command::Advance => self.advance(),
            Command::RedriveExecution { by, reason, plan, pause } => {
                self.redrive(by, reason, *plan, pause)
            }
            Command::ChangeMapRun { run, wish, by } => self.change_map_run(run, wish, by),
            Command::SkipBackoff => self.skip_backoff(),
            Command::PauseExecution { scope, by, reason } => {
                self.pause_execution(scope, PauseWish { by, reason })
            }
            Command::ResumeExecution { scope, by } => self.resume_execution(scope, by),
            Command::CancelExecution { by, reason, force: false } => {
                self.cancel_execution(by, reason)
            }
            Command::CancelExecution { by, reason, force: true } => self.force_cancel(by, reason),
            Command::SetAside { reason } => self.set_aside_on_request(reason),
            Command::DeleteExecution { by, reason } => self.delete_execution(by, reason),
        }
    }

    /// Records an event: it is applied at once.
    fn emit(&mut self, event: impl Into<Event>) {
        let event = event.into();
        self.execution.apply(&event, self.now);
        self.events.push(event);
    }

    /// Steps every frame that is owed a step, until none is, or the decision is long enough.
    fn run(&mut self) {
        while !self.execution.status.is_terminal() && self.execution.set_aside.is_none() {
            let Some(frame) = self.execution.ready.first().copied() else { break };
            if self.events.len() >= self.input.limits.decision_events {
                break;
            }
            let before = self.execution.cleanup.as_ref().map_or(0, |cleanup| cleanup.events_before);
            if self.execution.counted_events() - before >= self.input.limits.history_events {
                self.fail_for_long_history();
                break;
            }
            self.step(frame);
        }
    }

    /// Does the next thing in a frame.
    fn step(&mut self, id: FrameId) {
        let Some(frame) = self.execution.frames.get(&id) else { return };
        let Some(name) = frame.state.clone() else {
            return match self.input.program.machine(self.execution.map()) {
                Some(machine) => self.enter(id, machine.start_at.clone()),
                None => self.set_aside("the definition has no such distributed Map"),
            };
        };
        let Some(state) = self.input.program.state(&name) else {
            let reason = format!("the definition has no state called {name:?}");
            return self.set_aside(&reason);
        };
        if let Some(failure) = frame.failure.clone() {
            return self.handle_failure(id, state, failure);
        }
        let joins = matches!(frame.activity, Activity::Forked(_));
        let outcome = if joins {
            self.drive_fork(id, state)
        } else if frame.result.is_some() {
            self.go_on_with_result(id, state)
        } else {
            self.execute(id, state)
        };
        if let Err(failure) = outcome {
            self.handle_failure(id, state, failure);
        }
    }

    /// Refuses what is not legal now.
    fn require(&self, allowed: &[Status]) -> Result<(), Rejection> {
        self.execution.require(self.action, allowed)
    }

    fn advance(&mut self) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        self.require_not_paused()?;
        if self.execution.ready.is_empty() { Err(Rejection::NothingToDo) } else { Ok(()) }
    }

    fn set_aside_on_request(&mut self, reason: Arc<str>) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        self.emit(ExecutionSetAside { reason });
        Ok(())
    }

    fn set_aside(&mut self, reason: &str) {
        self.emit(ExecutionSetAside { reason: reason.into() });
    }

    /// The id of what the next event begins; each event begins one thing at most.
    fn next_id(&self) -> ExecutionId {
        self.input.mint.id(self.now, self.execution.id, self.execution.sequence + 1)
    }

    /// A number that nobody can guess and replay need not draw again.
    fn draw(&mut self) -> u64 {
        self.draws += 1;
        split_mix(self.input.seed.wrapping_add(self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// SplitMix64's mixing of one number.
fn split_mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
