//! Views of executions that the engine's own decisions made.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::engine::event::{ExecutionCancelled, StateEntered};
use crate::engine::{
    Command, Data, DecisionInput, EngineLimits, Event, Execution, ExecutionId, FrameId, JobId,
    Program, Timestamp, Token, decide,
};
use crate::language::{self, Format, Json, Options};
use crate::store::Record;

const WORKFLOW: &str = r#"
Title: Three steps
StartAt: Fetch
States:
  Fetch:
    Type: Task
    Title: Fetch things
    Resource: fetch
    Weight: 2
    Retry: [{ErrorEquals: [Flaky], IntervalSeconds: 10}]
    Next: Which
  Which:
    Type: Choice
    Weight: 0
    Choices: [{Variable: $.big, BooleanEquals: true, Next: Split}]
    Default: Done
  Split: {Type: Pass, Next: Done}
  Done: {Type: Wait, Seconds: 60, End: true}
"#;

/// An execution that is driven by commands, with its history.
struct Run {
    program: Program,
    execution: Execution,
    history: Vec<Record>,
    now: u64,
}

impl Run {
    fn start() -> Self {
        let workflow =
            language::parse(WORKFLOW, Format::Yaml, &Options::default()).expect("it is valid");
        let definition = workflow.hash;
        let mut run = Self {
            program: Program::new(workflow),
            execution: Execution::new(ExecutionId(Uuid::from_u128(7))),
            history: Vec::new(),
            now: 1_700_000_000_000,
        };
        run.command(Command::StartExecution {
            workflow: "three".into(),
            definition,
            name: None,
            input: Json::empty_object(),
            parent: None,
        });
        run
    }

    fn command(&mut self, command: Command) {
        self.now += 1000;
        let limits = EngineLimits::default();
        let input = DecisionInput {
            program: &self.program,
            now: Timestamp(self.now),
            seed: 1,
            limits: &limits,
            mint: &crate::engine::Mint::new([0; 32]),
        };
        let first = self.execution.sequence + 1;
        let events = decide(input, &mut self.execution, command).expect("it is legal");
        for (sequence, event) in (first..).zip(events) {
            let record = Record {
                stream: self.execution.stream(),
                sequence,
                position: sequence,
                time: self.execution.updated_at,
                event: Arc::new(event),
            };
            self.history.push(record);
        }
    }

    fn start_job(&mut self, attempt: u32) {
        let token = Token([9; 16]);
        self.command(Command::StartJob { job: JobId(1), attempt, worker: "w-1".into(), token });
    }

    fn card(&self) -> Card {
        Card::of(&self.program, &self.execution, Timestamp(self.now))
    }

    fn statuses(&self) -> Vec<&'static str> {
        self.card().steps.iter().map(|step| step.status).collect()
    }

    fn report(&self) -> Report {
        let mut verifier = Verifier::default();
        self.history.iter().for_each(|record| verifier.take(record));
        verifier.finish()
    }

    fn checks(&self) -> Vec<&'static str> {
        self.report().faults.iter().map(|fault| fault.check).collect()
    }
}

const TOKEN: Token = Token([9; 16]);

#[test]
fn a_card_has_every_step_and_the_job_at_work() {
    let mut run = Run::start();
    run.start_job(1);
    run.command(Command::ReportProgress {
        job: JobId(1),
        token: TOKEN,
        percent: Some(50),
        message: Some("half of it".into()),
        processed: None,
        total: None,
    });
    let card = run.card();
    assert_eq!(run.statuses(), ["running", "pending", "pending"]);
    assert_eq!((card.current_step, card.total_steps), (Some(1), 3));
    assert_eq!(card.step_name.as_deref(), Some("Fetch things"));
    assert_eq!(card.steps[0].progress, 50);
    // Half of 2 out of 4.
    assert_eq!(card.progress, 25);
    let job = card.active_sub_job.unwrap();
    assert_eq!((job.id.as_str(), job.progress), ("00000000-0000-0000-0000-000000000007:1", 50));
    assert_eq!(card.message.as_deref(), Some("half of it"));
    assert!(card.waiting.is_none(), "somebody is at work");
}

