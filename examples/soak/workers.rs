//! Workers of another process: the library's, each of which goes away now and then and comes back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everstep::worker::remote::RemoteWorker;
use everstep::worker::{JobContext, JobError, Registry};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const WORKERS: u64 = 4;
/// How long one works before it goes, and the next comes in its place.
const SHIFT: Duration = Duration::from_secs(60);

pub(crate) fn spawn(address: SocketAddr, over: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    (0..WORKERS).map(|n| tokio::spawn(work(address, n, over.clone()))).collect()
}

async fn work(address: SocketAddr, n: u64, over: Arc<AtomicBool>) {
    // They do not all go at once.
    let mut shift = SHIFT * (n as u32 + 1) / WORKERS as u32;
    while !over.load(Ordering::SeqCst) {
        let builder = RemoteWorker::builder(format!("http://{address}")).slots(8);
        let worker = builder.name(format!("worker-{n}")).registry(jobs()).build().unwrap();
        let end = {
            let over = over.clone();
            async move {
                for _ in 0..shift.as_secs() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        };
        worker.run(end).await.unwrap();
        shift = SHIFT;
    }
}

fn jobs() -> Registry {
    let mut registry = Registry::new();
    registry.handle("work", |job: JobContext, order: Value| async move {
        job.progress(50, Some("half of it"));
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, JobError>(json!({"order": order["order"], "text": order["text"]}))
    });
    registry.handle("unreliable", |job: JobContext, order: Value| async move {
        match job.attempt() {
            1 => Err(JobError::new("NotYet", "the first attempt fails")),
            _ => Ok(order),
        }
    });
    registry
}
