//! Deleting executions of a running system, and what is left of them.

use std::sync::Arc;

use everstep::engine::{ExecutionId, Rejection, Status};
use everstep::language::Format;
use everstep::runtime::{Delete, Error, Limits, Orchestrator, Rows, Start};
use everstep::store::{Compaction, MemoryStore, SledOptions, SledStore};
use everstep::testing::FaultyStore;
use serde_json::{Value, json};

use super::{World, deploy, one_task, within};

fn wish() -> Delete {
    Delete { by: "me".into(), reason: Some("old".into()), ..Delete::default() }
}

fn with_children() -> Delete {
    Delete { children: true, ..wish() }
}

fn echo() -> Value {
    one_task("echo", &json!({}))
}

/// Starts an execution and waits for its end.
async fn ran(system: &Orchestrator, workflow: &str, input: Value) -> ExecutionId {
    let id = system.start(workflow, input).await.unwrap();
    within(system.result(id)).await.unwrap();
    id
}

async fn rows(system: &Orchestrator) -> Vec<ExecutionId> {
    let rows = system.list_rows(Rows::All, usize::MAX).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_nowhere_but_its_tombstone_tells_who_did_it() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &echo()).await;
    let (gone, stays) = (ran(&system, "w", json!(1)).await, ran(&system, "w", json!(2)).await);
    for round in 0..2 {
        if round == 1 {
            let again = system.delete(gone, &wish()).await.unwrap_err();
            assert_eq!(again.code(), "DELETED");
        } else {
            let deleted = system.delete(gone, &wish()).await.unwrap();
            assert_eq!((deleted.deleted, deleted.kept), (vec![gone], vec![]));
        }
        assert_eq!(rows(&system).await, [stays]);
        assert!(matches!(system.find(&gone.handle()).await, Err(Error::NoSuchExecution { .. })));
        let Err(Error::Deleted { by, reason, .. }) = system.execution(gone).await else {
            panic!("it is still shown");
        };
        assert_eq!((&*by, reason.as_deref()), ("me", Some("old")));
        for error in [
            system.history(gone).await.unwrap_err(),
            system.ended(gone).await.unwrap_err(),
            system.cancel(gone, "me", None).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), "DELETED");
        }
        within(system.checkpoint()).await;
    }
    assert_eq!(system.execution(stays).await.unwrap().status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_not_deleted() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    let waits =
        json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 9, "End": true}}});
    deploy(&system, &waits).await;
    let id = system.start("w", json!({})).await.unwrap();
    let refused = system.delete(id, &wish()).await.unwrap_err();
    assert_eq!(refused.to_string(), "to delete is not possible: the execution is running");
    let dry = Delete { dry_run: true, ..wish() };
    assert!(matches!(
        system.delete(id, &dry).await.unwrap_err(),
        Error::Rejected(Rejection::NotInStatus { status: Status::Running, .. })
    ));
    assert_eq!(rows(&system).await, [id]);
    system.cancel(id, "me", None).await.unwrap();
    within(system.result(id)).await.unwrap();
    assert_eq!(system.delete(id, &dry).await.unwrap().deleted, [id]);
    assert_eq!(rows(&system).await, [id], "a dry run deletes nothing");
    system.delete(id, &wish()).await.unwrap();
    assert!(rows(&system).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_what_was_deleted_is_free() {
    let mut world = World::new();
    let mut system = world.open(|builder| builder).await;
    deploy(&system, &echo()).await;
    let start = |system: &Orchestrator| {
        let system = system.clone();
        let name = Some("today".to_owned());
        async move {
            let start = Start { workflow: "w".into(), input: json!({}).into(), name };
            system.start_with(start).await
        }
    };
    for round in 0..3 {
        let id = start(&system).await.unwrap();
        within(system.result(id)).await.unwrap();
        assert!(matches!(start(&system).await, Err(Error::NameTaken { .. })));
        match round {
            0 => {}
            1 => within(system.checkpoint()).await,
            _ => {
                within(system.checkpoint()).await;
                drop(system);
                system = world.open(|builder| builder).await;
                assert!(matches!(start(&system).await, Err(Error::NameTaken { .. })));
            }
        }
        system.delete(id, &wish()).await.unwrap();
    }
    assert!(start(&system).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_survive_a_crash_with_and_without_a_checkpoint() {
    let mut world = World::new();
    let first = world.open(|builder| builder).await;
    deploy(&first, &echo()).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(ran(&first, "w", json!(n)).await);
        if n == 2 {
            within(first.checkpoint()).await;
        }
    }
    // One that the checkpoint has as ended, one that ended after it.
    for id in [ids[0], ids[4]] {
        first.delete(id, &wish()).await.unwrap();
    }
    first.compact(Compaction::default()).await.unwrap();
    drop(first);
    let mut kept: Vec<ExecutionId> = [5, 3, 2, 1].map(|n| ids[n]).into();
    kept.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    for _ in 0..2 {
        let next = world.open(|builder| builder).await;
        assert_eq!(rows(&next).await, kept);
        assert_eq!(next.execution(ids[4]).await.unwrap_err().code(), "DELETED");
        within(next.checkpoint()).await;
        drop(next);
    }
}

/// Echoes each item in an execution of its own, then begins one and waits for it, then another.
async fn deploy_family(system: &Orchestrator) {
    system.deploy("leaf", &echo().to_string(), Format::Json).await.unwrap();
    let begin = |pattern: &str| {
        json!({"Type": "Task", "Resource": format!("states:startExecution{pattern}"),
            "Parameters": {"StateMachineArn": "leaf"}})
    };
    let mut map = json!({"Type": "Map", "Next": "Waited", "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "echo", "End": true}}}});
    map["ResultPath"] = json!(null);
    let (mut waited, mut begun) = (begin(".sync:2"), begin(""));
    waited["Next"] = json!("Begun");
    begun["End"] = json!(true);
    let states = json!({"Map": map, "Waited": waited, "Begun": begun});
    deploy(system, &json!({"StartAt": "Map", "States": states})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_map_go_with_it_and_other_executions_only_when_asked() {
    for children in [false, true] {
        let mut world = World::new();
        let system = world.open(|builder| builder).await;
        deploy_family(&system).await;
        let id = ran(&system, "w", json!([1, 2, 3])).await;
        let begun = system.list_rows(Rows::BegunBy(id), 99).await.unwrap();
        assert_eq!(begun.len(), 5);
        for row in &begun {
            within(system.result(row.id)).await.unwrap();
        }
        let part = begun.iter().find(|row| &*row.workflow == "w").unwrap().id;
        let alone = system.delete(part, &wish()).await.unwrap_err();
        assert!(matches!(alone, Error::NeededByParent { parent, .. } if parent == id), "{alone}");

        let wish = if children { with_children() } else { wish() };
        let deleted = system.delete(id, &wish).await.unwrap();
        assert_eq!(deleted.deleted.last(), Some(&id), "what it began goes before it");
        let (gone, kept) = if children { (6, 0) } else { (4, 2) };
        assert_eq!((deleted.deleted.len(), deleted.kept.len()), (gone, kept));
        assert!(deleted.kept.iter().all(|kept| kept.status == Status::Completed));
        assert_eq!(rows(&system).await.len(), kept);
        for kept in deleted.kept {
            system.delete(kept.execution, &Delete::default()).await.unwrap();
        }
        assert!(rows(&system).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_deleted_at_once_and_each_refusal_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(folder.path(), SledOptions::default()).unwrap());
    let mut world = World::on(store);
    let system = world.open(|builder| builder).await;
    deploy(&system, &echo()).await;
    let mut ids = Vec::new();
    for n in 0..150 {
        ids.push(system.start("w", json!({"n": n, "pad": "x".repeat(500)})).await.unwrap());
    }
    for id in &ids {
        within(system.result(*id)).await.unwrap();
    }
    let wanted = [&ids[..140], &[ids[3], ExecutionId(uuid::Uuid::from_u128(7))]].concat();
    let outcomes = system.delete_all(&wanted, &wish()).await;
    let refused: Vec<&str> =
        outcomes.iter().filter_map(|one| Some(one.refusal.as_ref()?.code.as_str())).collect();
    assert_eq!(refused, ["DELETED", "NO_SUCH_EXECUTION"]);
    assert_eq!(rows(&system).await.len(), 10);
    within(system.compact(Compaction::default())).await.unwrap();
    let left = system.log(1, usize::MAX).await.unwrap();
    assert_eq!(left.iter().filter(|one| one.event.name() == "ExecutionStarted").count(), 10);
    assert_eq!(left.iter().filter(|one| one.event.name() == "ExecutionDeleted").count(), 140);
    system.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tombstones_are_forgotten_after_their_time() {
    let mut world = World::new();
    let limits =
        Limits { keep_tombstones: std::time::Duration::from_secs(3600), ..Limits::default() };
    let system = world.open(|builder| builder.limits(limits)).await;
    deploy(&system, &echo()).await;
    let id = ran(&system, "w", json!(1)).await;
    system.delete(id, &wish()).await.unwrap();
    ran(&system, "w", json!(2)).await;
    system.compact(Compaction::default()).await.unwrap();
    assert_eq!(system.execution(id).await.unwrap_err().code(), "DELETED");
    world.clock.advance(std::time::Duration::from_secs(3601));
    system.compact(Compaction::default()).await.unwrap();
    assert_eq!(system.execution(id).await.unwrap_err().code(), "NO_SUCH_EXECUTION");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_that_cannot_be_made_durable_stops_the_system() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let mut world = World::on(store.clone());
    let system = world.open(|builder| builder).await;
    deploy(&system, &echo()).await;
    let id = ran(&system, "w", json!(1)).await;
    store.fail_compactions(Some(std::io::ErrorKind::StorageFull));
    drop(system.delete(id, &wish()).await);
    assert_eq!(within(system.failed()).await.code(), "STOPPED_BY_STORE");
    assert!(system.start("w", json!(2)).await.is_err(), "nothing is acknowledged after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_deletes_what_ended_long_enough_ago() {
    let mut world = World::new();
    let hour = std::time::Duration::from_secs(3600);
    let limits = Limits { retention: Some(24 * hour), ..Limits::default() };
    let system = world.open(|builder| builder.limits(limits)).await;
    deploy(&system, &echo()).await;
    let old = ran(&system, "w", json!(1)).await;
    world.clock.advance(20 * hour);
    let young = ran(&system, "w", json!(2)).await;
    // It is looked for every hour; the clock may be moved before the next look is arranged.
    for _ in 0..15 {
        world.clock.advance(hour);
        for _ in 0..200 {
            rows(&system).await;
        }
    }
    assert_eq!(rows(&system).await, [young]);
    let error = system.execution(old).await.unwrap_err();
    assert!(matches!(error, Error::Deleted { by, .. } if &*by == "retention"));
}
