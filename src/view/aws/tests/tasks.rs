//! Work, and states that do none.

use serde_json::json;

use super::*;
use crate::engine::{ChildEnd, Status, Timestamp};

#[test]
fn nothing_leads_to_the_first_state() {
    let run = begun("{StartAt: P, States: {P: {Type: Pass, Next: S}, S: {Type: Succeed}}}", "[1]");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 PassStateEntered<0  3 PassStateExited<2  4 SucceedStateEntered<3  \
         5 SucceedStateExited<4  6 ExecutionSucceeded<5"
    );
    let payload = json!({"input": "[1]", "inputDetails": {"truncated": false}, "roleArn": "role"});
    assert_eq!(details(&run, "ExecutionStarted"), payload);
    let entered = json!({"name": "P", "input": "[1]", "inputDetails": {"truncated": false}});
    assert_eq!(details(&run, "PassStateEntered"), entered);
    let left = json!({"name": "P", "output": "[1]", "outputDetails": {"truncated": false}});
    assert_eq!(details(&run, "PassStateExited"), left);
}

/// Recorded.
#[test]
fn a_retry_is_work_that_is_scheduled_again() {
    let mut run = begun(
        "{StartAt: T, States: {T: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', End: true,
          Parameters: {a: 1}, Retry: [{ErrorEquals: [Flaky], MaxAttempts: 2}]}}}",
        "{}",
    );
    fail(&mut run, 1, "Flaky");
    fire(&mut run);
    fail(&mut run, 1, "Flaky");
    fire(&mut run);
    fail(&mut run, 1, "Flaky");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 TaskScheduled<2  4 TaskStarted<3  \
         5 TaskFailed<4  6 TaskScheduled<5  7 TaskStarted<6  8 TaskFailed<7  9 TaskScheduled<8  \
         10 TaskStarted<9  11 TaskFailed<10  12 ExecutionFailed<11"
    );
    let about = json!({"resourceType": "lambda", "resource": "invoke"});
    assert_eq!(details(&run, "TaskStarted"), about);
    let scheduled = json!({"parameters": "{\"a\":1}", "region": "here",
        "resourceType": "lambda", "resource": "invoke"});
    assert_eq!(details(&run, "TaskScheduled"), scheduled);
    assert_eq!(details(&run, "TaskFailed")["error"], "Flaky");
    assert_eq!(details(&run, "ExecutionFailed"), json!({"error": "Flaky", "cause": "as told"}));
}

/// Recorded.
#[test]
fn a_failure_that_is_caught_leads_out_of_its_state() {
    let mut run = begun(
        "{StartAt: T, States: {
          T: {Type: Task, Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken', End: true,
              Catch: [{ErrorEquals: [States.ALL], Next: P}]},
          P: {Type: Pass, End: true}}}",
        "{}",
    );
    complete(&mut run, 1, "null");
    let callback = run.execution.jobs[&JobId(1)].callback.unwrap();
    let failure = Failure::new("No", "");
    run.command(Command::FailJob { job: JobId(1), token: callback, failure });
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 TaskScheduled<2  4 TaskStarted<3  \
         5 TaskSubmitted<4  6 TaskFailed<5  7 TaskStateExited<6  8 PassStateEntered<7  \
         9 PassStateExited<8  10 ExecutionSucceeded<9"
    );
}

/// Recorded.
#[test]
fn an_activity_that_takes_too_long_has_events_of_its_own() {
    let mut run = begun(
        "{StartAt: T, States: {T: {Type: Task, TimeoutSeconds: 5, HeartbeatSeconds: 3, End: true,
          Resource: 'arn:aws:states:us-east-1:000000000000:activity:resize'}}}",
        "{}",
    );
    take(&mut run, 1);
    fire(&mut run);
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 ActivityScheduled<2  4 ActivityStarted<3  \
         5 ActivityTimedOut<4  6 ExecutionFailed<5"
    );
    let scheduled = json!({"input": "{}", "inputDetails": {"truncated": false},
        "resource": "arn:aws:states:us-east-1:000000000000:activity:resize",
        "timeoutInSeconds": 5, "heartbeatInSeconds": 3});
    assert_eq!(details(&run, "ActivityScheduled"), scheduled);
    assert_eq!(details(&run, "ActivityStarted"), json!({"workerName": "w"}));
    assert_eq!(details(&run, "ActivityTimedOut")["error"], "States.HeartbeatTimeout");
}

