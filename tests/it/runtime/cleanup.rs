//! Cancel, clean-up and forced ends, over crashes too.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep::engine::{Event, Execution, ExecutionId, Status};
use everstep::runtime::{Builder, Orchestrator};
use everstep::store::MemoryStore;
use everstep::testing::FaultyStore;
use everstep::view::ResultCard;
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{World, deploy, one_task, seen, within};

fn task(job_type: &str, fields: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": job_type});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state
}

/// Two Tasks, the second of this job type; both are undone, and a cancel is told.
fn two_steps(second: &str) -> Value {
    json!({
        "StartAt": "A", "OnCancel": "Tell",
        "Summary": {"status.$": "$.status", "undone.$": "$.cleanup[*].state"},
        "States": {
            "A": task("echo", json!({"Cleanup": "Undo A", "Next": "B"})),
            "B": task(second, json!({"Cleanup": "Undo B", "End": true})),
            "Undo A": task("echo", json!({"Retry": [{"ErrorEquals": ["States.ALL"]}], "End": true})),
            "Undo B": task("echo", json!({"Next": "Undo B more"})),
            "Undo B more": task("echo", json!({"End": true})),
            "Tell": task("echo", json!({"End": true})),
        }
    })
}

/// Handlers: `hang` stops when it is told, `fail` fails.
fn handlers(builder: Builder) -> Builder {
    builder
        .handle("hang", |job: JobContext, _: Value| async move {
            job.cancel_token().cancelled().await;
            Err::<(), _>(JobError::cancelled())
        })
        .handle("fail", |_: JobContext, _: Value| async move {
            Err::<(), _>(JobError::new("Mine", "as told"))
        })
}

/// Clean-ups that are over: step, state, and whether all was well.
fn done(execution: &Execution) -> Vec<(Option<String>, String, bool)> {
    let cleanup = execution.cleanup.as_ref().unwrap();
    let told = cleanup.done.iter();
    told.map(|done| {
        (done.of.as_deref().map(str::to_owned), done.state.to_string(), done.failure.is_none())
    })
    .collect()
}

/// What the execution gave, without times.
fn told(system: &Orchestrator, execution: &Execution) -> Value {
    let program = system.program(execution.definition).unwrap();
    let result = ResultCard::of(&program, execution, execution.updated_at);
    let mut told = serde_json::to_value(result).unwrap();
    told["job_id"] = Value::Null;
    for step in told["steps"].as_object_mut().unwrap().values_mut() {
        (step["job_id"], step["duration_seconds"]) = (Value::Null, Value::Null);
    }
    for outcome in told["cleanup"].as_array_mut().unwrap() {
        outcome["duration_seconds"] = Value::Null;
    }
    told
}

/// Runs an execution of `definition` once for every append that may be the last one before a crash,
/// and has it cancelled as soon as `cancel` says: the next process brings it to the same end.
async fn the_end_is_the_same_after_any_crash(
    definition: Value,
    cancel: Option<&str>,
    count: usize,
) {
    let mut reference: Option<Value> = None;
    // The first round is without a crash.
    for appends in std::iter::once(usize::MAX).chain(0..) {
        let mut world = World::on(Arc::new(MemoryStore::new()));
        let system = world.open(handlers).await;
        deploy(&system, &definition).await;
        within(system.stop()).await.unwrap();

        let faulty = Arc::new(FaultyStore::new(world.store.clone()));
        faulty.fail_append_after(appends, ErrorKind::Other);
        let first = handlers(world.builder()).open_store(faulty).await.unwrap();
        let Ok(id) = first.start("w", json!({"in": 1})).await else { continue };
        let ended = tokio::select! {
            ended = within(to_the_end(&first, id, cancel)) => ended,
            _ = first.failed() => false,
        };
        drop(first);

        let second = world.open(handlers).await;
        within(to_the_end(&second, id, cancel)).await;
        let execution = world.replayed(id).await;
        let outcome = told(&second, &execution);
        let reference = reference.get_or_insert_with(|| outcome.clone());
        assert_eq!(outcome, *reference, "after {appends} appends");
        assert_eq!(done(&execution).len(), count, "after {appends} appends");
        assert_eq!(world.count(id, "CleanupStarted").await, count, "after {appends} appends");
        assert!(execution.progress < 100);
        if ended && appends != usize::MAX {
            assert!(appends >= 6, "only {appends} appends: is anything cut off?");
            return;
        }
    }
}

