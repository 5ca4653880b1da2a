//! What people see comes from the log alone: after a crash it is the same, to the byte.

use std::sync::Arc;

use everstep::engine::{Execution, ExecutionId, JobStatus, Program};
use everstep::language::Format;
use everstep::runtime::{Archive, Builder, Clock, Orchestrator, Rows};
use everstep::view::{Card, ResultCard};
use everstep::worker::{JobContext, JobError, ProgressReport};
use serde_json::{Value, json};

use super::{World, within};

/// Whether an input asks for this.
fn is(input: &Value, word: &str) -> bool {
    [input, &input["Items"][0], &input["is"]].iter().any(|asked| **asked == word)
}

/// A worker that says how far it is, and hangs on what is to hang.
fn workers(builder: Builder) -> Builder {
    builder
        .handle("work", |job: JobContext, input: Value| async move {
            if is(&input, "broken") {
                return Err(JobError::new("Mine", "it is broken"));
            }
            job.report(ProgressReport {
                percent: Some(40),
                message: Some("at the files".into()),
                processed: Some(4),
                total: Some(10),
            });
            if is(&input, "hang") {
                job.cancel_token().cancelled().await;
                return Err(JobError::cancelled());
            }
            Ok(json!({"done": input}))
        })
        .handle("ask", |_: JobContext, _: Value| async move { Ok(Value::Null) })
}

fn task(resource: &str, fields: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": resource});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state
}

fn batches(distributed: bool, fields: Value) -> Value {
    let mode = if distributed { "DISTRIBUTED" } else { "INLINE" };
    let mut state = json!({"Type": "Map", "MaxConcurrency": 1, "End": true,
        "ItemBatcher": {"MaxItemsPerBatch": 1},
        "ItemProcessor": {"ProcessorConfig": {"Mode": mode}, "StartAt": "P",
            "States": {"P": task("work", json!({"End": true}))}}});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "Split", "States": {"Split": state}})
}

/// Workflows with an input, and the status or waiting that is their moment.
fn workflows() -> Vec<(&'static str, Value, Value, &'static str)> {
    let work = |next: &str| task("work", json!({"Next": next, "Parameters": {"is": "all"}}));
    let tolerant = json!({"ToleratedFailureCount": 2});
    vec![
        (
            "rests",
            json!({"StartAt": "A", "States": {"A": work("B"),
            "B": {"Type": "Wait", "Seconds": 900, "Next": "C"}, "C": work("D"),
            "D": {"Type": "Succeed"}}}),
            json!({}),
            "timer",
        ),
        (
            "asks",
            json!({"StartAt": "A", "States": {"A": work("B"),
            "B": task("ask.waitForTaskToken", json!({"End": true,
                "Parameters": {"token.$": "$$.Task.Token"}}))}}),
            json!({}),
            "callback",
        ),
        (
            "retries",
            json!({"StartAt": "A", "States": {"A": task("work", json!({"End": true,
            "Retry": [{"ErrorEquals": ["Mine"], "IntervalSeconds": 600}]}))}}),
            json!("broken"),
            "retry",
        ),
        (
            "works",
            json!({"StartAt": "A", "States": {"A": work("B"),
            "B": task("work", json!({"Parameters": {"is": "hang"}, "End": true}))}}),
            json!({}),
            "working",
        ),
        (
            "splits",
            batches(false, tolerant.clone()),
            json!(["a", "broken", "hang", "b"]),
            "working",
        ),
        ("spreads", batches(true, tolerant), json!(["a", "broken", "hang", "b"]), "execution"),
        ("fails", batches(false, json!({})), json!(["a", "broken", "b"]), "failed"),
        ("spoils", batches(true, json!({})), json!(["a", "broken", "b"]), "failed"),
        (
            "begins",
            json!({"StartAt": "A", "States": {"A": task("states:startExecution.sync:2",
            json!({"End": true, "Parameters": {"StateMachineArn": "works"}}))}}),
            json!({}),
            "execution",
        ),
        (
            "catches",
            json!({"StartAt": "A", "States": {"A": task("work", json!({"Next": "B",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]})),
            "B": {"Type": "Succeed"}}}),
            json!("broken"),
            "completed_with_errors",
        ),
    ]
}

