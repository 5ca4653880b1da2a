//! Memory: what finished executions cost. Nothing, but for what caches hold.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::chain::{input, open};
use crate::disk::{Folder, bytes_of, resident};
use crate::report::{megabytes, row};

/// Set in the process that measures.
pub const CHILD: &str = "EVERSTEP_BENCH_MEMORY";

/// Measures in a process of its own: what earlier sections used would hide what this one does.
pub fn run() {
    let program = std::env::current_exe().unwrap();
    let status = std::process::Command::new(program).env(CHILD, "1").status().unwrap();
    assert!(status.success(), "{status}");
}

pub fn measure() {
    let folder = Folder::new("memory");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let everstep = open(folder.path()).await;
        let mut first = 0;
        let mut finished = 0;
        for target in [20_000, 200_000, 400_000] {
            let places = Arc::new(Semaphore::new(512));
            while finished < target {
                let place = places.clone().acquire_owned().await.unwrap();
                let everstep = everstep.clone();
                finished += 1;
                tokio::spawn(async move {
                    let id = everstep.start("chain", input()).await.unwrap();
                    everstep.result(id).await.unwrap();
                    drop(place);
                });
            }
            drop(places.acquire_many(512).await.unwrap());
            everstep.checkpoint().await;
            let now = resident();
            if first == 0 {
                first = now;
            }
            row(
                &format!("after {target} finished executions"),
                &[
                    ("resident", megabytes(now)),
                    ("more than at first", megabytes(now.saturating_sub(first))),
                    ("disk", megabytes(bytes_of(folder.path()))),
                ],
            );
        }
        everstep.stop().await.unwrap();
    });
}
