//! Executions that go on after their end, and those that try again before their time.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::{only, task};
use crate::engine::{
    ChildEnd, Command, Event, ExecutionId, Failure, JobId, Link, RedriveRequest, Status,
    StepStatus, Timer, Timestamp,
};
use crate::language::Json;

/// Three tasks in a row, the second of which can be shaped.
fn three(second: Value) -> Value {
    let mut second = task(second);
    second.as_object_mut().unwrap().remove("End");
    second["Next"] = json!("C");
    json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "work", "Next": "B", "Assign": {"seen.$": "$.n"}},
        "B": second,
        "C": {"Type": "Task", "Resource": "work", "End": true}}})
}

fn from(step: &str) -> RedriveRequest {
    RedriveRequest { from: Some(step.into()), ..RedriveRequest::default() }
}

fn status_of(run: &Run, step: &str) -> StepStatus {
    run.execution.steps[step].status
}

/// A run of [`three`] whose second task has failed.
fn failed() -> Run {
    let mut run = given(&three(json!({}))).started(&json!({}));
    run.complete(1, &json!({"n": 7}));
    run.fail(2, "Mine");
    assert_eq!(run.status(), "failed");
    run
}

#[test]
fn a_failed_step_runs_again_and_what_was_done_is_kept() {
    let mut run = failed();
    let first = run.execution.steps["A"].clone();
    run.pass_ms(60_000);
    run.redrive();
    assert_eq!(run.names(), "ExecutionRedriven StateEntered JobScheduled");
    assert_eq!((run.status(), run.execution.redrives), ("running", 1));
    assert_eq!(run.execution.steps["A"], first, "a kept step is as it was");
    assert_eq!(run.execution.failure, None);
    assert_eq!(run.open_jobs(), [3], "a job of its own");
    assert_eq!(run.job_input(3), json!({"n": 7}), "the input that it had");
    assert_eq!(run.execution.progress, 33, "a third is kept");
    run.complete_only(&json!(1));
    run.complete_only(&json!(2));
    assert_eq!((run.output(), run.status()), (json!(2), "completed"));
    assert_eq!(run.execution.steps["B"].attempts, 2);
    assert_eq!(run.count("ExecutionFailed"), 1);
}

#[test]
fn variables_are_as_they_were_when_the_step_was_entered() {
    let mut definition = three(json!({}));
    definition["States"]["C"] = json!({"Type": "Pass", "End": true,
        "Parameters": {"seen.$": "$seen", "times.$": "$$.Execution.RedriveCount",
            "at.$": "$$.Execution.RedriveTime"}});
    let mut run = given(&definition).started(&json!({}));
    run.complete(1, &json!({"n": 7}));
    run.fail(2, "Mine");
    run.pass_ms(1000);
    run.redrive();
    run.complete_only(&json!({}));
    let at = "2023-11-14T22:13:21.000Z";
    assert_eq!(run.output(), json!({"seen": 7, "times": 1, "at": at}));
}

#[test]
fn a_cancelled_execution_goes_on_where_it_was() {
    let mut run = given(&three(json!({}))).started(&json!({}));
    run.complete(1, &json!({"n": 7}));
    run.cancel();
    assert_eq!(run.status(), "cancelled");
    run.redrive();
    assert_eq!(run.execution.cancel, None);
    assert_eq!(status_of(&run, "B"), StepStatus::Running);
    run.complete_only(&json!(1));
    run.complete_only(&json!(2));
    assert_eq!(run.status(), "completed");
}

#[test]
fn an_execution_that_timed_out_gets_its_time_anew() {
    let mut definition = three(json!({}));
    definition["TimeoutSeconds"] = json!(100);
    let mut run = given(&definition).started(&json!({}));
    run.complete(1, &json!({"n": 7}));
    run.fire_next();
    assert_eq!(run.status(), "timed_out");
    run.pass_ms(1_000_000);
    run.redrive();
    assert_eq!(run.next_timer(), Some((100_000, Timer::ExecutionTimeout)));
    run.complete_only(&json!(1));
    run.complete_only(&json!(2));
    assert_eq!(run.status(), "completed");
}