/// Where an execution stands, as the list above says it.
fn moment(program: &Program, execution: &Execution) -> String {
    let card = Card::of(program, execution, execution.updated_at);
    let tells = |job: &everstep::engine::Job| {
        job.status == JobStatus::Running && (job.percent == Some(40) || job.child.is_some())
    };
    match card.waiting {
        Some(waiting) => waiting.reason.as_str().to_owned(),
        None if execution.status.is_terminal() => card.status.to_owned(),
        // A worker is at its moment when it has said how far it is.
        None if execution.jobs.values().any(tells) => "working".to_owned(),
        None => "on its way".to_owned(),
    }
}

type Views = Vec<(ExecutionId, String, String)>;

/// Metadata and result of an execution, as bytes.
fn views(world: &World, program: &Program, execution: &Execution) -> (String, String) {
    let now = world.clock.now();
    let card = Card::of(program, execution, now);
    let result = ResultCard::of(program, execution, now);
    (serde_json::to_string(&card).unwrap(), serde_json::to_string(&result).unwrap())
}

async fn all_views(world: &World, system: &Orchestrator) -> Views {
    let mut all = Vec::new();
    for row in system.list_rows(Rows::All, 1000).await.unwrap() {
        let execution = system.execution(row.id).await.unwrap();
        let program = system.program(execution.definition).unwrap();
        let (card, result) = views(world, &program, &execution);
        all.push((row.id, card, result));
    }
    all
}

/// Brings every workflow to its moment; one more is cancelled in its second batch.
async fn at_their_moments(world: &World, system: &Orchestrator, checkpoint: bool) -> Views {
    for (name, definition, _, _) in workflows() {
        system.deploy(name, &definition.to_string(), Format::Json).await.unwrap();
    }
    let cancelled = system.start("splits", json!(["a", "hang", "b"])).await.unwrap();
    reach(system, cancelled, "working").await;
    for (index, (name, _, input, at)) in workflows().into_iter().enumerate() {
        let id = system.start(name, input).await.unwrap();
        reach(system, id, at).await;
        if checkpoint && index == 4 {
            system.checkpoint().await;
        }
        world.clock.advance(std::time::Duration::from_secs(7));
    }
    system.cancel(cancelled, "me", Some("enough")).await.unwrap();
    within(system.ended(cancelled)).await.unwrap();
    all_views(world, system).await
}

async fn reach(system: &Orchestrator, id: ExecutionId, wanted: &str) {
    let mut events = system.events(1, None);
    within(async {
        loop {
            let execution = system.execution(id).await.unwrap();
            let program = system.program(execution.definition).unwrap();
            let child = execution.jobs.values().find_map(|job| Some(job.child.as_ref()?.execution));
            let parts = execution.frames.values().find_map(|frame| frame.map_run());
            let child = child.or_else(|| Some(*parts?.children.keys().next()?));
            // What waits for an execution is at its moment when that is, and has told how far it is.
            let below = match child {
                None => true,
                Some(child) => match system.execution(child).await {
                    Ok(child) => {
                        let heard = execution
                            .jobs
                            .values()
                            .all(|job| job.child.is_none() || job.percent == Some(child.progress));
                        heard && moment(&program_of(system, &child), &child) == "working"
                    }
                    Err(_) => false,
                },
            };
            let told = parts.is_none_or(|run| run.children.values().all(|part| part.percent == 40));
            if moment(&program, &execution) == wanted && below && told {
                break;
            }
            events.next().await.unwrap();
        }
    })
    .await;
}

fn program_of(system: &Orchestrator, execution: &Execution) -> Arc<Program> {
    system.program(execution.definition).unwrap()
}

