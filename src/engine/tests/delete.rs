//! Deleting an execution.

use serde_json::json;

use super::kit::given;
use super::{only, task};
use crate::engine::{Command, JobId};

fn delete() -> Command {
    Command::DeleteExecution { by: "me".into(), reason: Some("old".into()) }
}

#[test]
fn an_execution_that_has_ended_can_be_deleted_once() {
    let mut run = given(&only(json!({"Type": "Succeed"}))).started(&json!({}));
    assert_eq!(run.status(), "completed");
    run.when(delete());
    assert_eq!(run.names(), "ExecutionDeleted");
    let deleted = run.execution.deleted.clone().unwrap();
    assert_eq!((&*deleted.by, deleted.reason.as_deref()), ("me", Some("old")));
    assert_eq!(run.status(), "completed", "it is still what it was");
    assert_eq!(run.try_command(delete()).unwrap_err().code(), "DELETED");
    let cancel = Command::CancelExecution { by: "me".into(), reason: None, force: false };
    assert_eq!(run.try_command(cancel).unwrap_err().code(), "DELETED");
}

#[test]
fn an_execution_that_goes_on_cannot_be_deleted() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let refusal = run.try_command(delete()).unwrap_err();
    assert_eq!(refusal.to_string(), "to delete is not possible: the execution is running");
    let token = run.take_only();
    run.cancel();
    let refusal = run.try_command(delete()).unwrap_err();
    assert_eq!(refusal.to_string(), "to delete is not possible: the execution is cancelling");
    run.when(Command::AcknowledgeCancel { job: JobId(1), token });
    run.when(delete());
    assert_eq!(run.names(), "ExecutionDeleted");
}