#[test]
fn a_card_says_what_is_waited_for() {
    let mut run = Run::start();
    let waiting = run.card().waiting.unwrap();
    assert_eq!((waiting.reason, waiting.job_type.as_deref()), (WaitingFor::Worker, Some("fetch")));

    run.start_job(1);
    let failure = crate::engine::Failure::new("Flaky", "no answer");
    run.command(Command::FailJob { job: JobId(1), token: TOKEN, failure });
    let waiting = run.card().waiting.unwrap();
    assert_eq!((waiting.reason, waiting.attempt), (WaitingFor::Retry, Some(2)));
    assert_eq!(waiting.until, Some(Timestamp(run.now + 10_000).to_string()));
    assert_eq!(run.statuses()[0], "waiting");
}

fn at_the_wait() -> Run {
    let mut run = Run::start();
    run.start_job(1);
    let output = Json::parse(r#"{"big": false}"#).unwrap();
    run.command(Command::CompleteJob { job: JobId(1), token: TOKEN, output });
    run
}

#[test]
fn a_step_that_cannot_come_any_more_is_skipped() {
    let run = at_the_wait();
    assert_eq!(run.statuses(), ["completed", "skipped", "waiting"]);
    assert_eq!(run.card().current_step, Some(3));
    let waiting = run.card().waiting.unwrap();
    assert_eq!((waiting.reason, waiting.step_name.as_deref()), (WaitingFor::Timer, Some("Done")));
}

#[test]
fn a_cancelled_execution_keeps_what_it_gathered() {
    let mut run = at_the_wait();
    run.command(Command::CancelExecution { by: "me".into(), reason: Some("enough".into()) });
    assert_eq!(run.statuses(), ["completed", "skipped", "cancelled"]);
    let card = run.card();
    assert_eq!((card.status, card.current_step), ("cancelled", Some(3)));
    assert_eq!(card.cancel.unwrap().reason.as_deref(), Some("enough"));
    let result = ResultCard::of(&run.program, &run.execution, Timestamp(run.now));
    assert_eq!(result.steps["Fetch"].result, Json::parse(r#"{"big": false}"#).ok());
    assert_eq!(result.summary.completed_steps, 1);
    assert_eq!(result.summary.cancelled_steps, 1);
    assert!(!result.steps.contains_key("Which"), "a hidden step without a job is not shown");
}

#[test]
fn every_event_has_its_words_and_its_place() {
    let mut run = at_the_wait();
    run.command(Command::CancelExecution { by: "me".into(), reason: None });
    let mut places = Places::default();
    let told: Vec<(Option<String>, String)> = run
        .history
        .iter()
        .map(|record| {
            let place = places.place(&record.event).map(|place| place.to_string());
            (place, sentence(&record.event))
        })
        .collect();
    assert!(told.iter().all(|(_, words)| !words.is_empty() && !words.contains('\n')), "{told:?}");
    let job = told.iter().find(|(_, words)| words == "job 1 attempt 1 on w-1").unwrap();
    assert_eq!(job.0.as_deref(), Some("Fetch"));
}

#[test]
fn a_sound_history_has_no_faults() {
    let mut run = at_the_wait();
    assert_eq!((run.report().unfinished, run.checks()), (1, vec![]));
    run.command(Command::CancelExecution { by: "me".into(), reason: None });
    assert_eq!((run.report().unfinished, run.checks()), (0, vec![]));
}

#[test]
fn what_the_engine_never_writes_is_a_fault() {
    let gap = {
        let mut run = at_the_wait();
        run.history.remove(3);
        run.checks()
    };
    assert_eq!(gap, ["positions-dense", "sequences-dense"]);

    let mut backward = at_the_wait();
    backward.history.last_mut().unwrap().time = Timestamp(5);
    assert_eq!(backward.checks(), ["time-runs-forward"]);

    let mut headless = at_the_wait();
    headless.history[0].event = Arc::new(
        StateEntered {
            frame: FrameId::ROOT,
            state: "Fetch".into(),
            input: Data::Kept,
            progress: 0,
        }
        .into(),
    );
    assert_eq!(headless.checks()[0], "begins-with-start");

    let mut after_end = at_the_wait();
    let cancelled: Event = ExecutionCancelled {}.into();
    for _ in 0..2 {
        let mut record = after_end.history.last().unwrap().clone();
        record.sequence += 1;
        record.position += 1;
        record.event = Arc::new(cancelled.clone());
        after_end.history.push(record);
    }
    assert_eq!(after_end.checks(), ["nothing-after-the-end"]);
}
