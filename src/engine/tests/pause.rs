//! Holding an execution, and going on.

use serde_json::json;

use super::kit::{Run, given};
use super::{only, task};
use crate::engine::{
    Command, Effect, Failure, JobId, JobStatus, PauseScope, PauseWish, Rejection, StartExecution,
    Timer, pending_effects,
};
use crate::language::Json;

const OWN: PauseScope = PauseScope::Execution;
const ALL: PauseScope = PauseScope::Workflow;

impl Run {
    fn try_pause(&mut self, scope: PauseScope) -> Result<(), Rejection> {
        let reason = Some("too hot".into());
        self.try_command(Command::PauseExecution { scope, by: "me".into(), reason })
    }

    fn pause(&mut self, scope: PauseScope) {
        self.try_pause(scope).unwrap();
    }

    fn try_resume(&mut self, scope: PauseScope) -> Result<(), Rejection> {
        self.try_command(Command::ResumeExecution { scope, by: "you".into() })
    }

    fn resume(&mut self, scope: PauseScope) {
        self.try_resume(scope).unwrap();
    }

    fn owed(&self) -> Vec<Effect> {
        pending_effects(&self.execution)
    }
}

fn two_tasks() -> serde_json::Value {
    json!({"StartAt": "A", "States": {"A": task(json!({"Next": "B"})), "B": task(json!({}))}})
}

#[test]
fn a_job_that_waits_is_not_offered_while_paused_and_is_afterwards() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let offer = Effect::OfferJob { job: JobId(1), attempt: 1 };
    assert_eq!(run.owed(), std::slice::from_ref(&offer));
    run.pause(OWN);
    assert_eq!((run.names().as_str(), run.status()), ("ExecutionPaused", "running"));
    assert_eq!(run.owed(), []);
    let token = crate::engine::Token([1; 16]);
    let start = Command::StartJob { job: JobId(1), attempt: 1, worker: "w".into(), token };
    assert_eq!(run.try_command(start).unwrap_err().code(), "PAUSED");
    run.resume(OWN);
    assert_eq!(run.names(), "ExecutionResumed");
    assert_eq!(run.owed(), [offer]);
    run.complete_only(&json!(1));
    assert_eq!(run.output(), json!(1));
}

#[test]
fn a_running_job_goes_on_and_its_result_waits_for_the_next_step() {
    let mut run = given(&two_tasks()).started(&json!({}));
    run.take_only();
    run.pause(OWN);
    run.report(1, Some(50), Some("half"));
    run.complete(1, &json!("done"));
    assert_eq!(run.names(), "JobSucceeded", "and nothing begins");
    assert!(run.execution.ready.is_empty() && run.owed().is_empty());
    assert_eq!(run.try_command(Command::Advance).unwrap_err().code(), "PAUSED");
    run.resume(OWN);
    assert_eq!(run.names(), "ExecutionResumed StateExited StateEntered JobScheduled");
    assert_eq!(run.job_input(2), json!("done"));
}

#[test]
fn a_failure_while_paused_is_dealt_with_afterwards() {
    let retry = json!({"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 7}]});
    let mut run = given(&only(task(retry))).started(&json!({}));
    let token = run.take_only();
    run.pause(OWN);
    let failure = Failure::new("Any", "any");
    run.when(Command::FailJob { job: JobId(1), token, failure });
    assert_eq!(run.names(), "JobFailed");
    run.pass_ms(60_000);
    run.resume(OWN);
    assert_eq!(run.names(), "ExecutionResumed RetryScheduled");
    assert_eq!(run.next_timer().map(|(ms, _)| ms), Some(7000));
}

#[test]
fn time_that_runs_out_is_recorded_and_nothing_follows() {
    let mut run = given(&json!({"StartAt": "A", "States": {
        "A": {"Type": "Wait", "Seconds": 5, "Next": "B"}, "B": task(json!({}))}}))
    .started(&json!({}));
    run.pause(OWN);
    run.fire_next();
    assert_eq!(run.names(), "WaitEnded");
    assert_eq!(run.owed(), []);
    run.resume(OWN);
    assert_eq!(run.names(), "ExecutionResumed StateExited StateEntered JobScheduled");
}

#[test]
fn the_time_of_the_whole_execution_runs_on_while_paused() {
    let mut machine = only(task(json!({})));
    machine["TimeoutSeconds"] = json!(30);
    let mut run = given(&machine).started(&json!({}));
    run.pause(OWN);
    assert_eq!(run.next_timer(), Some((30_000, Timer::ExecutionTimeout)));
    run.fire_next();
    assert_eq!(run.status(), "timed_out");
    assert!(!run.execution.is_paused());
}

#[test]
fn an_attempt_that_a_crash_cuts_off_while_paused_waits_with_the_others() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.take_only();
    run.pause(ALL);
    run.lose(1, false);
    assert_eq!(run.names(), "AttemptLost JobScheduled");
    assert_eq!(run.execution.jobs[&JobId(1)].status, JobStatus::Pending);
    assert_eq!(run.owed(), []);
    run.resume(ALL);
    assert_eq!(run.owed(), [Effect::OfferJob { job: JobId(1), attempt: 2 }]);
}

#[test]
fn no_part_of_a_map_begins_while_paused() {
    let map = json!({"Type": "Map", "MaxConcurrency": 1, "End": true, "ItemProcessor":
        {"StartAt": "P", "States": {"P": task(json!({}))}}});
    let mut run = given(&only(map)).started(&json!([1, 2, 3]));
    run.take(1);
    run.pause(OWN);
    run.complete(1, &json!(10));
    assert_eq!(run.names(), "JobSucceeded");
    run.resume(OWN);
    assert_eq!(run.count("FrameStarted"), 2);
    run.complete(2, &json!(20));
    run.complete(3, &json!(30));
    assert_eq!(run.output(), json!([10, 20, 30]));
}

#[test]
fn executions_that_it_began_go_on_and_are_heard_of_while_paused() {
    let map = json!({"Type": "Map", "MaxConcurrency": 1, "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P", "States": {"P": task(json!({}))}}});
    let mut run = given(&only(map)).started(&json!([1, 2]));
    let child = run.execution.frames.values().find_map(|f| f.map_run()).unwrap();
    let child = *child.children.keys().next().unwrap();
    run.pause(OWN);
    assert_eq!(run.owed(), [Effect::RunChild { child }], "its end has to be heard of");
    run.when(Command::ChildEnded { child, end: None });
    assert_eq!(run.names(), "ItemFailed");
    assert_eq!((run.owed(), run.count("ItemStarted")), (vec![], 1));
}

