//! One execution under made-up workers: any command at any time, against the pure engine.
//!
//! After every command the simulation holds what must always be so: the invariants, that a replay
//! gives the live state, that a refusal changes nothing, that effects as they come add up to what
//! is owed, that a saved fold reads back, that progress does not fall.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::children;
use super::generate::{input, result};
use super::random::Random;
use crate::engine::event::MapRunWish;
use crate::engine::invariants::{check, check_history};
use crate::engine::{
    Command, DecisionInput, Effect, EngineLimits, Event, Execution, ExecutionId, Failure, JobId,
    JobStatus, Mint, PauseScope, PauseWish, Program, RedriveRequest, Rejection, StartExecution,
    Status, Timer, Timestamp, Token, decide, effects_after, pending_effects, redrive,
};
use crate::language::{Json, StateName};
use crate::store::Record;
use crate::store::codec::{decode_execution, encode_execution};

/// When every simulation begins.
const START: Timestamp = Timestamp(1_700_000_000_000);
/// Commands after which a simulation gives up on chaos and works towards the end.
const CHAOS: u32 = 400;
/// Commands after which an execution must have ended.
const PATIENCE: u32 = 20_000;

/// An execution with the world around it.
#[derive(Debug)]
pub struct Simulation {
    program: Program,
    /// The execution as it stands.
    pub execution: Execution,
    /// All that happened to it.
    pub history: Vec<(Event, Timestamp)>,
    random: Random,
    limits: EngineLimits,
    mint: Mint,
    now: Timestamp,
    owed: BTreeSet<Effect>,
    tokens: Vec<(JobId, Token)>,
}

