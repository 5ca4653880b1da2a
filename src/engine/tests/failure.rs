//! Retry and Catch.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::{only, only_jsonata, task};

fn retried(retry: Value) -> Run {
    given(&only(task(json!({"Retry": retry})))).started(&json!({}))
}

#[test]
fn retries_wait_longer_each_time_and_end() {
    let mut run = retried(json!([{
        "ErrorEquals": ["Mine"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2}]));
    run.fail_only("Mine");
    assert_eq!(run.names(), "JobFailed RetryScheduled");
    assert_eq!(run.fire_next(), 2000);
    assert_eq!(run.names(), "RetryStarted JobScheduled");
    run.fail_only("Mine");
    assert_eq!(run.fire_next(), 6000);
    run.fail_only("Mine");
    assert_eq!((run.names().as_str(), run.error().as_str()), ("JobFailed ExecutionFailed", "Mine"));
    assert_eq!(run.count("JobScheduled"), 3);
}

#[test]
fn the_defaults_are_three_retries_after_1_2_and_4_seconds() {
    let mut run = retried(json!([{"ErrorEquals": ["States.ALL"]}]));
    for wait in [1000, 2000, 4000] {
        run.fail_only("Any");
        assert_eq!(run.fire_next(), wait);
    }
    run.fail_only("Any");
    assert_eq!(run.status(), "failed");
}

#[test]
fn each_retrier_counts_for_itself() {
    let mut run = retried(json!([
        {"ErrorEquals": ["One"], "MaxAttempts": 1, "IntervalSeconds": 10},
        {"ErrorEquals": ["Two"], "MaxAttempts": 1, "IntervalSeconds": 20}]));
    run.fail_only("One");
    assert_eq!(run.fire_next(), 10_000);
    run.fail_only("Two");
    assert_eq!(run.fire_next(), 20_000);
    run.fail_only("One");
    assert_eq!(run.error(), "One");
}

#[test]
fn no_attempts_are_no_retry() {
    let mut run = retried(json!([{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}]));
    run.fail_only("Any");
    assert_eq!(run.status(), "failed");
}

#[test]
fn jitter_stays_within_the_delay_and_hangs_on_the_seed() {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100,
        "JitterStrategy": "FULL"}]);
    let mut waits = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let definition = only(task(json!({"Retry": retry})));
        let mut run = given(&definition).seed(seed).started(&json!({}));
        run.fail_only("Any");
        let wait = run.fire_next();
        assert!(wait <= 100_000);
        waits.insert(wait);
    }
    assert!(waits.len() > 15);
}

#[test]
fn a_retry_sees_how_often_it_was_tried() {
    let state = task(json!({"Parameters": {"n.$": "$$.State.RetryCount"},
        "Retry": [{"ErrorEquals": ["States.ALL"]}]}));
    let mut run = given(&only(state)).started(&json!({}));
    run.fail_only("Any");
    run.fire_next();
    assert_eq!(run.job_input(1), json!({"n": 1}));
}

#[test]
fn only_states_that_can_be_retried_count_retries() {
    let read = "{% $exists($states.context.State.RetryCount) %}";
    let pass = json!({"Type": "Pass", "Output": read, "End": true});
    assert_eq!(given(&only_jsonata(pass)).started(&json!({})).output(), json!(false));
    let parallel = json!({"Type": "Parallel", "Output": read, "End": true, "Branches": [
        {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}]});
    assert_eq!(given(&only_jsonata(parallel)).started(&json!({})).output(), json!(true));
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "work", "End": true,
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B",
                "Output": "{% $states.context.State.RetryCount %}"}]},
        "B": {"Type": "Succeed"}}});
    let mut run = given(&definition).started(&json!({}));
    run.fail_only("Any");
    run.fire_next();
    run.fail_only("Any");
    assert_eq!(run.output(), json!(1), "a catcher sees how often it was tried again");
}

#[test]
fn the_retrier_that_matches_first_counts_and_no_other_steps_in() {
    let mut run = retried(json!([
        {"ErrorEquals": ["One"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]));
    run.fail_only("One");
    assert_eq!(run.error(), "One");
}

fn caught(catch: Value) -> Run {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "work", "Catch": catch, "End": true},
        "Saved": {"Type": "Pass", "End": true}}});
    given(&definition).started(&json!({"in": 1}))
}

