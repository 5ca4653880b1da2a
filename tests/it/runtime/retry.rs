//! Going on with executions that have ended, and repeating them.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep::engine::{Event, ExecutionId, RedriveRequest, Status};
use everstep::runtime::{Builder, Error, Orchestrator, Rerun, Start};
use everstep::store::MemoryStore;
use everstep::testing::FaultyStore;
use everstep::worker::files::{Access, Buckets};
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{World, deploy, one_task, seen, within};

/// A worker that fails for what is in it, and notes what it was asked for.
#[derive(Clone, Default)]
struct Moody {
    broken: Arc<Mutex<BTreeSet<String>>>,
    asked: Arc<Mutex<Vec<Value>>>,
    hangs: Arc<AtomicBool>,
    stopped: Arc<AtomicUsize>,
}

impl Moody {
    fn breaks(inputs: &[&str]) -> Self {
        let moody = Self::default();
        moody.broken.lock().unwrap().extend(inputs.iter().map(ToString::to_string));
        moody
    }

    fn mend(&self) {
        self.broken.lock().unwrap().clear();
        self.asked.lock().unwrap().clear();
    }

    fn asked(&self) -> Vec<Value> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort_by_key(Value::to_string);
        asked
    }

    fn on(&self, builder: Builder) -> Builder {
        let this = self.clone();
        builder.handle("work", move |job: JobContext, input: Value| {
            let this = this.clone();
            async move {
                this.asked.lock().unwrap().push(input.clone());
                if this.hangs.load(Ordering::SeqCst) {
                    job.cancel_token().cancelled().await;
                    this.stopped.fetch_add(1, Ordering::SeqCst);
                    return Err(JobError::cancelled());
                }
                let text = input.as_str().unwrap_or_default();
                if this.broken.lock().unwrap().contains(text) {
                    return Err(JobError::new("Broken", "as told"));
                }
                Ok(json!(format!("{text}!")))
            }
        })
    }
}

