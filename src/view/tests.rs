//! Views of executions that the engine's own decisions made.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::engine::event::{
    ExecutionCancelled, JobStarted, JobTypePaused, StateEntered, WorkflowResumed,
};
use crate::engine::{
    Command, Data, DecisionInput, EngineLimits, Event, Execution, ExecutionId, FrameId, Held,
    JobId, PauseScope, Program, StartExecution, Timestamp, Token, decide,
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
    Choices:
    - {Variable: $.big, BooleanEquals: true, Next: Split}
    - {Variable: $.big, IsBoolean: true, Comment: It is small, Next: Done}
    Default: Done
  Split: {Type: Pass, Next: Done}
  Done: {Type: Wait, Seconds: 60, End: true}
"#;

/// An execution that is driven by commands, with its history.
pub(super) struct Run {
    pub(super) program: Program,
    pub(super) execution: Execution,
    pub(super) history: Vec<Record>,
    pub(super) now: u64,
}

impl Run {
    pub(super) fn start() -> Self {
        Self::of(WORKFLOW)
    }

    pub(super) fn of(definition: &str) -> Self {
        Self::begun(definition, Json::empty_object())
    }

    pub(super) fn begun(definition: &str, input: Json) -> Self {
        let workflow =
            language::parse(definition, Format::Yaml, &Options::default()).expect("it is valid");
        let definition = workflow.hash;
        let mut run = Self {
            program: Program::new(workflow),
            execution: Execution::new(ExecutionId(Uuid::from_u128(7))),
            history: Vec::new(),
            now: 1_700_000_000_000,
        };
        run.command(StartExecution::new("three", definition, input).into());
        run
    }

    pub(super) fn command(&mut self, command: Command) {
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

    pub(super) fn start_job(&mut self, attempt: u32) {
        let token = Token([9; 16]);
        self.command(Command::StartJob { job: JobId(1), attempt, worker: "w-1".into(), token });
    }

    pub(super) fn card(&self) -> Card {
        Card::of(&self.program, &self.execution, Timestamp(self.now))
    }

    pub(super) fn statuses(&self) -> Vec<&'static str> {
        self.card().steps.iter().map(|step| step.status).collect()
    }

    pub(super) fn report(&self) -> Report {
        let mut verifier = Verifier::default();
        self.history.iter().for_each(|record| verifier.take(record));
        verifier.finish()
    }

    pub(super) fn checks(&self) -> Vec<&'static str> {
        self.report().faults.iter().map(|fault| fault.check).collect()
    }
}

pub(super) const TOKEN: Token = Token([9; 16]);

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

