//! As `chain`, but with the worker behind HTTP: the server and a remote worker share the machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use everstep::language::Format;
use everstep::runtime::Orchestrator;
use everstep::server::http::{self, Settings};
use everstep::worker::Registry;
use everstep::worker::remote::RemoteWorker;

use crate::chain::{JOBS, Noop, definition, input};
use crate::disk::{Folder, fdatasync, row_time};
use crate::report::{ms, percentile, rate, row};

pub fn run() {
    for outstanding in [1, 64, 512] {
        let (median, _) = fdatasync();
        let folder = Folder::new("http");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (executions, mut times, took) = runtime.block_on(drive(folder.path(), outstanding));
        times.sort();
        let p50 = percentile(&times, 0.5);
        row(
            &format!("10 no-op jobs over HTTP, {outstanding} outstanding"),
            &[
                ("steps", rate(executions * JOBS, took)),
                ("chain p50", ms(p50)),
                ("p99", ms(percentile(&times, 0.99))),
                ("p50/fdatasync", format!("{:.1}", p50.as_secs_f64() / median.as_secs_f64())),
            ],
        );
    }
}

/// A worker with more places than there are executions.
fn worker(address: SocketAddr) -> RemoteWorker {
    let mut registry = Registry::new();
    registry.register("noop", Arc::new(Noop), 1024);
    RemoteWorker::builder(format!("http://{address}"))
        .registry(registry)
        .slots(1024)
        .build()
        .unwrap()
}

/// Keeps `outstanding` executions going; gives how many ended, and how long each took.
async fn drive(path: &std::path::Path, outstanding: u64) -> (u64, Vec<Duration>, Duration) {
    let everstep = Orchestrator::builder().remote_workers(true).open(path).await.unwrap();
    let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() };
    let server = http::serve(everstep.clone(), settings).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = worker(server.address());
    let working = tokio::spawn(worker.run(async move { drop(stopped.await) }));
    everstep.deploy("chain", &definition(), Format::Json).await.unwrap();
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
    drop(stop);
    working.await.unwrap().unwrap();
    server.stop().await;
    everstep.stop().await.unwrap();
    (ended.load(Ordering::Relaxed), times, took)
}