/// A step that works, a Map of its input, and a step that works.
fn definition() -> Value {
    json!({"StartAt": "First", "States": {
        "First": {"Type": "Task", "Resource": "echo", "Next": "Each"},
        "Each": {"Type": "Map", "MaxConcurrency": 2, "Next": "Last", "ItemProcessor":
            {"StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "work", "End": true}}}},
        "Last": {"Type": "Task", "Resource": "echo", "End": true}}})
}

async fn failed(system: &Orchestrator) -> ExecutionId {
    let id = system.start("w", json!(["a", "b", "c", "d"])).await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(outcome.status, Status::Failed, "{outcome:?}");
    id
}

async fn retry(system: &Orchestrator, id: ExecutionId) -> Result<(), Error> {
    within(system.redrive(id, "test", None, RedriveRequest::default())).await.map(drop)
}

/// An execution that failed, as a checkpoint saw, and is being retried: a job of it has begun.
async fn goes_on_after_a_checkpoint(system: &Orchestrator, moody: &Moody) -> ExecutionId {
    let id = failed(system).await;
    within(system.checkpoint()).await;
    moody.hangs.store(true, Ordering::SeqCst);
    let mut events = system.events(system.last_position() + 1, Some(id));
    retry(system, id).await.unwrap();
    seen(&mut events, "JobStarted").await;
    id
}

/// How the executions are, as a list shows it.
async fn statuses(system: &Orchestrator) -> Vec<Status> {
    system.list(10).await.unwrap().iter().map(|row| row.status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_execution_goes_on_and_does_only_what_was_missing() {
    let moody = Moody::breaks(&["c"]);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder)).await;
    deploy(&system, &definition()).await;
    let id = failed(&system).await;
    moody.mend();
    let plan = system.redrive_plan(id, &RedriveRequest::default()).await.unwrap();
    assert_eq!((&*plan.step, plan.kept.len()), ("Each", 1));
    assert_eq!(
        system.execution(id).await.unwrap().status,
        Status::Failed,
        "a plan changes nothing"
    );
    retry(&system, id).await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!(["a!", "b!", "c!", "d!"]));
    assert!(moody.asked().iter().all(|input| input == "c" || input == "d"), "{:?}", moody.asked());
    assert_eq!(system.execution(id).await.unwrap(), world.replayed(id).await);
    assert_eq!(statuses(&system).await, [Status::Completed]);
    let error = retry(&system, id).await.unwrap_err();
    assert_eq!(error.to_string(), "to retry is not possible: the execution is completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_execution_goes_on_and_what_runs_is_not_retried() {
    let moody = Moody::default();
    moody.hangs.store(true, Ordering::SeqCst);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder)).await;
    deploy(&system, &one_task("work", &json!({}))).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!("a")).await.unwrap();
    seen(&mut events, "JobStarted").await;
    let error = retry(&system, id).await.unwrap_err();
    assert_eq!(error.to_string(), "to retry is not possible: the execution is running");
    system.cancel(id, "test", None).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Cancelled);
    moody.hangs.store(false, Ordering::SeqCst);
    retry(&system, id).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    assert_eq!(moody.stopped.load(Ordering::SeqCst), 1);
    let nobody = ExecutionId(uuid::Uuid::from_u128(1));
    assert_eq!(retry(&system, nobody).await.unwrap_err().code(), "NO_SUCH_EXECUTION");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_retries_at_once_one_is_taken() {
    let moody = Moody::breaks(&["c"]);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder)).await;
    deploy(&system, &definition()).await;
    let id = failed(&system).await;
    moody.hangs.store(true, Ordering::SeqCst);
    let retries: Vec<_> = (0..8)
        .map(|_| {
            let system = system.clone();
            tokio::spawn(async move { retry(&system, id).await })
        })
        .collect();
    let mut taken = 0;
    for one in retries {
        match one.await.unwrap() {
            Ok(()) => taken += 1,
            Err(error) => assert_eq!(error.code(), "NOT_IN_STATUS"),
        }
    }
    assert_eq!(taken, 1);
    assert_eq!(world.count(id, "ExecutionRedriven").await, 1);
    assert_eq!(system.execution(id).await.unwrap(), world.replayed(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_that_fail_at_once_can_follow_each_other_closely() {
    let moody = Moody::breaks(&["a"]);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder)).await;
    deploy(&system, &one_task("work", &json!({}))).await;
    let id = system.start("w", json!("a")).await.unwrap();
    within(system.result(id)).await.unwrap();
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let system = system.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    drop(retry(&system, id).await);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    drop(within(system.result(id)).await.unwrap());
    moody.mend();
    retry(&system, id).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    assert_eq!(system.execution(id).await.unwrap(), world.replayed(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_on_after_the_checkpoint_that_saw_it_end_goes_on_after_a_crash() {
    let moody = Moody::breaks(&["c"]);
    let mut world = World::new();
    let first = world.open(|builder| moody.on(builder)).await;
    deploy(&first, &definition()).await;
    let id = goes_on_after_a_checkpoint(&first, &moody).await;
    drop(first);

    moody.hangs.store(false, Ordering::SeqCst);
    moody.mend();
    let second = world.open(|builder| moody.on(builder)).await;
    assert_eq!(second.recovery_report().executions, 1);
    let outcome = within(second.result(id)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!(["a!", "b!", "c!", "d!"]));
    assert_eq!(statuses(&second).await, [Status::Completed]);
    within(second.checkpoint()).await;
    drop(second);
    // It ended twice, and has one row.
    let third = world.open(|builder| moody.on(builder)).await;
    assert_eq!(statuses(&third).await, [Status::Completed]);
    assert_eq!(third.execution(id).await.unwrap(), world.replayed(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_while_it_goes_on_holds_it_as_it_is() {
    let moody = Moody::breaks(&["c"]);
    let mut world = World::new();
    let first = world.open(|builder| moody.on(builder)).await;
    deploy(&first, &definition()).await;
    let id = goes_on_after_a_checkpoint(&first, &moody).await;
    within(first.checkpoint()).await;
    assert_eq!(statuses(&first).await, [Status::Running]);
    drop(first);
    let second = world.open(|builder| moody.on(builder)).await;
    assert_eq!(statuses(&second).await, [Status::Running]);
    assert_eq!(second.execution(id).await.unwrap(), world.replayed(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_comes_to_the_same_end_after_a_crash_at_any_append() {
    for is_written in [false, true] {
        for appends in 0.. {
            let moody = Moody::breaks(&["c"]);
            let mut world = World::on(Arc::new(MemoryStore::new()));
            let system = world.open(|builder| moody.on(builder)).await;
            deploy(&system, &definition()).await;
            let id = failed(&system).await;
            within(system.stop()).await.unwrap();
            moody.mend();
            let kept: BTreeSet<u32> = succeeded(&world, id).await;

            let faulty = Arc::new(FaultyStore::new(world.store.clone()));
            let first = moody.on(world.builder()).open_store(faulty.clone()).await.unwrap();
            if is_written {
                faulty.fail_sync_after(appends, ErrorKind::Other);
            } else {
                faulty.fail_append_after(appends, ErrorKind::Other);
            }
            let is_accepted = retry(&first, id).await.is_ok();
            let ended = is_accepted
                && tokio::select! {
                    ended = within(first.result(id)) => ended.is_ok(),
                    _ = first.failed() => false,
                };
            drop(first);

            let second = world.open(|builder| moody.on(builder)).await;
            if world.count(id, "ExecutionRedriven").await == 0 {
                assert!(!is_accepted, "it was acknowledged, and is gone");
                retry(&second, id).await.unwrap();
            }
            let outcome = within(second.result(id)).await.unwrap();
            let output = outcome.output.unwrap().value();
            assert_eq!(output, json!(["a!", "b!", "c!", "d!"]), "after {appends} appends");
            assert_eq!(second.execution(id).await.unwrap(), world.replayed(id).await);
            assert_eq!(world.count(id, "ExecutionRedriven").await, 1);
            assert!(!kept.is_empty() && succeeded(&world, id).await.is_superset(&kept));
            let jobs = world.count(id, "JobSucceeded").await;
            assert_eq!(jobs, 2 + 4, "nothing that had succeeded ran again");
            if ended {
                assert!(appends > 1, "only {appends} appends: is anything cut off?");
                break;
            }
        }
    }
}

/// The jobs that have succeeded.
async fn succeeded(world: &World, id: ExecutionId) -> BTreeSet<u32> {
    let history = world.history(id).await;
    let job = |event: &Event| match event {
        Event::JobSucceeded(body) => Some(body.job.0),
        _ => None,
    };
    history.iter().filter_map(job).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_an_execution_that_goes_on_stands_for_it_again() {
    let moody = Moody::breaks(&["a"]);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder)).await;
    deploy(&system, &one_task("work", &json!({}))).await;
    let start =
        Start { workflow: "w".into(), input: json!("a").into(), name: Some("today".to_owned()) };
    let id = system.start_with(start.clone()).await.unwrap();
    within(system.result(id)).await.unwrap();
    within(system.checkpoint()).await;
    assert_eq!(system.start_with(start.clone()).await.unwrap_err().code(), "NAME_TAKEN");
    moody.hangs.store(true, Ordering::SeqCst);
    retry(&system, id).await.unwrap();
    assert_eq!(system.start_with(start.clone()).await.unwrap(), id);
    drop(system);
    let system = world.open(|builder| moody.on(builder)).await;
    assert_eq!(system.start_with(start).await.unwrap(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_needs_workers_for_all_job_types() {
    let moody = Moody::breaks(&["a"]);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder)).await;
    deploy(&system, &one_task("work", &json!({}))).await;
    let id = system.start("w", json!("a")).await.unwrap();
    within(system.result(id)).await.unwrap();
    drop(system);
    let system = world.open(|builder| builder).await;
    assert_eq!(retry(&system, id).await.unwrap_err().code(), "UNKNOWN_JOB_TYPES");
    assert_eq!(world.count(id, "ExecutionRedriven").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_tried_again_is_tried_at_once() {
    let moody = Moody::breaks(&["a"]);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder)).await;
    let retries = json!({"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1000}]});
    deploy(&system, &one_task("work", &retries)).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!("a")).await.unwrap();
    seen(&mut events, "RetryScheduled").await;
    moody.mend();
    within(system.skip_backoff(id)).await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!("a!"));
    let error = system.skip_backoff(id).await.unwrap_err();
    assert_eq!(error.to_string(), "to retry now is not possible: the execution is completed");
    world.clock.advance(Duration::from_secs(2000));
    assert_eq!(world.count(id, "RetryStarted").await, 1, "the time that was set is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rerun_is_a_new_execution_that_knows_the_one_it_repeats() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &one_task("echo", &json!({"Comment": "old"}))).await;
    let first = system.start("w", json!({"n": 1})).await.unwrap();
    within(system.result(first)).await.unwrap();
    deploy(&system, &one_task("echo", &json!({"Comment": "new"}))).await;
    let known = system.execution(first).await.unwrap();
    let newest = system.rerun(first, Rerun::default()).await.unwrap();
    let again = within(system.ended(newest)).await.unwrap();
    assert_ne!((newest, again.definition), (first, known.definition));
    assert_eq!((again.rerun_of, again.input.value()), (Some(first), json!({"n": 1})));
    let rerun = Rerun {
        name: Some("mine".to_owned()),
        input: Some(json!(null).into()),
        same_version: true,
    };
    let same = system.rerun(newest, rerun).await.unwrap();
    let same = within(system.ended(same)).await.unwrap();
    assert_eq!(same.definition, again.definition);
    assert_eq!((same.name.as_deref(), same.input.value()), (Some("mine"), json!(null)));
    let same = Rerun { same_version: true, ..Rerun::default() };
    let old = system.rerun(first, same).await.unwrap();
    assert_eq!(system.execution(old).await.unwrap().definition, known.definition);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_in_files_are_those_of_the_executions_that_succeeded_in_the_end() {
    let folder = TempDir::new().unwrap();
    let mut buckets = Buckets::new();
    buckets.bind("out", folder.path(), Access::ReadWrite);
    let moody = Moody::breaks(&["b", "c"]);
    let mut world = World::new();
    let system = world.open(|builder| moody.on(builder).buckets(buckets.clone())).await;
    let map = json!({"Type": "Map", "End": true, "ToleratedFailureCount": 2,
        "ResultWriter": {"Resource": "s3:putObject", "Parameters": {"Bucket": "out"}},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "work", "End": true}}}});
    deploy(&system, &json!({"StartAt": "A", "States": {"A": map}})).await;
    let id = system.start("w", json!(["a", "b", "c", "d"])).await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(outcome.status, Status::CompletedWithErrors, "{outcome:?}");
    moody.mend();
    retry(&system, id).await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!((outcome.status, moody.asked()), (Status::Completed, vec![json!("b"), json!("c")]));
    let read = |key: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join(key)).unwrap()).unwrap()
    };
    let output = outcome.output.unwrap().value();
    let manifest = read(output["ResultWriterDetails"]["Key"].as_str().unwrap());
    assert_eq!(manifest["ResultFiles"]["FAILED"], json!([]), "{manifest}");
    let key = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"].as_str().unwrap();
    let results = read(key);
    let outputs: Vec<&Value> =
        results.as_array().unwrap().iter().map(|child| &child["Output"]).collect();
    assert_eq!(outputs, ["\"a!\"", "\"b!\"", "\"c!\"", "\"d!\""]);
    let old = folder.path().join(key.replace("SUCCEEDED", "FAILED"));
    assert!(!old.exists(), "failures of before are left in {}", old.display());
    // A part is the work of its parent, and not retried or repeated alone.
    let part = world.history(id).await.into_iter().find_map(|event| match event {
        Event::ItemStarted(body) if body.index == 1 => Some(body.child),
        _ => None,
    });
    let part = part.unwrap();
    assert_eq!(retry(&system, part).await.unwrap_err().code(), "PART_OF_ANOTHER");
    let error = system.rerun(part, Rerun::default()).await.unwrap_err();
    assert_eq!(error.code(), "PART_OF_ANOTHER");
}