pub(super) fn at_the_wait() -> Run {
    let mut run = Run::start();
    run.start_job(1);
    let output = Json::parse(r#"{"big": false}"#).unwrap();
    run.command(Command::CompleteJob { job: JobId(1), token: TOKEN, output, errors: 0 });
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
fn a_step_that_a_choice_led_past_has_a_result_that_says_why() {
    let run = at_the_wait();
    assert_eq!(run.card().steps[1].message.as_deref(), Some("It is small"));
    let result = ResultCard::of(&run.program, &run.execution, Timestamp(run.now));
    let split = serde_json::to_value(&result.steps["Split"]).unwrap();
    let fetch = serde_json::to_value(&result.steps["Fetch"]).unwrap();
    let fields = |value: &serde_json::Value| {
        value.as_object().unwrap().keys().cloned().collect::<Vec<String>>()
    };
    assert_eq!(fields(&split), fields(&fetch), "all entries have the same shape");
    assert_eq!((&split["status"], &split["reason"]), (&"skipped".into(), &"It is small".into()));

    // Before the choice nobody knows, nor when a redrive has taken it back.
    let result = ResultCard::of(&Run::start().program, &Run::start().execution, Timestamp(0));
    assert!(!result.steps.contains_key("Split"));
    let mut taken_back = run.execution.clone();
    for (_, step) in taken_back.steps.iter_mut().skip(1) {
        step.status = crate::engine::StepStatus::Pending;
    }
    let result = ResultCard::of(&run.program, &taken_back, Timestamp(run.now));
    assert_eq!(result.steps.keys().map(|name| &**name).collect::<Vec<&str>>(), ["Fetch"]);
}

#[test]
fn a_cancelled_execution_keeps_what_it_gathered() {
    let mut run = at_the_wait();
    run.command(Command::CancelExecution {
        by: "me".into(),
        reason: Some("enough".into()),
        force: false,
    });
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
    run.command(Command::CancelExecution { by: "me".into(), reason: None, force: false });
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
    run.command(Command::CancelExecution { by: "me".into(), reason: None, force: false });
    assert_eq!((run.report().unfinished, run.checks()), (0, vec![]));
}

#[test]
fn what_the_engine_never_writes_is_a_fault() {
    let gap = {
        let mut run = at_the_wait();
        run.history.remove(3);
        run.checks()
    };
    // The store itself refuses positions that are missing and not stated as deleted.
    assert_eq!(gap, ["sequences-dense"]);
    let mut twice = at_the_wait();
    twice.history.extend(twice.history.last().cloned());
    assert_eq!(twice.checks(), ["positions-dense", "sequences-dense"]);

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
    let cancelled: Event = ExecutionCancelled { abandoned: Vec::new(), summary: None }.into();
    for _ in 0..2 {
        let mut record = after_end.history.last().unwrap().clone();
        record.sequence += 1;
        record.position += 1;
        record.event = Arc::new(cancelled.clone());
        after_end.history.push(record);
    }
    assert_eq!(after_end.checks(), ["nothing-after-the-end"]);
}

impl Run {
    pub(super) fn why(&self, workers: Workers<'_>) -> Why {
        self.why_among(workers, &Queues::default(), &Held::default())
    }

    pub(super) fn why_in(&self, workers: Workers<'_>, queues: &Queues) -> Why {
        self.why_among(workers, queues, &Held::default())
    }

    pub(super) fn why_with(&self, workers: Workers<'_>, held: &Held) -> Why {
        self.why_among(workers, &Queues::default(), held)
    }

    pub(super) fn why_among(&self, workers: Workers<'_>, queues: &Queues, held: &Held) -> Why {
        let (around, now) = (Around { workers, queues, held }, Timestamp(self.now));
        Why::of(&self.program, &self.execution, &self.history, around, now)
    }
}

pub(super) fn kinds(why: &Why) -> Vec<ReasonKind> {
    why.reasons.iter().map(|reason| reason.kind).collect()
}

pub(super) const LIMITED: &str = r#"
Concurrency: {Key: library, Limit: 2}
Labels: {team: media}
JobTypes:
  scan: {Label: Scan, Colour: teal, Unit: scenes, UnitSingular: scene}
StartAt: Scan
States:
  Scan: {Type: Task, Resource: scan, End: true}
"#;

#[test]
fn a_card_shows_place_labels_and_counters() {
    let mut run = Run::of(LIMITED);
    let card = run.card();
    assert_eq!(card.status, "pending");
    assert_eq!(card.waiting.as_ref().unwrap().reason, WaitingFor::Place);
    assert_eq!(card.place.unwrap().admitted_at, None);
    assert_eq!(card.labels["team"], "media");
    assert_eq!(run.statuses(), ["pending"]);
    run.command(Command::AdmitExecution);
    run.start_job(1);
    run.command(Command::ReportProgress {
        job: JobId(1),
        token: TOKEN,
        percent: None,
        message: None,
        processed: Some(4),
        total: Some(6),
    });
    let card = run.card();
    let job = card.active_sub_job.unwrap();
    assert_eq!(job.counted.as_deref(), Some("4 / 6 scenes"));
    assert_eq!((job.label.as_deref(), job.colour.as_deref()), (Some("Scan"), Some("teal")));
    assert_eq!(card.steps[0].counted, job.counted);
    assert!(card.place.unwrap().admitted_at.is_some());
}

#[test]
fn a_difference_has_what_changed_and_nothing_else() {
    let mut run = Run::start();
    let before = run.execution.clone();
    assert_eq!(Difference::of(&run.program, &before, &before).changes, []);
    run.start_job(1);
    let output = Json::parse(r#"{"big": false}"#).unwrap();
    run.command(Command::CompleteJob { job: JobId(1), token: TOKEN, output, errors: 0 });
    let difference = Difference::of(&run.program, &before, &run.execution);
    let of = |subject, name: Option<&str>, field| {
        let mut found = difference.changes.iter().filter(|change| {
            (change.subject, change.name.as_deref(), change.field) == (subject, name, field)
        });
        let change = found.next()?;
        Some((change.before.to_string(), change.after.to_string()))
    };
    let pair = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    // Two of three: the step that is skipped no longer counts.
    assert_eq!(of("execution", None, "progress"), pair("0", "66"));
    assert_eq!(of("execution", None, "status"), None);
    assert_eq!(of("step", Some("Fetch"), "status"), pair("\"running\"", "\"completed\""));
    assert_eq!(of("step", Some("Fetch"), "result"), pair("null", r#"{"big":false}"#));
    assert_eq!(of("step", Some("Split"), "status"), pair("\"pending\"", "\"skipped\""));
    let job = "00000000-0000-0000-0000-000000000007:1";
    assert_eq!(of("job", Some(job), "status"), pair("\"pending\"", "null"));
    let back = Difference::of(&run.program, &run.execution, &before);
    assert_eq!(back.changes.len(), difference.changes.len());
}

#[test]
fn a_comparison_says_where_two_ways_part() {
    let mut one = at_the_wait();
    let mut other = Run::start();
    other.start_job(1);
    let failure = crate::engine::Failure::new("Broken", "for good");
    other.command(Command::FailJob { job: JobId(1), token: TOKEN, failure });
    pub(super) fn compared(run: &Run) -> Compared<'_> {
        Compared { program: &run.program, execution: &run.execution, history: &run.history }
    }
    let now = Timestamp(one.now);
    let same = Comparison::of(compared(&one), compared(&one), now);
    assert_eq!((same.differences, same.parting), (vec![], None));

    let comparison = Comparison::of(compared(&one), compared(&other), now);
    let parting = comparison.parting.unwrap();
    let kinds = (parting.left.unwrap().event, parting.right.unwrap().event);
    assert_eq!((parting.shared, kinds), (4, ("JobSucceeded", "JobFailed")));
    let has = |name: Option<&str>, field| {
        let mut all = comparison.differences.iter();
        all.any(|unlike| (unlike.name.as_deref(), unlike.field) == (name, field))
    };
    assert!(has(None, "status") && has(Some("Fetch"), "error") && !has(None, "input"));

    one.command(Command::CancelExecution { by: "me".into(), reason: None, force: false });
    let further = Comparison::of(compared(&one), compared(&at_the_wait()), now);
    assert!(further.parting.unwrap().right.is_none(), "the other goes no further");
}

#[test]
fn why_says_that_an_execution_was_set_aside() {
    let mut run = at_the_wait();
    run.command(Command::SetAside { reason: "a bug".into() });
    let why = run.why(Workers::Of(&[]));
    assert_eq!((why.state, why.set_aside.as_deref()), (WhyState::SetAside, Some("a bug")));
}

fn held() -> Held {
    let mut held = Held::default();
    let (job_type, by) = ("fetch".into(), "operator".into());
    let event = JobTypePaused { job_type, by, reason: Some("moving".into()) };
    held.apply(&event.into(), 1, Timestamp(1_700_000_000_000));
    held
}

#[test]
fn why_says_who_paused_an_execution_since_when_and_why() {
    let mut run = Run::start();
    for (scope, reason) in [(PauseScope::Workflow, None), (PauseScope::Execution, Some("hot"))] {
        let reason = reason.map(Into::into);
        run.command(Command::PauseExecution { scope, by: "me".into(), reason });
    }
    let since = run.execution.updated_at;
    run.now += 60_000;
    let why = run.why(Workers::Of(&[]));
    // The job that waits is held by the same, and is not named for itself.
    assert_eq!(kinds(&why), [ReasonKind::Paused, ReasonKind::WorkflowPaused]);
    assert_eq!((why.state, why.status), (WhyState::Paused, "running"));
    assert_eq!(why.reasons[0].sentence, format!("me paused it at {since}, 1m00s ago: hot"));
    assert!(why.reasons[1].sentence.starts_with("me paused all of workflow three at "));
    let card = run.card();
    let paused = card.paused.unwrap();
    assert_eq!((card.status, paused.scope, &*paused.by), ("running", "execution", "me"));
    assert_eq!((paused.since, paused.reason.as_deref()), (since.to_string(), Some("hot")));
    assert_eq!(card.waiting, None, "no worker is what it waits for");
}

#[test]
fn why_says_who_paused_the_type_of_a_job_that_waits() {
    let run = Run::start();
    let why = run.why_with(Workers::Of(&["fetch".to_owned()]), &held());
    assert_eq!((why.state, kinds(&why)), (WhyState::Waiting, vec![ReasonKind::JobTypePaused]));
    let told = &why.reasons[0].sentence;
    assert!(told.contains("operator paused job type fetch at 2023"), "{told}");
    assert!(told.ends_with("ago: moving"), "{told}");
    let mut run = Run::start();
    run.start_job(1);
    assert_eq!(kinds(&run.why_with(Workers::Of(&[]), &held())), [ReasonKind::AtWork]);
}

#[test]
fn every_event_has_its_words() {
    for (tag, _, name) in crate::store::codec::EVENTS {
        let event = crate::testing::arbitrary::event(*tag, 1).unwrap();
        assert!(!sentence(&event).is_empty(), "{name}");
    }
}

#[test]
fn what_is_held_in_the_history_of_an_execution_is_noticed() {
    let mut run = Run::start();
    let mut record = run.history.last().unwrap().clone();
    record.sequence += 1;
    record.position += 1;
    let (workflow, by) = ("three".into(), "me".into());
    record.event = Arc::new(WorkflowResumed { workflow, by }.into());
    run.history.push(record);
    assert_eq!(run.checks(), ["histories-apart"]);
}

#[test]
fn a_job_that_starts_while_its_execution_is_paused_is_noticed() {
    let mut run = Run::start();
    let scope = PauseScope::Execution;
    run.command(Command::PauseExecution { scope, by: "me".into(), reason: None });
    assert_eq!(run.checks(), [""; 0]);
    let mut record = run.history.last().unwrap().clone();
    record.sequence += 1;
    record.position += 1;
    let started = JobStarted { job: JobId(1), attempt: 1, worker: "w".into(), token: TOKEN };
    record.event = Arc::new(started.into());
    run.history.push(record);
    assert_eq!(run.checks(), ["nothing-begins-while-paused"]);
}
