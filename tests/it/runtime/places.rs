//! How many executions of a workflow run at once: who waits, who is refused, and that no crash
//! makes it more.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use everstep::engine::{Event, ExecutionId, Status};
use everstep::language::Format;
use everstep::runtime::{Builder, Orchestrator};
use everstep::store::EventStore;
use everstep::testing::FaultyStore;
use everstep::testing::faulty_store::Call;
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{World, deploy, one_task, seen, within};

/// A workflow of one Task, of which so many executions run at once.
fn limited(job_type: &str, concurrency: &Value) -> Value {
    let mut machine = one_task(job_type, &json!({}));
    machine["Concurrency"] = concurrency.clone();
    machine
}

/// A handler that ends when it is let go, once for each permit.
fn gated(builder: Builder, gate: &Arc<Semaphore>) -> Builder {
    let gate = gate.clone();
    builder.handle("gated", move |job: JobContext, input: Value| {
        let gate = gate.clone();
        async move {
            tokio::select! {
                permit = gate.acquire() => permit.map(tokio::sync::SemaphorePermit::forget)?,
                () = job.cancel_token().cancelled() => return Err(JobError::cancelled()),
            }
            Ok(input)
        }
    })
}

fn closed() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

async fn status(system: &Orchestrator, id: ExecutionId) -> Status {
    system.execution(id).await.unwrap().status
}

async fn statuses(system: &Orchestrator, ids: &[ExecutionId]) -> Vec<&'static str> {
    let mut statuses = Vec::new();
    for id in ids {
        statuses.push(status(system, *id).await.as_str());
    }
    statuses
}

/// Waits until so many executions have been admitted since `events` began.
async fn admitted(events: &mut everstep::runtime::Events, count: usize) {
    for _ in 0..count {
        seen(events, "ExecutionAdmitted").await;
    }
}

/// The order in which executions got their places, and the most that had one at once, for any key.
async fn told(store: &dyn EventStore) -> (Vec<ExecutionId>, usize) {
    let records = store.read_log(1, usize::MAX).await.unwrap();
    let (mut order, mut most) = (Vec::new(), 0);
    let mut keys: BTreeMap<ExecutionId, String> = BTreeMap::new();
    let mut held: BTreeMap<String, BTreeSet<ExecutionId>> = BTreeMap::new();
    for record in records {
        let id = ExecutionId(record.stream);
        match &*record.event {
            Event::ExecutionStarted(body) => {
                let key =
                    body.place.as_ref().map(|place| format!("{} {}", body.workflow, place.key));
                keys.extend(key.map(|key| (id, key)));
            }
            Event::ExecutionAdmitted(_) => {
                order.push(id);
                let of_key = held.entry(keys[&id].clone()).or_default();
                of_key.insert(id);
                most = most.max(of_key.len());
            }
            event if event.is_end() => {
                for of_key in held.values_mut() {
                    of_key.remove(&id);
                }
            }
            _ => {}
        }
    }
    (order, most)
}