impl Simulation {
    /// All that happened to it, as a log that holds nothing else has it.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let stream = self.execution.stream();
        let record = |(sequence, (event, time)): (u64, &(Event, Timestamp))| Record {
            stream,
            sequence,
            position: sequence,
            time: *time,
            event: Arc::new(event.clone()),
        };
        (1..).zip(&self.history).map(record).collect()
    }

    /// An execution of `program` that has not begun.
    #[must_use]
    pub fn new(program: Program, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut limits = EngineLimits::default();
        if random.one_in(3) {
            limits.decision_events = 1 + random.index(8);
        }
        Self {
            program,
            execution: Execution::new(ExecutionId(uuid::Uuid::from_u128(u128::from(seed)))),
            history: Vec::new(),
            random,
            limits,
            mint: Mint::new([7; 32]),
            now: START,
            owed: BTreeSet::new(),
            tokens: Vec::new(),
        }
    }

    /// Starts the execution and gives it made-up commands until it ends.
    ///
    /// # Errors
    /// What must always be so and is not, in words.
    pub fn run(&mut self) -> Result<(), String> {
        let start = self.start_command();
        self.give(start)?.map_err(|rejection| rejection.to_string())?;
        self.run_to_the_end()?;
        while self.random.one_in(2) && self.execution.status.can_be_redriven() {
            self.redrive()?;
            self.run_to_the_end()?;
        }
        self.delete()
    }

    /// Deletes it, or not.
    fn delete(&mut self) -> Result<(), String> {
        if self.random.one_in(2) {
            return Ok(());
        }
        self.give(delete_command())?.map_err(|rejection| rejection.to_string())?;
        let late = self.any_command();
        self.refused(late, "after the deletion")?;
        self.refused(delete_command(), "after the deletion")
    }

    /// Goes on after the end, from anywhere.
    fn redrive(&mut self) -> Result<(), String> {
        let steps: Vec<StateName> = self.execution.steps.keys().cloned().collect();
        let from = self.random.pick(&steps).cloned().filter(|_| self.random.one_in(4));
        let input = self.random.one_in(8).then(|| Json::from_value(&input(self.random.draw())));
        let set = input.map(|input| ("$".to_owned(), input)).into_iter().collect();
        let mut request = RedriveRequest { from, set };
        let history = self.history.clone();
        let plan = |request: &RedriveRequest| {
            let history = history.iter().map(|(event, at)| (event, *at));
            redrive::plan(self.execution.id, history, &self.program, request)
        };
        let plan = plan(&request).or_else(|rejection| {
            // A step that an earlier redrive took back is no place to go back to.
            request.from = None;
            if matches!(rejection, Rejection::StepNotEntered { .. }) {
                plan(&request)
            } else {
                Err(rejection)
            }
        });
        let plan = Box::new(plan.map_err(|rejection| rejection.to_string())?);
        let command =
            Command::RedriveExecution { by: "anyone".into(), reason: None, plan, pause: None };
        self.give(command)?.map_err(|rejection| rejection.to_string())
    }

    fn run_to_the_end(&mut self) -> Result<(), String> {
        let mut commands = 0;
        while !self.execution.status.is_terminal() {
            commands += 1;
            if commands > PATIENCE {
                return Err(format!("{PATIENCE} commands did not end it: {:?}", self.execution));
            }
            let command = if commands < CHAOS { self.any_command() } else { self.useful_command() };
            drop(self.give(command)?);
        }
        let late = self.any_command();
        self.refused(late, "after the end")
    }

    fn refused(&mut self, command: Command, when: &str) -> Result<(), String> {
        match self.give(command)? {
            Ok(()) => Err(format!("a command was accepted {when}")),
            Err(_) => Ok(()),
        }
    }

    /// Makes what comes next hang on `choice` alone.
    pub fn steer(&mut self, choice: u64) {
        self.random = Random::new(choice);
    }

    /// The command that begins it.
    pub fn start_command(&mut self) -> Command {
        let input = Json::from_value(&input(self.random.draw()));
        let start = StartExecution::new("generated", self.program.workflow.hash, input);
        let is_held = self.random.one_in(10);
        let pause = is_held.then(|| PauseWish { by: "operator".into(), reason: None });
        StartExecution { pause, ..start }.into()
    }

    /// Gives one command and holds everything that must be so after it. The inner result is the
    /// engine's answer.
    ///
    /// # Errors
    /// What must always be so and is not, in words.
    pub fn give(&mut self, command: Command) -> Result<Result<(), Rejection>, String> {
        let before = self.execution.clone();
        let said = format!("{command:?}");
        let decision = DecisionInput {
            program: &self.program,
            now: self.now,
            seed: self.random.draw(),
            limits: &self.limits,
            mint: &self.mint,
        };
        let outcome = decide(decision, &mut self.execution, command);
        let fault = |what: &str| format!("after {said} ({:?}): {what}", before.status);
        let events = match outcome {
            Ok(events) if events.is_empty() => return Err(fault("nothing was recorded")),
            Ok(events) => events,
            Err(_) if self.execution != before => return Err(fault("a refusal changed something")),
            Err(rejection) => return Ok(Err(rejection)),
        };
        let at = self.execution.updated_at;
        self.history.extend(events.iter().cloned().map(|event| (event, at)));
        self.hold(&before, &events).map_err(|what| fault(&what))?;
        Ok(Ok(()))
    }

    fn hold(&mut self, before: &Execution, events: &[Event]) -> Result<(), String> {
        check(&self.execution).map_err(|violation| violation.to_string())?;
        check_history(&self.history).map_err(|violation| violation.to_string())?;
        let history = self.history.iter().map(|(event, at)| (event, *at));
        if Execution::replay(self.execution.id, history) != self.execution {
            return Err("replay differs from the live state".to_owned());
        }
        let is_redriven = self.execution.redrives > before.redrives;
        if self.execution.progress < before.progress && !is_redriven {
            return Err("progress fell".to_owned());
        }
        let saved = encode_execution(&self.execution).map_err(|error| error.to_string())?;
        if decode_execution(&saved).as_ref() != Ok(&self.execution) {
            return Err("a saved fold reads back differently".to_owned());
        }
        self.hold_effects(events)
    }

    /// What was owed and is not done, with what is newly owed, is what is owed.
    fn hold_effects(&mut self, events: &[Event]) -> Result<(), String> {
        let execution = &self.execution;
        self.owed.retain(|effect| match effect {
            // Done, or pointless: the attempt was taken, or is no more.
            Effect::OfferJob { job, attempt } => execution.jobs.get(job).is_some_and(|open| {
                open.attempt == *attempt
                    && open.status == JobStatus::Pending
                    && execution.set_aside.is_none()
                    && !execution.is_paused()
            }),
            Effect::TakePlace => execution.waits_for_place(),
            Effect::RunChild { child } => children::is_wanted(execution, *child),
            Effect::StopChild { child } => execution.leaving.contains_key(child),
            // Both are owed anew after every decision.
            Effect::Advance | Effect::Wake { .. } => false,
        });
        let new = effects_after(execution, events);
        if execution.status.is_terminal() {
            return hold_last_effects(execution, &new);
        }
        for effect in new {
            if !self.owed.insert(effect.clone()) {
                return Err(format!("{effect:?} is owed twice"));
            }
        }
        let pending: BTreeSet<Effect> = pending_effects(execution).into_iter().collect();
        if pending == self.owed {
            Ok(())
        } else {
            Err(format!("owed are {:?}, pending {pending:?}", self.owed))
        }
    }

    /// Any command that somebody might send: sensible, late, repeated or made up.
    pub fn any_command(&mut self) -> Command {
        if self.random.one_in(4) {
            self.now = self.now.plus_ms(self.random.below(3000));
        }
        if self.random.one_in(50) {
            // The wall clock is set back.
            self.now = Timestamp(self.now.0.saturating_sub(self.random.below(10_000)));
        }
        match self.random.below(40) {
            0 => self.start_command(),
            1 if self.random.one_in(3) => Command::AdmitExecution,
            1 => Command::Advance,
            2 | 3 => {
                let jobs = (0..=self.random.below(3)).map(|_| self.any_job()).collect();
                Command::LoseAttempts { jobs, stopped: self.random.one_in(3) }
            }
            4 | 5 => self.stale_command(),
            6 => self.premature_timer(),
            11 if self.random.one_in(2) => Command::SkipBackoff,
            11 => self.map_run_command(),
            7 if self.random.one_in(2) => Command::CancelExecution {
                by: "anyone".into(),
                reason: None,
                force: self.random.one_in(3),
            },
            7 if !self.execution.status.is_terminal() => delete_command(),
            9..=20 if self.execution.status == Status::Cancelling => self.impatient(),
            8 => Command::StartJob {
                job: self.any_job(),
                attempt: u32::try_from(self.random.below(4)).unwrap_or(1),
                worker: "hasty".into(),
                token: Token([9; 16]),
            },
            9 => self.pause_command(),
            10 => self.resume_command(),
            _ => self.useful_command(),
        }
    }

    fn map_run_command(&mut self) -> Command {
        let open = self.execution.frames.values().find_map(|frame| Some(frame.map_run()?.id));
        let mut some = |most| {
            let number = u32::try_from(self.random.below(most)).unwrap_or(0);
            self.random.one_in(2).then_some(number)
        };
        let wish = MapRunWish {
            concurrency: some(4),
            tolerated_count: some(3),
            tolerated_thousandths: some(100_001),
        };
        Command::ChangeMapRun { run: open.unwrap_or_default(), wish, by: "operator".into() }
    }

    fn any_scope(&mut self) -> PauseScope {
        if self.random.one_in(2) { PauseScope::Workflow } else { PauseScope::Execution }
    }

    fn pause_command(&mut self) -> Command {
        let scope = self.any_scope();
        let reason = self.random.one_in(2).then(|| "made up".into());
        Command::PauseExecution { scope, by: "anyone".into(), reason }
    }

    fn resume_command(&mut self) -> Command {
        Command::ResumeExecution { scope: self.any_scope(), by: "anyone".into() }
    }

    /// Somebody who will not wait for a cancel any longer: time is up, or the end is forced.
    fn impatient(&mut self) -> Command {
        let waits_for_others = !self.execution.leaving.is_empty() && self.random.one_in(2);
        if self.random.one_in(2) || waits_for_others {
            return self.next_timer();
        }
        if let Some(cancel) = &self.execution.cancel {
            self.now = self.now.max(cancel.deadline);
        }
        Command::CancelExecution { by: "impatient".into(), reason: None, force: true }
    }

    /// A command that leads on: what is ready, a worker's next word, or the next timer.
    pub fn useful_command(&mut self) -> Command {
        if self.execution.waits_for_place() {
            return Command::AdmitExecution;
        }
        if !self.execution.ready.is_empty() {
            return Command::Advance;
        }
        let paused = self.execution.pauses.all().next().map(|(scope, _)| scope);
        if let Some(scope) = paused
            && self.random.one_in(4)
        {
            return Command::ResumeExecution { scope, by: "operator".into() };
        }
        let children = children::known(&self.execution);
        if let Some(child) = self.random.pick(&children).copied()
            && self.random.one_in(2)
        {
            return children::word(&mut self.random, child, self.now);
        }
        let jobs: Vec<JobId> = self.execution.jobs.keys().copied().collect();
        let has_timer = !self.execution.timers.is_empty();
        match self.random.pick(&jobs).copied() {
            Some(job) if !has_timer || !self.random.one_in(4) => {
                self.worker_command(job).unwrap_or_else(|| self.next_timer())
            }
            _ => self.next_timer(),
        }
    }

    /// The executions that this one began, and which are not known to have ended.
    #[must_use]
    pub fn children(&self) -> Vec<ExecutionId> {
        children::known(&self.execution)
    }

    fn any_job(&mut self) -> JobId {
        let most = u64::from(self.execution.job_count) + 2;
        JobId(u32::try_from(self.random.below(most)).unwrap_or(0))
    }

    fn worker_command(&mut self, job: JobId) -> Option<Command> {
        let open = self.execution.jobs.get(&job)?;
        let attempt = open.attempt;
        if open.child.is_some() && open.status == JobStatus::Running {
            let child = open.child.as_ref().map(|child| child.execution)?;
            return Some(children::word(&mut self.random, child, self.now));
        }
        let calls_back = open.callback.filter(|_| {
            open.status == JobStatus::Waiting || (open.token.is_some() && self.random.one_in(3))
        });
        if let Some(token) = calls_back
            && self.random.one_in(4)
        {
            return Some(Command::Heartbeat { job, token });
        }
        let Some(token) = calls_back.or(open.token) else {
            if open.status != JobStatus::Pending {
                return None;
            }
            let token = Token(uuid::Uuid::from_u64_pair(self.random.draw(), 1).into_bytes());
            self.tokens.push((job, token));
            return Some(Command::StartJob { job, attempt, worker: "worker".into(), token });
        };
        Some(match self.random.below(8) {
            0 | 1 => {
                let failure = children::failure(&mut self.random);
                Command::FailJob { job, token, failure }
            }
            2 => Command::AcknowledgeCancel { job, token },
            3 | 4 => Command::ReportProgress {
                job,
                token,
                percent: u8::try_from(self.random.below(340)).ok(),
                message: self.random.one_in(2).then(|| "at work".into()),
                processed: self.random.one_in(3).then(|| self.random.below(9)),
                total: Some(7),
            },
            _ => {
                let output = Json::from_value(&result(self.random.draw()));
                Command::CompleteJob { job, token, output, errors: 0 }
            }
        })
    }

    /// A worker that does not know that its attempt is over.
    fn stale_command(&mut self) -> Command {
        let made_up = (JobId(1), Token([0; 16]));
        let (job, token) = self.random.pick(&self.tokens).copied().unwrap_or(made_up);
        match self.random.below(3) {
            0 => Command::AcknowledgeCancel { job, token },
            1 => Command::FailJob { job, token, failure: Failure::new("Late", "late") },
            _ => Command::CompleteJob { job, token, output: Json::null(), errors: 0 },
        }
    }

    fn premature_timer(&mut self) -> Command {
        let timer = match self.random.below(4) {
            0 => Timer::ExecutionTimeout,
            1 => Timer::JobTimeout(self.any_job(), 1),
            2 => Timer::CleanupDeadline,
            _ => Timer::CancelDeadline,
        };
        Command::FireTimer { timer, due: self.now, last_heartbeat: None }
    }

    /// The earliest timer, at its time; sometimes with a late sign of life.
    pub fn next_timer(&mut self) -> Command {
        let first = self.execution.timers.first().copied();
        let (due, timer) = first.unwrap_or((self.now, Timer::CancelDeadline));
        self.now = self.now.max(due);
        let last_heartbeat = self.random.one_in(2).then_some(self.now);
        Command::FireTimer { timer, due, last_heartbeat }
    }
}

fn delete_command() -> Command {
    Command::DeleteExecution { by: "anyone".into(), reason: Some("no longer needed".into()) }
}

/// After the end nothing is owed, but that what a forced end left behind is told to stop.
fn hold_last_effects(execution: &Execution, new: &[Effect]) -> Result<(), String> {
    let cancel = execution.cancel.as_ref().filter(|_| execution.deleted.is_none());
    let forced = cancel.and_then(|cancel| cancel.forced.as_ref());
    let left = forced.into_iter().flat_map(|forced| &forced.abandoned);
    let wanted: Vec<Effect> = left.map(|child| Effect::StopChild { child: *child }).collect();
    if new == wanted && pending_effects(execution).is_empty() {
        Ok(())
    } else {
        Err(format!("after the end {new:?} are owed, and not {wanted:?}"))
    }
}
