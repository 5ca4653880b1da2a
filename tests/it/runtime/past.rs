//! Time travel: an execution as it was after any of its events is what was live then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use everstep::engine::{Execution, ExecutionId, Program};
use everstep::runtime::{Archive, Builder, Orchestrator};
use everstep::view::{Card, Moments, ResultCard};
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};

use super::{World, deploy, within};

/// A Map of many items, each of which reports, some of which fail.
fn many_items() -> Value {
    let caught = json!([{"ErrorEquals": ["Once"], "Next": "Q"}]);
    json!({"StartAt": "Split", "States": {"Split": {"Type": "Map", "MaxConcurrency": 4, "End": true,
        "ToleratedFailureCount": 100, "ItemProcessor": {"StartAt": "P", "States": {
            "P": {"Type": "Task", "Resource": "work", "Catch": caught, "End": true},
            "Q": {"Type": "Pass", "End": true}}}}}})
}

/// What was seen while it was live: the view by the sequence of the last event.
#[derive(Default)]
struct Seen {
    system: OnceLock<(Orchestrator, ExecutionId)>,
    views: Mutex<BTreeMap<u64, String>>,
}

impl Seen {
    /// Looks at the execution as it is.
    async fn look(&self) {
        let Some((system, id)) = self.system.get() else { return };
        let execution = system.execution(*id).await.unwrap();
        let program = system.program(execution.definition).unwrap();
        let view = view(&program, &execution);
        self.views.lock().unwrap().insert(execution.sequence, view);
    }
}

/// Workers that look at their execution before and after they report.
fn workers(builder: Builder, seen: Arc<Seen>) -> Builder {
    builder.handle("work", move |job: JobContext, input: u64| {
        let seen = seen.clone();
        async move {
            seen.look().await;
            job.progress(50, Some(&format!("half of {input}")));
            seen.look().await;
            match input % 10 {
                3 => Err(JobError::new("Once", "not yet")),
                7 => Err(JobError::new("Never", "no luck")),
                _ => Ok(input * 2),
            }
        }
    })
}

/// Metadata and result, as of the last event.
fn view(program: &Program, execution: &Execution) -> String {
    let now = execution.updated_at;
    let views = (Card::of(program, execution, now), ResultCard::of(program, execution, now));
    serde_json::to_string(&views).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_after_each_of_5000_events_is_what_was_live_then() {
    let mut world = World::new();
    let seen = Arc::new(Seen::default());
    let system = world.open(|builder| workers(builder, seen.clone())).await;
    deploy(&system, &many_items()).await;
    let items: Vec<u64> = (0..620).collect();
    let id = system.start("w", json!(items)).await.unwrap();
    drop(seen.system.set((system.clone(), id)));
    within(system.ended(id)).await.unwrap();
    seen.look().await;
    let live = seen.views.lock().unwrap().clone();

    let history = system.history(id).await.unwrap();
    assert!(history.len() >= 5000, "only {} events", history.len());
    let program = system.program(system.execution(id).await.unwrap().definition).unwrap();
    let mut moments = Moments::of(id, &history);
    let mut compared = 0;
    for record in &history {
        let then = moments.after(record.sequence).unwrap();
        if let Some(was) = live.get(&record.sequence) {
            assert_eq!(&view(&program, then), was, "after event {}", record.sequence);
            compared += 1;
        }
        // Folding each from the first event on would take millions of steps.
        if record.sequence % 97 == 0 {
            let read = system.execution_at(id, record.sequence).await.unwrap();
            assert_eq!(&read, then, "after event {}", record.sequence);
        }
    }
    assert_eq!(compared, live.len(), "each that was seen is in the history");
    assert!(compared > 600, "only {compared} were seen live");
    let error = system.execution_at(id, 100_000).await.unwrap_err();
    assert_eq!(error.code(), "NO_SUCH_EVENT");
    drop(system);

    let archive = Archive::open(world.store.clone()).await.unwrap();
    for (sequence, was) in live.iter().step_by(10) {
        let then = archive.execution_at(id, *sequence).await.unwrap();
        let program = archive.program(then.definition).unwrap();
        assert_eq!(&view(&program, &then), was, "read from the log at rest");
    }
}