/// Recorded.
#[test]
fn a_function_has_events_of_its_own() {
    let mut run = begun(
        "{StartAt: T, States: {T: {Type: Task, End: true,
          Resource: 'arn:aws:lambda:us-east-1:000000000000:function:resize'}}}",
        "{}",
    );
    complete(&mut run, 1, "[]");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 LambdaFunctionScheduled<2  \
         4 LambdaFunctionStarted<3  5 LambdaFunctionSucceeded<4  6 TaskStateExited<5  \
         7 ExecutionSucceeded<6"
    );
    let event = events(&run).remove(3);
    assert!(event.details.is_empty(), "AWS says nothing of it: {event:?}");
}

#[test]
fn a_job_type_is_an_activity_and_an_attempt_that_a_crash_cut_off_has_failed() {
    let mut run = begun("{StartAt: T, States: {T: {Type: Task, Resource: r, End: true}}}", "{}");
    take(&mut run, 1);
    run.command(Command::LoseAttempts { jobs: vec![JobId(1)], stopped: false });
    complete(&mut run, 1, "1");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 ActivityScheduled<2  4 ActivityStarted<3  \
         5 ActivityFailed<4  6 ActivityScheduled<5  7 ActivityStarted<6  8 ActivitySucceeded<7  \
         9 TaskStateExited<8  10 ExecutionSucceeded<9"
    );
    assert_eq!(details(&run, "ActivityFailed")["error"], "Everstep.AttemptLost");
    assert_eq!(details(&run, "ActivityScheduled")["resource"], "activity:r");
}

/// Recorded.
#[test]
fn an_execution_that_is_waited_for_was_submitted() {
    let mut run = begun(
        "{StartAt: T, States: {T: {Type: Task, Resource: 'states:startExecution.sync:2', End: true,
          Parameters: {StateMachineArn: other}}}}",
        "{}",
    );
    let child = run.execution.jobs[&JobId(1)].awaited_child().unwrap();
    let end = ChildEnd {
        workflow: "other".into(),
        name: None,
        input: Json::empty_object(),
        status: Status::Completed,
        output: Some(Json::null()),
        failure: None,
        started_at: Timestamp(1),
        ended_at: Timestamp(2),
    };
    run.command(Command::ChildEnded { child, end: Some(Box::new(end)) });
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 TaskScheduled<2  4 TaskStarted<3  \
         5 TaskSubmitted<4  6 TaskSucceeded<5  7 TaskStateExited<6  8 ExecutionSucceeded<7"
    );
    let about = json!({"resourceType": "states", "resource": "startExecution.sync:2"});
    assert_eq!(details(&run, "TaskStarted"), about);
    let output = details(&run, "TaskSubmitted")["output"].as_str().unwrap().to_owned();
    assert!(output.starts_with("{\"ExecutionArn\":\"execution:other\""), "{output}");
}

#[test]
fn variables_that_a_state_assigned_stand_at_its_exit() {
    let run = begun(
        "{StartAt: P, QueryLanguage: JSONata, States: {
          P: {Type: Pass, Assign: {n: 1, t: x}, End: true}}}",
        "{}",
    );
    let left = details(&run, "PassStateExited");
    assert_eq!(left["assignedVariables"], json!({"n": "1", "t": "\"x\""}));
    assert_eq!(left["assignedVariablesDetails"], json!({"truncated": false}));
}