#[test]
fn of_one_that_completed_with_errors_the_first_step_with_an_error_runs_again() {
    let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "C", "ResultPath": "$.e"}]);
    let mut run = given(&three(json!({"Catch": catch}))).started(&json!({}));
    run.complete(1, &json!({"n": 7}));
    run.fail(2, "Mine");
    run.complete_only(&json!(1));
    assert_eq!((run.status(), run.execution.progress), ("completed_with_errors", 100));
    run.redrive();
    assert_eq!((run.execution.total_errors, run.execution.output.clone()), (0, None));
    assert_eq!(run.job_input(4), json!({"n": 7}), "not what the catcher made of it");
    assert_eq!(status_of(&run, "C"), StepStatus::Pending);
    assert_eq!(run.execution.progress, 33, "what comes after it is not done either");
    run.complete_only(&json!(1));
    assert_eq!(run.execution.progress, 66);
    run.complete_only(&json!(2));
    assert_eq!((run.status(), run.execution.total_errors), ("completed", 0));
    let order: Vec<&str> = run.execution.steps.keys().map(|name| &**name).collect();
    assert_eq!(order, ["A", "B", "C"]);
}

#[test]
fn what_has_not_ended_or_has_completed_is_not_retried() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let told = run.plan(&RedriveRequest::default()).unwrap_err().to_string();
    assert_eq!(told, "to retry is not possible: the execution is running");
    let token = run.take(1);
    run.cancel();
    let told = run.plan(&RedriveRequest::default()).unwrap_err().to_string();
    assert_eq!(told, "to retry is not possible: the execution is cancelling");
    run.when(Command::AcknowledgeCancel { job: JobId(1), token });
    assert!(run.plan(&RedriveRequest::default()).is_ok());

    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.complete_only(&json!(1));
    let rejection = run.plan(&RedriveRequest::default()).unwrap_err();
    assert_eq!(rejection.code(), "NOT_IN_STATUS");
    assert!(rejection.to_string().ends_with("the execution is completed"), "{rejection}");
}

#[test]
fn two_plans_of_one_end_give_one_redrive_and_a_refusal() {
    let mut run = failed();
    let plan = Box::new(run.plan(&RedriveRequest::default()).unwrap());
    let command = Command::RedriveExecution { by: "me".into(), reason: None, plan, pause: None };
    run.when(command.clone());
    assert_eq!(run.try_command(command.clone()).unwrap_err().code(), "NOT_IN_STATUS");
    run.fail_only("Mine");
    assert_eq!(run.try_command(command).unwrap_err().code(), "PLAN_OUTDATED");
}

#[test]
fn an_execution_can_be_retried_again_and_again() {
    let mut run = failed();
    for times in 1..4 {
        run.redrive();
        assert_eq!(run.execution.redrives, times);
        assert_eq!(run.execution.steps["B"].attempts, times + 1);
        assert_eq!(run.execution.progress, 33);
        run.fail_only("Mine");
    }
    run.redrive();
    run.complete_only(&json!(1));
    run.fail_only("Other");
    assert_eq!(run.execution.progress, 66);
    run.redrive();
    assert_eq!(run.count("StateEntered"), 1 + 5 + 2);
    assert_eq!(status_of(&run, "B"), StepStatus::Completed, "kept from the last attempt");
    run.complete_only(&json!(2));
    assert_eq!(run.output(), json!(2));
}

#[test]
fn from_goes_back_to_an_earlier_step() {
    let mut run = failed();
    run.redrive_with(&from("A"));
    assert_eq!(run.job_input(3), json!({}));
    assert_eq!(run.execution.progress, 0);
    assert!(run.execution.frames.values().all(|frame| frame.variables.is_empty()));
    assert_eq!(status_of(&run, "B"), StepStatus::Pending);
    run.cancel();
    assert_eq!(status_of(&run, "B"), StepStatus::Pending, "it was not entered again");
    let rejection = run.plan(&from("B")).unwrap_err();
    assert_eq!(rejection.code(), "STEP_NOT_ENTERED", "what was taken back is no place to go to");
}