#[test]
fn a_caught_failure_goes_on_and_is_counted() {
    let mut run = caught(json!([{"ErrorEquals": ["Mine"], "Next": "Saved"}]));
    run.fail_only("Mine");
    assert_eq!(run.output(), json!({"Error": "Mine", "Cause": "as told"}));
    assert_eq!((run.status(), run.execution.total_errors), ("completed_with_errors", 1));
}

#[test]
fn a_failure_that_is_to_be_ignored_does_not_count() {
    let mut run =
        caught(json!([{"ErrorEquals": ["Mine"], "Next": "Saved", "CountErrors": "ignore"}]));
    run.fail_only("Mine");
    assert_eq!((run.status(), run.execution.total_errors), ("completed", 0));
}

#[test]
fn result_path_puts_the_failure_into_the_input() {
    let catch = json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Saved"}]);
    let mut run = caught(catch);
    run.fail_only("Mine");
    assert_eq!(run.output(), json!({"in": 1, "e": {"Error": "Mine", "Cause": "as told"}}));
    let mut run = caught(json!([
        {"ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "Saved"}]));
    run.fail_only("Mine");
    assert_eq!(run.output(), json!({"in": 1}));
}

#[test]
fn a_catcher_in_jsonata_shapes_its_output() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "work", "End": true, "Catch": [{
            "ErrorEquals": ["States.ALL"], "Next": "Saved",
            "Output": "{% $states.errorOutput.Error & '!' %}", "Assign": {"bad": true}}]},
        "Saved": {"Type": "Pass", "Output": "{% [$states.input, $bad] %}", "End": true}}});
    let mut run = given(&definition).started(&json!({}));
    run.fail_only("Mine");
    assert_eq!(run.output(), json!(["Mine!", true]));
}

#[test]
fn names_for_many_errors_match_what_they_should() {
    let ends = |names: &str, error: &str| {
        let mut run = caught(json!([{"ErrorEquals": [names], "Next": "Saved"}]));
        run.fail_only(error);
        run.status()
    };
    assert_eq!(ends("States.ALL", "Any"), "completed_with_errors");
    assert_eq!(ends("States.ALL", "States.Timeout"), "completed_with_errors");
    assert_eq!(ends("States.ALL", "States.Runtime"), "failed");
    assert_eq!(ends("States.Runtime", "States.Runtime"), "failed");
    assert_eq!(
        ends("States.DataLimitExceeded", "States.DataLimitExceeded"),
        "completed_with_errors"
    );
    assert_eq!(ends("States.TaskFailed", "States.QueryEvaluationError"), "failed");
    assert_eq!(ends("States.ALL", "States.DataLimitExceeded"), "failed");
    assert_eq!(ends("States.TaskFailed", "Any"), "completed_with_errors");
    assert_eq!(ends("States.TaskFailed", "States.Timeout"), "failed");
    assert_eq!(ends("States.Timeout", "States.HeartbeatTimeout"), "completed_with_errors");
    assert_eq!(ends("Other", "Any"), "failed");
}

#[test]
fn retry_comes_before_catch() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "work", "End": true,
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]},
        "B": {"Type": "Succeed"}}});
    let mut run = given(&definition).started(&json!({}));
    run.fail_only("Any");
    assert_eq!(run.names(), "JobFailed RetryScheduled");
    run.fire_next();
    run.fail_only("Any");
    assert_eq!(run.status(), "completed_with_errors");
}

#[test]
fn an_output_that_fails_is_caught_too() {
    let state = task(json!({"Output": "{% $states.result.x + 'a' %}", "Retry": [
        {"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}]}));
    let mut run = given(&only_jsonata(state)).started(&json!({}));
    run.complete_only(&json!({"x": 1}));
    assert_eq!(run.names(), "JobSucceeded RetryScheduled");
    run.fire_next();
    assert_eq!(run.open_jobs(), [2], "a retry after a good attempt is another job");
}
