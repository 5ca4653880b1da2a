//! Scenarios 9 to 18: stopping.

use everstep::engine::{JobId, JobStatus, Status};
use everstep::worker::ProgressReport;
use serde_json::json;

use super::{Hands, World, begin, chain, deploy, one_task, result, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn scenario_09_a_job_that_waits_for_a_worker_is_cancelled_at_once() {
    let (_world, hands, system) = begin(Hands::at_most(1), &one_task("work", &json!({}))).await;
    system.start("w", json!(1)).await.unwrap();
    let _busy = hands.next().await;
    let id = system.start("w", json!(2)).await.unwrap();
    system.cancel(id, "alice", Some("not needed")).await.unwrap();
    // No worker has it, so the answer comes when it is over.
    let ended = system.execution(id).await.unwrap();
    assert_eq!(ended.status, Status::Cancelled);
    assert!(ended.ended_at.is_some());
    let cancel = ended.cancel.unwrap();
    assert_eq!((&*cancel.by, cancel.reason.as_deref()), ("alice", Some("not needed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_10_a_queued_job_that_was_cancelled_never_runs() {
    let (world, hands, system) = begin(Hands::at_most(1), &one_task("work", &json!({}))).await;
    let ahead = system.start("w", json!("ahead")).await.unwrap();
    let busy = hands.next().await;
    let dropped = system.start("w", json!("dropped")).await.unwrap();
    let behind = system.start("w", json!("behind")).await.unwrap();
    system.cancel(dropped, "me", None).await.unwrap();
    busy.succeed(json!(null));
    within(system.result(ahead)).await.unwrap();
    let next = hands.next().await;
    assert_eq!(next.input(), json!("behind"));
    next.succeed(json!(null));
    within(system.result(behind)).await.unwrap();
    assert!(hands.are_idle().await);
    assert_eq!(world.count(dropped, "JobStarted").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_11_a_running_job_is_cancelling_until_its_handler_has_stopped() {
    for stops in [true, false] {
        let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
        let id = system.start("w", json!(1)).await.unwrap();
        let held = hands.next().await;
        held.job.progress(30, None);
        until(&system, id, |execution| execution.progress == 30).await;
        system.cancel(id, "me", None).await.unwrap();
        held.was_told_to_stop().await;
        let meanwhile = system.execution(id).await.unwrap();
        assert_eq!(meanwhile.status, Status::Cancelling);
        assert_eq!(meanwhile.jobs.get(&JobId(1)).unwrap().status, JobStatus::Cancelling);
        if stops {
            held.stop();
        } else {
            held.succeed(json!("done after all"));
        }
        let ended = within(system.ended(id)).await.unwrap();
        assert_eq!((ended.status, ended.progress), (Status::Cancelled, 30));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_12_what_a_handler_says_after_a_cancel_does_not_bring_the_job_back() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!(1)).await.unwrap();
    let held = hands.next().await;
    system.cancel(id, "me", None).await.unwrap();
    held.was_told_to_stop().await;
    held.job.report(ProgressReport { percent: Some(90), ..ProgressReport::default() });
    held.succeed(json!("late"));
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!(ended.status, Status::Cancelled);
    assert!(ended.progress < 100);
    assert_eq!(ended.output, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_13_what_has_ended_cannot_be_cancelled_and_what_never_was_is_not_found() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let completed = system.start("w", json!(1)).await.unwrap();
    hands.next().await.succeed(json!(1));
    within(system.result(completed)).await.unwrap();
    let failed = system.start("w", json!(1)).await.unwrap();
    hands.next().await.fail("Mine", "no");
    within(system.result(failed)).await.unwrap();
    let cancelled = system.start("w", json!(1)).await.unwrap();
    let held = hands.next().await;
    system.cancel(cancelled, "me", None).await.unwrap();
    held.stop();
    within(system.result(cancelled)).await.unwrap();
    let before = system.last_position();
    for (id, status) in [(completed, "completed"), (failed, "failed"), (cancelled, "cancelled")] {
        let error = system.cancel(id, "me", None).await.unwrap_err();
        assert_eq!(error.code(), "NOT_IN_STATUS");
        assert!(error.to_string().contains(status), "{error}");
    }
    let unknown = everstep::engine::ExecutionId(uuid::Uuid::from_u128(7));
    assert_eq!(system.cancel(unknown, "me", None).await.unwrap_err().code(), "NO_SUCH_EXECUTION");
    assert_eq!(system.execution(unknown).await.unwrap_err().code(), "NO_SUCH_EXECUTION");
    assert_eq!(system.last_position(), before, "a refusal leaves no event");
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_14_a_parent_is_cancelled_after_its_child_and_begins_no_other() {
    let (mut world, hands) = (World::new(), Hands::free());
    let system = hands.open(&mut world).await;
    let child = one_task("work", &json!({})).to_string();
    system.deploy("child", &child, everstep::language::Format::Json).await.unwrap();
    let begin = json!({"Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "child", "Input": {}}});
    deploy(&system, &chain(&[("First", begin.clone()), ("Second", begin)])).await;
    let parent = system.start("w", json!({})).await.unwrap();
    let held = hands.next().await;
    let child = held.job.id().execution;
    assert_ne!(child, parent);
    system.cancel(parent, "me", None).await.unwrap();
    held.was_told_to_stop().await;
    assert_eq!(system.execution(parent).await.unwrap().status, Status::Cancelling);
    held.stop();
    let parent = within(system.ended(parent)).await.unwrap();
    let child = system.execution(child).await.unwrap();
    assert_eq!((parent.status, child.status), (Status::Cancelled, Status::Cancelled));
    assert!(child.ended_at <= parent.ended_at);
    assert!(hands.are_idle().await);
    assert_eq!(world.count(parent.id, "JobScheduled").await, 1);
}

/// A Map over these items, one after the other.
fn one_by_one(fields: &serde_json::Value) -> serde_json::Value {
    let mut map = json!({"Type": "Map", "MaxConcurrency": 1, "End": true,
        "ItemProcessor": {"StartAt": "Batch", "States": {
            "Batch": {"Type": "Task", "Resource": "work", "End": true}}}});
    map.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "Before", "States": {
        "Before": {"Type": "Task", "Resource": "other", "ResultPath": null, "Next": "All"},
        "All": map}})
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_15_a_cancel_in_batch_2_of_5_starts_no_other_and_keeps_what_was_done() {
    let (world, hands, system) = begin(Hands::free(), &one_by_one(&json!({}))).await;
    let id = system.start("w", json!([1, 2, 3, 4, 5])).await.unwrap();
    hands.next().await.succeed(json!({"prepared": true}));
    hands.next().await.succeed(json!({"batch": 1}));
    let second = hands.next().await;
    system.cancel(id, "me", None).await.unwrap();
    second.stop();
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!(ended.status, Status::Cancelled);
    assert!(hands.are_idle().await);
    assert_eq!(world.count(id, "JobStarted").await, 3);
    let result = result(&system, &ended);
    let before = result.steps["Before"].result.as_ref().unwrap().value();
    assert_eq!(before, json!({"prepared": true}));
    // What batch 1 gave stays in the history, from which a retry takes it.
    let history = world.history(id).await;
    let gave = |event: &everstep::engine::Event| {
        matches!(event, everstep::engine::Event::JobSucceeded(body)
            if body.output.value() == json!({"batch": 1}))
    };
    assert!(history.iter().any(gave));
    assert_eq!(ended.steps["All"].parts_completed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_17_a_worker_hears_of_a_cancel_once_and_the_job_ends_when_it_says_so() {
    let (world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!(1)).await.unwrap();
    let held = hands.next().await;
    system.cancel(id, "me", None).await.unwrap();
    held.was_told_to_stop().await;
    let again = system.cancel(id, "me", None).await.unwrap_err();
    assert_eq!(again.code(), "ALREADY_CANCELLING");
    assert!(again.to_string().contains("since me asked it to"), "{again}");
    assert_eq!(system.execution(id).await.unwrap().status, Status::Cancelling);
    // The handler waits for the remote side, and then says that it has stopped.
    held.stop();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Cancelled);
    assert_eq!(world.count(id, "CancelRequested").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_18_cancelled_jobs_use_up_no_workers() {
    let (_world, hands, system) = begin(Hands::at_most(2), &one_task("work", &json!({}))).await;
    for n in 0..7 {
        let id = system.start("w", json!(n)).await.unwrap();
        let held = hands.next().await;
        system.cancel(id, "me", None).await.unwrap();
        held.stop();
        within(system.result(id)).await.unwrap();
    }
    let id = system.start("w", json!("last")).await.unwrap();
    hands.next().await.succeed(json!("ran"));
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
}
