//! Holding one execution, a whole workflow, all jobs of a type; and going on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep::engine::invariants::check_history;
use everstep::engine::{Event, ExecutionId, Status};
use everstep::language::Format;
use everstep::runtime::{Builder, Limits, Orchestrator, Rows, Summary};
use everstep::store::EventStore;
use everstep::testing::FaultyStore;
use everstep::worker::{JobContext, JobError, Registry};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{World, deploy, one_task, seen, within};

/// Jobs of type `work` that each take a permit before they end, and note that they began.
#[derive(Clone)]
struct Gate {
    permits: Arc<Semaphore>,
    began: Arc<Mutex<Vec<Value>>>,
}

impl Gate {
    fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), began: Arc::default() }
    }

    fn open(&self, jobs: usize) {
        self.permits.add_permits(jobs);
    }

    fn began(&self) -> Vec<Value> {
        self.began.lock().unwrap().clone()
    }

    /// A registry in which `at_once` of them run at the same time.
    fn registry(&self, at_once: usize) -> Registry {
        let mut registry = Registry::new();
        let gate = self.clone();
        registry.handle("work", move |job: JobContext, input: Value| {
            let gate = gate.clone();
            async move {
                gate.began.lock().unwrap().push(input.clone());
                tokio::select! {
                    permit = gate.permits.acquire() => permit.unwrap().forget(),
                    () = job.cancel_token().cancelled() => return Err(JobError::cancelled()),
                }
                Ok(input)
            }
        });
        registry.handle("echo", |_: JobContext, input: Value| async move { Ok(input) });
        registry.set_concurrency("work", at_once);
        registry
    }
}

/// Lets everything go through the engine that is on its way: an execution of its own runs to its end.
async fn settle(system: &Orchestrator) {
    let text = one_task("echo", &json!({})).to_string();
    system.deploy("settle", &text, Format::Json).await.unwrap();
    for n in 0..4 {
        let id = system.start("settle", json!(n)).await.unwrap();
        within(system.result(id)).await.unwrap();
    }
}

/// Holds the engine's rules against the history of an execution.
async fn checked(world: &World, id: ExecutionId) -> BTreeMap<String, usize> {
    let records = world.store.read_history(id.0, 1..u64::MAX).await.unwrap();
    let history: Vec<_> = records.iter().map(|r| ((*r.event).clone(), r.time)).collect();
    assert_eq!(check_history(&history), Ok(()));
    let mut counts = BTreeMap::new();
    for record in &records {
        *counts.entry(record.event.name().to_owned()).or_default() += 1;
    }
    counts
}

async fn rows(system: &Orchestrator, workflow: &str) -> Vec<Summary> {
    let mut rows = system.list_rows(Rows::All, usize::MAX).await.unwrap();
    rows.retain(|row| &*row.workflow == workflow);
    rows
}

