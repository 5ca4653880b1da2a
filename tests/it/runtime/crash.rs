//! Processes that end, in order or not, and what the next one makes of it.

use std::sync::Arc;
use std::time::Duration;

use everstep::engine::{Event, Status};
use everstep::runtime::{Builder, Limits};
use everstep::testing::FaultyStore;
use everstep::worker::{JobContext, JobError, Registry};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{World, deploy, one_task, seen, within};

/// A handler that never ends by itself, but stops when told.
fn hanging(builder: Builder) -> Builder {
    builder.handle("work", |job: JobContext, _: Value| async move {
        job.cancel_token().cancelled().await;
        Err::<(), _>(JobError::cancelled())
    })
}

fn working(builder: Builder) -> Builder {
    builder.handle("work", |job: JobContext, _: Value| async move { Ok(job.attempt()) })
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_a_crash_cuts_off_are_lost_and_tried_again() {
    let mut world = World::new();
    let first = world.open(hanging).await;
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "echo", "Next": "B"},
        "B": {"Type": "Task", "Resource": "work", "End": true}}});
    deploy(&first, &definition).await;
    let mut events = first.events(1, None);
    let id = first.start("w", json!(1)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    seen(&mut events, "JobStarted").await;
    drop(events);
    drop(first);

    let second = world.open(working).await;
    assert_eq!(second.recovery_report().executions, 1);
    let outcome = within(second.result(id)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!(2), "the second attempt");
    let lost = world.history(id).await;
    let lost: Vec<bool> = lost
        .iter()
        .filter_map(|event| match event {
            Event::AttemptLost(body) => Some(body.stopped),
            _ => None,
        })
        .collect();
    assert_eq!(lost, [false]);
    assert_eq!(world.count(id, "JobScheduled").await, 3, "the first job is not run again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_order_cancels_nothing() {
    let mut world = World::new();
    let first = world.open(hanging).await;
    deploy(&first, &one_task("work", &json!({}))).await;
    let mut events = first.events(1, None);
    let id = first.start("w", json!(1)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    let stopping = tokio::spawn({
        let first = first.clone();
        async move { first.stop().await }
    });
    within(world.clock.somebody_sleeps(Duration::from_secs(10))).await;
    assert_eq!(first.start("w", json!(1)).await.unwrap_err().code(), "STOPPING");
    world.clock.advance(Duration::from_secs(10));
    within(stopping).await.unwrap().unwrap();
    let stopped = world.replayed(id).await;
    assert_eq!(stopped.status, Status::Running);
    assert_eq!(world.count(id, "JobCancelled").await, 0);
    assert_eq!(world.count(id, "AttemptLost").await, 1);

    let second = world.open(working).await;
    let outcome = within(second.result(id)).await.unwrap();
    assert_eq!(outcome.status, Status::Completed);
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_jobs_end_within_the_grace() {
    let mut world = World::new();
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let first = world
        .open(|builder| {
            builder.handle("work", move |_: JobContext, _: Value| {
                let opened = opened.clone();
                async move {
                    opened.notified().await;
                    Ok("done")
                }
            })
        })
        .await;
    deploy(&first, &one_task("work", &json!({}))).await;
    let mut events = first.events(1, None);
    let id = first.start("w", json!(1)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    gate.notify_one();
    within(first.stop()).await.unwrap();
    assert_eq!(world.replayed(id).await.status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_waits_outlives_crashes_and_stops() {
    let mut world = World::new();
    let first = world.open(working).await;
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Wait", "Seconds": 1000, "End": true}}});
    deploy(&first, &definition).await;
    let id = first.start("w", json!(1)).await.unwrap();
    drop(first);
    // This process sees the execution, does nothing with it, and writes a checkpoint.
    let second = world.open(working).await;
    within(second.stop()).await.unwrap();
    let third = world.open(working).await;
    assert_eq!(third.recovery_report().executions, 1);
    assert_eq!(third.execution(id).await.unwrap(), world.replayed(id).await);
    world.clock.advance(Duration::from_secs(1000));
    assert_eq!(within(third.result(id)).await.unwrap().status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_busy_time_a_checkpoint_is_written_although_few_events_have_passed() {
    let mut world = World::new();
    let limits = Limits { checkpoint_events: 400, ..Limits::default() };
    let system = world.builder().limits(limits).open_store(world.store.clone()).await.unwrap();
    deploy(&system, &json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}})).await;
    while system.last_position() < 60 {
        system.start("w", json!(1)).await.unwrap();
    }
    let covered = || async { world.store.read_checkpoint().await.unwrap().1 - 1 };
    assert_eq!(covered().await, 0, "the last one is not a second ago");
    world.clock.advance(Duration::from_secs(1));
    system.start("w", json!(1)).await.unwrap();
    within(async {
        while covered().await < 60 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_could_not_be_written_loses_nothing_later() {
    let mut world = World::new();
    let faulty = Arc::new(FaultyStore::new(world.store.clone()));
    let first = world.builder().open_store(faulty.clone()).await.unwrap();
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Wait", "Seconds": 1000, "End": true}}});
    deploy(&first, &definition).await;
    let id = first.start("w", json!(1)).await.unwrap();
    faulty.fail_checkpoints(Some(std::io::ErrorKind::StorageFull));
    within(first.checkpoint()).await;
    // There is room again; what the first one would have held has not changed since.
    faulty.fail_checkpoints(None);
    first.start("w", json!(2)).await.unwrap();
    within(first.checkpoint()).await;
    drop(first);
    let second = world.open(working).await;
    assert_eq!(second.recovery_report().executions, 2);
    assert_eq!(second.execution(id).await.unwrap().status, Status::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_whose_row_could_not_be_written_stays_in_lists() {
    let mut world = World::new();
    let faulty = Arc::new(FaultyStore::new(world.store.clone()));
    let system = world.builder().open_store(faulty.clone()).await.unwrap();
    deploy(&system, &json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}})).await;
    let id = system.start("w", json!(1)).await.unwrap();
    within(system.result(id)).await.unwrap();
    faulty.fail_checkpoints(Some(std::io::ErrorKind::StorageFull));
    within(system.checkpoint()).await;
    let listed = || async { system.list(10).await.unwrap().iter().map(|row| row.id).collect() };
    let ids: Vec<_> = listed().await;
    assert_eq!(ids, [id]);
    // There is room again: the next checkpoint writes what the first one could not.
    faulty.fail_checkpoints(None);
    within(system.checkpoint()).await;
    assert!(world.store.find_finished(id).await.unwrap().is_some());
    let ids: Vec<_> = listed().await;
    assert_eq!(ids, [id], "once, and not twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_queued_for_its_worker_is_in_the_next_checkpoint() {
    let mut world = World::new();
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let mut registry = Registry::new();
    registry.handle("work", move |job: JobContext, n: u64| {
        let opened = opened.clone();
        async move {
            if n == 0 {
                opened.notified().await;
            } else {
                job.cancel_token().cancelled().await;
            }
            Ok(n)
        }
    });
    registry.set_concurrency("work", 1);
    let first = world.open(|builder| builder.registry(registry)).await;
    deploy(&first, &one_task("work", &json!({}))).await;
    let ahead = first.start("w", json!(0)).await.unwrap();
    let queued = first.start("w", json!(1)).await.unwrap();
    within(first.checkpoint()).await;
    gate.notify_one();
    within(first.result(ahead)).await.unwrap();
    let mut events = first.events(1, Some(queued));
    seen(&mut events, "JobStarted").await;
    within(first.checkpoint()).await;
    drop(events);
    drop(first);

    let second = world.open(working).await;
    let outcome = within(second.result(queued)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!(2));
    assert_eq!(second.execution(queued).await.unwrap(), world.replayed(queued).await);
}
