//! How many jobs run at once: of one type, and in the whole process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use everstep::engine::{JobId, Status};
use everstep::runtime::{FullSlots, JobQueue};
use everstep::worker::{JobContext, Registry};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{World, seen, within};

/// Counts who is at work, lets each go when told, and notes in which order they began.
#[derive(Clone)]
struct Bench {
    /// Who may go; with an empty name everybody.
    gone: watch::Sender<BTreeSet<String>>,
    at_work: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    began: watch::Sender<Vec<String>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            gone: watch::Sender::default(),
            at_work: Arc::default(),
            most: Arc::default(),
            began: watch::Sender::default(),
        }
    }

    fn handle(&self, registry: &mut Registry, job_type: &'static str, at_once: usize) {
        let bench = self.clone();
        registry.handle(job_type, move |_: JobContext, input: Value| {
            let bench = bench.clone();
            async move {
                let name = format!("{job_type}{input}");
                let now = bench.at_work.fetch_add(1, Ordering::SeqCst) + 1;
                bench.most.fetch_max(now, Ordering::SeqCst);
                bench.began.send_modify(|began| began.push(name.clone()));
                let mut gone = bench.gone.subscribe();
                let may_go = |gone: &BTreeSet<String>| gone.contains("") || gone.contains(&name);
                drop(gone.wait_for(may_go).await?);
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

    fn let_go(&self, name: &str) {
        self.gone.send_modify(|gone| {
            gone.insert(name.to_owned());
        });
    }

    /// Waits until these, and no others, have begun, in this order.
    async fn began(&self, names: &[&str]) {
        let mut began = self.began.subscribe();
        drop(within(began.wait_for(|began| began.len() >= names.len())).await.unwrap());
        assert_eq!(*self.began.borrow(), names);
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
    let mut ids = Vec::new();
    for (n, job_type) in ["a", "a", "b", "b", "a", "b"].into_iter().enumerate() {
        let id = system.start("w", json!({"type": job_type, "n": n})).await.unwrap();
        // One after the other, so that the order of asking is known.
        let name = format!("{job_type}{n}");
        let has_begun = || bench.began.borrow().contains(&name);
        let asked = async {
            while system.queues(id).jobs.is_empty() && !has_begun() {
                tokio::task::yield_now().await;
            }
        };
        within(asked).await;
        ids.push(id);
    }
    // The type of a1 is busy, so b2 goes past it, and then the process is full.
    bench.began(&["a0", "b2"]).await;
    let told = |full, limit, ahead| vec![JobQueue { job: JobId(1), full, limit, ahead }];
    assert_eq!(system.queues(ids[4]).jobs, told(FullSlots::OfType, 1, 1));
    assert_eq!(system.queues(ids[5]).jobs, told(FullSlots::OfProcess, 2, 1));
    assert_eq!(system.queues(ids[0]).jobs, []);
    bench.let_go("b2");
    bench.began(&["a0", "b2", "b3"]).await;
    bench.let_go("a0");
    bench.began(&["a0", "b2", "b3", "a1"]).await;
    bench.let_go("b3");
    bench.began(&["a0", "b2", "b3", "a1", "b5"]).await;
    bench.let_go("a1");
    bench.began(&["a0", "b2", "b3", "a1", "b5", "a4"]).await;
    bench.let_go("");
    for id in ids {
        assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    }
    assert_eq!(bench.most.load(Ordering::SeqCst), 2);
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
    bench.let_go("");
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
    again.let_go("");
    let registry = again.registry();
    let second = world.open(|builder| builder.registry(registry).running_jobs(1)).await;
    for id in ids {
        assert_eq!(within(second.result(id)).await.unwrap().status, Status::Completed);
    }
    assert_eq!(again.most.load(Ordering::SeqCst), 1);
}
