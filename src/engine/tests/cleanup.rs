//! Cleaning up on cancel, failure and time-out.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::task;
use crate::engine::{ChildEnd, Command, Event, Failure, FrameId, JobId, Status, Timer};
use crate::language::Json;

/// Three Tasks in a row, the first two with a clean-up; `OnCancel` after all.
fn row(fields: Value) -> Value {
    let mut machine = json!({
        "StartAt": "A",
        "OnCancel": "Tell",
        "States": {
            "A": task(json!({"Next": "B", "Cleanup": "Undo A"})),
            "B": task(json!({"Next": "C", "Cleanup": "Undo B"})),
            "C": task(json!({})),
            "Undo A": task(json!({})),
            "Undo B": task(json!({})),
            "Tell": task(json!({})),
        }
    });
    machine.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    machine
}

/// The row, at work on its second Task.
fn in_second(fields: Value) -> Run {
    let mut run = given(&row(fields)).started(&json!({"in": 1}));
    run.complete_only(&json!({"made": "a"}));
    run
}

/// What the only open job is for: the state in which its frame stands.
fn at(run: &Run) -> String {
    let jobs: Vec<_> = run.execution.jobs.values().collect();
    let [job] = jobs.as_slice() else { panic!("{jobs:?}") };
    run.execution.frames[&job.frame].state.as_ref().unwrap().to_string()
}

/// The clean-ups that are over: step, state, error.
fn done(run: &Run) -> Vec<(Option<&str>, &str, Option<&str>)> {
    let cleanup = run.execution.cleanup.as_ref().unwrap();
    let told = cleanup.done.iter();
    told.map(|done| {
        (done.of.as_deref(), &*done.state, done.failure.as_ref().map(|failure| &*failure.error))
    })
    .collect()
}

fn stopped(run: &mut Run, job: u32) {
    let job = JobId(job);
    let token = run.execution.jobs[&job].token.unwrap();
    run.when(Command::AcknowledgeCancel { job, token });
}

#[test]
fn a_cancel_undoes_steps_in_reverse_order_and_then_runs_on_cancel() {
    let mut run = in_second(json!({}));
    run.take_only();
    run.cancel();
    assert_eq!(run.names(), "CancelRequested", "the worker is waited for first");
    stopped(&mut run, 2);
    assert_eq!(run.names(), "JobCancelled CleanupStarted StateEntered JobScheduled");
    assert_eq!((at(&run).as_str(), run.status()), ("Undo B", "cancelling"));
    assert_eq!(run.job_input(3), json!({"Step": "B", "Status": "cancelled"}));
    run.complete_only(&json!(null));
    assert_eq!(at(&run), "Undo A");
    let input = json!({"Step": "A", "Status": "completed", "Result": {"made": "a"}});
    assert_eq!(run.job_input(4), input);
    run.complete_only(&json!(null));
    assert_eq!(at(&run), "Tell");
    assert_eq!(run.job_input(5), json!({"By": "me", "Step": "B"}));
    run.complete_only(&json!(null));
    assert_eq!(run.names(), "JobSucceeded StateExited CleanupSucceeded ExecutionCancelled");
    let all = [(Some("B"), "Undo B", None), (Some("A"), "Undo A", None), (None, "Tell", None)];
    assert_eq!((run.status(), done(&run)), ("cancelled", all.to_vec()));
}

#[test]
fn a_failure_undoes_what_was_entered_and_does_not_run_on_cancel() {
    let mut run = in_second(json!({}));
    run.fail_only("Mine");
    assert_eq!(run.names(), "JobFailed ExecutionClosing CleanupStarted StateEntered JobScheduled");
    assert_eq!(run.status(), "running");
    assert!(run.execution.closing.is_some());
    let input = json!({"Step": "B", "Status": "failed", "Error": "Mine", "Cause": "as told"});
    assert_eq!(run.job_input(3), input);
    run.complete_only(&json!(null));
    run.complete_only(&json!(null));
    assert_eq!(run.names(), "JobSucceeded StateExited CleanupSucceeded ExecutionFailed");
    assert_eq!((run.status(), run.error().as_str()), ("failed", "Mine"));
    assert_eq!(done(&run), [(Some("B"), "Undo B", None), (Some("A"), "Undo A", None)]);
}

