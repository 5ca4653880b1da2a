//! Jobs that are answered from outside.

use std::time::Duration;

use everstep::engine::Status;
use everstep::runtime::{Builder, Orchestrator};
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{World, deploy, one_task, seen, within};

/// A handler that hands the token on.
fn handing_on(builder: Builder, to: mpsc::UnboundedSender<String>) -> Builder {
    builder.handle("order", move |_: JobContext, input: Value| {
        to.send(input["token"].as_str().unwrap().to_owned()).unwrap();
        async move { Ok("handed on") }
    })
}

async fn deploy_order(system: &Orchestrator, fields: Value) {
    let mut all = json!({"Parameters": {"token.$": "$$.Task.Token"}});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    deploy(system, &one_task("order.waitForTaskToken", &all)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_token_gives_the_result_also_after_a_crash() {
    let mut world = World::new();
    let (to, mut tokens) = mpsc::unbounded_channel();
    let first = world.open(|builder| handing_on(builder, to.clone())).await;
    deploy_order(&first, json!({})).await;
    let mut events = first.events(1, None);
    let id = first.start("w", json!({})).await.unwrap();
    seen(&mut events, "CallbackAwaited").await;
    let token = within(tokens.recv()).await.unwrap();
    drop(events);
    drop(first);

    let second = world.open(|builder| handing_on(builder, to)).await;
    second.callback_heartbeat(&token).await.unwrap();
    second.complete_callback(&token, json!({"paid": true})).await.unwrap();
    let outcome = within(second.result(id)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!({"paid": true}));
    assert!(tokens.try_recv().is_err(), "the order was not handed on again");
    let again = second.complete_callback(&token, json!(1)).await.unwrap_err();
    assert_eq!(again.code(), "NOT_IN_STATUS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_called_back_is_the_jobs() {
    let mut world = World::new();
    let (to, mut tokens) = mpsc::unbounded_channel();
    let system = world.open(|builder| handing_on(builder, to)).await;
    deploy_order(&system, json!({})).await;
    let id = system.start("w", json!({})).await.unwrap();
    let token = within(tokens.recv()).await.unwrap();
    system.fail_callback(&token, JobError::new("Declined", "no money")).await.unwrap();
    let failure = within(system.result(id)).await.unwrap().failure.unwrap();
    assert_eq!((&*failure.error, &*failure.cause), ("Declined", "no money"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_noticed_by_the_clock_and_signs_of_life_are_durable() {
    let mut world = World::new();
    let (to, mut tokens) = mpsc::unbounded_channel();
    let first = world.open(|builder| handing_on(builder, to.clone())).await;
    deploy_order(&first, json!({"HeartbeatSeconds": 10})).await;
    let mut events = first.events(1, None);
    let id = first.start("w", json!({})).await.unwrap();
    let token = within(tokens.recv()).await.unwrap();
    seen(&mut events, "CallbackAwaited").await;
    world.clock.advance(Duration::from_secs(9));
    first.callback_heartbeat(&token).await.unwrap();
    first.callback_heartbeat(&token).await.unwrap();
    assert_eq!(world.count(id, "JobHeartbeat").await, 1, "one a second is enough");
    drop(events);
    drop(first);

    let second = world.open(|builder| handing_on(builder, to)).await;
    world.clock.advance(Duration::from_secs(9));
    assert_eq!(second.execution(id).await.unwrap().status, Status::Running);
    world.clock.advance(Duration::from_secs(1));
    let failure = within(second.result(id)).await.unwrap().failure.unwrap();
    assert_eq!(&*failure.error, "States.HeartbeatTimeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_or_nobodys_is_refused() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    let refused = system.complete_callback("x", json!(1)).await.unwrap_err();
    assert_eq!(refused.code(), "BAD_TOKEN");
    let nobodys = everstep::engine::CallbackToken {
        execution: everstep::engine::ExecutionId(uuid::Uuid::from_u128(7)),
        job: everstep::engine::JobId(1),
        token: everstep::engine::Token([1; 16]),
    };
    let refused = system.complete_callback(&nobodys.to_string(), json!(1)).await.unwrap_err();
    assert_eq!(refused.code(), "NO_SUCH_EXECUTION");
}
