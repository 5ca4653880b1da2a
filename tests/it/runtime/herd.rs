//! Very many timers that are due at the same moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use everstep::engine::{Event, ExecutionId};
use everstep::runtime::{Builder, Limits, Orchestrator};
use everstep::store::MemoryStore;
use everstep::testing::FaultyStore;
use everstep::testing::faulty_store::Call;
use serde_json::json;

use super::{World, deploy, seen, within};

const HERD: usize = 5000;
const HOUR: Duration = Duration::from_hours(1);

async fn start_herd(system: &Orchestrator) {
    let wait = json!({"Type": "Wait", "Seconds": HOUR.as_secs(), "Next": "Work"});
    let work = json!({"Type": "Task", "Resource": "echo", "End": true});
    deploy(system, &json!({"StartAt": "Wait", "States": {"Wait": wait, "Work": work}})).await;
    for n in 0..HERD {
        system.start("w", json!(n)).await.unwrap();
    }
}

/// One shard, whose decisions cannot pile up before the committer.
fn narrow(builder: Builder) -> Builder {
    builder.shards(1).limits(Limits { commit_queue: 1, ..Limits::default() })
}

#[tokio::test]
async fn a_herd_of_timers_fires_once_each_and_leaves_others_their_turns() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let mut world = World::on(store.clone());
    let system = world.open(narrow).await;
    start_herd(&system).await;
    let mut events = system.events(system.last_position() + 1, None);
    let quiet = store.calls().len();
    world.clock.advance(HOUR);
    seen(&mut events, "WaitEnded").await;
    // The herd is on its way, and somebody else comes.
    let other = within(system.start("w", json!("other"))).await.unwrap();
    let mut ends: BTreeMap<ExecutionId, usize> = BTreeMap::new();
    let mut fired: BTreeMap<ExecutionId, usize> = BTreeMap::new();
    let all = system.last_position();
    let mut follow = system.events(1, None);
    while ends.len() < HERD {
        let record = within(follow.next()).await.unwrap();
        let id = ExecutionId(record.stream);
        match &*record.event {
            Event::WaitEnded { .. } => *fired.entry(id).or_default() += 1,
            Event::ExecutionCompleted(_) => *ends.entry(id).or_default() += 1,
            _ => {}
        }
    }
    assert!(system.last_position() > all);
    assert!(!ends.contains_key(&other), "its hour has just begun");
    for counts in [&fired, &ends] {
        assert_eq!(counts.len(), HERD);
        assert!(counts.values().all(|count| *count == 1));
    }
    // What is decided in one turn, and with it the wait of all others, is bounded.
    let largest = store.calls().into_iter().skip(quiet).filter_map(|call| match call {
        Call::AppendBegan(transitions) => Some(transitions),
        _ => None,
    });
    let largest = largest.max().unwrap();
    assert!(largest < HERD / 2, "{largest} transitions in one commit");
    system.stop().await.unwrap();
}