#[test]
fn a_timeout_of_the_execution_cleans_up_too() {
    let mut run = in_second(json!({"TimeoutSeconds": 60}));
    run.take_only();
    run.fire_next();
    assert_eq!(
        run.names(),
        "JobCancelled ExecutionClosing CleanupStarted StateEntered JobScheduled"
    );
    assert_eq!(run.job_input(3)["Error"], json!("States.Timeout"));
    run.complete_only(&json!(null));
    run.complete_only(&json!(null));
    assert_eq!(run.status(), "timed_out");
}

#[test]
fn an_execution_that_completes_undoes_nothing() {
    let mut run = in_second(json!({}));
    run.complete_only(&json!(null));
    run.complete_only(&json!(null));
    assert_eq!((run.status(), run.count("CleanupStarted")), ("completed", 0));
    assert_eq!(run.execution.progress, 100);
}

#[test]
fn a_step_that_was_entered_again_is_undone_once_and_first() {
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Next": "B", "Cleanup": "Undo A"})),
        "B": task(json!({"Next": "A", "Cleanup": "Undo B",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "End"}]})),
        "End": {"Type": "Succeed"},
        "Undo A": {"Type": "Pass", "End": true},
        "Undo B": {"Type": "Pass", "End": true},
    }});
    let mut run = given(&machine).started(&json!({}));
    run.complete_only(&json!(1));
    run.complete_only(&json!(2));
    run.cancel();
    assert_eq!(done(&run), [(Some("A"), "Undo A", None), (Some("B"), "Undo B", None)]);
}

#[test]
fn a_cleanup_that_fails_is_recorded_and_the_next_goes_on() {
    let mut run = in_second(json!({}));
    run.fail_only("Mine");
    run.fail_only("Other");
    assert_eq!(run.names(), "JobFailed CleanupFailed CleanupStarted StateEntered JobScheduled");
    run.fail_only("Third");
    assert_eq!(run.names(), "JobFailed CleanupFailed ExecutionFailed");
    assert_eq!(run.error(), "Mine", "it fails with what it failed with");
    let all = [(Some("B"), "Undo B", Some("Other")), (Some("A"), "Undo A", Some("Third"))];
    assert_eq!(done(&run), all);
    assert_eq!(run.execution.total_errors, 0, "what went wrong in clean-up is told by itself");
}

#[test]
fn what_is_left_at_the_deadline_is_given_up() {
    let mut run = in_second(json!({"CleanupTimeoutSeconds": 20}));
    run.take_only();
    run.cancel();
    stopped(&mut run, 2);
    run.take_only();
    assert_eq!(run.next_timer(), Some((20_000, Timer::CleanupDeadline)));
    run.fire_next();
    let failed = "CleanupFailed CleanupFailed CleanupFailed";
    assert_eq!(run.names(), format!("JobCancelled {failed} ExecutionCancelled"));
    let out = Some("States.Timeout");
    let all = [(Some("B"), "Undo B", out), (Some("A"), "Undo A", out), (None, "Tell", out)];
    assert_eq!((run.status(), done(&run)), ("cancelled", all.to_vec()));
    let begun: Vec<bool> =
        run.execution.cleanup.as_ref().unwrap().done.iter().map(|d| d.since.is_some()).collect();
    assert_eq!(begun, [true, false, false]);
}

#[test]
fn one_deadline_holds_for_all() {
    let mut run = in_second(json!({"CleanupTimeoutSeconds": 20}));
    run.fail_only("Mine");
    run.pass_ms(15_000);
    run.complete_only(&json!(null));
    assert_eq!(run.next_timer(), Some((5_000, Timer::CleanupDeadline)));
    // The next one would begin after it: it never does.
    run.pass_ms(6_000);
    run.complete_only(&json!(null));
    assert_eq!(run.names(), "JobSucceeded StateExited CleanupSucceeded ExecutionFailed");
    let mut run = in_second(json!({"CleanupTimeoutSeconds": 20}));
    run.fail_only("Mine");
    run.pass_ms(20_000);
    run.complete_only(&json!(null));
    assert_eq!(
        run.names(),
        "JobSucceeded StateExited CleanupSucceeded CleanupFailed ExecutionFailed"
    );
}

#[test]
fn three_hundred_seconds_are_the_time_when_nothing_is_said() {
    let mut run = in_second(json!({}));
    run.fail_only("Mine");
    assert_eq!(run.next_timer(), Some((300_000, Timer::CleanupDeadline)));
}

