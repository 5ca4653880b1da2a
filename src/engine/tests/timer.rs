//! What time brings.

use serde_json::json;

use super::kit::given;
use super::{only, only_jsonata, task};
use crate::engine::{Command, JobId, Timer};

#[test]
fn a_timer_that_is_not_due_is_refused() {
    let wait = json!({"Type": "Wait", "Seconds": 5, "End": true});
    let mut run = given(&only(wait)).started(&json!({}));
    let (due, timer) = *run.execution.timers.first().unwrap();
    run.pass_ms(4999);
    let fire = Command::FireTimer { timer, due, last_heartbeat: None };
    assert_eq!(run.try_command(fire.clone()).unwrap_err().code(), "NOT_DUE");
    run.pass_ms(1);
    run.when(fire.clone());
    assert_eq!(run.try_command(fire).unwrap_err().code(), "NOT_IN_STATUS");
}

#[test]
fn an_attempt_that_runs_too_long_times_out() {
    let state = task(json!({"TimeoutSeconds": 10,
        "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]}));
    let mut run = given(&only(state)).started(&json!({}));
    assert_eq!(run.next_timer(), None, "time counts from the start of the attempt");
    run.pass_ms(500);
    run.take_only();
    assert_eq!(run.fire_next(), 10_000);
    assert_eq!(run.names(), "JobTimedOut RetryScheduled");
    run.fire_next();
    run.take_only();
    run.fire_next();
    assert_eq!(run.error(), "States.Timeout");
}

#[test]
fn a_completion_in_time_stops_the_timer() {
    let state = task(json!({"TimeoutSeconds": 10, "HeartbeatSeconds": 3}));
    let mut run = given(&only(state)).started(&json!({}));
    run.take_only();
    let (due, timer) = *run.execution.timers.last().unwrap();
    run.complete_only(&json!(1));
    run.pass_ms(20_000);
    let fire = Command::FireTimer { timer, due, last_heartbeat: None };
    assert!(run.try_command(fire).is_err());
    assert_eq!(run.status(), "completed");
}

#[test]
fn silence_times_out_and_signs_of_life_do_not() {
    let state = task(json!({"HeartbeatSeconds": 3}));
    let mut run = given(&only(state)).started(&json!({}));
    run.take_only();
    run.pass_ms(2000);
    run.report(1, Some(10), None);
    assert_eq!(run.next_timer(), Some((3000, Timer::Heartbeat(JobId(1), 1))), "reports count");
    let (due, timer) = *run.execution.timers.first().unwrap();
    run.pass_ms(3000);
    let beat = crate::engine::Timestamp(run.now.0 - 1000);
    run.when(Command::FireTimer { timer, due, last_heartbeat: Some(beat) });
    assert_eq!(run.names(), "JobHeartbeat");
    assert_eq!(run.fire_next(), 2000);
    assert_eq!(run.names(), "JobTimedOut ExecutionFailed");
    assert_eq!(run.error(), "States.HeartbeatTimeout");
}

#[test]
fn a_missed_heartbeat_goes_by_both_names_of_a_timeout() {
    for name in ["States.Timeout", "States.HeartbeatTimeout"] {
        let definition = json!({"StartAt": "A", "States": {
            "A": task(json!({"HeartbeatSeconds": 3,
                "Retry": [{"ErrorEquals": [name], "MaxAttempts": 1}],
                "Catch": [{"ErrorEquals": [name], "Next": "B"}]})),
            "B": {"Type": "Succeed"}}});
        let mut run = given(&definition).started(&json!({}));
        run.take_only();
        run.fire_next();
        assert_eq!(run.names(), "JobTimedOut RetryScheduled", "{name}");
        run.fire_next();
        run.take_only();
        run.fire_next();
        assert_eq!(run.status(), "completed_with_errors", "{name}");
        assert_eq!(run.output()["Error"], "States.HeartbeatTimeout");
    }
}

#[test]
fn a_machine_that_runs_too_long_times_out_with_all_it_does() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task(json!({}))}});
    let definition = json!({"TimeoutSeconds": 60, "StartAt": "A", "States": {
        "A": {"Type": "Parallel", "End": true, "Branches": [branch("X"), branch("Y")],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]},
        "B": {"Type": "Succeed"}}});
    let mut run = given(&definition).started(&json!({}));
    run.take(1);
    assert_eq!(run.fire_next(), 60_000);
    let cancelled = "JobCancelled FrameCancelled";
    assert_eq!(run.names(), format!("{cancelled} {cancelled} ExecutionTimedOut"));
    assert_eq!((run.status(), run.error().as_str()), ("timed_out", "States.Timeout"));
}

#[test]
fn each_attempt_has_a_timer_of_its_own() {
    let state = task(json!({"TimeoutSeconds": 10}));
    let mut run = given(&only(state)).started(&json!({}));
    run.take_only();
    run.pass_ms(9000);
    run.lose(1, false);
    assert_eq!(run.next_timer(), None);
    run.take_only();
    assert_eq!(run.next_timer(), Some((10_000, Timer::JobTimeout(JobId(1), 2))));
}

#[test]
fn times_of_a_task_may_come_from_its_input() {
    let state = task(json!({"TimeoutSecondsPath": "$.t", "HeartbeatSecondsPath": "$.h"}));
    let mut run = given(&only(state)).started(&json!({"t": 20, "h": 7}));
    run.take_only();
    assert_eq!(run.fire_next(), 7_000);
    assert_eq!(run.error(), "States.HeartbeatTimeout");
}

#[test]
fn a_time_of_nothing_fails_by_the_language_of_the_state() {
    for value in [json!(0), json!(-1), json!(1.5), json!("soon"), json!({})] {
        let input = json!({"t": value});
        let path = task(json!({"TimeoutSecondsPath": "$.t"}));
        assert_eq!(given(&only(path)).started(&input).error(), "States.Runtime", "{value}");
        let query = task(json!({"HeartbeatSeconds": "{% $states.input.t %}"}));
        let run = given(&only_jsonata(query)).started(&input);
        assert_eq!(run.error(), "States.QueryEvaluationError", "{value}");
    }
}
