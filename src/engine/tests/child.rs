//! Tasks that are executions of their own.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::only;
use crate::engine::{
    CallbackToken, ChildEnd, Command, Effect, ExecutionId, Failure, JobId, Status, Timestamp,
    pending_effects,
};
use crate::language::Json;

fn starts(pattern: &str, fields: Value) -> Value {
    let mut state = json!({"Type": "Task", "End": true,
        "Resource": format!("arn:aws:states:::states:startExecution{pattern}"),
        "Parameters": {"StateMachineArn": "other", "Name": "mine", "Input": {"n.$": "$.n"}}});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state
}

fn begun(pattern: &str, fields: Value) -> Run {
    given(&only(starts(pattern, fields))).started(&json!({"n": 3}))
}

fn child_of(run: &Run, job: u32) -> ExecutionId {
    run.execution.jobs[&JobId(job)].child.as_ref().unwrap().execution
}

fn end(status: Status, output: Option<Value>, failure: Option<Failure>) -> Option<Box<ChildEnd>> {
    Some(Box::new(ChildEnd {
        workflow: "other".into(),
        name: Some("mine".into()),
        input: json!({"n": 3}).into(),
        status,
        output: output.map(Json::from),
        failure,
        started_at: Timestamp(1_700_000_000_000),
        ended_at: Timestamp(1_700_000_005_000),
    }))
}

fn completed(output: Value) -> Option<Box<ChildEnd>> {
    end(Status::Completed, Some(output), None)
}

#[test]
fn a_task_that_only_starts_an_execution_is_done_when_that_has_begun() {
    let mut run = begun("", json!({}));
    let child = child_of(&run, 1);
    assert_eq!(run.job_input(1), json!({"n": 3}));
    assert_eq!(pending_effects(&run.execution), [Effect::RunChild { child }]);
    run.when(Command::ChildStarted { child, at: Timestamp(1_700_000_000_500) });
    let told = json!({"ExecutionArn": child.to_string(), "StartDate": 1_700_000_000_500_u64});
    assert_eq!(run.output(), told);
}

#[test]
fn a_task_waits_for_the_end_of_its_execution_and_gets_its_output() {
    for (pattern, input, output) in [
        (".sync", json!("{\"n\":3}"), json!("{\"a\":1}")),
        (".sync:2", json!({"n": 3}), json!({"a": 1})),
    ] {
        let mut run = begun(pattern, json!({}));
        let child = child_of(&run, 1);
        let begun = Command::ChildStarted { child, at: run.now };
        assert_eq!(run.try_command(begun).unwrap_err().code(), "NOTHING_TO_DO");
        run.when(Command::ChildEnded { child, end: completed(json!({"a": 1})) });
        let told = run.output();
        assert_eq!((&told["Input"], &told["Output"]), (&input, &output), "{pattern}");
        assert_eq!(told["Status"], "SUCCEEDED");
        assert_eq!(told["ExecutionArn"], child.to_string());
        assert_eq!(told["Name"], "mine");
        assert_eq!(told["StopDate"], 1_700_000_005_000_u64);
    }
}

#[test]
fn an_execution_that_fails_fails_the_task_with_all_that_is_known() {
    let mut run = begun(".sync:2", json!({}));
    let child = child_of(&run, 1);
    let failure = Some(Failure::new("Mine", "as told"));
    run.when(Command::ChildEnded { child, end: end(Status::Failed, None, failure) });
    assert_eq!(run.error(), "States.TaskFailed");
    let cause: Value =
        serde_json::from_str(&run.execution.failure.as_ref().unwrap().cause).unwrap();
    assert_eq!((&cause["Error"], &cause["Status"]), (&json!("Mine"), &json!("FAILED")));
}

#[test]
fn an_execution_that_completed_with_errors_counts_as_one() {
    let mut run = begun(".sync", json!({}));
    let child = child_of(&run, 1);
    let end = end(Status::CompletedWithErrors, Some(json!(1)), None);
    run.when(Command::ChildEnded { child, end });
    assert_eq!((run.status(), run.execution.total_errors), ("completed_with_errors", 1));
}

#[test]
fn a_retry_is_another_execution() {
    let mut run = begun(".sync", json!({"Retry": [{"ErrorEquals": ["States.ALL"]}]}));
    let first = child_of(&run, 1);
    run.when(Command::ChildEnded { child: first, end: end(Status::TimedOut, None, None) });
    run.fire_next();
    let second = child_of(&run, 1);
    assert_ne!(first, second);
    let late = Command::ChildEnded { child: first, end: completed(json!(1)) };
    assert_eq!(run.try_command(late).unwrap_err().code(), "CHILD_NOT_OPEN");
    run.when(Command::ChildEnded { child: second, end: completed(json!(2)) });
    assert_eq!(run.output()["Output"], "2");
}

#[test]
fn an_execution_that_cannot_begin_fails_the_task() {
    let mut run = begun(".sync", json!({}));
    let child = child_of(&run, 1);
    let failure = Failure::new("StepFunctions.StateMachineDoesNotExistException", "no such");
    run.when(Command::ChildRefused { child, failure });
    assert_eq!(run.error(), "StepFunctions.StateMachineDoesNotExistException");
}

#[test]
fn progress_of_the_execution_is_progress_of_the_task() {
    let mut run = begun(".sync", json!({}));
    let child = child_of(&run, 1);
    run.when(Command::ChildProgressed { child, percent: 40 });
    assert_eq!(run.execution.progress, 40);
    let less = Command::ChildProgressed { child, percent: 30 };
    assert_eq!(run.try_command(less).unwrap_err().code(), "NOTHING_TO_DO");
}