async fn crash_and_look(checkpoint: bool) {
    let mut world = World::new();
    let first = world.open(workers).await;
    let before = at_their_moments(&world, &first, checkpoint).await;
    drop(first);

    // The log at rest, from the checkpoint on where there is one.
    let archive = Archive::open(world.store.clone()).await.unwrap();
    for (id, card, result) in &before {
        let execution = archive.execution(*id).await.unwrap();
        let program = archive.program(execution.definition).unwrap();
        let after = views(&world, &program, &execution);
        assert_eq!((&after.0, &after.1), (card, result), "read from the log at rest");
        let replayed = world.replayed(*id).await;
        assert_eq!(views(&world, &program, &replayed), after, "folded from the first event");
    }

    // A system that goes on: what no worker had is as it was.
    let second = world.open(workers).await;
    let mut compared = 0;
    for (id, card, result) in &before {
        let replayed = world.replayed(*id).await;
        let program = program_of(&second, &replayed);
        let was: Value = serde_json::from_str(card).unwrap();
        let at_work = was["active_sub_jobs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|job| job["status"] == "running" && was["waiting"] == Value::Null);
        if at_work || was["waiting"]["reason"] == "execution" {
            continue;
        }
        let execution = second.execution(*id).await.unwrap();
        let after = views(&world, &program, &execution);
        assert_eq!((&after.0, &after.1), (card, result), "recovered");
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} were at rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_results_are_the_same_to_the_byte_after_a_crash() {
    crash_and_look(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_results_are_the_same_to_the_byte_after_a_crash_behind_a_checkpoint() {
    crash_and_look(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_results_have_the_names_that_the_seed_gave_them() {
    let mut world = World::new();
    let system = world.open(workers).await;
    let views = at_their_moments(&world, &system, false).await;
    let view = |workflow: &str, status: &str| -> (Value, Value) {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let mut found = views.iter().map(|(_, card, result)| (read(card), read(result)));
        let is_it = |card: &Value| {
            card["workflow"] == workflow && card["status"] == status && card["step_name"] != "P"
        };
        found.find(|(card, _)| is_it(card)).unwrap()
    };
    let (card, _) = view("works", "running");
    assert_eq!((&card["current_step"], &card["total_steps"]), (&json!(2), &json!(2)));
    assert_eq!((&card["step_name"], &card["message"]), (&json!("B"), &json!("at the files")));
    let job = &card["active_sub_job"];
    let id = format!("{}:2", card["id"].as_str().unwrap());
    assert_eq!(
        (&job["id"], &job["type"], &job["status"], &job["progress"]),
        (&json!(id), &json!("work"), &json!("running"), &json!(40))
    );
    assert_eq!((&job["processed"], &job["total"]), (&json!(4), &json!(10)));
    assert_eq!(&card["active_sub_jobs"][0], job);

    let (card, result) = view("splits", "cancelled");
    assert_eq!(card["active_sub_job"], Value::Null, "nothing dangles");
    let step = &result["steps"]["Split"];
    assert_eq!((&step["status"], &step["total_batches"]), (&json!("cancelled"), &json!(3)));
    assert_eq!(step["batches"][0]["result"], json!({"done": {"Items": ["a"]}}));
    assert_eq!(step["batches"][0]["status"], "completed", "the first batch is not lost");

    for workflow in ["fails", "spoils"] {
        let (_, result) = view(workflow, "failed");
        assert_eq!((&result["status"], &result["output"]), (&json!("failed"), &Value::Null));
        let step = &result["steps"]["Split"];
        assert_eq!((&step["failed_batches"], &step["total_batches"]), (&json!(1), &json!(3)));
        let statuses: Vec<&Value> =
            step["batches"].as_array().unwrap().iter().map(|batch| &batch["status"]).collect();
        assert_eq!(statuses, ["completed", "failed"], "{workflow}");
        let failed = &step["batches"][1];
        assert_eq!((&failed["index"], &failed["error"]["error"]), (&json!(1), &json!("Mine")));
        assert_eq!(failed["execution"].is_string(), workflow == "spoils");
    }

    let (_, result) = view("catches", "completed_with_errors");
    let step = &result["steps"]["A"];
    assert_eq!((&step["status"], &step["error"]["error"]), (&json!("failed"), &json!("Mine")));
    assert!(step["job_id"].is_string() && step["duration_seconds"].is_number());
    assert_eq!(result["summary"]["total_errors"], 1);

    let (card, result) = view("begins", "running");
    let child = &result["steps"]["A"]["execution"];
    assert!(child.is_string() && card["steps"][0]["execution"] == *child);
    // Half of the child is done, and two fifths of the other half.
    assert_eq!((&card["progress"], &card["active_sub_job"]["progress"]), (&json!(70), &json!(70)));
    let (card, _) = view("rests", "running");
    assert_eq!(card["seconds_left"], Value::Null, "it waits for a time");
    let (_, result) = view("rests", "running");
    assert_eq!(result["summary"]["total_items_processed"], 4);
    let (card, _) = view("spreads", "running");
    // Two of four batches, and two fifths of the third.
    assert_eq!(card["progress"], 60);
}
