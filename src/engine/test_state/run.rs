//! Driving one state: commands as workers and timers would send them, until the state is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{ErrorDetails, StateTest, TestError, TestedStatus};
use crate::engine::command::Command;
use crate::engine::decide::probe::Probe;
use crate::engine::decide::{DecisionInput, decide_watched, failure};
use crate::engine::event::{Data, Event, ExecutionStarted, Failure, StateEntered};
use crate::engine::execution::{Activity, Execution, Timer};
use crate::engine::id::{ExecutionId, FrameId, JobId, Timestamp, Token};
use crate::engine::limits::EngineLimits;
use crate::engine::mint::Mint;
use crate::engine::program::Program;
use crate::engine::rejection::Rejection;
use crate::language::{Json, State, StateName};

/// More steps than any state takes from its entrance to its exit.
const MOST_STEPS: usize = 16;

/// How the state ended.
pub(super) struct Outcome {
    pub(super) status: TestedStatus,
    pub(super) output: Option<Json>,
    pub(super) failure: Option<Failure>,
    pub(super) next: Option<StateName>,
    pub(super) variables: BTreeMap<Arc<str>, Json>,
    pub(super) events: Vec<Event>,
    pub(super) taken_by: ErrorDetails,
}

/// How far a Map came without its parts.
pub(super) enum Taken {
    /// It failed before.
    Ended(Outcome),
    /// Up to its parts.
    Forked(Forked),
}

/// A Map that has opened.
pub(super) struct Forked {
    pub(super) items: Json,
    /// How many there are.
    pub(super) count: u32,
    /// How many of them may fail.
    pub(super) tolerated: u32,
}

/// An execution that stands in the state.
pub(super) struct Bench<'t> {
    program: &'t Program,
    test: &'t StateTest,
    probe: &'t Probe,
    limits: EngineLimits,
    mint: Mint,
    execution: Execution,
    now: Timestamp,
    events: Vec<Event>,
}

impl<'t> Bench<'t> {
    pub(super) fn new(
        program: &'t Program,
        state: &State,
        test: &'t StateTest,
        limits: &EngineLimits,
        probe: &'t Probe,
    ) -> Self {
        let mut execution = Execution::new(ExecutionId(Uuid::nil()));
        let started = ExecutionStarted {
            workflow: "test".into(),
            definition: program.workflow.hash,
            name: None,
            input: test.input.clone(),
            deadline: None,
            parent: None,
            place: None,
            rerun_of: None,
            started_as: None,
        };
        let (frame, input) = (FrameId::ROOT, Data::Kept);
        let entered = StateEntered { frame, state: state.name.clone(), input, progress: 0 };
        execution.apply(&started.into(), test.now);
        execution.apply(&entered.into(), test.now);
        if let Some(frame) = execution.frames.get_mut(&FrameId::ROOT) {
            frame.variables.clone_from(&test.variables);
            frame.retries = used_retries(state, test);
        }
        // One event and no more: each decision takes one step, so that none goes past the state.
        let limits = EngineLimits { decision_events: 1, ..limits.clone() };
        // Whoever gets a token here has nobody to call back.
        let mint = Mint::new([0; 32]);
        let (now, events) = (test.now, Vec::new());
        Self { program, test, probe, limits, mint, execution, now, events }
    }

    /// Runs until the state is left, failed for good, or waits to be tried again.
    pub(super) fn run_to_end(mut self) -> Result<Outcome, TestError> {
        for _ in 0..MOST_STEPS {
            if let Some(outcome) = self.outcome() {
                return Ok(outcome);
            }
            self.step()?;
        }
        Err(stuck())
    }

    /// Runs a Map until its first part has its input.
    pub(super) fn run_until_forked(&mut self) -> Result<Taken, TestError> {
        self.command(Command::Advance)?;
        if let (Some(items), None) = (self.test.items_read.clone(), self.outcome_now()) {
            self.read(items)?;
            self.command(Command::Advance)?;
        }
        let opened = self.events.iter().find_map(|event| match event {
            Event::ForkStarted(body) => Some(body.clone()),
            _ => None,
        });
        let Some(opened) = opened else { return self.ended() };
        if opened.total > 0 {
            self.command(Command::Advance)?;
            if let Some(outcome) = self.outcome() {
                return Ok(Taken::Ended(outcome));
            }
        }
        let items = match opened.items {
            Some(Data::New(items)) => items,
            Some(Data::Result) => self.test.items_read.clone().unwrap_or_else(Json::null),
            Some(Data::Kept) | None => self.test.input.clone(),
        };
        let count = opened.batch_ends.last().copied().unwrap_or(opened.total);
        Ok(Taken::Forked(Forked { items, count, tolerated: opened.tolerated_failures }))
    }

    /// Is the reader of a Map's items.
    fn read(&mut self, items: Json) -> Result<(), TestError> {
        let job = JobId(1);
        let token = Token([0; 16]);
        self.command(Command::StartJob { job, attempt: 1, worker: "test".into(), token })?;
        self.command(Command::CompleteJob { job, token, output: items, errors: 0 })
    }

    fn ended(&mut self) -> Result<Taken, TestError> {
        self.outcome().map(Taken::Ended).ok_or_else(stuck)
    }

