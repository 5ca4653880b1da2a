//! Beginning an execution.

use serde_json::json;

use super::kit::given;
use super::{only, task};
use crate::engine::Rejection;

#[test]
fn a_start_leads_to_the_first_job() {
    let run = given(&only(task(json!({})))).started(&json!({"a": 1}));
    assert_eq!(run.names(), "ExecutionStarted StateEntered JobScheduled");
    assert_eq!(run.job_input(1), json!({"a": 1}));
    assert_eq!(run.status(), "running");
}

#[test]
fn a_second_start_is_refused() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let again = run.start_command(&json!({}));
    assert_eq!(run.try_command(again), Err(Rejection::AlreadyStarted));
}

#[test]
fn an_input_over_the_limit_is_refused() {
    let mut run = given(&only(task(json!({})))).limits(|limits| limits.payload_bytes = 10);
    let start = run.start_command(&json!("0123456789"));
    assert_eq!(run.try_command(start).unwrap_err().code(), "TOO_LARGE");
    assert!(run.history.is_empty());
}

#[test]
fn a_long_decision_is_cut_and_goes_on_with_advance() {
    let mut states = serde_json::Map::new();
    for index in 0..9 {
        let next = format!("S{}", index + 1);
        states.insert(format!("S{index}"), json!({"Type": "Pass", "Next": next}));
    }
    states.insert("S9".into(), json!({"Type": "Succeed"}));
    let definition = json!({"StartAt": "S0", "States": states});
    let mut run = given(&definition).limits(|limits| limits.decision_events = 6);
    run = run.started(&json!(1));
    let mut advances = 0;
    while run.status() == "running" {
        assert!(run.last.len() <= 8, "{}", run.names());
        run.when(crate::engine::Command::Advance);
        advances += 1;
    }
    assert!(advances >= 2);
    assert_eq!(run.output(), json!(1));
    let late = run.try_command(crate::engine::Command::Advance);
    assert_eq!(late.unwrap_err().code(), "NOT_IN_STATUS");
}

#[test]
fn an_endless_loop_ends_at_the_history_limit() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [
            {"Variable": "$.go", "BooleanEquals": true, "Next": "A"}], "Default": "C"},
        "C": {"Type": "Succeed"}}});
    let mut run = given(&definition).limits(|limits| limits.history_events = 50);
    run = run.started(&json!({"go": true}));
    assert_eq!((run.status(), run.error().as_str()), ("failed", "States.Runtime"));
    assert_eq!(run.cause(), "The execution reached the maximum number of history events (50).");
    assert!((50..60).contains(&run.history.len()), "{}", run.history.len());
}

#[test]
fn a_clock_that_runs_backward_is_held_at_the_last_event() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.now = crate::engine::Timestamp(run.now.0 - 60_000);
    run.complete_only(&json!(2));
    assert_eq!(run.execution.ended_at, Some(super::kit::START));
}
