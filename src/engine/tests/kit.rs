//! Given a definition, when commands come, then events: what the tests of the engine are written
//! with. Time stands still unless a test moves it; every command's outcome is held against the
//! invariants and against a replay.

use std::fmt::Write as _;

use serde_json::Value;
use uuid::Uuid;

use crate::engine::invariants::{check, check_history};
use crate::engine::{
    Command, DecisionInput, EngineLimits, Event, Execution, ExecutionId, Failure, JobId, JobStatus,
    Link, Mint, Parent, Program, RedrivePlan, RedriveRequest, Rejection, StartExecution, Timer,
    Timestamp, Token, decide, redrive,
};
use crate::language::{self, Format, Json};

/// When every test begins.
pub(in crate::engine) const START: Timestamp = Timestamp(1_700_000_000_000);

/// An execution under test, with all that happened to it.
pub(in crate::engine) struct Run {
    pub(in crate::engine) program: Program,
    pub(in crate::engine) execution: Execution,
    pub(in crate::engine) history: Vec<(Event, Timestamp)>,
    /// The events of the last command.
    pub(in crate::engine) last: Vec<Event>,
    pub(in crate::engine) now: Timestamp,
    pub(in crate::engine) limits: EngineLimits,
    pub(in crate::engine) mint: Mint,
    pub(in crate::engine) seed: u64,
    tokens: u8,
}

/// Reads a definition.
pub(in crate::engine) fn given(definition: &Value) -> Run {
    let options = language::Options::default();
    let workflow = language::parse(&definition.to_string(), Format::Json, &options)
        .unwrap_or_else(|faults| panic!("the definition of the test is wrong: {faults:#?}"));
    Run {
        program: Program::new(workflow),
        execution: Execution::new(ExecutionId(Uuid::from_u128(7))),
        history: Vec::new(),
        last: Vec::new(),
        now: START,
        limits: EngineLimits::default(),
        mint: Mint::new([3; 32]),
        seed: 1,
        tokens: 0,
    }
}

