//! Executions while the process lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use everstep::engine::{RedriveRequest, Status};
use everstep::runtime::Delete;
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use super::{World, deploy, one_task, seen, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_jobs_completes() {
    let mut world = World::new();
    let system = world
        .open(|builder| builder.handle("add", |_: JobContext, n: u64| async move { Ok(n + 1) }))
        .await;
    let add = |next: Value| {
        let mut state = json!({"Type": "Task", "Resource": "add"});
        state.as_object_mut().unwrap().extend(next.as_object().unwrap().clone());
        state
    };
    let definition = json!({"StartAt": "A", "States": {
        "A": add(json!({"Next": "B"})),
        "B": add(json!({"Next": "C"})),
        "C": add(json!({"End": true}))}});
    deploy(&system, &definition).await;
    let mut ids = Vec::new();
    for n in 0..50_u64 {
        ids.push((n, system.start("w", json!(n)).await.unwrap()));
    }
    for (n, id) in ids {
        let outcome = within(system.result(id)).await.unwrap();
        assert_eq!(outcome.status, Status::Completed);
        assert_eq!(outcome.output.unwrap().value(), json!(n + 3));
    }
    system.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_end_by_the_clock() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Wait", "Seconds": 3600, "Next": "B"},
        "B": {"Type": "Wait", "Seconds": 86400, "End": true}}});
    deploy(&system, &definition).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!(1)).await.unwrap();
    for seconds in [3600, 86_400] {
        seen(&mut events, "WaitStarted").await;
        assert_eq!(system.execution(id).await.unwrap().status, Status::Running);
        world.clock.advance(Duration::from_secs(seconds));
    }
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!(ended.ended_at.unwrap().ms_since(ended.started_at), 90_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_comes_after_its_backoff() {
    let mut world = World::new();
    let system = world
        .open(|builder| {
            builder.handle("flaky", |job: JobContext, _: Value| async move {
                if job.attempt() < 3 {
                    Err(JobError::new("Mine", "not yet"))
                } else {
                    Ok(job.attempt())
                }
            })
        })
        .await;
    let retry = json!({"Retry": [{"ErrorEquals": ["Mine"], "IntervalSeconds": 10}]});
    deploy(&system, &one_task("flaky", &retry)).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    for seconds in [10, 20] {
        seen(&mut events, "RetryScheduled").await;
        world.clock.advance(Duration::from_secs(seconds));
    }
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_tells_the_handler_to_stop() {
    let mut world = World::new();
    let (stopped, mut was_stopped) = mpsc::unbounded_channel();
    let system = world
        .open(|builder| {
            builder.handle("slow", move |job: JobContext, _: Value| {
                let stopped = stopped.clone();
                async move {
                    job.cancel_token().cancelled().await;
                    stopped.send(()).unwrap();
                    Err::<(), _>(JobError::cancelled())
                }
            })
        })
        .await;
    deploy(&system, &one_task("slow", &json!({"TimeoutSeconds": 10}))).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    seen(&mut events, "JobStarted").await;
    world.clock.advance(Duration::from_secs(10));
    within(was_stopped.recv()).await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(&*outcome.failure.unwrap().error, "States.Timeout");
}

fn loose() -> Result<Value, JobError> {
    panic!("loose")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_handler_is_a_failure_of_the_job() {
    let mut world = World::new();
    let system = world
        .open(|builder| builder.handle("panics", |_: JobContext, _: Value| async { loose() }))
        .await;
    deploy(&system, &one_task("panics", &json!({}))).await;
    let id = system.start("w", json!({})).await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(&*outcome.failure.unwrap().error, "Everstep.HandlerPanicked");
    deploy(&system, &one_task("echo", &json!({}))).await;
    let id = system.start("w", json!(7)).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_type_that_nobody_serves_is_refused_at_the_start() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &one_task("unheard_of", &json!({}))).await;
    let before = system.last_position();
    let error = system.start("w", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "UNKNOWN_JOB_TYPES");
    assert!(error.to_string().contains("unheard_of"), "{error}");
    assert_eq!(system.last_position(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_progress_are_gathered() {
    let mut world = World::new();
    let (go_on, reported) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (gate, told) = (go_on.clone(), reported.clone());
    let system = world
        .open(|builder| {
            builder.handle("chatty", move |job: JobContext, _: Value| {
                let (gate, told) = (gate.clone(), told.clone());
                async move {
                    for n in 0..1000 {
                        job.progress(None, Some(&format!("line {n}")));
                    }
                    told.notify_one();
                    gate.notified().await;
                    Ok(())
                }
            })
        })
        .await;
    deploy(&system, &one_task("chatty", &json!({}))).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    within(reported.notified()).await;
    seen(&mut events, "JobProgressed").await;
    within(world.clock.somebody_sleeps(Duration::from_millis(500))).await;
    world.clock.advance(Duration::from_millis(500));
    seen(&mut events, "JobProgressed").await;
    let message = system.execution(id).await.unwrap().message;
    assert_eq!(message.as_deref(), Some("line 999"));
    go_on.notify_one();
    within(system.result(id)).await.unwrap();
    assert_eq!(world.count(id, "JobProgressed").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_the_handler() {
    let mut world = World::new();
    let system = world
        .open(|builder| {
            builder.handle("slow", |job: JobContext, _: Value| async move {
                job.cancel_token().cancelled().await;
                Err::<(), _>(JobError::cancelled())
            })
        })
        .await;
    deploy(&system, &one_task("slow", &json!({}))).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!({})).await.unwrap();
    seen(&mut events, "JobStarted").await;
    system.cancel(id, "me", Some("enough")).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Cancelled);
    let error = system.cancel(id, "me", None).await.unwrap_err();
    assert_eq!(error.code(), "NOT_IN_STATUS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_every_event_once_and_in_order() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &one_task("echo", &json!({}))).await;
    let mut early = system.events(1, None);
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    for id in &ids {
        within(system.result(*id)).await.unwrap();
    }
    let last = system.last_position();
    let mut late = system.events(1, None);
    let mut sequences = std::collections::HashMap::new();
    for position in 1..=last {
        let record = within(early.next()).await.unwrap();
        assert_eq!(record.position, position);
        assert_eq!(within(late.next()).await.unwrap(), record);
        let sequence: &mut u64 = sequences.entry(record.stream).or_default();
        *sequence += 1;
        assert_eq!(record.sequence, *sequence);
    }
    assert_eq!(sequences.len(), ids.len() + 1, "the executions, and the definition");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_memory_is_what_the_log_tells() {
    let mut world = World::new();
    // Every look at the clock takes a while, as in the real world.
    world.clock.tick(1);
    let gate = Arc::new(Notify::new());
    let (opened, runs) = (gate.clone(), Arc::new(AtomicU32::new(0)));
    let counted = runs.clone();
    let system = world
        .open(|builder| {
            builder.handle("gated", move |_: JobContext, _: Value| {
                let opened = opened.clone();
                counted.fetch_add(1, Ordering::SeqCst);
                async move {
                    opened.notified().await;
                    Ok(1)
                }
            })
        })
        .await;
    let branch = |name: &str| {
        json!({"StartAt": name, "States": {name: {"Type": "Task", "Resource": "gated",
            "TimeoutSeconds": 9000, "HeartbeatSeconds": 8000, "End": true}}})
    };
    let definition = json!({"TimeoutSeconds": 90_000, "StartAt": "A", "States": {
        "A": {"Type": "Parallel", "Branches": [branch("X"), branch("Y"), branch("Z")],
            "End": true}}});
    deploy(&system, &definition).await;
    let id = system.start("w", json!({})).await.unwrap();
    let live = system.execution(id).await.unwrap();
    assert_eq!(live, world.replayed(id).await);
    gate.notify_waiters();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_act_on_the_same_sight_only_one_does() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    let wait =
        json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 9, "End": true}}});
    deploy(&system, &wait).await;
    let id = system.start("w", json!(1)).await.unwrap();
    let seen = system.expecting(id, system.execution(id).await.unwrap().sequence);
    let asked = (0..20).map(|n| {
        let seen = seen.clone();
        tokio::spawn(async move {
            match n % 2 {
                0 => seen.pause(id, "p", None).await,
                _ => seen.cancel(id, "c", None).await,
            }
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut refused = Vec::new();
    for one in asked {
        refused.extend(one.await.unwrap().err().map(|error| error.code()));
    }
    assert_eq!(refused, ["EXECUTION_CHANGED"; 19]);
    // Another execution may have changed.
    let other = system.start("w", json!(2)).await.unwrap();
    seen.cancel(other, "c", None).await.unwrap();
    within(system.result(other)).await.unwrap();
    let delete = Delete { by: "d".into(), ..Delete::default() };
    let ended = system.execution(other).await.unwrap().sequence;
    let early = system.expecting(other, ended - 1);
    assert_eq!(early.delete(other, &delete).await.unwrap_err().code(), "EXECUTION_CHANGED");
    let cancel = early.cancel(other, "c", None).await;
    assert_eq!(cancel.unwrap_err().code(), "EXECUTION_CHANGED");
    let again = early.redrive(other, "r", None, RedriveRequest::default()).await;
    assert_eq!(again.unwrap_err().code(), "EXECUTION_CHANGED");
    system.expecting(other, ended).delete(other, &delete).await.unwrap();
}