#[test]
fn from_names_the_steps_that_were_entered_when_there_is_no_such() {
    let told = failed().plan(&from("C")).unwrap_err().to_string();
    assert_eq!(told, r#"step "C" has not been entered; entered were "A", "B""#);
}

#[test]
fn the_input_of_the_step_can_be_changed() {
    let mut run = failed();
    let set = vec![("$.n".to_owned(), json!(8).into()), ("$.a.b".to_owned(), json!("x").into())];
    run.redrive_with(&RedriveRequest { set, ..RedriveRequest::default() });
    assert_eq!(run.job_input(3), json!({"n": 8, "a": {"b": "x"}}));
    run.fail_only("Mine");
    let set = vec![("$".to_owned(), json!([1]).into())];
    run.redrive_with(&RedriveRequest { set, ..RedriveRequest::default() });
    assert_eq!(run.job_input(4), json!([1]));
}

#[test]
fn a_change_that_does_not_fit_is_refused_with_the_reason() {
    let run = failed();
    for (path, words) in [("$.n.x", "Unable to apply step"), ("n", "n: ")] {
        let set = vec![(path.to_owned(), json!(8).into())];
        let rejection = run.plan(&RedriveRequest { set, ..RedriveRequest::default() });
        let rejection = rejection.unwrap_err();
        assert_eq!(rejection.code(), "BAD_CHANGE");
        assert!(rejection.to_string().contains(words), "{rejection}");
    }
    let mut run = failed().limits(|limits| limits.payload_bytes = 10);
    let set = vec![("$".to_owned(), json!("x".repeat(20)).into())];
    let plan = run.plan(&RedriveRequest { set, ..RedriveRequest::default() }).unwrap();
    let (by, reason, plan) = ("me".into(), None, Box::new(plan));
    let refused = run.try_command(Command::RedriveExecution { by, reason, plan, pause: None });
    assert_eq!(refused.unwrap_err().code(), "TOO_LARGE");
}

#[test]
fn behind_a_fail_state_the_step_whose_failure_led_to_it_runs_again() {
    let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "Tidy"}]);
    let mut run = given(&json!({"StartAt": "B", "States": {
        "B": task(json!({"Next": "C", "Catch": catch})),
        "C": {"Type": "Succeed"},
        "Tidy": {"Type": "Pass", "Next": "Stop"},
        "Stop": {"Type": "Fail", "Error": "Stopped"}}}))
    .started(&json!({"n": 1}));
    run.fail_only("Mine");
    assert_eq!(run.error(), "Stopped");
    run.redrive();
    assert_eq!(run.job_input(2), json!({"n": 1}));
    run.complete_only(&json!(1));
    assert_eq!((run.status(), run.execution.total_errors), ("completed", 0));
}

#[test]
fn a_fail_state_that_nothing_led_to_by_a_failure_fails_again() {
    let mut run = given(&json!({"StartAt": "Stop", "States": {
        "Stop": {"Type": "Fail", "Error": "Stopped"}}}))
    .started(&json!({}));
    run.redrive();
    assert_eq!((run.error().as_str(), run.execution.redrives), ("Stopped", 1));
}

#[test]
fn of_a_loop_the_last_round_is_gone_back_to() {
    let mut run = given(&json!({"StartAt": "Work", "States": {
        "Work": task(json!({"Next": "More"})),
        "More": {"Type": "Choice", "Default": "Done",
            "Choices": [{"Variable": "$.more", "BooleanEquals": true, "Next": "Work"}]},
        "Done": {"Type": "Succeed"}}}))
    .started(&json!({"round": 0}));
    run.complete_only(&json!({"more": true, "round": 1}));
    run.complete_only(&json!({"more": true, "round": 2}));
    run.fail_only("Mine");
    run.redrive();
    assert_eq!(run.job_input(4), json!({"more": true, "round": 2}));
    run.complete_only(&json!({"more": false}));
    assert_eq!(run.status(), "completed");
}

#[test]
fn an_execution_that_ended_before_its_first_step_begins_with_it() {
    let mut run = given(&three(json!({}))).limits(|limits| limits.decision_events = 1);
    run = run.started(&json!({"n": 1}));
    assert_eq!(run.names(), "ExecutionStarted");
    run.cancel();
    run.redrive();
    assert_eq!(run.execution.progress, 0);
    run.when(Command::Advance);
    assert_eq!(run.job_input(1), json!({"n": 1}));
}

#[test]
fn what_another_execution_waited_for_is_retried_by_that_one() {
    let execution = ExecutionId(uuid::Uuid::from_u128(99));
    for link in [Link::Job(JobId(1)), Link::Begun(JobId(1))] {
        let waits = matches!(link, Link::Job(_));
        let mut run = given(&only(task(json!({}))));
        run.start_for(execution, link, &json!({}));
        run.fail_only("Mine");
        match run.plan(&RedriveRequest::default()) {
            Err(rejection) => assert!(waits && rejection.code() == "PART_OF_ANOTHER"),
            Ok(_) => assert!(!waits, "it belongs to the one that began it"),
        }
    }
}

