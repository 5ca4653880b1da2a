//! Executions that begin others, while the process lives and when it does not.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use everstep::engine::{Event, ExecutionId, Link, Status};
use everstep::language::Format;
use everstep::runtime::{Builder, Limits, Orchestrator, Rows};
use everstep::store::{EventStore, MemoryStore, Transition};
use everstep::testing::FaultyStore;
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};

use super::{World, deploy, one_task, seen, within};

fn starts(workflow: &str, pattern: &str) -> Value {
    json!({"Type": "Task", "End": true, "Resource": format!("states:startExecution{pattern}"),
        "Parameters": {"StateMachineArn": workflow, "Input.$": "$"}})
}

fn machine(state: Value) -> Value {
    json!({"StartAt": "A", "States": {"A": state}})
}

async fn deploy_as(system: &Orchestrator, name: &str, definition: &Value) {
    system.deploy(name, &definition.to_string(), Format::Json).await.unwrap();
}

/// Three workflows, each of which waits for the next; the last one echoes.
async fn deploy_chain(system: &Orchestrator) {
    deploy_as(system, "leaf", &one_task("echo", &json!({}))).await;
    let mut middle = starts("leaf", ".sync:2");
    middle["OutputPath"] = json!("$.Output");
    deploy_as(system, "middle", &machine(middle)).await;
    deploy(system, &machine(starts("middle", ".sync"))).await;
}

fn map_over(fields: &Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "echo", "End": true}}}});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    machine(state)
}