fn map_of_jobs(at_once: u32) -> Value {
    json!({"StartAt": "A", "States": {"A": {"Type": "Map", "MaxConcurrency": at_once, "End": true,
        "ItemProcessor": {"StartAt": "P", "States":
            {"P": {"Type": "Task", "Resource": "work", "End": true}}}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_that_is_paused_in_its_midst_keeps_what_runs_and_begins_nothing() {
    let (mut world, gate) = (World::new(), Gate::new());
    let system = world.open(|builder| builder.registry(gate.registry(2))).await;
    deploy(&system, &map_of_jobs(4)).await;
    let items: Vec<u32> = (0..10).collect();
    let mut events = system.events(1, None);
    let id = system.start("w", json!(items)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    seen(&mut events, "JobStarted").await;
    system.pause(id, "me", Some("too hot")).await.unwrap();
    gate.open(10);
    for _ in 0..2 {
        seen(&mut events, "JobSucceeded").await;
    }
    settle(&system).await;
    let held = system.execution(id).await.unwrap();
    assert_eq!(gate.began().len(), 2, "two queued jobs were given back");
    assert_eq!((held.status, held.pauses.any()), (Status::Running, true));
    assert_eq!(world.count(id, "FrameSucceeded").await, 0, "what they gave is kept");
    let refused = system.pause(id, "you", None).await.unwrap_err();
    assert_eq!(refused.code(), "PAUSED");
    assert!(refused.to_string().contains("me paused"), "{refused}");

    system.resume(id, "me").await.unwrap();
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!(items));
    let counts = checked(&world, id).await;
    assert_eq!(
        (counts["JobScheduled"], counts["JobStarted"], counts["JobSucceeded"]),
        (10, 10, 10)
    );
    assert_eq!(system.resume(id, "me").await.unwrap_err().code(), "NOT_IN_STATUS");
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_and_resuming_again_and_again_offers_no_job_twice() {
    let (mut world, gate) = (World::new(), Gate::new());
    let system = world.open(|builder| builder.registry(gate.registry(1))).await;
    deploy(&system, &map_of_jobs(0)).await;
    let items: Vec<u32> = (0..20).collect();
    let mut events = system.events(1, None);
    let id = system.start("w", json!(items)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    for _ in 0..50 {
        system.pause(id, "me", None).await.unwrap();
        system.resume(id, "me").await.unwrap();
    }
    gate.open(20);
    let outcome = within(system.result(id)).await.unwrap();
    assert_eq!(outcome.status, Status::Completed);
    assert_eq!(gate.began(), items.iter().map(|n| json!(n)).collect::<Vec<_>>(), "in order");
    assert_eq!(checked(&world, id).await["JobStarted"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_execution_can_be_cancelled() {
    let (mut world, gate) = (World::new(), Gate::new());
    let system = world.open(|builder| builder.registry(gate.registry(1))).await;
    deploy(&system, &one_task("work", &json!({}))).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!(1)).await.unwrap();
    seen(&mut events, "JobStarted").await;
    system.pause(id, "me", None).await.unwrap();
    system.cancel(id, "me", None).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Cancelled);
    assert!(!world.replayed(id).await.pauses.any());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_execution_times_out_all_the_same() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    let mut machine = json!({"StartAt": "A", "States":
        {"A": {"Type": "Wait", "Seconds": 1000, "End": true}}});
    machine["TimeoutSeconds"] = json!(60);
    deploy(&system, &machine).await;
    let id = system.start("w", json!(1)).await.unwrap();
    system.pause(id, "me", None).await.unwrap();
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::TimedOut);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_stays_so_over_crashes_and_stops() {
    for checkpoint in [false, true] {
        let (mut world, gate) = (World::new(), Gate::new());
        let first = world.open(|builder| builder.registry(gate.registry(1))).await;
        deploy(&first, &one_task("work", &json!({}))).await;
        let other = one_task("work", &json!({"Comment": "other"})).to_string();
        first.deploy("other", &other, Format::Json).await.unwrap();
        let mut events = first.events(1, None);
        let own = first.start("w", json!("own")).await.unwrap();
        seen(&mut events, "JobStarted").await;
        first.pause(own, "me", None).await.unwrap();
        first.pause_workflow("other", "me", None).await.unwrap();
        first.pause_job_type("work", "me", Some("later")).await.unwrap();
        let held = first.start("other", json!("held")).await.unwrap();
        let free = first.start("w", json!("free")).await.unwrap();
        if checkpoint {
            within(first.checkpoint()).await;
        }
        drop(events);
        drop(first);

        let second = world.open(|builder| builder.registry(gate.registry(1))).await;
        settle(&second).await;
        assert_eq!(gate.began(), [json!("own")], "nothing begins");
        let paused = second.paused().await.unwrap();
        assert_eq!(paused.held.workflows.keys().map(|k| &**k).collect::<Vec<_>>(), ["other"]);
        assert_eq!(paused.held.job_types["work"].reason.as_deref(), Some("later"));
        let ids: BTreeSet<ExecutionId> = paused.executions.iter().map(|row| row.id).collect();
        assert_eq!(ids, [held, own].into());
        // The job that the crash cut off takes one too.
        gate.open(10);
        second.resume_job_type("work", "me").await.unwrap();
        within(second.result(free)).await.unwrap();
        assert_eq!(second.resume_workflow("other", "me").await.unwrap(), 1);
        within(second.result(held)).await.unwrap();
        second.resume(own, "me").await.unwrap();
        assert_eq!(within(second.result(own)).await.unwrap().status, Status::Completed);
        for id in [own, held, free] {
            assert_eq!(checked(&world, id).await["JobSucceeded"], 1);
        }
        within(second.stop()).await.unwrap();
        assert_eq!(world.open(|builder| builder).await.held().job_types.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_paused_type_keep_their_order_and_those_that_run_go_on() {
    let (mut world, gate) = (World::new(), Gate::new());
    let system = world.open(|builder| builder.registry(gate.registry(1))).await;
    deploy(&system, &one_task("work", &json!({}))).await;
    let mut events = system.events(1, None);
    let mut ids = vec![system.start("w", json!(0)).await.unwrap()];
    seen(&mut events, "JobStarted").await;
    for n in 1..10 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    system.pause_job_type("work", "me", None).await.unwrap();
    for n in 10..20 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    gate.open(100);
    within(system.result(ids[0])).await.unwrap();
    settle(&system).await;
    assert_eq!(gate.began(), [json!(0)], "the one that ran has ended, and no other begins");
    assert_eq!(system.pause_job_type("work", "me", None).await.unwrap_err().code(), "PAUSED");
    system.resume_job_type("work", "me").await.unwrap();
    for id in &ids {
        assert_eq!(within(system.result(*id)).await.unwrap().status, Status::Completed);
    }
    assert_eq!(gate.began(), (0..20).map(|n| json!(n)).collect::<Vec<_>>());
    assert_eq!(system.resume_job_type("work", "me").await.unwrap_err().code(), "NOT_PAUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_type_gives_nothing_out_however_fast_its_jobs_come_and_go() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &one_task("echo", &json!({}))).await;
    let starting = system.clone();
    let starts = tokio::spawn(async move {
        let mut ids = Vec::new();
        for n in 0..300 {
            ids.push(starting.start("w", json!(n)).await.unwrap());
        }
        ids
    });
    for _ in 0..20 {
        system.pause_job_type("echo", "me", None).await.unwrap();
        let paused_at = system.last_position();
        // A round through every shard, so that whatever was under way is in the log.
        system.list(1).await.unwrap();
        let after = system.log(paused_at + 1, usize::MAX).await.unwrap();
        let began = after.iter().filter(|record| record.event.name() == "JobStarted").count();
        assert_eq!(began, 0, "given out after the pause");
        system.resume_job_type("echo", "me").await.unwrap();
    }
    for id in within(starts).await.unwrap() {
        assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
        assert_eq!(checked(&world, id).await["JobStarted"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_begins_in_a_paused_workflow_begins_paused() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    let echo = one_task("echo", &json!({}));
    system.deploy("leaf", &echo.to_string(), Format::Json).await.unwrap();
    let starts = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
        "Resource": "states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "leaf", "Input.$": "$"}}}});
    system.deploy("starter", &starts.to_string(), Format::Json).await.unwrap();
    let parts = json!({"StartAt": "A", "States": {"A": {"Type": "Map", "End": true, "ItemProcessor":
        {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P",
         "States": {"P": {"Type": "Wait", "Seconds": 5, "Next": "Q"},
            "Q": {"Type": "Task", "Resource": "echo", "End": true}}}}}});
    system.deploy("parts", &parts.to_string(), Format::Json).await.unwrap();

    assert_eq!(system.pause_workflow("leaf", "me", None).await.unwrap(), 0);
    let by_hand = system.start("leaf", json!(1)).await.unwrap();
    let by_task = system.start("starter", json!(2)).await.unwrap();
    let mut events = system.events(1, None);
    for _ in 0..2 {
        seen(&mut events, "ExecutionPaused").await;
    }
    settle(&system).await;
    let held = rows(&system, "leaf").await;
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(|row| row.pauses.workflow.is_some() && row.step.is_none()));
    assert!(rows(&system, "starter").await.iter().all(|row| !row.pauses.any()));
    assert_eq!(system.resume_workflow("leaf", "me").await.unwrap(), 2);
    for id in [by_hand, by_task] {
        assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    }

    // A Map and the parts that it has begun are all of one workflow.
    let map = system.start("parts", json!([1, 2])).await.unwrap();
    let mut events = system.events(1, None);
    for _ in 0..2 {
        seen(&mut events, "WaitStarted").await;
    }
    assert_eq!(system.pause_workflow("parts", "me", None).await.unwrap(), 3);
    world.clock.advance(Duration::from_secs(6));
    for _ in 0..2 {
        seen(&mut events, "WaitEnded").await;
    }
    settle(&system).await;
    assert_eq!(rows(&system, "parts").await.iter().filter(|row| row.pauses.any()).count(), 3);
    assert_eq!(system.resume_workflow("parts", "me").await.unwrap(), 3);
    let outcome = within(system.result(map)).await.unwrap();
    assert_eq!(outcome.output.unwrap().value(), json!([1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_there_is_refused_with_the_nearest() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    system.deploy("import", &one_task("echo", &json!({})).to_string(), Format::Json).await.unwrap();
    let refused = system.pause_workflow("imprt", "me", None).await.unwrap_err();
    assert_eq!(refused.code(), "NO_SUCH_WORKFLOW");
    assert!(refused.to_string().contains("did you mean \"import\"?"), "{refused}");
    let refused = system.pause_job_type("eco", "me", None).await.unwrap_err();
    assert_eq!(refused.code(), "NO_SUCH_JOB_TYPE");
    assert!(refused.to_string().contains("did you mean \"echo\"?"), "{refused}");
    assert_eq!(system.resume_workflow("import", "me").await.unwrap_err().code(), "NOT_PAUSED");
    let own = system.pause_job_type("everstep:read-items", "me", None).await.unwrap_err();
    assert_eq!(own.code(), "NO_SUCH_JOB_TYPE");
}

/// More executions than one turn of a shard brings in line.
const MANY: usize = 200;

/// A type of which some run and the rest queue, and none ends.
fn hanging(builder: Builder) -> Builder {
    // Each turn of a shard is a write of its own.
    let limits = Limits { group_units: 1, ..Limits::default() };
    builder.registry(Gate::new().registry(4)).limits(limits)
}

fn working(builder: Builder) -> Builder {
    builder.handle("work", |_: JobContext, input: Value| async move { Ok(input) })
}

/// Starts [`MANY`] executions on a store that can be made to fail.
async fn many(world: &mut World) -> (Orchestrator, Arc<FaultyStore>, Vec<ExecutionId>) {
    let store = Arc::new(FaultyStore::new(world.store.clone()));
    let system = hanging(world.builder()).open_store(store.clone()).await.unwrap();
    deploy(&system, &one_task("work", &json!({}))).await;
    let mut ids = Vec::new();
    for n in 0..MANY {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    (system, store, ids)
}

async fn in_log(store: &dyn EventStore, name: &str) -> usize {
    let records = store.read_log(1, usize::MAX).await.unwrap();
    records.iter().filter(|record| record.event.name() == name).count()
}

/// Every execution ends as if nothing had been, and once.
async fn all_complete(world: &World, system: &Orchestrator, ids: &[ExecutionId]) {
    for id in ids {
        assert_eq!(within(system.result(*id)).await.unwrap().status, Status::Completed);
        assert_eq!(checked(world, *id).await["JobSucceeded"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_write_while_a_workflow_is_paused_is_made_good() {
    type Fail = fn(&FaultyStore, usize, ErrorKind);
    for fail in [FaultyStore::fail_append_after as Fail, FaultyStore::fail_sync_after as Fail] {
        let mut crashes = 0;
        loop {
            let mut world = World::new();
            let (first, store, ids) = many(&mut world).await;
            fail(&store, crashes, ErrorKind::Other);
            let whole = within(first.pause_workflow("w", "me", Some("why"))).await.is_ok();
            drop(first);
            let recorded = in_log(&*world.store, "WorkflowPaused").await;
            let followed = in_log(&*world.store, "ExecutionPaused").await;
            assert!(!whole || (recorded, followed) == (1, MANY));

            let second = world.open(working).await;
            settle(&second).await;
            let held = rows(&second, "w").await;
            let paused = held.iter().filter(|row| row.pauses.workflow.is_some()).count();
            assert_eq!(paused, if recorded == 1 { MANY } else { 0 }, "after write {crashes}");
            if recorded == 1 {
                assert_eq!(in_log(&*world.store, "ExecutionPaused").await, MANY, "once each");
                assert_eq!(second.resume_workflow("w", "me").await.unwrap(), MANY as u64);
            }
            all_complete(&world, &second, &ids).await;
            if whole {
                break;
            }
            crashes += 1;
        }
        assert!(crashes > 4, "only {crashes} writes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_write_while_a_workflow_is_resumed_is_made_good() {
    let mut crashes = 0;
    loop {
        let mut world = World::new();
        let (first, store, ids) = many(&mut world).await;
        assert_eq!(first.pause_workflow("w", "me", None).await.unwrap(), MANY as u64);
        store.fail_append_after(crashes, ErrorKind::Other);
        let whole = within(first.resume_workflow("w", "me")).await.is_ok();
        drop(first);
        let recorded = in_log(&*world.store, "WorkflowResumed").await;
        let second = world.open(working).await;
        if recorded == 0 {
            assert_eq!(second.resume_workflow("w", "me").await.unwrap(), MANY as u64);
        }
        all_complete(&world, &second, &ids).await;
        assert_eq!(in_log(&*world.store, "ExecutionResumed").await, MANY, "once each");
        if whole {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 4, "only {crashes} writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_no_execution() {
    let mut world = World::new();
    let system = world.open(|builder| builder).await;
    deploy(&system, &one_task("echo", &json!({}))).await;
    system.pause_workflow("w", "me", None).await.unwrap();
    system.pause_job_type("echo", "me", None).await.unwrap();
    assert!(system.list_rows(Rows::All, usize::MAX).await.unwrap().is_empty());
    let records = system.log(1, usize::MAX).await.unwrap();
    let mut verifier = everstep::view::Verifier::default();
    let mut counter = everstep::view::LogCounter::default();
    for record in &records {
        verifier.take(record);
        counter.take(record);
    }
    let report = verifier.finish();
    assert_eq!((report.executions, report.workflows, report.total_faults), (0, 1, 0));
    let stats = counter.finish();
    assert_eq!((stats.executions, stats.workflows), (0, 1));
    let control = records.iter().find(|r| matches!(&*r.event, Event::JobTypePaused(_))).unwrap();
    let asked = system.execution(ExecutionId(control.stream)).await.unwrap_err();
    assert_eq!(asked.code(), "NO_SUCH_EXECUTION");
    within(system.stop()).await.unwrap();
}
