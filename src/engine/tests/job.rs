//! What workers say about jobs.

use serde_json::json;

use super::kit::given;
use super::{only, task};
use crate::engine::{Command, JobId, Token};
use crate::language::Json;

fn complete(token: Token) -> Command {
    Command::CompleteJob { job: JobId(1), token, output: Json::null(), errors: 0 }
}

fn two_tasks() -> serde_json::Value {
    json!({"StartAt": "A", "States": {
        "A": task(json!({"Next": "B", "Retry": [{"ErrorEquals": ["States.ALL"]}]})),
        "B": task(json!({}))}})
}

#[test]
fn a_job_can_be_taken_once() {
    let mut run = given(&two_tasks()).started(&json!({}));
    run.take_only();
    let again = Command::StartJob {
        job: JobId(1),
        attempt: 1,
        worker: "late".into(),
        token: Token([5; 16]),
    };
    assert_eq!(run.try_command(again).unwrap_err().code(), "NOT_PENDING");
}

#[test]
fn only_the_token_of_the_running_attempt_counts() {
    let mut run = given(&two_tasks()).started(&json!({}));
    let first = run.take_only();
    assert_eq!(run.try_command(complete(Token([9; 16]))).unwrap_err().code(), "STALE_TOKEN");
    run.fail_only("Any");
    assert_eq!(run.try_command(complete(first)).unwrap_err().code(), "STALE_TOKEN");
    run.fire_next();
    let second = run.take_only();
    assert_eq!(run.try_command(complete(first)).unwrap_err().code(), "STALE_TOKEN");
    run.when(complete(second));
    assert_eq!(run.try_command(complete(second)).unwrap_err().code(), "JOB_NOT_OPEN");
}

#[test]
fn reports_move_progress_and_words() {
    let mut run = given(&two_tasks()).started(&json!({}));
    run.report(1, Some(50), Some("half"));
    assert_eq!((run.execution.progress, run.execution.message.as_deref()), (25, Some("half")));
    run.report(1, None, Some("still"));
    assert_eq!((run.execution.progress, run.execution.message.as_deref()), (25, Some("still")));
    run.report(1, Some(10), None);
    assert_eq!(run.execution.progress, 25, "progress never falls");
    run.report(1, Some(200), None);
    assert_eq!(run.execution.jobs[&JobId(1)].percent, Some(100));
    assert_eq!(run.execution.progress, 50);
    run.complete(1, &json!({}));
    assert_eq!(run.execution.progress, 50);
    run.report(2, Some(100), None);
    assert_eq!(run.execution.progress, 99, "100 is for the end");
}

#[test]
fn a_lost_attempt_is_tried_again_without_using_up_retries() {
    let mut run = given(&two_tasks()).started(&json!({"a": 1}));
    for _ in 0..3 {
        run.take_only();
        run.lose(1, false);
        assert_eq!(run.names(), "AttemptLost JobScheduled");
        assert_eq!(run.job_input(1), json!({"a": 1}));
    }
    run.take_only();
    run.lose(1, false);
    assert_eq!(run.names(), "AttemptLost JobFailed RetryScheduled");
}

#[test]
fn attempts_lost_too_often_fail_the_execution() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    for _ in 0..4 {
        run.take_only();
        run.lose(1, false);
    }
    assert_eq!(run.error(), "Everstep.AttemptLost");
}

#[test]
fn attempts_that_end_in_order_do_not_count_as_crashes() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    for _ in 0..20 {
        run.take_only();
        run.lose(1, true);
    }
    assert_eq!(run.status(), "running");
}

#[test]
fn losing_what_nobody_has_is_refused() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let lose = Command::LoseAttempts { jobs: vec![JobId(1), JobId(7)], stopped: false };
    assert_eq!(run.try_command(lose).unwrap_err().code(), "NOTHING_TO_DO");
}

#[test]
fn a_result_over_the_limit_fails_the_attempt() {
    let run = given(&only(task(json!({})))).limits(|limits| limits.payload_bytes = 20);
    let mut run = run.started(&json!({}));
    run.complete_only(&json!("x".repeat(30)));
    assert_eq!(run.error(), "States.DataLimitExceeded");
}

#[test]
fn a_worker_that_stops_unasked_has_failed() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let token = run.take_only();
    run.when(Command::AcknowledgeCancel { job: JobId(1), token });
    assert_eq!(run.error(), "States.TaskFailed");
}

#[test]
fn an_execution_that_was_set_aside_takes_no_more_commands() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let token = run.take_only();
    run.when(Command::SetAside { reason: "broken".into() });
    assert_eq!(run.try_command(complete(token)).unwrap_err().code(), "SET_ASIDE");
    assert!(crate::engine::pending_effects(&run.execution).is_empty());
}

#[test]
fn errors_that_a_job_counted_make_a_partial_success() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let token = run.take(1);
    let output = Json::from(json!({"done": 4}));
    run.when(Command::CompleteJob { job: JobId(1), token, output, errors: 2 });
    assert_eq!((run.status(), run.execution.total_errors), ("completed_with_errors", 2));
    let step = run.execution.steps.values().next().unwrap();
    assert_eq!((step.status.as_str(), step.errors), ("completed_with_errors", 2));
}