/// Executions in the log, with how many of them there are.
async fn begun(store: &dyn EventStore) -> (usize, BTreeSet<ExecutionId>) {
    let records = store.read_log(1, usize::MAX).await.unwrap();
    let begun: Vec<ExecutionId> = records
        .iter()
        .filter(|record| matches!(&*record.event, Event::ExecutionStarted(_)))
        .map(|record| ExecutionId(record.stream))
        .collect();
    (begun.len(), begun.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_wait_for_executions_and_get_their_output() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy_chain(&system).await;
    let id = system.start("w", json!({"n": 1})).await.unwrap();
    let ended = within(system.ended(id)).await.unwrap();
    let output = ended.output.unwrap().value();
    assert_eq!(output["Output"], "{\"n\":1}");
    let child: ExecutionId = output["ExecutionArn"].as_str().unwrap().parse().unwrap();
    let middle = system.execution(child).await.unwrap();
    let parent = middle.parent.clone().unwrap();
    assert_eq!((parent.execution, parent.depth), (id, 1));
    assert!(matches!(parent.link, Link::Job(_)));
    let rows = system.list_rows(Rows::BegunBy(id), 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [child]);
    assert_eq!(world.replayed(id).await.output.unwrap().value(), output);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_fails_its_task_and_says_why() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &machine(starts("nowhere", ".sync"))).await;
    let id = system.start("w", json!({})).await.unwrap();
    let failure = within(system.result(id)).await.unwrap().failure.unwrap();
    assert_eq!(&*failure.error, "StepFunctions.StateMachineDoesNotExistException");
    assert!(failure.cause.contains("nowhere"), "{}", failure.cause);

    deploy_as(&system, "unserved", &one_task("nobody", &json!({}))).await;
    deploy(&system, &machine(starts("unserved", ""))).await;
    let id = system.start("w", json!({})).await.unwrap();
    let failure = within(system.result(id)).await.unwrap().failure.unwrap();
    assert!(failure.cause.contains("nobody"), "{}", failure.cause);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_starts_itself_ends_at_some_depth() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &machine(starts("w", ".sync"))).await;
    let id = system.start("w", json!({})).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Failed);
    assert_eq!(begun(&*world.store).await.0, 65);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_parents_that_wait_hold_no_worker() {
    let mut world = World::new();
    let system = world
        .open(|builder| {
            let mut registry = everstep::worker::Registry::new();
            registry.handle("echo", |_: JobContext, input: Value| async move { Ok(input) });
            registry.set_concurrency("echo", 1);
            builder.registry(registry)
        })
        .await;
    deploy_chain(&system).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    for id in ids {
        assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_stops_children_before_their_parents() {
    let mut world = World::new();
    let system = world.open(hanging).await;
    deploy_as(&system, "leaf", &one_task("hang", &json!({}))).await;
    deploy(&system, &machine(starts("leaf", ".sync"))).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    seen(&mut events, "JobStarted").await;
    system.cancel(id, "me", None).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Cancelled);
    let records = world.store.read_log(1, usize::MAX).await.unwrap();
    let ends: Vec<bool> = records
        .iter()
        .filter(|record| matches!(&*record.event, Event::ExecutionCancelled(_)))
        .map(|record| record.stream == id.0)
        .collect();
    assert_eq!(ends, [false, true], "the child, then its parent");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_of_a_child_is_seen_in_its_parent() {
    let mut world = World::new();
    let system = world
        .open(|builder| {
            builder.handle("half", |job: JobContext, _: Value| async move {
                job.progress(50, None);
                job.cancel_token().cancelled().await;
                Err::<(), _>(JobError::cancelled())
            })
        })
        .await;
    deploy_as(&system, "leaf", &one_task("half", &json!({}))).await;
    deploy(&system, &machine(starts("leaf", ".sync"))).await;
    let id = system.start("w", json!({})).await.unwrap();
    let mut events = system.events(1, Some(id));
    let Event::JobProgressed(told) = seen(&mut events, "JobProgressed").await else { panic!() };
    assert_eq!((told.percent, told.progress), (Some(50), 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_a_distributed_map_is_an_execution_and_is_not_listed() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    let fields = json!({"ItemBatcher": {"MaxItemsPerBatch": 3}, "MaxConcurrency": 4});
    deploy(&system, &map_over(&fields)).await;
    let items: Vec<u32> = (0..50).collect();
    let id = system.start("w", json!(items)).await.unwrap();
    let output = within(system.result(id)).await.unwrap().output.unwrap().value();
    assert_eq!(output.as_array().unwrap().len(), 17);
    assert_eq!(output[16], json!({"Items": [48, 49]}));
    assert_eq!(system.list(100).await.unwrap().len(), 1);
    assert_eq!(system.find("@").await.unwrap(), id);
    let parts = system.list_rows(Rows::BegunBy(id), 100).await.unwrap();
    assert_eq!(parts.len(), 17);
    let part = system.execution(parts[0].id).await.unwrap();
    assert!(matches!(part.parent.unwrap().link, Link::Item { .. }));
    assert_eq!(world.count(id, "ItemSucceeded").await, 17);
}

/// Runs an execution of `w` once for every append that may be the last one before a crash: the next
/// process brings it to the same end, and nothing has begun twice.
async fn the_end_is_the_same_after_any_crash(
    deploy: impl AsyncFn(&Orchestrator),
    input: Value,
    executions: usize,
    output: &Value,
) {
    for appends in 0.. {
        let mut world = World::on(Arc::new(MemoryStore::new()));
        let system = world.open(|builder| builder).await;
        deploy(&system).await;
        within(system.stop()).await.unwrap();

        let faulty = Arc::new(FaultyStore::new(world.store.clone()));
        faulty.fail_append_after(appends, ErrorKind::Other);
        let first = world.builder().open_store(faulty).await.unwrap();
        let Ok(id) = first.start("w", input.clone()).await else { continue };
        let ended = tokio::select! {
            ended = within(first.result(id)) => ended.is_ok(),
            _ = first.failed() => false,
        };
        drop(first);

        let second = world.open(|builder| builder).await;
        let outcome = within(second.result(id)).await.unwrap();
        assert_eq!(outcome.output.unwrap().value(), *output, "after {appends} appends");
        let (begun, different) = begun(&*world.store).await;
        assert_eq!((begun, different.len()), (executions, executions), "after {appends} appends");
        if ended {
            assert!(appends >= 3, "only {appends} appends: is anything cut off?");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_that_wait_for_others_survive_any_crash() {
    let prepare = async |system: &Orchestrator| {
        deploy_as(system, "leaf", &one_task("echo", &json!({}))).await;
        let mut middle = starts("leaf", ".sync:2");
        middle["OutputPath"] = json!("$.Output");
        deploy_as(system, "middle", &machine(middle)).await;
        let mut top = starts("middle", ".sync:2");
        top["OutputPath"] = json!("$.Output");
        deploy(system, &machine(top)).await;
    };
    the_end_is_the_same_after_any_crash(prepare, json!({"n": 1}), 3, &json!({"n": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_run_survives_any_crash() {
    let prepare = async |system: &Orchestrator| {
        deploy(system, &map_over(&json!({"MaxConcurrency": 2}))).await;
    };
    the_end_is_the_same_after_any_crash(prepare, json!([1, 2, 3]), 4, &json!([1, 2, 3])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_was_only_begun_survives_any_crash() {
    let prepare = async |system: &Orchestrator| {
        deploy_as(system, "leaf", &one_task("echo", &json!({}))).await;
        let mut state = starts("leaf", "");
        state["ResultSelector"] = json!({"begun": true});
        deploy(system, &machine(state)).await;
    };
    the_end_is_the_same_after_any_crash(prepare, json!({}), 2, &json!({"begun": true})).await;
}

/// A child that has ended, and its parent that a crash came before; after so many appends there is
/// none.
async fn untold_end(appends: usize) -> Option<(World, ExecutionId)> {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy_as(&system, "leaf", &one_task("echo", &json!({}))).await;
    deploy(&system, &machine(starts("leaf", ".sync"))).await;
    within(system.stop()).await.unwrap();
    let faulty = Arc::new(FaultyStore::new(world.store.clone()));
    faulty.fail_append_after(appends, ErrorKind::Other);
    let first = world.builder().open_store(faulty).await.unwrap();
    let id = first.start("w", json!({})).await.ok()?;
    tokio::select! {
        _ = within(first.result(id)) => {}
        _ = first.failed() => {}
    }
    drop(first);
    let (_, all) = begun(&*world.store).await;
    let child = all.into_iter().find(|one| *one != id)?;
    let is_untold = world.count(child, "ExecutionCompleted").await == 1
        && world.count(id, "JobSucceeded").await == 0;
    is_untold.then_some((world, id))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_child_is_looked_up_again_when_the_disk_could_not_be_read() {
    let mut found = None;
    // What goes into one append hangs on the threads, so one pass may miss the moment.
    for appends in (0..20).cycle().take(400) {
        found = untold_end(appends).await;
        if found.is_some() {
            break;
        }
    }
    let (mut world, id) = found.unwrap();
    let unread = Arc::new(FaultyStore::new(world.store.clone()));
    unread.fail_history_reads(1);
    let second = world.builder().open_store(unread).await.unwrap();
    let mut events = second.events(1, Some(id));
    within(world.clock.somebody_sleeps(Duration::from_secs(1))).await;
    world.clock.advance(Duration::from_secs(1));
    seen(&mut events, "ExecutionCompleted").await;
    assert_eq!(world.count(id, "ExecutionSetAside").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_short_decision_leaves_is_carried_out_later() {
    let mut world = World::new();
    let limits = || {
        let mut limits = Limits::default();
        limits.engine.decision_events = 4;
        limits
    };
    let system = world.open(|builder| builder.limits(limits())).await;
    let step = |name: &str| {
        json!({"StartAt": name, "States": {
        name: {"Type": "Task", "Resource": "echo", "End": true}}})
    };
    let mut distributed = step("Part");
    distributed["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED"});
    let map = |processor: Value| {
        json!({"Type": "Map", "End": true, "MaxConcurrency": 100,
        "ItemProcessor": processor})
    };
    let definition = machine(json!({"Type": "Parallel", "End": true, "Branches": [
        step("Alone"),
        {"StartAt": "Run", "States": {"Run": map(distributed)}},
        {"StartAt": "Inline", "States": {"Inline": map(step("Item"))}}]}));
    deploy(&system, &definition).await;
    let items: Vec<u32> = (0..40).collect();
    let id = system.start("w", json!(items)).await.unwrap();
    let output = within(system.result(id)).await.unwrap().output.unwrap().value();
    assert_eq!(output, json!([items, items, items]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_set_aside_does_not_hold_its_parent_for_ever() {
    let mut world = World::new();
    let first = world.open(hanging).await;
    deploy_as(&first, "leaf", &one_task("hang", &json!({}))).await;
    deploy(&first, &machine(starts("leaf", ".sync"))).await;
    let mut events = first.events(1, None);
    let id = first.start("w", json!({})).await.unwrap();
    seen(&mut events, "JobStarted").await;
    drop(events);
    drop(first);

    // The same log, without the definition of the child.
    let store = Arc::new(MemoryStore::new());
    let epoch = store.acquire().await.unwrap();
    for record in world.store.read_log(1, usize::MAX).await.unwrap() {
        let is_leaf = |event: &Event| match event {
            Event::DefinitionStored(stored) => &*stored.name == "leaf",
            _ => false,
        };
        if !is_leaf(&record.event) {
            let transition = Transition {
                stream: record.stream,
                first_sequence: record.sequence,
                time: record.time,
                events: vec![(*record.event).clone()],
            };
            store.append(epoch, vec![transition]).await.unwrap();
        }
    }
    world.store = store;
    let second = world.open(hanging).await;
    let failure = within(second.result(id)).await.unwrap().failure.unwrap();
    assert_eq!(&*failure.error, "Everstep.SetAside");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_executions_than_may_be_are_refused() {
    let mut world = World::new();
    let limits = Limits { live_executions: 20, ..Limits::default() };
    let system = world.open(|builder| builder.limits(limits)).await;
    let two = |name: &str| json!({"StartAt": name, "States": {name: starts("w", "")}});
    let bomb = machine(json!({"Type": "Parallel", "End": true, "Branches": [two("X"), two("Y")]}));
    deploy(&system, &bomb).await;
    let id = system.start("w", json!({})).await.unwrap();
    within(system.result(id)).await.unwrap();
    let mut events = system.events(1, None);
    let Event::ExecutionFailed(body) = seen(&mut events, "ExecutionFailed").await else { panic!() };
    assert_eq!(&*body.failure.error, "StepFunctions.ExecutionLimitExceeded");
}

fn hanging(builder: Builder) -> Builder {
    builder.handle("hang", |job: JobContext, _: Value| async move {
        job.cancel_token().cancelled().await;
        Err::<(), _>(JobError::cancelled())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_children_stop_leaves_none_behind() {
    for appends in 0.. {
        let mut world = World::new();
        let first = world.open(hanging).await;
        deploy_as(&first, "leaf", &one_task("hang", &json!({}))).await;
        let mut state = starts("leaf", ".sync");
        state["TimeoutSeconds"] = json!(60);
        deploy(&first, &machine(state)).await;
        let mut events = first.events(1, None);
        let id = first.start("w", json!({})).await.unwrap();
        seen(&mut events, "JobStarted").await;
        drop(events);
        drop(first);

        // The time is over while no process lives; the next one has the child stopped, and dies.
        world.clock.advance(Duration::from_secs(61));
        let faulty = Arc::new(FaultyStore::new(world.store.clone()));
        faulty.fail_append_after(appends, ErrorKind::Other);
        let second = hanging(world.builder()).open_store(faulty).await.unwrap();
        let ended = tokio::select! {
            ended = within(second.result(id)) => ended.is_ok(),
            _ = second.failed() => false,
        };
        drop(second);

        let third = world.open(hanging).await;
        let outcome = within(third.result(id)).await.unwrap();
        assert_eq!(&*outcome.failure.unwrap().error, "States.Timeout", "after {appends} appends");
        let parts = third.list_rows(Rows::BegunBy(id), 10).await.unwrap();
        let statuses: Vec<Status> = parts.iter().map(|row| row.status).collect();
        assert_eq!(statuses, [Status::Cancelled], "after {appends} appends");
        if ended {
            assert!(appends >= 2, "only {appends} appends: is anything cut off?");
            return;
        }
    }
}