#[test]
fn a_timeout_stops_the_execution_and_the_end_waits_for_that() {
    let mut run = begun(".sync", json!({"TimeoutSeconds": 60}));
    let child = child_of(&run, 1);
    assert_eq!(run.fire_next(), 60_000);
    assert_eq!(run.names(), "JobTimedOut ExecutionClosing");
    assert_eq!(run.status(), "running");
    assert_eq!(pending_effects(&run.execution), [Effect::StopChild { child }]);
    run.when(Command::ChildEnded { child, end: end(Status::Cancelled, None, None) });
    assert_eq!(run.names(), "ChildStopped ExecutionFailed");
    assert_eq!(run.error(), "States.Timeout");
}

#[test]
fn a_caught_timeout_goes_on_while_the_execution_stops() {
    let mut run = given(&json!({"StartAt": "A", "States": {
        "A": starts(".sync", json!({"TimeoutSeconds": 60,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]})),
        "B": {"Type": "Pass", "Result": "late", "End": true}}}))
    .started(&json!({"n": 1}));
    let child = child_of(&run, 1);
    run.fire_next();
    assert_eq!(run.status(), "running", "the end waits");
    run.when(Command::ChildEnded { child, end: None });
    assert_eq!(run.output(), json!("late"));
}

#[test]
fn a_machine_that_runs_too_long_stops_its_executions_first() {
    let mut machine = only(starts(".sync", json!({})));
    machine["TimeoutSeconds"] = json!(5);
    let mut run = given(&machine).started(&json!({"n": 1}));
    let child = child_of(&run, 1);
    assert_eq!(run.fire_next(), 5000);
    assert_eq!(run.names(), "JobCancelled ExecutionClosing");
    run.when(Command::ChildEnded { child, end: None });
    assert_eq!(run.status(), "timed_out");
}

#[test]
fn a_cancel_reaches_the_execution_first() {
    let mut run = begun(".sync", json!({}));
    let child = child_of(&run, 1);
    run.cancel();
    assert_eq!(run.names(), "CancelRequested JobCancelled");
    assert_eq!(run.status(), "cancelling");
    assert_eq!(pending_effects(&run.execution).first(), Some(&Effect::StopChild { child }));
    // It takes its time: it has a deadline of its own.
    assert_eq!(run.fire_next(), 30_000);
    assert_eq!(run.names(), "CancelExtended");
    run.when(Command::ChildEnded { child, end: end(Status::Cancelled, None, None) });
    assert_eq!(run.names(), "ChildStopped ExecutionCancelled");
}

#[test]
fn a_cancel_comes_first_when_the_end_waits() {
    let mut run = begun(".sync", json!({"TimeoutSeconds": 60}));
    let child = child_of(&run, 1);
    run.fire_next();
    run.cancel();
    assert_eq!(run.status(), "cancelling");
    run.when(Command::ChildEnded { child, end: None });
    assert_eq!(run.status(), "cancelled");
}

#[test]
fn an_execution_that_was_only_begun_is_left_alone() {
    let mut run = begun("", json!({}));
    run.cancel();
    assert_eq!(run.status(), "cancelled");
}

#[test]
fn an_execution_can_carry_the_token_of_a_callback() {
    let mut run = begun(
        ".waitForTaskToken",
        json!({"Parameters": {"StateMachineArn": "other",
            "Input": {"token.$": "$$.Task.Token"}}}),
    );
    let child = child_of(&run, 1);
    let token: CallbackToken = run.job_input(1)["token"].as_str().unwrap().parse().unwrap();
    run.when(Command::ChildStarted { child, at: run.now });
    assert_eq!(run.names(), "CallbackAwaited");
    assert_eq!(pending_effects(&run.execution), []);
    let (job, token) = (token.job, token.token);
    run.when(Command::CompleteJob { job, token, output: json!("back").into(), errors: 0 });
    assert_eq!(run.output(), json!("back"));
}

#[test]
fn input_may_be_a_text_that_holds_json() {
    let fields = json!({"Parameters": {"StateMachineArn": "other", "Input": "{\"x\": 1}"}});
    assert_eq!(begun("", fields).job_input(1), json!({"x": 1}));
    let fields = json!({"Parameters": {"StateMachineArn": "other", "Input": "{"}});
    assert_eq!(begun("", fields).error(), "States.Runtime");
    let fields = json!({"Parameters": {"StateMachineArn": "other"}});
    assert_eq!(begun("", fields).job_input(1), json!({}));
}

#[test]
fn executions_that_wait_for_one_another_are_refused_at_some_depth() {
    let run = given(&only(starts(".sync", json!({})))).limits(|limits| limits.child_depth = 0);
    assert_eq!(run.started(&json!({"n": 1})).error(), "States.Runtime");
    let run = given(&only(starts("", json!({})))).limits(|limits| limits.child_depth = 0);
    assert_eq!(run.started(&json!({"n": 1})).status(), "running", "nobody waits for it");
}

#[test]
fn the_end_of_an_execution_is_known_although_its_beginning_was_not_heard_of() {
    let mut run = begun("", json!({}));
    let child = child_of(&run, 1);
    run.when(Command::ChildEnded { child, end: completed(json!(1)) });
    assert_eq!(run.output()["ExecutionArn"], child.to_string());
}
