//! Scenarios 37 to 40: crashes, stops and readers that were away.

use std::time::Duration;

use everstep::engine::Status;
use everstep::language::Format;
use serde_json::{Value, json};

use super::{Hands, World, begin, deploy, one_task, until, within};

/// Three steps, then a Map in batches, one after the other.
fn four_steps() -> Value {
    let step =
        |next: &str| json!({"Type": "Task", "Resource": "other", "ResultPath": null, "Next": next});
    json!({"StartAt": "S1", "States": {
        "S1": step("S2"), "S2": step("S3"), "S3": step("S4"),
        "S4": {"Type": "Map", "MaxConcurrency": 1, "End": true,
            "ItemProcessor": {"StartAt": "Batch", "States": {
                "Batch": {"Type": "Task", "Resource": "work", "End": true}}}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_37_a_kill_in_batch_2_of_step_4_repeats_that_batch_alone() {
    let (mut world, hands, first) = begin(Hands::free(), &four_steps()).await;
    let id = first.start("w", json!(["a", "b", "c"])).await.unwrap();
    for n in 1..=3 {
        hands.next().await.succeed(json!({"step": n}));
    }
    hands.next().await.succeed(json!("batch a"));
    let _cut_off = hands.next().await;
    drop(first);

    let hands = Hands::free();
    let second = hands.open(&mut world).await;
    let again = hands.next().await;
    assert_eq!((again.input(), again.job.attempt()), (json!("b"), 2));
    let live = second.execution(id).await.unwrap();
    for (n, name) in (1..).zip(["S1", "S2", "S3"]) {
        let step = &live.steps[name];
        assert_eq!(step.result.as_ref().unwrap().value(), json!({"step": n}));
    }
    again.succeed(json!("batch b"));
    hands.next().await.succeed(json!("batch c"));
    let ended = within(second.ended(id)).await.unwrap();
    let output = ended.output.unwrap().value();
    assert_eq!(output, json!(["batch a", "batch b", "batch c"]));
    assert!(hands.are_idle().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_38_neither_a_kill_nor_a_stop_cancels_anything_and_the_queue_keeps_its_order() {
    for in_order in [false, true] {
        let (mut world, hands, first) =
            begin(Hands::at_most(1), &one_task("work", &json!({}))).await;
        let mut ids = Vec::new();
        for n in 0..7 {
            ids.push(first.start("w", json!(n)).await.unwrap());
            world.clock.advance(Duration::from_millis(1));
        }
        let held = hands.next().await;
        if in_order {
            let stopping = tokio::spawn({
                let first = first.clone();
                async move { first.stop().await }
            });
            within(world.clock.somebody_sleeps(Duration::from_secs(10))).await;
            world.clock.advance(Duration::from_secs(10));
            held.was_told_to_stop().await;
            held.stop();
            within(stopping).await.unwrap().unwrap();
        }
        drop(first);

        let hands = Hands::at_most(1);
        let second = hands.open(&mut world).await;
        let mut order = Vec::new();
        for _ in &ids {
            let held = hands.next().await;
            order.push(held.input());
            held.succeed(json!(null));
        }
        for id in &ids {
            assert_eq!(within(second.result(*id)).await.unwrap().status, Status::Completed);
            assert_eq!(world.count(*id, "CancelRequested").await, 0);
        }
        let turns: Vec<Value> = (0..7).map(|n| json!(n)).collect();
        assert_eq!(order, turns, "each ran, once, in its turn");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_39_a_kill_while_cancelling_ends_cancelled_with_its_children() {
    let (mut world, hands) = (World::new(), Hands::free());
    let first = hands.open(&mut world).await;
    let child = one_task("work", &json!({})).to_string();
    first.deploy("child", &child, Format::Json).await.unwrap();
    let begin = json!({"Parameters": {"StateMachineArn": "child", "Input": {}}});
    deploy(&first, &one_task("arn:aws:states:::states:startExecution.sync:2", &begin)).await;
    let parent = first.start("w", json!({})).await.unwrap();
    let held = hands.next().await;
    let child = held.job.id().execution;
    first.cancel(parent, "me", None).await.unwrap();
    held.was_told_to_stop().await;
    until(&first, child, |execution| execution.status == Status::Cancelling).await;
    drop(first);

    let hands = Hands::free();
    let second = hands.open(&mut world).await;
    assert_eq!(within(second.result(parent)).await.unwrap().status, Status::Cancelled);
    assert_eq!(within(second.result(child)).await.unwrap().status, Status::Cancelled);
    assert!(hands.are_idle().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_40_a_reader_that_was_away_gets_just_what_it_missed_in_order() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!({})).await.unwrap();
    let held = hands.next().await;
    let mut reader = system.events(1, Some(id));
    let mut last = within(reader.next()).await.unwrap();
    while last.event.name() != "JobStarted" {
        last = within(reader.next()).await.unwrap();
    }
    drop(reader);
    for percent in 1..=10 {
        held.job.progress(percent, None);
        until(&system, id, |execution| execution.progress == percent).await;
    }
    let mut reader = system.events(last.position + 1, Some(id));
    for missed in 1..=10 {
        let record = within(reader.next()).await.unwrap();
        assert_eq!(record.sequence, last.sequence + missed);
        assert_eq!(record.event.name(), "JobProgressed");
    }
}
