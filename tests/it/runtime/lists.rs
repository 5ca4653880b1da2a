//! Lists among very many executions that have ended: few rows are read where few are wanted.

use std::sync::Arc;
use std::time::Duration;

use everstep::engine::{Execution, ExecutionId, Status, Timestamp};
use everstep::language::Format;
use everstep::runtime::{Clock, Filter, Orchestrator, Rows, Summary};
use everstep::store::{Checkpoint, EventStore, Finished, MemoryStore, Mishap};
use everstep::testing::FaultyStore;
use everstep::worker::JobContext;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{World, deploy, one_task, within};

/// More than one page looks at.
const MANY: u64 = 60_000;

/// A world whose store counts the rows that are read.
fn counting_world() -> (World, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    (World::on(store.clone()), store)
}

/// Writes rows of very many executions that have completed, one in each millisecond from then on.
async fn many_completed(store: &dyn EventStore, from: Timestamp) {
    let row = |number: u64| {
        let began = from.plus_ms(number);
        let id = uuid::Builder::from_unix_timestamp_millis(began.0, &[7; 10]).into_uuid();
        let mut execution = Execution::new(ExecutionId(id));
        execution.workflow = "many".into();
        execution.status = Status::Completed;
        execution.started_at = began;
        execution.ended_at = Some(began);
        let row = serde_json::to_vec(&Summary::of(&execution)).unwrap();
        Finished { execution: execution.id, mishap: Mishap::of(execution.status), row }
    };
    let finished = (0..MANY).map(row).collect();
    store.write_checkpoint(Checkpoint { finished, ..Checkpoint::default() }).await.unwrap();
}

/// A machine that works, and then begins an execution of `leaf`.
fn works_and_begins() -> Value {
    json!({"StartAt": "Work", "States": {
        "Work": {"Type": "Task", "Resource": "work", "Next": "Begin"},
        "Begin": {"Type": "Task", "Resource": "states:startExecution.sync", "End": true,
            "Parameters": {"StateMachineArn": "leaf", "Input": {}}}}})
}

/// A system in which a `w` works until it is told to go on.
async fn system_with_parents(world: &mut World, go_on: Arc<Notify>) -> Orchestrator {
    let work = move |_: JobContext, _: Value| {
        let go_on = go_on.clone();
        async move {
            go_on.notified().await;
            Ok(Value::Null)
        }
    };
    let system = world.open(|builder| builder.handle("work", work)).await;
    let leaf = one_task("echo", &json!({})).to_string();
    system.deploy("leaf", &leaf, Format::Json).await.unwrap();
    deploy(&system, &works_and_begins()).await;
    system
}

/// What a list of those that `parent` began has, and how many rows were read for it.
async fn begun_by(
    system: &Orchestrator,
    store: &FaultyStore,
    parent: ExecutionId,
) -> (Vec<ExecutionId>, usize) {
    let before = store.rows_read();
    let filter = Filter { rows: Rows::BegunBy(parent), ..Filter::default() };
    let page = system.page(filter.clone(), None, 1).await.unwrap();
    assert_eq!(page.next, None, "there is nothing more to find");
    let read = store.rows_read() - before;
    let ids: Vec<ExecutionId> = page.rows.iter().map(|row| row.id).collect();
    let totals = system.totals(filter).await.unwrap();
    assert!(totals.is_exact, "{totals:?}");
    let counted: u64 = totals.by_status().values().sum();
    assert_eq!(counted, ids.len() as u64);
    let listed = system.list_rows(Rows::BegunBy(parent), 10).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
    (ids, read)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_by_parent_reads_what_began_while_the_parent_went_on_and_no_more() {
    let (mut world, store) = counting_world();
    let go_on = Arc::new(Notify::new());
    let system = system_with_parents(&mut world, go_on.clone()).await;
    let now = Clock::now(&*world.clock);
    many_completed(&*store, Timestamp(now.0 - 2 * MANY)).await;
    go_on.notify_one();
    let parent = system.start("w", json!({})).await.unwrap();
    within(system.result(parent)).await.unwrap();
    system.checkpoint().await;

    let (children, read) = begun_by(&system, &store, parent).await;
    assert_eq!(children.len(), 1);
    assert!(read <= 1010, "{read} rows are read of a young parent");
    let (none, read) = begun_by(&system, &store, children[0]).await;
    assert!(none.is_empty() && read <= 1010, "{read} rows are read to find nothing");

    many_completed(&*store, now.plus_ms(1000)).await;
    let (same, read) = begun_by(&system, &store, parent).await;
    assert_eq!(same, children);
    assert!(read <= 1010, "{read} rows are read of an old parent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_from_before_the_clock_went_back_still_finds_what_it_began_after() {
    let (mut world, store) = counting_world();
    let go_on = Arc::new(Notify::new());
    let system = system_with_parents(&mut world, go_on.clone()).await;
    let parent = system.start("w", json!({})).await.unwrap();
    let began = Clock::now(&*world.clock);
    within(async {
        while system.execution(parent).await.unwrap().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let a_day_before = Timestamp(began.0 - 24 * 60 * 60 * 1000);
    world.clock.set(a_day_before);
    go_on.notify_one();
    within(system.result(parent)).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    system.checkpoint().await;
    let child = system.list_rows(Rows::All, 10).await.unwrap();
    let child = child.iter().find(|row| row.parent.is_some()).unwrap();
    assert!(child.started_at < began, "the child began before its parent did, as the clock has it");

    many_completed(&*store, a_day_before.plus_ms(5000)).await;
    many_completed(&*store, began.plus_ms(5000)).await;
    let (children, read) = begun_by(&system, &store, parent).await;
    assert_eq!(children, [child.id]);
    assert!(read <= 1010, "{read} rows are read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_found_among_very_many_that_completed_without_reading_those() {
    let (mut world, store) = counting_world();
    let system = world.open(|builder| builder).await;
    let now = Clock::now(&*world.clock);
    many_completed(&*store, Timestamp(now.0 - 2 * MANY)).await;
    let fails = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "No.Luck"}}});
    deploy(&system, &fails).await;
    let mut failed = Vec::new();
    for _ in 0..3 {
        let id = system.start("w", json!({})).await.unwrap();
        within(system.result(id)).await.unwrap();
        failed.insert(0, id);
    }
    system.checkpoint().await;
    many_completed(&*store, now.plus_ms(1000)).await;

    let filter = Filter { statuses: vec![Status::Failed], ..Filter::default() };
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = system.page(filter.clone(), cursor, 2).await.unwrap();
        found.extend(page.rows.iter().map(|row| row.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, failed);
    let totals = system.totals(filter).await.unwrap();
    assert!(totals.is_exact && totals.by_status()["failed"] == 3, "{totals:?}");
    let timed_out = Filter { statuses: vec![Status::TimedOut], ..Filter::default() };
    let none = system.page(timed_out, None, 50).await.unwrap();
    assert!(none.rows.is_empty() && none.next.is_none());
    assert!(store.rows_read() <= 20, "{} rows are read", store.rows_read());
}