    /// Does what the state waits for.
    fn step(&mut self) -> Result<(), TestError> {
        let frame = self.execution.frames.get(&FrameId::ROOT);
        let waits_for = frame.map(|frame| (frame.activity.clone(), frame.job));
        match waits_for {
            Some((Activity::Job, Some(job))) => self.work(job),
            Some((Activity::Waiting(until), _)) => {
                self.now = until.max(self.now);
                let timer = Timer::Wait(FrameId::ROOT);
                self.command(Command::FireTimer { timer, due: until, last_heartbeat: None })
            }
            _ => self.command(Command::Advance),
        }
    }

    /// Is the worker that the mock speaks for, or whoever calls back.
    fn work(&mut self, job: JobId) -> Result<(), TestError> {
        let callback = self.execution.jobs.get(&job).and_then(|job| job.callback);
        let token = callback.unwrap_or(Token([0; 16]));
        if callback.is_none() {
            self.command(Command::StartJob { job, attempt: 1, worker: "test".into(), token })?;
        }
        self.command(match self.test.mock.clone() {
            Some(Ok(output)) => Command::CompleteJob { job, token, output, errors: 0 },
            Some(Err(failure)) => Command::FailJob { job, token, failure },
            None => Command::AcknowledgeCancel { job, token },
        })
    }

    fn command(&mut self, command: Command) -> Result<(), TestError> {
        let input = DecisionInput {
            program: self.program,
            now: self.now,
            seed: self.test.seed,
            limits: &self.limits,
            mint: &self.mint,
        };
        let events = decide_watched(input, &mut self.execution, command, Some(self.probe))?;
        self.events.extend(events);
        Ok(())
    }

    /// Whether the state has ended.
    fn outcome_now(&self) -> Option<TestedStatus> {
        self.events.iter().find_map(|event| match event {
            Event::ExecutionFailed(_) => Some(TestedStatus::Failed),
            Event::FailureCaught(_) => Some(TestedStatus::CaughtError),
            Event::RetryScheduled(_) => Some(TestedStatus::Retriable),
            _ => None,
        })
    }

    /// What took the failure: of one that nothing took, the retrier that would, had it not been used
    /// up.
    fn taken_by(&self) -> ErrorDetails {
        let state = self.program.state(&self.test.state);
        let used_up = |error: &str| {
            let mut retry = state.into_iter().flat_map(|state| &state.retry);
            let place = retry.position(|retrier| failure::matches(&retrier.error_equals, error));
            place.and_then(|place| u32::try_from(place).ok())
        };
        let told = self.events.iter().find_map(|event| match event {
            Event::FailureCaught(body) => {
                Some(ErrorDetails { catch_index: Some(body.catcher), ..ErrorDetails::default() })
            }
            Event::RetryScheduled(body) => Some(ErrorDetails {
                retry_index: Some(body.retrier),
                retry_backoff_interval_seconds: Some(body.due.ms_since(self.now).div_ceil(1000)),
                ..ErrorDetails::default()
            }),
            Event::ExecutionFailed(body) => Some(ErrorDetails {
                retry_index: used_up(&body.failure.error),
                ..ErrorDetails::default()
            }),
            _ => None,
        });
        told.unwrap_or_default()
    }

    /// What the events say about the state's end.
    fn outcome(&mut self) -> Option<Outcome> {
        let taken_by = self.taken_by();
        let (status, failure, assigned) = self.events.iter().find_map(|event| match event {
            Event::StateExited(body) if body.frame == FrameId::ROOT => {
                Some((TestedStatus::Succeeded, None, body.assigned.clone()))
            }
            Event::FailureCaught(body) if body.frame == FrameId::ROOT => {
                let failure = Some(body.failure.clone());
                Some((TestedStatus::CaughtError, failure, body.assigned.clone()))
            }
            Event::RetryScheduled(body) if body.frame == FrameId::ROOT => {
                Some((TestedStatus::Retriable, Some(body.failure.clone()), Vec::new()))
            }
            Event::ExecutionFailed(body) => {
                Some((TestedStatus::Failed, Some(body.failure.clone()), Vec::new()))
            }
            _ => None,
        })?;
        let next = self.events.iter().find_map(|event| match event {
            Event::StateEntered(body) if body.frame == FrameId::ROOT => Some(body.state.clone()),
            _ => None,
        });
        let left = matches!(status, TestedStatus::Succeeded | TestedStatus::CaughtError);
        let data = || self.execution.frames.get(&FrameId::ROOT).map(|frame| frame.data.clone());
        let mut variables = self.test.variables.clone();
        variables.extend(assigned);
        Some(Outcome {
            status,
            output: self.execution.output.clone().or_else(data).filter(|_| left),
            failure,
            next,
            variables,
            events: std::mem::take(&mut self.events),
            taken_by,
        })
    }
}

fn stuck() -> TestError {
    TestError::Refused { rejection: Rejection::NothingToDo }
}

/// The counts of the state's retriers: that of the one that takes the mocked failure is given.
fn used_retries(state: &State, test: &StateTest) -> Vec<u32> {
    let Some(Err(mocked)) = &test.mock else { return Vec::new() };
    let taker = state.retry.iter().position(|r| failure::matches(&r.error_equals, &mocked.error));
    let count = |index| if Some(index) == taker { test.retried } else { 0 };
    (0..state.retry.len()).map(count).collect()
}
