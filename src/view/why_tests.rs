//! Why an execution waits, or how it ended.

use uuid::Uuid;

use super::tests::{LIMITED, Run, TOKEN, at_the_wait, kinds};
use super::*;
use crate::engine::{Command, ExecutionId, JobId, Timestamp};

#[test]
fn why_tells_an_unserved_job_from_busy_workers_and_from_a_missing_engine() {
    let run = Run::start();
    let (fetch, other) = (["fetch".to_owned()], ["other".to_owned()]);
    assert_eq!(kinds(&run.why(Workers::Of(&fetch))), [ReasonKind::WorkersBusy]);
    assert_eq!(kinds(&run.why(Workers::Of(&other))), [ReasonKind::NoWorker]);
    let why = run.why(Workers::None);
    assert_eq!(kinds(&why), [ReasonKind::Worker]);
    assert_eq!((why.state, why.engine_runs), (WhyState::Waiting, Some(false)));
}

#[test]
fn why_says_which_place_is_waited_for_and_who_has_it() {
    let mut run = Run::of(LIMITED);
    run.now += 41_000;
    let holders: Vec<ExecutionId> = (1..=7).map(|n| ExecutionId(Uuid::from_u128(n))).collect();
    let place = PlaceQueue { limit: 7, holders: holders.clone(), ahead: 3 };
    let queues = Queues { place: Some(place), ..Queues::default() };
    let why = run.why_in(Workers::Of(&[]), &queues);
    assert_eq!((why.state, kinds(&why)), (WhyState::Waiting, vec![ReasonKind::Place]));
    let reason = &why.reasons[0];
    assert_eq!((reason.limit, reason.ahead, reason.held_by.len()), (Some(7), Some(3), 7));
    let named: Vec<String> = holders.iter().take(5).map(ExecutionId::short).collect();
    let sentence = format!(
        "waits for a place: library, limit 7, held by {} and 2 more, number 4 in the queue; it has \
         for 41s",
        named.join(", ")
    );
    assert_eq!(reason.sentence, sentence);
    // Without an engine it is not known who has it.
    let alone = &run.why(Workers::None).reasons[0];
    assert_eq!(alone.sentence, "waits for a place: library, limit 2; it has for 41s");
}

#[test]
fn why_says_which_slots_are_taken_and_how_many_come_before() {
    let mut run = Run::of(LIMITED);
    run.command(Command::AdmitExecution);
    let types = ["scan".to_owned()];
    let told = |of_process, limit, ahead| {
        let jobs = [(JobId(1), SlotQueue { of_process, limit, ahead })].into();
        let why = run.why_in(Workers::Of(&types), &Queues { place: None, jobs });
        (why.reasons[0].kind, why.reasons[0].sentence.clone())
    };
    let (kind, sentence) = told(false, 2, 3);
    assert_eq!(kind, ReasonKind::WorkersBusy);
    let before = "step \"Scan\", job 1: attempt 1 has been ready for 0.0s; ";
    assert_eq!(sentence, format!("{before}all 2 slots of type scan are taken, 3 before it"));
    let (_, sentence) = told(false, 1, 0);
    assert_eq!(sentence, format!("{before}all 1 slot of type scan is taken, 0 before it"));
    let (kind, sentence) = told(true, 4, 1);
    assert_eq!(kind, ReasonKind::ProcessBusy);
    assert_eq!(
        sentence,
        format!("{before}the process limit of 4 running jobs is reached, 1 before it")
    );
}

#[test]
fn why_names_the_worker_and_an_attempt_that_was_cut_off() {
    let mut run = Run::start();
    run.start_job(1);
    let why = run.why(Workers::Of(&[]));
    assert_eq!((why.state, kinds(&why)), (WhyState::Working, vec![ReasonKind::AtWork]));
    assert_eq!(why.reasons[0].worker.as_deref(), Some("w-1"));
    let sentence = &why.reasons[0].sentence;
    assert_eq!(sentence, "step \"Fetch\", job 1: attempt 1 has been at work for 0.0s on w-1");
    assert_eq!(kinds(&run.why(Workers::None)), [ReasonKind::CutOff]);
}

#[test]
fn why_counts_retries_and_names_the_last_error_with_its_event() {
    let mut run = Run::start();
    run.start_job(1);
    let failure = crate::engine::Failure::new("Flaky", "no answer");
    run.command(Command::FailJob { job: JobId(1), token: TOKEN, failure });
    let why = run.why(Workers::Of(&[]));
    let reason = &why.reasons[0];
    assert_eq!(
        (reason.kind, reason.retry, reason.max_retries),
        (ReasonKind::Retry, Some(1), Some(3))
    );
    let failed = run.history.iter().find(|record| record.event.name() == "JobFailed").unwrap();
    assert_eq!(reason.last_error_event, Some(failed.sequence));
    assert_eq!(reason.last_error.as_ref().unwrap().error.as_ref(), "Flaky");
    let sentence = "step \"Fetch\", job 1: attempt 2 starts in 10s (retry 1 of 3)";
    assert_eq!(reason.sentence, sentence);
}

#[test]
fn why_says_until_when_a_wait_lasts() {
    let run = at_the_wait();
    let why = run.why(Workers::Of(&[]));
    assert_eq!(kinds(&why), [ReasonKind::Timer]);
    assert_eq!(why.reasons[0].until, Some(Timestamp(run.now + 60_000)));
    assert!(why.reasons[0].sentence.ends_with("in 1m00s; it has for 0.0s"), "{why:?}");
}

#[test]
fn why_says_where_a_failure_first_occurred() {
    let mut run = Run::start();
    run.start_job(1);
    let failure = crate::engine::Failure::new("Broken", "for good");
    run.command(Command::FailJob { job: JobId(1), token: TOKEN, failure });
    let why = run.why(Workers::Unknown);
    assert_eq!((why.state, why.reasons.len()), (WhyState::Ended, 0));
    let end = why.end.unwrap();
    assert_eq!(end.failed_step.as_deref(), Some("Fetch"));
    let point = end.first_failure.unwrap();
    assert_eq!((point.event, point.step_name.as_deref()), ("JobFailed", Some("Fetch")));
}

#[test]
fn why_says_who_stopped_an_execution_that_was_cancelled() {
    let mut run = Run::start();
    run.start_job(1);
    run.command(Command::CancelExecution { by: "me".into(), reason: None, force: false });
    let why = run.why(Workers::Of(&[]));
    assert_eq!((why.state, kinds(&why)), (WhyState::Stopping, vec![ReasonKind::WorkerStopping]));
    assert!(why.reasons[0].until.is_some(), "it is given up at some time");
    assert_eq!(&*why.cancel.unwrap().by, "me");
}