#[test]
fn a_cancel_during_the_cleanup_of_a_failure_goes_on_and_ends_cancelled() {
    let mut run = in_second(json!({"CleanupTimeoutSeconds": 20}));
    run.fail_only("Mine");
    let token = run.take_only();
    run.cancel();
    assert_eq!((run.names().as_str(), run.status()), ("CancelRequested", "cancelling"));
    let output = Json::null();
    run.when(Command::CompleteJob { job: JobId(3), token, output, errors: 0 });
    assert_eq!(at(&run), "Undo A");
    assert_eq!(run.next_timer(), Some((20_000, Timer::CleanupDeadline)), "the time goes on");
    run.complete_only(&json!(null));
    assert_eq!(at(&run), "Tell");
    run.complete_only(&json!(null));
    let all = [(Some("B"), "Undo B", None), (Some("A"), "Undo A", None), (None, "Tell", None)];
    assert_eq!((run.status(), done(&run)), ("cancelled", all.to_vec()));
    assert_eq!(run.execution.steps["B"].status.as_str(), "failed", "what failed stays failed");
}

#[test]
fn a_second_cancel_during_cleanup_says_since_when_it_stops() {
    let mut run = in_second(json!({}));
    run.cancel();
    assert_eq!(at(&run), "Undo B");
    run.pass_ms(5_000);
    let again = Command::CancelExecution { by: "other".into(), reason: None, force: false };
    let refused = run.try_command(again).unwrap_err();
    assert_eq!(refused.code(), "ALREADY_CANCELLING");
    assert!(refused.to_string().contains("since me asked"), "{refused}");
}

#[test]
fn retry_and_catch_work_in_cleanup() {
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Undo"})),
        "Undo": task(json!({
            "Retry": [{"ErrorEquals": ["Once"], "IntervalSeconds": 3, "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Note"}]})),
        "Note": task(json!({})),
    }});
    let mut run = given(&machine).started(&json!({}));
    run.fail_only("Mine");
    run.fail_only("Once");
    assert_eq!(run.names(), "JobFailed RetryScheduled");
    assert_eq!(run.next_timer(), Some((3_000, Timer::Retry(FrameId(1)))));
    run.fire_next();
    assert_eq!(run.names(), "RetryStarted JobScheduled");
    run.fail_only("Twice");
    assert_eq!(run.names(), "JobFailed FailureCaught StateEntered JobScheduled");
    run.complete_only(&json!(null));
    assert_eq!(done(&run), [(Some("A"), "Undo", None)]);
    assert_eq!((run.status(), run.execution.total_errors), ("failed", 0));
}

#[test]
fn a_wait_a_parallel_and_a_map_work_in_cleanup() {
    let inner = |name: &str| json!({"StartAt": name, "States": {name: task(json!({}))}});
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Pause"})),
        "Pause": {"Type": "Wait", "Seconds": 7, "Next": "Both"},
        "Both": {"Type": "Parallel", "Branches": [inner("L"), inner("R")], "ResultPath": null,
            "Next": "Each"},
        "Each": {"Type": "Map", "ItemsPath": "$.Result", "ItemProcessor": inner("I"), "End": true,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Last"}]},
        "Last": {"Type": "Succeed"},
    }});
    let mut run = given(&machine).started(&json!({}));
    let token = run.take_only();
    run.cancel();
    // A result that comes while it stops is kept, and undone.
    let output = Json::from_value(&json!([1, 2]));
    run.when(Command::CompleteJob { job: JobId(1), token, output, errors: 0 });
    assert_eq!(run.next_timer(), Some((7_000, Timer::Wait(FrameId(1)))));
    run.fire_next();
    assert_eq!(run.open_jobs(), [2, 3]);
    run.complete(2, &json!(1));
    run.complete(3, &json!(1));
    assert_eq!(run.open_jobs(), [4, 5]);
    run.complete(4, &json!(1));
    run.complete(5, &json!(1));
    assert_eq!((run.status(), done(&run)), ("cancelled", vec![(Some("A"), "Pause", None)]));
}

#[test]
fn a_deadline_stops_all_parts_of_a_cleanup() {
    let inner = |name: &str| json!({"StartAt": name, "States": {name: task(json!({}))}});
    let machine = json!({"StartAt": "A", "CleanupTimeoutSeconds": 10, "States": {
        "A": task(json!({"Cleanup": "Both"})),
        "Both": {"Type": "Parallel", "Branches": [inner("L"), inner("R")], "End": true},
    }});
    let mut run = given(&machine).started(&json!({}));
    run.fail_only("Mine");
    run.take(2);
    run.fire_next();
    let part = "JobCancelled FrameCancelled";
    assert_eq!(run.names(), format!("{part} {part} CleanupFailed ExecutionFailed"));
}

