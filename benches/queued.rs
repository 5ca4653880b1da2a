//! Very many executions that wait for their turn: starts, memory, lists, and recovery with all of
//! them. `EVERSTEP_BENCH_QUEUED` says how many, a million unless said.
//!
//! Each step is done by a process of its own, as what memory was used for before would hide what is
//! used for then.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use everstep::language::{Format, Json};
use everstep::runtime::{Filter, Limits, Orchestrator};
use everstep::worker::Registry;

use crate::chain::Noop;
use crate::disk::{Folder, bytes_of, resident};
use crate::many;
use crate::report::{megabytes, ms, percentile, rate, row};

/// Set in a process that does a step: which, of what, and where.
pub const CHILD: &str = "EVERSTEP_BENCH_QUEUED_STEP";

/// One at a time: all others wait for its place.
const PLACES: &str = r#"{"StartAt": "Wait", "Concurrency": {"Limit": 1}, "States": {
    "Wait": {"Type": "Wait", "Seconds": 864000, "End": true}}}"#;
/// No worker is there when they begin.
const JOBS: &str = r#"{"StartAt": "Work", "States": {
    "Work": {"Type": "Task", "Resource": "noop", "End": true}}}"#;

fn count() -> usize {
    let said = std::env::var("EVERSTEP_BENCH_QUEUED").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

pub fn run() {
    for kind in ["places", "jobs"] {
        let folder = Folder::new("queued");
        for step in ["fill", "recover", "again"] {
            let program = std::env::current_exe().unwrap();
            let told = format!("{kind} {step} {}", folder.path().display());
            let status = std::process::Command::new(program).env(CHILD, told).status().unwrap();
            assert!(status.success(), "{status}");
        }
    }
}

pub fn measure() {
    let told = std::env::var(CHILD).unwrap();
    let words: Vec<&str> = told.splitn(3, ' ').collect();
    let (kind, step, path) = (words[0].to_owned(), words[1], PathBuf::from(words[2]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let before = resident();
        let began = Instant::now();
        let everstep = open(&path, &kind, step).await;
        let took = began.elapsed();
        if step == "fill" {
            fill(&everstep, &kind, before).await;
            everstep.checkpoint().await;
        } else {
            let name = format!("{kind}: live again, {step}");
            row(&name, &[("in", ms(took)), ("resident", megabytes(resident() - before))]);
        }
        look(&everstep, &kind).await;
        row(&format!("{kind}: after that"), &[("disk", megabytes(bytes_of(&path)))]);
        if step == "again" {
            let began = Instant::now();
            everstep.stop().await.unwrap();
            row(&format!("{kind}: stopped"), &[("in", ms(began.elapsed()))]);
        }
        // Otherwise it is gone as in a crash.
        std::process::exit(0);
    });
}

async fn open(path: &Path, kind: &str, step: &str) -> Orchestrator {
    let most = count() + 1_000_000;
    let limits = Limits { live_executions: most, waiting_executions: most, ..Limits::default() };
    let mut registry = Registry::new();
    if kind == "jobs" && step == "again" {
        // At the end somebody comes who takes one at a time.
        registry.register("noop", Arc::new(Noop), 1);
    }
    let builder = Orchestrator::builder().limits(limits).registry(registry).remote_workers(true);
    let everstep = builder.open(path).await.unwrap();
    if step == "fill" {
        let text = if kind == "jobs" { JOBS } else { PLACES };
        everstep.deploy("queued", text, Format::Json).await.unwrap();
    }
    everstep
}

/// Starts all of them, and says after each quarter how fast that was and what they take.
async fn fill(everstep: &Orchestrator, kind: &str, before: u64) {
    let input = Json::parse(r#"{"order":4711,"customer":"c-17"}"#).unwrap();
    let quarter = count() / 4;
    for done in 1..=4 {
        let began = Instant::now();
        let mut times = many::start(everstep, "queued", &input, quarter).await;
        let took = began.elapsed();
        times.sort();
        let (all, taken) = ((quarter * done) as u64, resident() - before);
        row(
            &format!("{kind}: {all} queued"),
            &[
                ("starts", rate(quarter as u64, took)),
                ("p50", ms(percentile(&times, 0.5))),
                ("p99", ms(percentile(&times, 0.99))),
                ("resident", megabytes(taken)),
                ("of each", format!("{} B", taken / all)),
            ],
        );
    }
}

/// How long people and programs wait with all of them there.
async fn look(everstep: &Orchestrator, kind: &str) {
    let mut lists = times(20, || async {
        let page = everstep.page(Filter::default(), None, 50).await.unwrap();
        assert_eq!(page.rows.len(), 50);
    })
    .await;
    let mut searches = times(5, || async {
        let filter = Filter { text: Some("nowhere".to_owned()), ..Filter::default() };
        assert!(everstep.page(filter, None, 50).await.unwrap().rows.is_empty());
    })
    .await;
    let mut figures = times(10, || async { drop(everstep.figures().await.unwrap()) }).await;
    let mut starts = times(200, || async {
        everstep.start("queued", Json::parse("1").unwrap()).await.unwrap();
    })
    .await;
    let middle = |times: &mut Vec<Duration>, share| {
        times.sort();
        ms(percentile(times, share))
    };
    row(
        &format!("{kind}: with all of them there"),
        &[
            ("list of 50, p50", middle(&mut lists, 0.5)),
            ("worst", middle(&mut lists, 1.0)),
            ("search", middle(&mut searches, 0.5)),
            ("figures", middle(&mut figures, 0.5)),
            ("start p50", middle(&mut starts, 0.5)),
            ("p99", middle(&mut starts, 0.99)),
        ],
    );
}

async fn times<F: Future<Output = ()>>(count: usize, mut work: impl FnMut() -> F) -> Vec<Duration> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let each = Instant::now();
        work().await;
        times.push(each.elapsed());
    }
    times
}
