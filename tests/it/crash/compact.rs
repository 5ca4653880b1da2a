//! `everstep log compact`, killed at random moments: what was not deleted is as it was.

use std::path::Path;
use std::sync::Arc;

use everstep::language::Format;
use everstep::runtime::{Delete, Janitor, Orchestrator, SystemClock};
use everstep::store::{Check, EventStore, Record, SledOptions, SledStore};
use serde_json::json;

use super::chance::{Chance, kills};
use super::place::Place;

const GONE: usize = 700;
const KEPT: usize = 60;

/// Both kinds of executions, one after the other in the log, and those of one kind deleted.
async fn filled(data: &Path) {
    let system = Orchestrator::builder().open(data).await.unwrap();
    let machine = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}});
    for name in ["gone", "kept"] {
        system.deploy(name, &machine.to_string(), Format::Json).await.unwrap();
    }
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for number in 0..GONE {
        let input = json!({"number": number, "text": "x".repeat(1 + number * 7 % 6000)});
        gone.push(system.start("gone", input.clone()).await.unwrap());
        if number % (GONE / KEPT) == 0 {
            kept.push(system.start("kept", input).await.unwrap());
        }
    }
    for id in gone.iter().chain(&kept) {
        system.result(*id).await.unwrap();
    }
    system.stop().await.unwrap();
    drop(system);
    let store = Arc::new(SledStore::open(data, SledOptions::default()).unwrap());
    let janitor = Janitor::open(store, Arc::new(SystemClock)).await.unwrap();
    let deleted = janitor.delete_all(&gone, &Delete::default()).await;
    assert!(deleted.iter().all(|one| one.refusal.is_none()));
}

/// What is in the log, and what of it was not deleted.
async fn look(data: &Path) -> (usize, Vec<Record>) {
    let options = SledOptions { check: Check::All, ..SledOptions::default() };
    let store = SledStore::open(data, options).unwrap();
    let records = store.read_log(1, usize::MAX).await.unwrap();
    let count = records.len();
    let mut kept = Vec::new();
    for record in records {
        if store.find_tombstone(record.stream).await.unwrap().is_none() {
            kept.push(record);
        }
    }
    (count, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_survives_kill_9_at_random_moments() {
    let mut chance = Chance::new();
    let place = Place::new();
    let data = place.path().join("everstep-data");
    filled(&data).await;
    let (all, before) = look(&data).await;
    let (mut left, mut cut_off) = (all, 0);
    for _ in 0..kills(25) {
        let mut program = place.spawn(&["log", "compact"]);
        std::thread::sleep(chance.within_ms(120));
        cut_off += u32::from(program.kill());
        let (count, kept) = look(&data).await;
        assert!(kept == before, "what was not deleted has changed");
        assert!(count <= left, "what was taken away is back");
        left = count;
    }
    assert!(cut_off > 0, "no kill came in time");
    place.ran(&["log", "compact"], 0);
    let (count, kept) = look(&data).await;
    assert!(kept == before && count == before.len() + GONE, "{count} of {all}");
    place.ran(&["log", "verify"], 0);
}
