//! Stopping an execution.

use serde_json::json;

use super::kit::given;
use super::{only, task};
use crate::engine::{Command, JobId, Timer};
use crate::language::Json;

#[test]
fn an_execution_without_workers_is_cancelled_at_once() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.cancel();
    assert_eq!(run.names(), "CancelRequested JobCancelled ExecutionCancelled");
    let wait = json!({"Type": "Wait", "Seconds": 5, "End": true});
    let mut run = given(&only(wait)).started(&json!({}));
    run.cancel();
    assert_eq!(
        (run.names().as_str(), run.status()),
        ("CancelRequested ExecutionCancelled", "cancelled")
    );
}

#[test]
fn a_running_worker_is_waited_for() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let token = run.take_only();
    run.cancel();
    assert_eq!((run.names().as_str(), run.status()), ("CancelRequested", "cancelling"));
    let again = Command::CancelExecution { by: "me".into(), reason: None, force: false };
    let refused = run.try_command(again).unwrap_err();
    assert_eq!(refused.code(), "ALREADY_CANCELLING");
    let told = refused.to_string();
    assert!(
        told.contains("stopping already, since me asked it to at 2023-11-14T22:13:20"),
        "{told}"
    );
    run.when(Command::AcknowledgeCancel { job: JobId(1), token });
    assert_eq!(run.names(), "JobCancelled ExecutionCancelled");
}

#[test]
fn a_result_that_comes_while_cancelling_is_kept() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let token = run.take_only();
    run.cancel();
    let output = Json::from_value(&json!("done"));
    run.when(Command::CompleteJob { job: JobId(1), token, output, errors: 0 });
    assert_eq!(
        (run.names().as_str(), run.status()),
        ("JobSucceeded ExecutionCancelled", "cancelled")
    );
    assert_eq!(run.execution.steps["A"].result, Some(Json::from_value(&json!("done"))));
}

#[test]
fn workers_that_do_not_answer_are_given_up_at_the_deadline() {
    let mut run = given(&only(task(json!({"TimeoutSeconds": 5})))).started(&json!({}));
    run.take_only();
    run.cancel();
    assert_eq!(run.next_timer(), Some((30_000, Timer::CancelDeadline)));
    run.fire_next();
    assert_eq!(run.names(), "JobCancelled ExecutionCancelled");
}

#[test]
fn a_report_while_cancelling_is_dropped_and_sets_no_heartbeat_timer() {
    let mut run = given(&only(task(json!({"HeartbeatSeconds": 2})))).started(&json!({}));
    let token = run.take_only();
    run.cancel();
    let (message, processed, total) = (None, None, None);
    let percent = Some(10);
    let late = Command::ReportProgress { job: JobId(1), token, percent, message, processed, total };
    assert_eq!(run.try_command(late).unwrap_err().code(), "NOT_IN_STATUS");
    assert_eq!(run.next_timer(), Some((30_000, Timer::CancelDeadline)));
}

#[test]
fn cancel_reaches_every_branch() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task(json!({}))}});
    let fork = json!({"Type": "Parallel", "End": true, "Branches": [branch("X"), branch("Y")]});
    let mut run = given(&only(fork)).started(&json!({}));
    let token = run.take(1);
    run.cancel();
    assert_eq!(run.names(), "CancelRequested JobCancelled", "the one that nobody has");
    let failure = crate::engine::Failure::new("Any", "any");
    run.when(Command::FailJob { job: JobId(1), token, failure });
    assert_eq!(run.names(), "JobCancelled FrameCancelled FrameCancelled ExecutionCancelled");
}

#[test]
fn a_cancelling_execution_ends_when_its_process_dies() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.take_only();
    run.cancel();
    run.lose(1, false);
    assert_eq!(run.names(), "JobCancelled ExecutionCancelled");
}

#[test]
fn a_job_between_attempts_is_cancelled() {
    let retry = json!({"Retry": [{"ErrorEquals": ["States.ALL"]}]});
    let mut run = given(&only(task(retry))).started(&json!({}));
    run.fail_only("Any");
    run.cancel();
    assert_eq!(run.names(), "CancelRequested JobCancelled ExecutionCancelled");
}

#[test]
fn what_has_ended_cannot_be_cancelled() {
    let mut run = given(&only(json!({"Type": "Succeed"}))).started(&json!({}));
    let cancel = Command::CancelExecution { by: "me".into(), reason: None, force: false };
    assert_eq!(run.try_command(cancel).unwrap_err().code(), "NOT_IN_STATUS");
}