/// A system that is about to crash: of so many executions `limit` have places, those up to number
/// `saved` are in a checkpoint, and the others in the log alone.
async fn about_to_crash(
    world: &mut World,
    limit: u32,
    count: usize,
    saved: usize,
) -> (Orchestrator, Vec<ExecutionId>) {
    let system = world.open(|builder| gated(builder, &closed())).await;
    deploy(&system, &limited("gated", &json!({"Limit": limit}))).await;
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(system.start("w", json!(n)).await.unwrap());
        if n == saved {
            within(system.checkpoint()).await;
        }
    }
    (system, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_wait_for_their_place_and_get_it_in_the_order_of_their_starts() {
    // Where two get their places at one time, two shards would tell so in either order.
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate).shards(1)).await;
    deploy(&system, &limited("gated", &json!({"Limit": 2}))).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    let expected = ["running", "running", "pending", "pending", "pending", "pending"];
    assert_eq!(statuses(&system, &ids).await, expected);
    // With a free place, the start and the place are one transition.
    let records = world.store.read_history(ids[0].0, 1..3).await.unwrap();
    assert_eq!(records[1].event.name(), "ExecutionAdmitted");
    assert_eq!(records[0].position + 1, records[1].position);
    let queue = system.queues(ids[4]).place.unwrap();
    assert_eq!((queue.limit, queue.ahead), (2, 2));
    assert_eq!(BTreeSet::from_iter(queue.holders), BTreeSet::from([ids[0], ids[1]]));
    assert!(system.queues(ids[0]).place.is_none());
    gate.add_permits(6);
    for id in &ids {
        assert_eq!(within(system.result(*id)).await.unwrap().status, Status::Completed);
    }
    assert_eq!(told(&*world.store).await, (ids, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_places_of_its_own() {
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate)).await;
    deploy(&system, &limited("gated", &json!({"KeyPath": "$.k", "Limit": 1}))).await;
    let mut ids = Vec::new();
    for key in ["a", "b", "a"] {
        ids.push(system.start("w", json!({"k": key})).await.unwrap());
    }
    assert_eq!(statuses(&system, &ids).await, ["running", "running", "pending"]);
    let refused = system.start("w", json!({})).await.unwrap_err();
    assert_eq!(refused.code(), "PLACE_KEY_FAILED");
    gate.add_permits(3);
    for id in ids {
        within(system.result(id)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_starts_at_once_one_is_refused_and_names_the_other() {
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate)).await;
    let concurrency = json!({"KeyPath": "$.round", "Limit": 1, "WhenFull": "refuse"});
    deploy(&system, &limited("gated", &concurrency)).await;
    let mut last = None;
    for round in 0..50 {
        let before = system.last_position();
        let start = |n: u32| system.start("w", json!({"round": round, "n": n}));
        let (one, two) = tokio::join!(start(1), start(2));
        let (id, refused) = match (one, two) {
            (Ok(id), Err(refused)) | (Err(refused), Ok(id)) => (id, refused),
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(refused.code(), "PLACE_TAKEN");
        assert!(refused.to_string().contains(&id.short()), "{refused}");
        let begun = world.store.read_log(before + 1, usize::MAX).await.unwrap();
        let begun = begun.iter().filter(|record| record.event.name() == "ExecutionStarted");
        assert_eq!(begun.count(), 1, "nothing is written of the one that was refused");
        last = Some((id, round));
    }
    gate.add_permits(51);
    let (id, round) = last.unwrap();
    within(system.result(id)).await.unwrap();
    // The place is free a moment after the end is durable.
    let again = async {
        loop {
            match system.start("w", json!({"round": round})).await {
                Ok(id) => break id,
                Err(error) => assert_eq!(error.code(), "PLACE_TAKEN"),
            }
            tokio::task::yield_now().await;
        }
    };
    let again = within(again).await;
    assert_eq!(within(system.result(again)).await.unwrap().status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopping_keeps_its_place_until_it_has_stopped() {
    let mut world = World::new();
    let let_go = closed();
    let gate = let_go.clone();
    let system = world
        .open(|builder| {
            builder.handle("stubborn", move |_: JobContext, input: Value| {
                let gate = gate.clone();
                async move {
                    gate.acquire().await?.forget();
                    Ok(input)
                }
            })
        })
        .await;
    deploy(&system, &limited("stubborn", &json!({"Limit": 1}))).await;
    let mut events = system.events(1, None);
    let first = system.start("w", json!(1)).await.unwrap();
    let second = system.start("w", json!(2)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    system.cancel(first, "test", None).await.unwrap();
    assert_eq!(statuses(&system, &[first, second]).await, ["cancelling", "pending"]);
    let_go.add_permits(2);
    assert_eq!(within(system.result(first)).await.unwrap().status, Status::Cancelled);
    assert_eq!(within(system.result(second)).await.unwrap().status, Status::Completed);
    assert_eq!(told(&*world.store).await, (vec![first, second], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_is_cancelled_at_once_and_the_next_moves_up() {
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate)).await;
    deploy(&system, &limited("gated", &json!({"Limit": 1}))).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    system.cancel(ids[1], "test", None).await.unwrap();
    let ended = within(system.ended(ids[1])).await.unwrap();
    assert_eq!(ended.status, Status::Cancelled);
    assert!(ended.ended_at.is_some() && ended.admitted_at.is_none());
    assert_eq!(world.count(ids[1], "JobScheduled").await, 0);
    gate.add_permits(2);
    assert_eq!(within(system.result(ids[2])).await.unwrap().status, Status::Completed);
    assert_eq!(told(&*world.store).await, (vec![ids[0], ids[2]], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_a_new_version_holds_from_then_on() {
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate)).await;
    deploy(&system, &limited("gated", &json!({"Limit": 1}))).await;
    let mut events = system.events(1, None);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    admitted(&mut events, 1).await;
    deploy(&system, &limited("gated", &json!({"Limit": 3}))).await;
    admitted(&mut events, 2).await;
    let expected = ["running", "running", "running", "pending", "pending"];
    assert_eq!(statuses(&system, &ids).await, expected);
    // Nobody loses a place to a lower limit, but nobody gets one before there is room again.
    deploy(&system, &limited("gated", &json!({"Limit": 1}))).await;
    assert_eq!(system.queues(ids[3]).place.unwrap().limit, 1);
    gate.add_permits(2);
    let mut ended = 0;
    while ended < 2 {
        seen(&mut events, "ExecutionCompleted").await;
        ended += 1;
    }
    assert_eq!(statuses(&system, &ids[3..]).await, ["pending", "pending"]);
    // A version that sets no limit lets everybody in.
    deploy(&system, &one_task("gated", &json!({}))).await;
    admitted(&mut events, 2).await;
    gate.add_permits(3);
    for id in ids {
        within(system.result(id)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_places_are_held_and_waited_for_as_before() {
    let mut world = World::new();
    let (first, mut ids) = about_to_crash(&mut world, 2, 7, 3).await;
    first.cancel(ids[3], "test", None).await.unwrap();
    drop(first);

    let gate = closed();
    // One shard tells them in the order in which they get their places.
    let second = world.open(|builder| gated(builder, &gate).shards(1)).await;
    let expected = ["running", "running", "pending", "cancelled", "pending", "pending", "pending"];
    assert_eq!(statuses(&second, &ids).await, expected);
    assert_eq!(second.queues(ids[6]).place.unwrap().ahead, 3);
    gate.add_permits(6);
    for id in &ids {
        within(second.result(*id)).await.unwrap();
    }
    ids.remove(3);
    assert_eq!(told(&*world.store).await, (ids, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_crash_lets_more_run_than_may_or_leaves_one_waiting() {
    for (at_sync, shards) in [(false, 1), (true, 1), (false, 4), (true, 4)] {
        for appends in 0..40 {
            if crash_after(appends, at_sync, shards).await {
                assert!(appends >= 4, "only {appends} appends: is anything cut off?");
                break;
            }
        }
    }
}

/// Starts five, of which two may run, on a store that fails after so many appends; whether it did
/// not come to that. Then goes on with what is there.
async fn crash_after(appends: usize, at_sync: bool, shards: usize) -> bool {
    let mut world = World::new();
    let system = world.open(|builder| builder.shards(shards)).await;
    deploy(&system, &limited("echo", &json!({"Limit": 2}))).await;
    within(system.stop()).await.unwrap();

    let faulty = Arc::new(FaultyStore::new(world.store.clone()));
    if at_sync {
        faulty.fail_sync_after(appends, ErrorKind::Other);
    } else {
        faulty.fail_append_after(appends, ErrorKind::Other);
    }
    let first = world.builder().shards(shards).open_store(faulty).await.unwrap();
    let mut acknowledged = Vec::new();
    for n in 0..5 {
        acknowledged.extend(first.start("w", json!(n)).await);
    }
    let mut is_whole = acknowledged.len() == 5;
    for id in &acknowledged {
        is_whole &= tokio::select! {
            ended = within(first.result(*id)) => ended.is_ok(),
            _ = first.failed() => false,
        };
    }
    drop(first);

    let second = world.open(|builder| builder.shards(shards)).await;
    for row in second.list(100).await.unwrap() {
        let outcome = within(second.result(row.id)).await.unwrap();
        assert_eq!(outcome.status, Status::Completed, "after {appends} appends");
    }
    let (mut order, most) = told(&*world.store).await;
    assert!(most <= 2, "{most} ran at once after {appends} appends");
    let different: BTreeSet<ExecutionId> = order.iter().copied().collect();
    assert_eq!(order.len(), different.len(), "a place is given once");
    assert!(acknowledged.iter().all(|id| different.contains(id)));
    // Those whose start was acknowledged one after the other get their places in that order. Where
    // two get theirs at one time, two shards may write so in either order.
    if shards > 1 {
        order.sort_unstable();
        acknowledged.sort_unstable();
    }
    let got: Vec<ExecutionId> = order.into_iter().filter(|id| acknowledged.contains(id)).collect();
    assert_eq!(got, acknowledged, "after {appends} appends");
    is_whole
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_gets_its_place_from_recovery_and_ends_at_once_gives_it_to_the_next() {
    let (mut world, gate) = (World::new(), closed());
    let faulty = Arc::new(FaultyStore::new(world.store.clone()));
    let first = gated(world.builder(), &gate).open_store(faulty.clone()).await.unwrap();
    let first_works = json!({"Concurrency": {"Limit": 1}, "StartAt": "C", "States": {
        "C": {"Type": "Choice", "Default": "P",
            "Choices": [{"Variable": "$", "NumericEquals": 0, "Next": "T"}]},
        "T": {"Type": "Task", "Resource": "gated", "End": true},
        "P": {"Type": "Pass", "End": true}}});
    deploy(&first, &first_works).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(first.start("w", json!(n)).await.unwrap());
    }
    // The end of the first is durable, and that the second has its place is not.
    faulty.fail_append_after(1, ErrorKind::Other);
    gate.add_permits(1);
    within(first.failed()).await;
    drop(first);

    let second = world.open(|builder| gated(builder, &gate)).await;
    for id in ids {
        assert_eq!(within(second.result(id)).await.unwrap().status, Status::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_keeps_the_order_of_many_that_wait_and_reads_no_history_of_theirs() {
    let mut world = World::new();
    let (first, ids) = about_to_crash(&mut world, 1, 30, 15).await;
    drop(first);

    let faulty = Arc::new(FaultyStore::new(world.store.clone()));
    let second = gated(world.builder(), &closed()).open_store(faulty.clone()).await.unwrap();
    let reads = |call: &Call| matches!(call, Call::ReadHistory(_));
    assert!(!faulty.calls().iter().any(reads), "{:?}", faulty.calls());
    let ahead: Vec<_> =
        ids.iter().map(|id| second.queues(*id).place.map(|own| own.ahead)).collect();
    let expected: Vec<_> = (0..30_usize).map(|n| n.checked_sub(1)).collect();
    assert_eq!(ahead, expected);
}

/// A Task that starts an execution of `workflow` and waits for its end.
fn starts(workflow: &str) -> Value {
    json!({"StartAt": "S", "States": {"S": {"Type": "Task", "End": true,
        "Resource": "states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": workflow, "Input.$": "$"},
        "OutputPath": "$.Output"}}})
}

async fn deploy_as(system: &Orchestrator, name: &str, definition: &Value) {
    system.deploy(name, &definition.to_string(), Format::Json).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_that_tasks_begin_wait_for_their_place_too() {
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate)).await;
    deploy_as(&system, "child", &limited("gated", &json!({"Limit": 1}))).await;
    deploy(&system, &starts("child")).await;
    let mut events = system.events(1, None);
    let one = system.start("w", json!(1)).await.unwrap();
    let two = system.start("w", json!(2)).await.unwrap();
    admitted(&mut events, 1).await;
    gate.add_permits(2);
    assert_eq!(within(system.result(one)).await.unwrap().output.unwrap().value(), json!(1));
    assert_eq!(within(system.result(two)).await.unwrap().output.unwrap().value(), json!(2));
    assert_eq!(told(&*world.store).await.1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_execution_is_refused_fails_with_an_error_of_its_own() {
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate)).await;
    let refuses = json!({"Limit": 1, "WhenFull": "refuse"});
    deploy_as(&system, "child", &limited("gated", &refuses)).await;
    deploy(&system, &starts("child")).await;
    let holder = system.start("child", json!(1)).await.unwrap();
    let id = system.start("w", json!(2)).await.unwrap();
    let failure = within(system.result(id)).await.unwrap().failure.unwrap();
    assert_eq!(&*failure.error, "Everstep.PlaceTaken");
    assert!(failure.cause.contains(&holder.short()), "{}", failure.cause);

    // A workflow that starts itself would wait for its own place.
    let mut own = starts("own");
    own["Concurrency"] = json!({"Limit": 1});
    deploy_as(&system, "own", &own).await;
    let id = system.start("own", json!(1)).await.unwrap();
    let failure = within(system.result(id)).await.unwrap().failure.unwrap();
    assert_eq!(&*failure.error, "Everstep.PlaceHeldByParent");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_parents_whose_children_need_the_same_workers_all_finish() {
    let mut world = World::new();
    let system = world.open(|builder| builder.running_jobs(2)).await;
    deploy_as(&system, "leaf", &limited("echo", &json!({"Limit": 1}))).await;
    let child = json!({"Concurrency": {"Limit": 2}, "StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "echo", "Next": "S"},
        "S": starts("leaf")["States"]["S"]}});
    deploy_as(&system, "child", &child).await;
    let parent = json!({"Concurrency": {"Limit": 5}, "StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "echo", "Next": "S"},
        "S": starts("child")["States"]["S"]}});
    deploy(&system, &parent).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    for (n, id) in ids.into_iter().enumerate() {
        let outcome = within(system.result(id)).await.unwrap();
        assert_eq!(outcome.output.unwrap().value(), json!(n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_for_a_place_has_a_limit() {
    let (mut world, gate) = (World::new(), closed());
    let limits = everstep::runtime::Limits { waiting_executions: 1, ..Default::default() };
    let system = world.open(|builder| gated(builder.limits(limits), &gate)).await;
    deploy(&system, &limited("gated", &json!({"Limit": 1}))).await;
    system.start("w", json!(1)).await.unwrap();
    system.start("w", json!(2)).await.unwrap();
    let refused = system.start("w", json!(3)).await.unwrap_err();
    assert_eq!(refused.code(), "PLACE_QUEUE_FULL");
    gate.add_permits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_place_does_not_use_up_the_time() {
    let (mut world, gate) = (World::new(), closed());
    let system = world.open(|builder| gated(builder, &gate)).await;
    let mut definition = limited("gated", &json!({"Limit": 1}));
    definition["TimeoutSeconds"] = json!(60);
    deploy(&system, &definition).await;
    let first = system.start("w", json!(1)).await.unwrap();
    let second = system.start("w", json!(2)).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(within(system.result(first)).await.unwrap().status, Status::TimedOut);
    let mut events = system.events(1, Some(second));
    seen(&mut events, "ExecutionAdmitted").await;
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(status(&system, second).await, Status::Running);
    gate.add_permits(1);
    assert_eq!(within(system.result(second)).await.unwrap().status, Status::Completed);
}
