//! Forcing the end of what does not stop.

use serde_json::json;

use super::kit::{Run, given};
use super::{only, task};
use crate::engine::cleanup::CANCEL_FORCED;
use crate::engine::{Command, Effect, effects_after, pending_effects};

fn force() -> Command {
    Command::CancelExecution { by: "boss".into(), reason: Some("enough".into()), force: true }
}

fn refused(run: &mut Run) -> (String, String) {
    let refused = run.try_command(force()).unwrap_err();
    (refused.code().to_owned(), refused.to_string())
}

#[test]
fn force_before_the_deadline_says_when_it_may_be() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let (code, told) = refused(&mut run);
    assert_eq!(code, "FORCE_TOO_EARLY");
    assert!(told.contains("nobody has asked it to stop"), "{told}");
    run.take_only();
    run.cancel();
    run.pass_ms(29_999);
    let (code, told) = refused(&mut run);
    assert_eq!(code, "FORCE_TOO_EARLY");
    assert!(told.contains("its workers have until 2023-11-14T22:13:50"), "{told}");
}

#[test]
fn force_of_what_has_ended_names_the_status() {
    let mut run = given(&only(json!({"Type": "Succeed"}))).started(&json!({}));
    let (code, told) = refused(&mut run);
    assert_eq!(code, "NOT_IN_STATUS");
    assert!(told.contains("completed"), "{told}");
}

#[test]
fn force_gives_up_workers_and_what_is_left_of_cleanup() {
    let machine = json!({"StartAt": "A", "OnCancel": "Tell", "States": {
        "A": task(json!({"Cleanup": "Undo A", "Next": "B"})),
        "B": task(json!({"Cleanup": "Undo B"})),
        "Undo A": task(json!({})), "Undo B": task(json!({})), "Tell": task(json!({})),
    }});
    let mut run = given(&machine).started(&json!({}));
    run.complete_only(&json!({"made": 1}));
    run.cancel();
    run.take_only();
    run.pass_ms(30_000);
    run.when(force());
    let failed = "CleanupFailed CleanupFailed CleanupFailed";
    assert_eq!(run.names(), format!("CancelForced JobCancelled {failed} ExecutionCancelled"));
    let errors = run.execution.cleanup.as_ref().unwrap().done.iter();
    let errors: Vec<&str> = errors.map(|done| &*done.failure.as_ref().unwrap().error).collect();
    assert_eq!(errors, [CANCEL_FORCED; 3]);
    let forced = run.execution.cancel.as_ref().unwrap().forced.as_ref().unwrap();
    assert_eq!((&*forced.by, forced.reason.as_deref()), ("boss", Some("enough")));
    assert_eq!(run.execution.steps["A"].result, Some(json!({"made": 1}).into()), "it is kept");
    assert_eq!((run.status(), run.execution.progress < 100), ("cancelled", true));
}

#[test]
fn force_while_a_worker_does_not_stop_ends_at_once() {
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Undo"})), "Undo": task(json!({}))}});
    let mut run = given(&machine).started(&json!({}));
    run.take_only();
    run.cancel();
    run.pass_ms(30_000);
    run.when(force());
    assert_eq!(run.names(), "CancelForced JobCancelled CleanupFailed ExecutionCancelled");
    assert_eq!(run.execution.cleanup.as_ref().unwrap().done[0].since, None, "it never began");
}

#[test]
fn executions_that_do_not_stop_are_left_behind_and_told_once_more() {
    let begins = json!({"Type": "Task", "Resource": "states:startExecution.sync:2", "End": true,
        "Parameters": {"StateMachineArn": "other"}});
    let mut run = given(&only(begins)).started(&json!({}));
    run.cancel();
    let child = *run.execution.leaving.keys().next().unwrap();
    run.pass_ms(31_000);
    run.when(force());
    assert_eq!(run.names(), "CancelForced ExecutionCancelled");
    let forced = run.execution.cancel.as_ref().unwrap().forced.as_ref().unwrap();
    assert_eq!(forced.abandoned, [child]);
    assert_eq!(effects_after(&run.execution, &run.last), [Effect::StopChild { child }]);
    assert_eq!(pending_effects(&run.execution), []);
}

#[test]
fn an_execution_that_cleanup_began_is_left_behind_too() {
    let begins = json!({"Type": "Task", "Resource": "states:startExecution.sync:2", "End": true,
        "Parameters": {"StateMachineArn": "other"}});
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Begin"})), "Begin": begins}});
    let mut run = given(&machine).started(&json!({}));
    run.cancel();
    run.pass_ms(30_000);
    run.when(force());
    assert_eq!(run.names(), "CancelForced JobCancelled CleanupFailed ExecutionCancelled");
    let forced = run.execution.cancel.as_ref().unwrap().forced.as_ref().unwrap();
    assert_eq!(forced.abandoned.len(), 1);
}
