//! Places: what needs one waits for it, and does nothing meanwhile.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::{only, task};
use crate::engine::child::Link;
use crate::engine::{
    Command, Effect, ExecutionId, FrameId, JobId, Place, Rejection, effects_after, pending_effects,
};

/// A workflow of one Task with this `Concurrency`.
fn limited(concurrency: Value) -> Value {
    let mut machine = only(task(json!({})));
    machine["Concurrency"] = concurrency;
    machine
}

fn place_of(run: &Run) -> (String, u32) {
    let Place { key, limit } = run.execution.place.clone().unwrap();
    (key.to_string(), limit)
}

#[test]
fn who_needs_a_place_is_pending_until_it_has_it() {
    let mut run = given(&limited(json!({"Limit": 2}))).started(&json!({"a": 1}));
    assert_eq!((run.names().as_str(), run.status()), ("ExecutionStarted", "pending"));
    assert_eq!(place_of(&run), (String::new(), 2));
    assert_eq!(pending_effects(&run.execution), [Effect::TakePlace]);
    assert_eq!(effects_after(&run.execution, &run.last), [Effect::TakePlace]);
    assert!(run.execution.waits_for_place() && run.execution.held_place().is_none());
    run.pass_ms(5000);
    run.when(Command::AdmitExecution);
    assert_eq!(run.names(), "ExecutionAdmitted StateEntered JobScheduled");
    assert_eq!((run.status(), run.execution.admitted_at), ("running", Some(run.now)));
    assert!(run.execution.held_place().is_some());
    let again = run.try_command(Command::AdmitExecution).unwrap_err();
    assert_eq!(again.code(), "NOT_IN_STATUS");
    run.complete_only(&json!(1));
    assert_eq!(run.status(), "completed");
    assert!(run.execution.held_place().is_none());
}

#[test]
fn without_a_limit_nobody_waits() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    assert!(run.execution.place.is_none());
    assert_eq!(run.try_command(Command::AdmitExecution).unwrap_err().code(), "NOT_IN_STATUS");
}

#[test]
fn the_key_comes_from_the_input_or_the_context() {
    let path = |path: &str| limited(json!({"Limit": 1, "KeyPath": path}));
    let key = |definition: &Value, input: Value| place_of(&given(definition).started(&input)).0;
    assert_eq!(key(&path("$.studio"), json!({"studio": "north"})), "north");
    assert_eq!(key(&path("$.id"), json!({"id": 7})), "7");
    assert_eq!(key(&path("$.flag"), json!({"flag": true})), "true");
    assert_eq!(key(&path("$$.StateMachine.Name"), json!({})), "w");
    let call = path("States.Format('{}/{}', $.a, $$.Execution.Input.b)");
    assert_eq!(key(&call, json!({"a": "x", "b": "y"})), "x/y");
    assert_eq!(key(&limited(json!({"Limit": 1, "Key": "fixed"})), json!({})), "fixed");
    let mut jsonata = limited(json!({"Limit": 1, "Key": "{% $states.input.a & '-k' %}"}));
    jsonata["QueryLanguage"] = json!("JSONata");
    assert_eq!(key(&jsonata, json!({"a": "x"})), "x-k");
}

#[test]
fn a_key_that_cannot_be_worked_out_refuses_the_start() {
    let definition = limited(json!({"Limit": 1, "KeyPath": "$.studio"}));
    let long = "k".repeat(1025);
    for (input, words) in [
        (json!({}), "$.studio"),
        (json!({"studio": null}), "a text, a number or a boolean"),
        (json!({"studio": ""}), "an empty text"),
        (json!({"studio": long}), "1025 bytes, over the limit of 1024"),
    ] {
        let mut run = given(&definition);
        let refused = run.try_command(run.start_command(&input)).unwrap_err();
        assert_eq!(refused.code(), "PLACE_KEY_FAILED");
        assert!(refused.to_string().contains(words), "{refused}");
        assert!(run.history.is_empty());
    }
}

#[test]
fn one_that_waits_is_cancelled_at_once() {
    let mut run = given(&limited(json!({"Limit": 1}))).started(&json!({}));
    run.pass_ms(1000);
    run.cancel();
    assert_eq!(run.names(), "CancelRequested ExecutionCancelled");
    assert_eq!((run.status(), run.execution.ended_at), ("cancelled", Some(run.now)));
    assert!(pending_effects(&run.execution).is_empty());
    assert_eq!(run.try_command(Command::AdmitExecution).unwrap_err().code(), "NOT_IN_STATUS");
}

#[test]
fn what_has_not_begun_cannot_be_cancelled() {
    let mut run = given(&limited(json!({"Limit": 1})));
    let cancel = Command::CancelExecution { by: "me".into(), reason: None, force: false };
    assert_eq!(run.try_command(cancel).unwrap_err().code(), "NOT_IN_STATUS");
    assert_eq!(run.try_command(Command::AdmitExecution), Err(Rejection::NothingToDo));
}

#[test]
fn time_runs_from_the_place_on() {
    let mut definition = limited(json!({"Limit": 1}));
    definition["TimeoutSeconds"] = json!(60);
    let mut run = given(&definition).started(&json!({}));
    assert_eq!(run.next_timer(), None);
    run.pass_ms(3_600_000);
    run.when(Command::AdmitExecution);
    assert_eq!(run.fire_next(), 60_000);
    assert_eq!(run.status(), "timed_out");
}

#[test]
fn parts_of_a_map_run_need_no_place() {
    let definition = json!({"Concurrency": {"Limit": 1}, "StartAt": "M", "States": {"M": {
        "Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}});
    let mut run = given(&definition);
    let link = Link::Item { frame: FrameId::ROOT, index: 0, map: "M".into() };
    run.start_for(ExecutionId(uuid::Uuid::nil()), link, &json!(1));
    assert_eq!((run.status(), run.output()), ("completed", json!(1)));
}

#[test]
fn a_child_that_waits_for_its_place_can_be_begun_by_a_job() {
    let mut run = given(&limited(json!({"Limit": 1})));
    run.start_for(ExecutionId(uuid::Uuid::nil()), Link::Job(JobId(1)), &json!(1));
    assert_eq!(run.status(), "pending");
}