#[test]
fn an_attempt_that_a_crash_cuts_off_in_cleanup_is_tried_again() {
    for cancelled in [false, true] {
        let mut run = in_second(json!({}));
        if cancelled {
            run.cancel();
        } else {
            run.fail_only("Mine");
        }
        run.take_only();
        run.lose(3, false);
        assert_eq!(run.names(), "AttemptLost JobScheduled");
        assert_eq!(at(&run), "Undo B");
        run.complete_only(&json!(null));
        assert_eq!(at(&run), "Undo A");
    }
}

#[test]
fn variables_of_the_work_are_seen_and_progress_stands_still() {
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Assign": {"made.$": "$.made"}, "Next": "B"})),
        "B": task(json!({"Cleanup": "Undo"})),
        "Undo": task(json!({"Parameters": {"made.$": "$made", "step.$": "$.Step"},
            "Assign": {"made": "gone"}, "Next": "Once more"})),
        "Once more": task(json!({"Parameters": {"made.$": "$made"}})),
    }});
    let mut run = given(&machine).started(&json!({}));
    run.complete_only(&json!({"made": "folder"}));
    let progress = run.execution.progress;
    assert!(progress > 0);
    run.cancel();
    assert_eq!(run.job_input(3), json!({"made": "folder", "step": "B"}));
    run.report(3, Some(90), Some("nearly undone"));
    run.complete_only(&json!(null));
    assert_eq!(run.job_input(4), json!({"made": "gone"}));
    run.complete_only(&json!(null));
    assert_eq!((run.status(), run.execution.progress), ("cancelled", progress));
    assert_eq!(run.execution.message.as_deref(), Some("nearly undone"));
}

#[test]
fn cleanup_waits_until_executions_that_it_began_have_stopped() {
    let begins = json!({"Type": "Task", "Resource": "states:startExecution.sync:2", "End": true,
        "Parameters": {"StateMachineArn": "other"}, "Cleanup": "Undo"});
    let machine = json!({"StartAt": "A", "States": {"A": begins, "Undo": task(json!({}))}});
    let mut run = given(&machine).started(&json!({}));
    run.cancel();
    assert_eq!(run.names(), "CancelRequested JobCancelled");
    let child = *run.execution.leaving.keys().next().unwrap();
    run.when(Command::ChildEnded { child, end: None });
    assert_eq!(run.names(), "ChildStopped CleanupStarted StateEntered JobScheduled");
    run.complete_only(&json!(null));
    assert_eq!(run.status(), "cancelled");
}

#[test]
fn an_execution_that_cleanup_began_is_stopped_at_the_deadline_and_waited_for() {
    let begins = json!({"Type": "Task", "Resource": "states:startExecution.sync:2", "End": true,
        "Parameters": {"StateMachineArn": "other"}});
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Undo", "Next": "B"})),
        "B": task(json!({"Cleanup": "Begin"})),
        "Undo": task(json!({})),
        "Begin": begins,
    }});
    let mut run = given(&machine).started(&json!({}));
    run.complete_only(&json!(1));
    run.fail_only("Mine");
    run.fire_next();
    assert_eq!(run.names(), "JobCancelled CleanupFailed CleanupFailed");
    assert_eq!(run.execution.status, Status::Running);
    let child = *run.execution.leaving.keys().next().unwrap();
    run.when(Command::ChildEnded { child, end: None });
    assert_eq!(run.names(), "ChildStopped ExecutionFailed");
    assert_eq!(run.error(), "Mine");
}

#[test]
fn a_cleanup_may_be_an_execution_that_ends_well() {
    let begins = json!({"Type": "Task", "Resource": "states:startExecution.sync:2", "End": true,
        "Parameters": {"StateMachineArn": "other"}});
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Begin"})), "Begin": begins}});
    let mut run = given(&machine).started(&json!({}));
    run.fail_only("Mine");
    let child = run.execution.jobs[&JobId(2)].awaited_child().unwrap();
    run.when(Command::ChildProgressed { child, percent: 50 });
    let end = ChildEnd {
        workflow: "other".into(),
        name: None,
        input: Json::null(),
        status: Status::CompletedWithErrors,
        output: Some(Json::null()),
        failure: None,
        started_at: run.now,
        ended_at: run.now,
    };
    run.when(Command::ChildEnded { child, end: Some(Box::new(end)) });
    assert_eq!(run.names(), "JobSucceeded StateExited CleanupSucceeded ExecutionFailed");
    assert_eq!(run.execution.total_errors, 0);
}

