//! End to end: executions of a chain of ten no-op jobs, handed to in-process workers. Each step is
//! durable before the next begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use everstep::language::{Format, Json};
use everstep::runtime::Orchestrator;

use crate::disk::{Folder, bytes_of, fdatasync, row_time};
use crate::report::{megabytes, ms, percentile, rate, row};

/// Jobs in a chain.
pub const JOBS: u64 = 10;

/// A machine of ten Task states in a row.
pub fn definition() -> String {
    let states: Vec<String> = (1..=JOBS)
        .map(|n| {
            let next = match n {
                JOBS => r#""End":true"#.to_owned(),
                n => format!(r#""Next":"Step{}""#, n + 1),
            };
            format!(r#""Step{n}":{{"Type":"Task","Resource":"noop",{next}}}"#)
        })
        .collect();
    format!(r#"{{"StartAt":"Step1","States":{{{}}}}}"#, states.join(","))
}

/// A system with a worker that gives back its input.
pub async fn open(path: &std::path::Path) -> Orchestrator {
    let mut registry = everstep::worker::Registry::new();
    registry.register("noop", Arc::new(Noop), 4096);
    let everstep = Orchestrator::builder().registry(registry).open(path).await.unwrap();
    everstep.deploy("chain", &definition(), Format::Json).await.unwrap();
    everstep
}

/// Gives back its input.
pub struct Noop;

impl everstep::worker::JobHandler for Noop {
    fn run(
        &self,
        job: everstep::worker::JobContext,
    ) -> everstep::worker::BoxFuture<'_, everstep::worker::JobOutcome> {
        let input = job.input().clone();
        Box::pin(std::future::ready(everstep::worker::JobOutcome::succeeded(input)))
    }
}

pub fn input() -> Json {
    Json::parse(r#"{"path":"/data/inbox/2026-11-23","count":42}"#).unwrap()
}

pub fn run() {
    for outstanding in [1, 64, 512] {
        let (median, _) = fdatasync();
        let folder = Folder::new("chain");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (executions, mut times, took) = runtime.block_on(drive(folder.path(), outstanding));
        times.sort();
        let p50 = percentile(&times, 0.5);
        let events = executions * (2 + JOBS * 5);
        row(
            &format!("10 no-op jobs, {outstanding} outstanding"),
            &[
                ("steps", rate(executions * JOBS, took)),
                ("events", rate(events, took)),
                ("chain p50", ms(p50)),
                ("p99", ms(percentile(&times, 0.99))),
                ("p50/fdatasync", format!("{:.1}", p50.as_secs_f64() / median.as_secs_f64())),
                (
                    "disk/step",
                    format!("{} B", bytes_of(folder.path()) / (executions * JOBS).max(1)),
                ),
                ("disk", megabytes(bytes_of(folder.path()))),
            ],
        );
    }
}

/// Keeps `outstanding` executions going; gives how many ended, and how long each took.
async fn drive(path: &std::path::Path, outstanding: u64) -> (u64, Vec<Duration>, Duration) {
    let everstep = open(path).await;
    let ended = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let until = began + row_time();
    let clients: Vec<_> = (0..outstanding)
        .map(|_| {
            let (everstep, ended) = (everstep.clone(), ended.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < until {
                    let each = Instant::now();
                    let id = everstep.start("chain", input()).await.unwrap();
                    let outcome = everstep.result(id).await.unwrap();
                    assert_eq!(outcome.status.as_str(), "completed");
                    times.push(each.elapsed());
                    ended.fetch_add(1, Ordering::Relaxed);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    let took = began.elapsed();
    everstep.stop().await.unwrap();
    (ended.load(Ordering::Relaxed), times, took)
}