#[test]
fn a_task_that_was_an_execution_is_another_one() {
    let mut run = given(&only(json!({"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "other"}})))
    .started(&json!({}));
    let child = |run: &Run| {
        let job = run.execution.jobs.values().next().unwrap();
        job.child.as_ref().unwrap().execution
    };
    let first = child(&run);
    let end = |status: Status| {
        let output = (status == Status::CompletedWithErrors).then(Json::null);
        Some(Box::new(ChildEnd {
            workflow: "other".into(),
            name: None,
            input: Json::null(),
            status,
            failure: output.is_none().then(|| Failure::new("Mine", "as told")),
            output,
            started_at: Timestamp(1_700_000_000_000),
            ended_at: Timestamp(1_700_000_000_000),
        }))
    };
    run.when(Command::ChildEnded { child: first, end: end(Status::Failed) });
    run.redrive();
    let second = child(&run);
    assert_ne!(first, second);
    run.when(Command::ChildEnded { child: second, end: end(Status::CompletedWithErrors) });
    assert_eq!(run.status(), "completed_with_errors");
    run.redrive();
    assert_ne!(second, child(&run), "its errors count, so it runs again");
}

#[test]
fn the_allowance_of_events_begins_anew() {
    let mut run = given(&json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Default": "A",
            "Choices": [{"Variable": "$.end", "IsPresent": true, "Next": "C"}]},
        "C": {"Type": "Succeed"}}}))
    .limits(|limits| limits.history_events = 20)
    .started(&json!({}));
    assert_eq!(run.error(), "States.Runtime");
    let before = run.history.len();
    run.redrive();
    assert_eq!(run.error(), "States.Runtime");
    assert!(run.history.len() - before > 15, "{}", run.history.len() - before);
}

#[test]
fn a_retry_that_waits_can_be_had_at_once() {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}]);
    let mut run = given(&only(task(json!({"Retry": retry})))).started(&json!({}));
    let told = run.try_command(Command::SkipBackoff).unwrap_err().to_string();
    assert!(told.ends_with("the execution waits for a worker"), "{told}");
    run.fail_only("Mine");
    run.when(Command::SkipBackoff);
    assert_eq!(run.names(), "RetryStarted JobScheduled");
    assert_eq!((run.next_timer(), run.open_jobs()), (None, vec![1]));
    run.complete_only(&json!(1));
    let refused = run.try_command(Command::SkipBackoff).unwrap_err();
    assert_eq!(refused.code(), "NOT_IN_STATUS");
}

#[test]
fn all_that_wait_to_try_again_do_so_at_once_and_nothing_else() {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}]);
    let branch = |name: &str, state: Value| json!({"StartAt": name, "States": {name: state}});
    let mut run = given(&only(json!({"Type": "Parallel", "End": true, "Branches": [
        branch("X", task(json!({"Retry": retry}))),
        branch("Y", task(json!({"Retry": retry}))),
        branch("Z", json!({"Type": "Wait", "Seconds": 100, "End": true}))]})))
    .started(&json!({}));
    run.fail(1, "Mine");
    run.fail(2, "Mine");
    run.when(Command::SkipBackoff);
    assert_eq!(run.count("RetryStarted"), 2);
    assert_eq!(run.next_timer().map(|(due, _)| due), Some(100_000), "the Wait waits on");
    let told = run.try_command(Command::SkipBackoff).unwrap_err().to_string();
    assert!(told.ends_with("waits for a time and a worker"), "{told}");
}

#[test]
fn a_redrive_says_who_and_why_and_all_that_it_needs() {
    let mut run = failed();
    let plan = Box::new(run.plan(&RedriveRequest::default()).unwrap());
    let reason = Some("the disk is back".into());
    run.when(Command::RedriveExecution { by: "ops".into(), reason, plan, pause: None });
    let Event::ExecutionRedriven(body) = &run.last[0] else { panic!("another event") };
    assert_eq!((&*body.by, body.reason.as_deref()), ("ops", Some("the disk is back")));
    assert_eq!((&*body.step, body.input.value()), ("B", json!({"n": 7})));
    assert_eq!(body.kept, ["A".into()]);
    assert!(matches!(&run.history[usize::try_from(body.back_to).unwrap() - 1].0,
        Event::StateEntered(entered) if *entered.state == *"B"));
}