impl Run {
    pub(in crate::engine) fn limits(mut self, change: impl FnOnce(&mut EngineLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(in crate::engine) fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts the execution.
    pub(in crate::engine) fn started(mut self, input: &Value) -> Self {
        self.when(self.start_command(input));
        self
    }

    pub(in crate::engine) fn start(&self, input: &Value) -> StartExecution {
        StartExecution::new("w", self.program.workflow.hash, Json::from_value(input))
    }

    pub(in crate::engine) fn start_command(&self, input: &Value) -> Command {
        self.start(input).into()
    }

    /// Starts it as another execution does that has it at the end of this link.
    pub(in crate::engine) fn start_for(
        &mut self,
        execution: ExecutionId,
        link: Link,
        input: &Value,
    ) {
        let parent = Some(Parent { execution, link, depth: 1 });
        self.when(StartExecution { parent, ..self.start(input) }.into());
    }

    /// Gives a command; a refusal must change nothing.
    pub(in crate::engine) fn try_command(&mut self, command: Command) -> Result<(), Rejection> {
        let before = self.execution.clone();
        let input = DecisionInput {
            program: &self.program,
            now: self.now,
            seed: self.seed,
            limits: &self.limits,
            mint: &self.mint,
        };
        let events = match decide(input, &mut self.execution, command) {
            Ok(events) => events,
            Err(rejection) => {
                assert_eq!(self.execution, before, "a rejection changed something");
                return Err(rejection);
            }
        };
        let at = self.execution.updated_at;
        self.history.extend(events.iter().cloned().map(|event| (event, at)));
        self.last = events;
        let history = self.history.iter().map(|(event, at)| (event, *at));
        assert_eq!(Execution::replay(self.execution.id, history), self.execution);
        assert_eq!(check(&self.execution), Ok(()));
        assert_eq!(check_history(&self.history), Ok(()));
        Ok(())
    }

    /// Gives a command that must be accepted.
    pub(in crate::engine) fn when(&mut self, command: Command) {
        if let Err(rejection) = self.try_command(command) {
            panic!("refused: {rejection}");
        }
    }

    /// The only open job in one of these statuses.
    fn only_job(&self, wanted: &[JobStatus]) -> JobId {
        let jobs = self.execution.jobs.iter();
        let ids: Vec<JobId> =
            jobs.filter(|(_, job)| wanted.contains(&job.status)).map(|(id, _)| *id).collect();
        let [only] = ids.as_slice() else { panic!("{wanted:?} are {ids:?}, not one") };
        *only
    }

    /// Lets a worker take a job; gives its token.
    pub(in crate::engine) fn take(&mut self, job: u32) -> Token {
        self.tokens += 1;
        let token = Token([self.tokens; 16]);
        let job = JobId(job);
        let attempt = self.execution.jobs[&job].attempt;
        self.when(Command::StartJob { job, attempt, worker: "test".into(), token });
        token
    }

    /// Lets a worker take the only pending job.
    pub(in crate::engine) fn take_only(&mut self) -> Token {
        let job = self.only_job(&[JobStatus::Pending]);
        self.take(job.0)
    }

    fn token_of(&mut self, job: u32) -> Token {
        match self.execution.jobs[&JobId(job)].token {
            Some(token) => token,
            None => self.take(job),
        }
    }

    /// Completes a job, taking it first where nobody has.
    pub(in crate::engine) fn complete(&mut self, job: u32, output: &Value) {
        let token = self.token_of(job);
        let output = Json::from_value(output);
        self.when(Command::CompleteJob { job: JobId(job), token, output, errors: 0 });
    }

    /// Completes the only open job.
    pub(in crate::engine) fn complete_only(&mut self, output: &Value) {
        let job = self.only_job(&[JobStatus::Pending, JobStatus::Running]);
        self.complete(job.0, output);
    }

    /// Fails a job, taking it first where nobody has.
    pub(in crate::engine) fn fail(&mut self, job: u32, error: &str) {
        let token = self.token_of(job);
        let failure = Failure::new(error, "as told");
        self.when(Command::FailJob { job: JobId(job), token, failure });
    }

    pub(in crate::engine) fn fail_only(&mut self, error: &str) {
        let job = self.only_job(&[JobStatus::Pending, JobStatus::Running]);
        self.fail(job.0, error);
    }

    pub(in crate::engine) fn report(
        &mut self,
        job: u32,
        percent: Option<u8>,
        message: Option<&str>,
    ) {
        let token = self.token_of(job);
        let message = message.map(Into::into);
        let job = JobId(job);
        let (processed, total) = (None, None);
        self.when(Command::ReportProgress { job, token, percent, message, processed, total });
    }

    pub(in crate::engine) fn lose(&mut self, job: u32, stopped: bool) {
        self.when(Command::LoseAttempts { jobs: vec![JobId(job)], stopped });
    }

    /// Works out where the execution goes on after its end.
    pub(super) fn plan(&self, request: &RedriveRequest) -> Result<RedrivePlan, Rejection> {
        let history = self.history.iter().map(|(event, at)| (event, *at));
        redrive::plan(self.execution.id, history, &self.program, request)
    }

    /// Goes on after the end, as it is asked for.
    pub(super) fn redrive_with(&mut self, request: &RedriveRequest) {
        let plan = self.plan(request).unwrap_or_else(|rejection| panic!("no plan: {rejection}"));
        let (by, reason) = ("me".into(), None);
        self.when(Command::RedriveExecution { by, reason, plan: Box::new(plan), pause: None });
    }

    /// Goes on after the end.
    pub(super) fn redrive(&mut self) {
        self.redrive_with(&RedriveRequest::default());
    }

    pub(in crate::engine) fn cancel(&mut self) {
        self.when(Command::CancelExecution { by: "me".into(), reason: None, force: false });
    }

    /// Moves the clock on.
    pub(in crate::engine) fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    /// The earliest timer, and how many milliseconds from now it is due.
    pub(in crate::engine) fn next_timer(&self) -> Option<(u64, Timer)> {
        self.execution.timers.first().map(|(due, timer)| (due.ms_since(self.now), *timer))
    }

    /// Moves the clock to the earliest timer and fires it; gives how long that took.
    pub(in crate::engine) fn fire_next(&mut self) -> u64 {
        let (due, timer) = *self.execution.timers.first().unwrap();
        let waited = due.ms_since(self.now);
        self.now = self.now.max(due);
        self.when(Command::FireTimer { timer, due, last_heartbeat: None });
        waited
    }

    /// Names of the last command's events, with spaces between.
    pub(in crate::engine) fn names(&self) -> String {
        let mut names = String::new();
        for event in &self.last {
            let _ = write!(names, "{} ", event.name());
        }
        names.trim_end().to_owned()
    }

    /// How many events of this name there have been.
    pub(in crate::engine) fn count(&self, name: &str) -> usize {
        self.history.iter().filter(|(event, _)| event.name() == name).count()
    }

    pub(in crate::engine) fn status(&self) -> &'static str {
        self.execution.status.as_str()
    }

    /// The output; the execution must have completed.
    pub(in crate::engine) fn output(&self) -> Value {
        let failure = &self.execution.failure;
        let output = self.execution.output.as_ref();
        output.unwrap_or_else(|| panic!("{}: {failure:?}", self.status())).value()
    }

    /// The error's name; the execution must have failed.
    pub(in crate::engine) fn error(&self) -> String {
        let failure = self.execution.failure.as_ref();
        failure.unwrap_or_else(|| panic!("{}", self.status())).error.to_string()
    }

    /// The cause; the execution must have failed.
    pub(in crate::engine) fn cause(&self) -> String {
        let failure = self.execution.failure.as_ref();
        failure.unwrap_or_else(|| panic!("{}", self.status())).cause.to_string()
    }

    /// What the worker of a job gets.
    pub(in crate::engine) fn job_input(&self, job: u32) -> Value {
        self.execution.jobs[&JobId(job)].input.value()
    }

    /// The open jobs.
    pub(in crate::engine) fn open_jobs(&self) -> Vec<u32> {
        self.execution.jobs.keys().map(|id| id.0).collect()
    }
}
