//! Many executions, begun as fast as they are taken.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use everstep::language::Json;
use everstep::runtime::Orchestrator;
use tokio::sync::Semaphore;

/// Starts under way at once.
const OUTSTANDING: u32 = 1024;

/// Begins so many of a workflow; how long each start took.
pub async fn start(
    everstep: &Orchestrator,
    workflow: &'static str,
    input: &Json,
    count: usize,
) -> Vec<Duration> {
    let places = Arc::new(Semaphore::new(OUTSTANDING as usize));
    let times = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..count {
        let place = places.clone().acquire_owned().await.unwrap();
        let (everstep, input, times) = (everstep.clone(), input.clone(), times.clone());
        tokio::spawn(async move {
            let each = Instant::now();
            everstep.start(workflow, input).await.unwrap();
            times.lock().unwrap().push(each.elapsed());
            drop(place);
        });
    }
    drop(places.acquire_many(OUTSTANDING).await.unwrap());
    std::mem::take(&mut *times.lock().unwrap())
}
