//! Control flow without jobs, and a Map over many items.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use everstep::language::{Format, Json};
use everstep::runtime::Orchestrator;

use crate::chain::{input, open};
use crate::disk::{Folder, bytes_of, resident, row_time};
use crate::report::{megabytes, ms, rate, row};

/// Items of the large Map, and how many make a batch.
const ITEMS: usize = 100_000;
const BATCH: usize = 100;

pub fn run() {
    pass_states();
    large_map();
}

/// Executions of five Pass states, start to end, at 512 outstanding.
fn pass_states() {
    const STATES: u64 = 5;
    let states: Vec<String> = (1..=STATES)
        .map(|n| {
            let next = match n {
                STATES => r#""End":true"#.to_owned(),
                n => format!(r#""Next":"Pass{}""#, n + 1),
            };
            format!(r#""Pass{n}":{{"Type":"Pass",{next}}}"#)
        })
        .collect();
    let definition = format!(r#"{{"StartAt":"Pass1","States":{{{}}}}}"#, states.join(","));
    let (ended, took, bytes) = passes(&definition);
    row(
        "5 Pass states, 512 outstanding",
        &[
            ("executions", rate(ended, took)),
            ("states", rate(ended * STATES, took)),
            ("disk/execution", format!("{} B", bytes / ended.max(1))),
        ],
    );
}

/// Executions per second of a definition without jobs, at 512 outstanding.
pub fn measure_passes(definition: &str) -> f64 {
    let (ended, took, _) = passes(definition);
    ended as f64 / took.as_secs_f64()
}

/// How many executions of a definition without jobs ended, in what time, with how much disk.
fn passes(definition: &str) -> (u64, Duration, u64) {
    let folder = Folder::new("pass");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let everstep = open(folder.path()).await;
        everstep.deploy("pass", definition, Format::Json).await.unwrap();
        let ended = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let until = began + row_time();
        let clients: Vec<_> = (0..512)
            .map(|_| tokio::spawn(client(everstep.clone(), ended.clone(), until)))
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let (ended, took) = (ended.load(Ordering::Relaxed), began.elapsed());
        everstep.stop().await.unwrap();
        (ended, took, bytes_of(folder.path()))
    })
}

async fn client(everstep: Orchestrator, ended: Arc<AtomicU64>, until: Instant) {
    while Instant::now() < until {
        let id = everstep.start("pass", input()).await.unwrap();
        everstep.result(id).await.unwrap();
        ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// One Map over all items in batches, each a no-op job; then a distributed one, whose batches are
/// executions.
fn large_map() {
    let inline = format!(r#""ItemBatcher":{{"MaxItemsPerBatch":{BATCH}}},"MaxConcurrency":64,"#);
    map(&format!("a Map over {ITEMS} items in batches of {BATCH}"), ITEMS, &inline, "INLINE");
    let batched = format!(r#""ItemBatcher":{{"MaxItemsPerBatch":{BATCH}}},"#);
    map("the same, an execution for each batch", ITEMS, &batched, "DISTRIBUTED");
    let parts = ITEMS / 5;
    map(&format!("{parts} items, an execution for each"), parts, "", "DISTRIBUTED");
}

fn map(name: &str, items: usize, fields: &str, mode: &str) {
    let definition = format!(
        r#"{{"StartAt":"Map","States":{{"Map":{{"Type":"Map","End":true,{fields}
        "ResultPath":null,"ItemProcessor":{{"ProcessorConfig":{{"Mode":"{mode}"}},
        "StartAt":"Step","States":{{
        "Step":{{"Type":"Task","Resource":"noop","End":true}}}}}}}}}}}}"#
    );
    let folder = Folder::new("map");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let everstep = open(folder.path()).await;
        everstep.deploy("map", &definition, Format::Json).await.unwrap();
        let texts: Vec<String> = (0..items).map(|n| format!(r#"{{"item":{n}}}"#)).collect();
        let input = Json::parse(&format!("[{}]", texts.join(","))).unwrap();
        let bytes = input.len_bytes() as u64;
        let before = resident();
        let began = Instant::now();
        let id = everstep.start("map", input).await.unwrap();
        let outcome = everstep.result(id).await.unwrap();
        assert_eq!(outcome.status.as_str(), "completed");
        let took = began.elapsed();
        row(
            name,
            &[
                ("ended in", ms(took)),
                ("items", rate(items as u64, took)),
                ("input", megabytes(bytes)),
                ("resident grew by", megabytes(resident().saturating_sub(before))),
                ("log", megabytes(bytes_of(&folder.path().join("log")))),
            ],
        );
        everstep.stop().await.unwrap();
    });
}