#[test]
fn it_goes_on_when_neither_pause_holds() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.pause(OWN);
    run.pause(ALL);
    run.resume(OWN);
    assert_eq!(run.owed(), [], "its workflow is still paused");
    let refused = run.try_resume(OWN).unwrap_err();
    assert_eq!(refused, Rejection::NotPaused { with_workflow: true });
    assert!(refused.to_string().contains("its whole workflow is"), "{refused}");
    run.resume(ALL);
    assert_eq!(run.owed().len(), 1);
    assert_eq!(run.try_resume(ALL).unwrap_err().code(), "NOT_PAUSED");
}

#[test]
fn a_second_pause_is_refused_and_names_who_and_since_when() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.pause(OWN);
    let since = run.execution.updated_at;
    run.pass_ms(5000);
    let refused = run.try_pause(OWN).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("to pause is not possible: me paused the execution at {since}")
    );
}

#[test]
fn a_request_to_stop_ends_the_pause() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.pause(OWN);
    run.pause(ALL);
    run.cancel();
    assert_eq!(run.names(), "CancelRequested JobCancelled ExecutionCancelled");
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let token = run.take_only();
    run.pause(OWN);
    run.cancel();
    assert_eq!((run.status(), run.execution.is_paused()), ("cancelling", false));
    assert_eq!(run.try_pause(OWN).unwrap_err().code(), "NOT_IN_STATUS");
    run.when(Command::AcknowledgeCancel { job: JobId(1), token });
    assert_eq!(run.status(), "cancelled");
}

#[test]
fn what_has_ended_cannot_be_paused_or_resumed() {
    let mut run = given(&only(json!({"Type": "Succeed"}))).started(&json!({}));
    assert_eq!(run.try_pause(OWN).unwrap_err().code(), "NOT_IN_STATUS");
    assert_eq!(run.try_resume(OWN).unwrap_err().code(), "NOT_IN_STATUS");
}

#[test]
fn what_is_ending_cannot_be_paused_and_the_end_takes_the_pause_away() {
    let mut machine = only(json!({"Type": "Task", "End": true,
        "Resource": "states:startExecution.sync", "Parameters": {"StateMachineArn": "x"}}));
    machine["TimeoutSeconds"] = json!(30);
    let mut run = given(&machine).started(&json!({}));
    run.pause(ALL);
    run.fire_next();
    assert!(run.names().ends_with("ExecutionClosing"), "{}", run.names());
    assert!(!run.execution.is_paused());
    assert_eq!(run.try_pause(OWN).unwrap_err().code(), "ENDING");
}

#[test]
fn an_execution_of_a_paused_workflow_begins_paused() {
    let mut run = given(&two_tasks());
    let pause = Some(PauseWish { by: "operator".into(), reason: None });
    run.when(StartExecution { pause, ..run.start(&json!({})) }.into());
    assert_eq!(run.names(), "ExecutionStarted ExecutionPaused");
    assert_eq!((run.owed(), run.status()), (vec![], "running"));
    run.resume(ALL);
    assert_eq!(run.names(), "ExecutionResumed StateEntered JobScheduled");
}

#[test]
fn a_callback_that_comes_while_paused_is_kept() {
    let wait = json!({"Type": "Task", "End": true, "Resource": "work.waitForTaskToken",
        "Parameters": {"token.$": "$$.Task.Token"}});
    let mut run = given(&only(wait)).started(&json!({}));
    run.complete_only(&json!(null));
    let token = run.execution.jobs[&JobId(1)].callback.unwrap();
    run.pause(OWN);
    let output = Json::from_value(&json!("answer"));
    run.when(Command::CompleteJob { job: JobId(1), token, output, errors: 0 });
    assert_eq!(run.names(), "JobSucceeded");
    run.resume(OWN);
    assert_eq!(run.output(), json!("answer"));
}

#[test]
fn words_that_are_too_long_are_cut() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    let (by, reason) = ("b".repeat(10_000).into(), Some("r".repeat(10_000).into()));
    run.when(Command::PauseExecution { scope: OWN, by, reason });
    let held = run.execution.pauses.execution.clone().unwrap();
    assert!(held.by.len() <= 256 && held.reason.unwrap().len() <= 4096);
}
