//! How many jobs run at once: of one type, and in the whole process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use everstep::engine::Status;
use everstep::runtime::{FullSlots, JobQueue};
use everstep::worker::{JobContext, Registry};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{World, seen, within};

/// Counts who is at work, lets them go one by one, and notes in which order they began.
#[derive(Clone)]
struct Bench {
    gate: Arc<Semaphore>,
    at_work: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    began: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            at_work: Arc::default(),
            most: Arc::default(),
            began: Arc::default(),
        }
    }

    fn handle(&self, registry: &mut Registry, job_type: &'static str, at_once: usize) {
        let bench = self.clone();
        registry.handle(job_type, move |_: JobContext, input: Value| {
            let bench = bench.clone();
            async move {
                bench.began.lock().unwrap().push(format!("{job_type}{input}"));
                let now = bench.at_work.fetch_add(1, Ordering::SeqCst) + 1;
                bench.most.fetch_max(now, Ordering::SeqCst);
                bench.gate.acquire().await?.forget();
                bench.at_work.fetch_sub(1, Ordering::SeqCst);
                Ok(input)
            }
        });
        registry.set_concurrency(job_type, at_once);
    }

    fn registry(&self) -> Registry {
        let mut registry = Registry::new();
        self.handle(&mut registry, "a", 1);
        self.handle(&mut registry, "b", 8);
        registry
    }
}

/// A machine whose Task has the job type that the input names.
fn by_type() -> Value {
    let task = |job_type: &str| json!({"Type": "Task", "Resource": job_type, "InputPath": "$.n", "End": true});
    json!({"StartAt": "C", "States": {
        "C": {"Type": "Choice", "Default": "B",
            "Choices": [{"Variable": "$.type", "StringEquals": "a", "Next": "A"}]},
        "A": task("a"), "B": task("b")}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_runs_no_more_jobs_than_it_may_and_the_oldest_that_can_goes_first() {
    let (mut world, bench) = (World::new(), Bench::new());
    let registry = bench.registry();
    let system = world.open(|builder| builder.registry(registry).running_jobs(2)).await;
    super::deploy(&system, &by_type()).await;
    let mut events = system.events(1, None);
    let mut ids = Vec::new();
    for (n, job_type) in ["a", "a", "b", "b", "a", "b"].into_iter().enumerate() {
        ids.push(system.start("w", json!({"type": job_type, "n": n})).await.unwrap());
        // One after the other, so that the order of asking is known.
        seen(&mut events, "JobScheduled").await;
    }
    // a0 and b2 run: the type of a1 is busy, so b2 goes past it, and then the process is full.
    let queue = |id| system.queues(id).jobs;
    let told =
        |full, limit, ahead| vec![JobQueue { job: everstep::engine::JobId(1), full, limit, ahead }];
    within(async {
        while queue(ids[5]).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(queue(ids[4]), told(FullSlots::OfType, 1, 1));
    assert_eq!(queue(ids[5]), told(FullSlots::OfProcess, 2, 1));
    assert_eq!(queue(ids[0]), []);
    bench.gate.add_permits(6);
    for id in ids {
        assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    }
    assert_eq!(bench.most.load(Ordering::SeqCst), 2);
    let began = bench.began.lock().unwrap().clone();
    assert_eq!(began.len(), 6);
    let place = |name: &str| began.iter().position(|other| other == name).unwrap();
    assert!(place("a0") < place("a1") && place("a1") < place("a4"), "{began:?}");
    assert!(place("b2") < place("b3") && place("b3") < place("b5"), "{began:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_type_has_slots_of_its_own() {
    let (mut world, bench) = (World::new(), Bench::new());
    let registry = bench.registry();
    let system = world.open(|builder| builder.registry(registry)).await;
    super::deploy(&system, &by_type()).await;
    let mut events = system.events(1, None);
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(system.start("w", json!({"type": "a", "n": n})).await.unwrap());
    }
    seen(&mut events, "JobStarted").await;
    bench.gate.add_permits(4);
    for id in ids {
        within(system.result(id)).await.unwrap();
    }
    assert_eq!(bench.most.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_waited_for_the_process_run_after_a_crash() {
    let (mut world, bench) = (World::new(), Bench::new());
    let registry = bench.registry();
    let first = world.open(|builder| builder.registry(registry).running_jobs(1)).await;
    super::deploy(&first, &by_type()).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(first.start("w", json!({"type": "b", "n": n})).await.unwrap());
    }
    drop(first);
    let again = Bench::new();
    again.gate.add_permits(3);
    let registry = again.registry();
    let second = world.open(|builder| builder.registry(registry).running_jobs(1)).await;
    for id in ids {
        assert_eq!(within(second.result(id)).await.unwrap().status, Status::Completed);
    }
    assert_eq!(again.most.load(Ordering::SeqCst), 1);
}
