//! Starts with names, which can be repeated.

use everstep::engine::ExecutionId;
use everstep::runtime::{Error, Orchestrator, Start};
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};

use super::{World, deploy, one_task, within};

async fn start(system: &Orchestrator, name: &str, input: Value) -> Result<ExecutionId, Error> {
    let name = Some(name.to_owned());
    system.start_with(Start { workflow: "w".into(), input: input.into(), name }).await
}

/// A Wait that lasts.
fn waiting() -> Value {
    json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3600, "End": true}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_name_can_be_repeated() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &waiting()).await;
    let starts = (0..20).map(|_| {
        let system = system.clone();
        tokio::spawn(async move { start(&system, "today", json!({"a": 1})).await.unwrap() })
    });
    let starts: Vec<_> = starts.collect();
    let mut ids = Vec::new();
    for start in starts {
        ids.push(start.await.unwrap());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_ne!(start(&system, "tomorrow", json!({"a": 1})).await.unwrap(), ids[0]);
    let other = start(&system, "today", json!({"a": 2})).await.unwrap_err();
    assert!(matches!(other, Error::NameTaken { execution, .. } if execution == ids[0]));
    assert_eq!(system.list(10).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_held_over_crashes_and_checkpoints() {
    let mut world = World::new();
    let first = world.open(|builder| builder).await;
    deploy(&first, &waiting()).await;
    let id = start(&first, "today", json!({})).await.unwrap();
    drop(first);
    let second = world.open(|builder| builder).await;
    assert_eq!(start(&second, "today", json!({})).await.unwrap(), id);
    within(second.checkpoint()).await;
    assert_eq!(start(&second, "today", json!({})).await.unwrap(), id);
    drop(second);
    let third = world.open(|builder| builder).await;
    assert_eq!(start(&third, "today", json!({})).await.unwrap(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_what_has_ended_is_taken_for_good() {
    let mut world = World::new();
    let first = world.open(|builder| builder).await;
    deploy(&first, &one_task("echo", &json!({}))).await;
    let id = start(&first, "today", json!(1)).await.unwrap();
    within(first.result(id)).await.unwrap();
    for _ in 0..2 {
        let taken = start(&first, "today", json!(1)).await.unwrap_err();
        assert_eq!(taken.code(), "NAME_TAKEN");
        within(first.checkpoint()).await;
    }
    within(first.stop()).await.unwrap();
    let second = world.open(|builder| builder).await;
    assert_eq!(start(&second, "today", json!(1)).await.unwrap_err().code(), "NAME_TAKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_refused_takes_no_name() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &one_task("nobody", &json!({}))).await;
    assert_eq!(start(&system, "today", json!(1)).await.unwrap_err().code(), "UNKNOWN_JOB_TYPES");
    drop(system);
    let system = world
        .open(|builder| {
            builder.handle("nobody", |job: JobContext, _: Value| async move {
                job.cancel_token().cancelled().await;
                Err::<(), _>(JobError::cancelled())
            })
        })
        .await;
    start(&system, "today", json!(1)).await.unwrap();
}
