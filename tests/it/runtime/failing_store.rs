//! A store that fails: nothing is acknowledged any more.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use everstep::store::{EventStore, MemoryStore};
use everstep::testing::FaultyStore;
use everstep::testing::faulty_store::Call;
use everstep::worker::JobContext;
use serde_json::{Value, json};

use super::{World, deploy, one_task, within};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_write_nothing_is_acknowledged() {
    for fail in [FaultyStore::fail_append_after, FaultyStore::fail_sync_after] {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let mut world = World::on(store.clone());
        let system = world.open(|builder| builder).await;
        deploy(&system, &one_task("echo", &json!({}))).await;
        let before = system.start("w", json!(1)).await.unwrap();
        within(system.result(before)).await.unwrap();
        fail(&store, 0, ErrorKind::StorageFull);
        assert!(within(system.start("w", json!(2))).await.is_err());
        let error = within(system.failed()).await;
        assert_eq!(error.code(), "STOPPED_BY_STORE");
        for _ in 0..3 {
            let error = within(system.start("w", json!(3))).await.unwrap_err();
            assert_eq!(error.code(), "STOPPED_BY_STORE");
            let definition = one_task("echo", &json!({"Comment": "new"})).to_string();
            let deployed = system.deploy("w", &definition, everstep::language::Format::Json).await;
            assert!(deployed.is_err());
        }
        assert!(within(system.stop()).await.is_err());
        let calls = store.calls();
        let failed = calls.iter().position(|call| *call == Call::AppendEnded(false)).unwrap();
        let after = calls.iter().skip(failed + 1);
        assert_eq!(after.filter(|call| matches!(call, Call::AppendBegan(_))).count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_and_callers_see_only_what_is_durable() {
    let inner = Arc::new(MemoryStore::new());
    let store = Arc::new(FaultyStore::new(inner.clone()));
    let mut world = World::on(store.clone());
    let premature = Arc::new(Mutex::new(Vec::new()));
    let (log, found) = (inner.clone(), premature.clone());
    let system = world
        .open(|builder| {
            builder.handle("look", move |job: JobContext, _: Value| {
                let (log, found) = (log.clone(), found.clone());
                async move {
                    let stream = job.id().execution.0;
                    let records = log.read_history(stream, 1..u64::MAX).await.unwrap();
                    if !records.iter().any(|record| record.event.name() == "JobStarted") {
                        found.lock().unwrap().push(stream);
                    }
                    Ok(())
                }
            })
        })
        .await;
    deploy(&system, &one_task("look", &json!({}))).await;
    for n in 0..50 {
        let id = system.start("w", json!(n)).await.unwrap();
        store.note(format!("{n} was accepted"));
        let started = inner.read_history(id.0, 1..2).await.unwrap();
        assert_eq!(started.len(), 1, "the start was acknowledged before it was in the log");
        let ended = within(system.ended(id)).await.unwrap();
        let records = inner.read_history(id.0, 1..u64::MAX).await.unwrap();
        assert_eq!(ended.sequence, records.len() as u64);
    }
    assert!(premature.lock().unwrap().is_empty(), "a handler ran before its start was durable");
    // Before the n-th acceptance at least n + 1 appends had returned: the deployment's, and one
    // for each start, because the test started nothing before the last one was accepted.
    let mut ended = 0;
    let mut accepted = 0;
    for call in store.calls() {
        match call {
            Call::AppendEnded(true) => ended += 1,
            Call::Note(_) => {
                accepted += 1;
                assert!(ended > accepted, "{accepted} accepted after {ended} appends");
            }
            _ => {}
        }
    }
    assert_eq!(accepted, 50);
}