/// Waits for the end, and cancels once an event of this name is there, if nobody has yet; whether it
/// came to the end.
async fn to_the_end(system: &Orchestrator, id: ExecutionId, cancel: Option<&str>) -> bool {
    if let Some(name) = cancel {
        let mut events = system.events(1, Some(id));
        loop {
            let Ok(record) = events.next().await else { return false };
            if matches!(&*record.event, Event::CancelRequested(_)) || record.event.is_end() {
                break;
            }
            let hangs = name == "JobStarted"
                && matches!(&*record.event, Event::JobStarted(body) if body.job.0 == 2);
            if hangs || (record.event.name() == name && name != "JobStarted") {
                // Somebody may have been heard just before the crash.
                drop(system.cancel(id, "me", Some("enough")).await);
                break;
            }
        }
    }
    system.ended(id).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_and_its_cleanup_survive_any_crash() {
    the_end_is_the_same_after_any_crash(two_steps("fail"), None, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_and_its_cleanup_survive_any_crash() {
    the_end_is_the_same_after_any_crash(two_steps("hang"), Some("JobStarted"), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_map_that_are_cancelled_clean_up_before_their_parent_does() {
    let mut world = World::new();
    let system = world.open(handlers).await;
    let processor = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "I", "States": {
        "I": task("hang", json!({"Cleanup": "Undo I", "End": true})),
        "Undo I": task("echo", json!({"End": true}))}});
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Map", "ItemProcessor": processor, "Cleanup": "Undo A", "End": true},
        "Undo A": task("echo", json!({"End": true}))}});
    deploy(&system, &definition).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!([1, 2, 3])).await.unwrap();
    for _ in 0..3 {
        seen(&mut events, "JobStarted").await;
    }
    system.cancel(id, "me", None).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Cancelled);
    let log = world.store.read_log(1, usize::MAX).await.unwrap();
    let place = |is_wanted: &dyn Fn(&Event, bool) -> bool| -> Vec<u64> {
        let found = log.iter().filter(|record| is_wanted(&record.event, record.stream == id.0));
        found.map(|record| record.position).collect()
    };
    let parts_undone = place(&|event, own| !own && matches!(event, Event::CleanupSucceeded(_)));
    let parts_ended = place(&|event, own| !own && event.is_end());
    let began = place(&|event, own| own && matches!(event, Event::CleanupStarted(_)));
    assert_eq!((parts_undone.len(), parts_ended.len(), began.len()), (3, 3, 1));
    assert!(parts_ended.iter().all(|ended| *ended < began[0]), "{parts_ended:?} {began:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_cleanup_tells_its_worker_to_stop() {
    let mut world = World::new();
    let stopped = Arc::new(Notify::new());
    let told = stopped.clone();
    let system = world
        .open(|builder| {
            handlers(builder).handle("undo", move |job: JobContext, _: Value| {
                let told = told.clone();
                async move {
                    job.cancel_token().cancelled().await;
                    told.notify_one();
                    Err::<(), _>(JobError::cancelled())
                }
            })
        })
        .await;
    let definition = json!({"StartAt": "A", "CleanupTimeoutSeconds": 20, "States": {
        "A": task("fail", json!({"Cleanup": "Undo", "End": true})),
        "Undo": task("undo", json!({"End": true}))}});
    deploy(&system, &definition).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    seen(&mut events, "CleanupStarted").await;
    seen(&mut events, "JobStarted").await;
    within(world.clock.somebody_sleeps(Duration::from_secs(20))).await;
    world.clock.advance(Duration::from_secs(20));
    within(stopped.notified()).await;
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!(ended.status, Status::Failed);
    let failure = ended.cleanup.unwrap().done[0].failure.clone().unwrap();
    assert_eq!(&*failure.error, "States.Timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn force_is_refused_until_the_workers_have_had_their_time() {
    let mut world = World::new();
    let stubborn = |builder: Builder| {
        handlers(builder).handle("undo", |job: JobContext, _: Value| async move {
            job.cancel_token().cancelled().await;
            Err::<(), _>(JobError::cancelled())
        })
    };
    let system = world.open(stubborn).await;
    let definition = json!({"StartAt": "A", "States": {
        "A": task("hang", json!({"Cleanup": "Undo", "End": true})),
        "Undo": task("undo", json!({"End": true}))}});
    deploy(&system, &definition).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    seen(&mut events, "JobStarted").await;
    let code = |error: everstep::runtime::Error| error.code();
    assert_eq!(code(system.force_cancel(id, "me", None).await.unwrap_err()), "FORCE_TOO_EARLY");
    system.cancel(id, "me", None).await.unwrap();
    seen(&mut events, "CleanupStarted").await;
    seen(&mut events, "JobStarted").await;
    let again = system.cancel(id, "other", None).await.unwrap_err();
    assert!(again.to_string().contains("stopping already, since me asked it to"), "{again}");
    assert_eq!(code(again), "ALREADY_CANCELLING");
    assert_eq!(code(system.force_cancel(id, "me", None).await.unwrap_err()), "FORCE_TOO_EARLY");
    world.clock.advance(Duration::from_secs(30));
    system.force_cancel(id, "boss", Some("enough")).await.unwrap();
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!(ended.status, Status::Cancelled);
    assert_eq!(done(&ended), [(Some("A".to_owned()), "Undo".to_owned(), false)]);
    assert_eq!(&*ended.cancel.unwrap().forced.unwrap().by, "boss");
    let late = system.force_cancel(id, "me", None).await.unwrap_err();
    assert!(late.to_string().contains("the execution is cancelled"), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_end_leaves_executions_behind_that_stop_by_themselves() {
    let mut world = World::new();
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let system = world
        .open(|builder| {
            handlers(builder).handle("undo", move |_: JobContext, _: Value| {
                let opened = opened.clone();
                async move {
                    opened.notified().await;
                    Ok(())
                }
            })
        })
        .await;
    let child = json!({"StartAt": "C", "States": {
        "C": task("hang", json!({"Cleanup": "Undo", "End": true})),
        "Undo": task("undo", json!({"End": true}))}});
    system.deploy("child", &child.to_string(), everstep::language::Format::Json).await.unwrap();
    let parent = one_task(
        "states:startExecution.sync:2",
        &json!({"Parameters": {"StateMachineArn": "child"}}),
    );
    deploy(&system, &parent).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    seen(&mut events, "JobStarted").await;
    system.cancel(id, "me", None).await.unwrap();
    let Event::CleanupStarted(_) = seen(&mut events, "CleanupStarted").await else { panic!() };
    world.clock.advance(Duration::from_secs(31));
    system.force_cancel(id, "me", None).await.unwrap();
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!(ended.status, Status::Cancelled);
    let abandoned = ended.cancel.unwrap().forced.unwrap().abandoned;
    let [child] = abandoned.as_slice() else { panic!("{abandoned:?}") };
    assert_eq!(system.execution(*child).await.unwrap().status, Status::Cancelling);
    gate.notify_one();
    let child = within(system.ended(*child)).await.unwrap();
    assert_eq!(child.status, Status::Cancelled);
    assert_eq!(done(&child), [(Some("C".to_owned()), "Undo".to_owned(), true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_queues_when_its_execution_is_cancelled_never_starts() {
    let mut world = World::new();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let seen_by = ran.clone();
    let mut registry = everstep::worker::Registry::new();
    registry.handle("work", move |job: JobContext, n: u64| {
        let ran = seen_by.clone();
        async move {
            ran.lock().unwrap().push(n);
            if n == 0 {
                job.cancel_token().cancelled().await;
            }
            Ok(n)
        }
    });
    registry.set_concurrency("work", 1);
    let system = world.open(|builder| builder.registry(registry)).await;
    deploy(&system, &one_task("work", &json!({}))).await;
    let mut events = system.events(1, None);
    let ahead = system.start("w", json!(0)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    let queued = system.start("w", json!(1)).await.unwrap();
    let behind = system.start("w", json!(2)).await.unwrap();
    system.cancel(queued, "me", None).await.unwrap();
    assert_eq!(within(system.result(queued)).await.unwrap().status, Status::Cancelled);
    system.cancel(ahead, "me", None).await.unwrap();
    within(system.result(ahead)).await.unwrap();
    assert_eq!(within(system.result(behind)).await.unwrap().status, Status::Completed);
    assert_eq!(*ran.lock().unwrap(), [0, 2]);
    assert_eq!(world.count(queued, "JobStarted").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_order_during_cleanup_goes_on_with_the_next_start() {
    let mut world = World::new();
    let slow = |builder: Builder| {
        handlers(builder).handle("undo", |job: JobContext, _: Value| async move {
            if job.attempt() == 1 {
                job.cancel_token().cancelled().await;
                return Err(JobError::cancelled());
            }
            Ok(())
        })
    };
    let first = world.open(slow).await;
    let definition = json!({"StartAt": "A", "States": {
        "A": task("fail", json!({"Cleanup": "Undo", "End": true})),
        "Undo": task("undo", json!({"End": true}))}});
    deploy(&first, &definition).await;
    let mut events = first.events(1, None);
    let id = first.start("w", json!({})).await.unwrap();
    seen(&mut events, "CleanupStarted").await;
    seen(&mut events, "JobStarted").await;
    let stopping = tokio::spawn({
        let first = first.clone();
        async move { first.stop().await }
    });
    within(world.clock.somebody_sleeps(Duration::from_secs(10))).await;
    world.clock.advance(Duration::from_secs(10));
    within(stopping).await.unwrap().unwrap();
    drop(events);
    drop(first);
    let second = world.open(slow).await;
    let ended = within(second.ended(id)).await.unwrap();
    assert_eq!(ended.status, Status::Failed);
    assert_eq!(done(&ended), [(Some("A".to_owned()), "Undo".to_owned(), true)]);
    assert_eq!(ended, world.replayed(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_forced_end_left_behind_is_stopped_after_a_crash() {
    // The end is written; with or without that the child is to stop.
    for appends in [1, usize::MAX] {
        let mut world = World::new();
        let faulty = Arc::new(FaultyStore::new(world.store.clone()));
        let first = handlers(world.builder()).open_store(faulty.clone()).await.unwrap();
        let leaf = one_task("hang", &json!({})).to_string();
        first.deploy("leaf", &leaf, everstep::language::Format::Json).await.unwrap();
        let begin = json!({"Type": "Task", "Resource": "states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": "leaf"}, "End": true});
        let definition = json!({"StartAt": "A", "States": {
            "A": task("hang", json!({"Cleanup": "Begin", "End": true})), "Begin": begin}});
        deploy(&first, &definition).await;
        let mut events = first.events(1, None);
        let id = first.start("w", json!({})).await.unwrap();
        seen(&mut events, "JobStarted").await;
        first.cancel(id, "me", None).await.unwrap();
        // The one in the execution that undoes it: nobody has heard that it should stop.
        seen(&mut events, "JobStarted").await;
        world.clock.advance(Duration::from_secs(30));
        faulty.fail_append_after(appends, ErrorKind::Other);
        first.force_cancel(id, "me", None).await.unwrap();
        let parent = world.replayed(id).await;
        assert_eq!(parent.status, Status::Cancelled);
        let abandoned = parent.cancel.unwrap().forced.unwrap().abandoned;
        let [child] = abandoned.as_slice() else { panic!("{abandoned:?}") };
        if appends == 1 {
            within(first.failed()).await;
            assert_eq!(world.replayed(*child).await.cancel, None, "the crash came where it should");
        }
        drop(events);
        drop(first);
        let second = world.open(handlers).await;
        let ended = within(second.ended(*child)).await.unwrap();
        assert_eq!(ended.status, Status::Cancelled, "after {appends} appends");
    }
}