#[test]
fn a_cancel_before_anything_was_done_runs_nothing() {
    let mut run = given(&row(json!({}))).limits(|limits| limits.decision_events = 1);
    run.when(run.start_command(&json!({})));
    assert_eq!(run.names(), "ExecutionStarted");
    run.cancel();
    assert_eq!(run.names(), "CancelRequested ExecutionCancelled");
}

#[test]
fn a_part_of_a_distributed_map_is_undone_by_its_own_states_and_has_no_on_cancel() {
    use crate::engine::{ExecutionId, Link};
    let processor = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "I", "States": {
        "I": task(json!({"Cleanup": "Undo"})), "Undo": task(json!({}))}});
    let machine = json!({"StartAt": "A", "OnCancel": "Tell", "States": {
        "A": {"Type": "Map", "ItemProcessor": processor, "End": true},
        "Tell": task(json!({}))}});
    let mut run = given(&machine);
    let link = Link::Item { frame: FrameId::ROOT, index: 0, map: "A".into() };
    run.start_for(ExecutionId(uuid::Uuid::from_u128(9)), link, &json!({}));
    run.cancel();
    assert_eq!(at(&run), "Undo");
    run.complete_only(&json!(null));
    assert_eq!((run.status(), done(&run)), ("cancelled", vec![(Some("I"), "Undo", None)]));
}

#[test]
fn an_endless_loop_in_cleanup_ends() {
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Undo"})),
        "Undo": {"Type": "Choice", "Choices": [
            {"Variable": "$.Step", "IsPresent": true, "Next": "Again"}], "Default": "Out"},
        "Again": {"Type": "Pass", "Next": "Undo"},
        "Out": {"Type": "Succeed"},
    }});
    let mut run = given(&machine)
        .limits(|limits| (limits.history_events, limits.decision_events) = (100, 10_000))
        .started(&json!({}));
    run.fail_only("Mine");
    assert_eq!((run.status(), run.error().as_str()), ("failed", "Mine"));
    assert_eq!(done(&run), [(Some("A"), "Undo", Some("States.Runtime"))]);
    assert!(run.history.len() < 130, "{} events", run.history.len());
}

#[test]
fn a_history_that_grew_too_long_is_still_cleaned_up_after() {
    let machine = json!({"StartAt": "Round", "States": {
        "Round": {"Type": "Pass", "Cleanup": "Undo", "Next": "Which"},
        "Which": {"Type": "Choice", "Choices": [
            {"Variable": "$.no", "IsPresent": true, "Next": "Out"}], "Default": "Round"},
        "Out": {"Type": "Succeed"},
        "Undo": task(json!({})),
    }});
    let mut run = given(&machine)
        .limits(|limits| (limits.history_events, limits.decision_events) = (50, 10_000))
        .started(&json!({}));
    run.when(Command::Advance);
    assert_eq!(at(&run), "Undo");
    run.complete_only(&json!(null));
    assert_eq!((run.error().as_str(), done(&run).len()), ("States.Runtime", 1));
}

#[test]
fn workers_that_do_not_stop_are_given_up_before_cleanup() {
    let mut run = in_second(json!({}));
    run.take_only();
    run.cancel();
    assert_eq!(run.next_timer(), Some((30_000, Timer::CancelDeadline)));
    run.fire_next();
    assert_eq!(run.names(), "JobCancelled CleanupStarted StateEntered JobScheduled");
    let Some(Event::CleanupStarted(body)) = run.last.get(1) else { panic!() };
    assert_eq!(body.deadline.ms_since(run.now), 300_000);
}

#[test]
fn a_failed_worker_result_while_cancelling_is_told_to_its_cleanup() {
    let machine = json!({"StartAt": "A", "States": {
        "A": task(json!({"Cleanup": "Undo", "Retry": [{"ErrorEquals": ["Once"]}]})),
        "Undo": task(json!({}))}});
    let mut run = given(&machine).started(&json!({}));
    run.fail_only("Once");
    run.cancel();
    let failure = Failure::new("Once", "as told");
    assert_eq!(run.execution.steps["A"].failure, Some(failure));
    let input = json!({"Step": "A", "Status": "cancelled", "Error": "Once", "Cause": "as told"});
    assert_eq!(run.job_input(2), input);
}
