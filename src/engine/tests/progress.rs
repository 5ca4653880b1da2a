//! How far an execution is: over any workflow, any reports and any crash, and where the numbers come
//! from.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::{only, task};
use crate::engine::{Command, Event, Execution, ExecutionId, JobId, Program, Status, Token};
use crate::language::{self, Format, Options};
use crate::testing::generate;
use crate::testing::simulate::Simulation;

/// Whether progress may begin anew with this event: a redrive is a new attempt of the execution.
fn begins_a_new_attempt(event: &Event) -> bool {
    event.name() == "ExecutionRedriven"
}

/// Holds the rules of progress over a history, event by event.
fn hold(simulation: &Simulation) -> Result<(), String> {
    let mut execution = Execution::new(simulation.execution.id);
    for (event, at) in &simulation.history {
        let before = execution.progress;
        execution.apply(event, *at);
        let (after, status) = (execution.progress, execution.status);
        let fault = |what: &str| {
            Err(format!("{what}: {before}% to {after}% at event {}, {event:?}", execution.sequence))
        };
        if after < before && !begins_a_new_attempt(event) {
            return fault("progress falls");
        }
        let completed = matches!(status, Status::Completed | Status::CompletedWithErrors);
        if (after == 100) != completed || after > 100 {
            return fault("100 is for what completed, and for all of that");
        }
        if status.is_terminal() && !completed && after != before {
            return fault("the end without success moves progress");
        }
        if status == Status::Cancelling && after != before {
            return fault("a cancelled execution goes on");
        }
        let says_no_number = matches!(event, Event::JobProgressed(body)
            if body.percent.is_none() && body.processed.is_none() && body.total.is_none());
        if says_no_number && after != before {
            return fault("words move progress");
        }
        if execution.seconds_left().is_some() && status != Status::Running {
            return fault("what does not run has no time left");
        }
    }
    Ok(())
}

#[test]
fn progress_keeps_its_rules_over_any_workflow_reports_and_crashes() {
    let seeds = std::env::var("EVERSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    let (mut rises, mut lost) = (0, 0);
    for seed in 0..seeds.unwrap_or(600) {
        let text = generate::definition(seed).to_string();
        let workflow = language::parse(&text, Format::Json, &Options::default()).unwrap();
        let mut simulation = Simulation::new(Program::new(workflow), seed);
        simulation.run().unwrap();
        if let Err(fault) = hold(&simulation) {
            panic!("seed {seed}: {fault}\n{text}");
        }
        let count = |name| simulation.history.iter().filter(|(e, _)| e.name() == name).count();
        (rises, lost) = (rises + count("JobProgressed"), lost + count("AttemptLost"));
    }
    assert!(rises > 60 && lost > 8, "{rises} reports and {lost} crashes are too few");
}

fn tell(run: &mut Run, job: u32, percent: Option<u8>, counted: Option<(u64, u64)>) {
    let job = JobId(job);
    let token = run.execution.jobs[&job].token.unwrap_or(Token([0; 16]));
    let (processed, total) = (counted.map(|c| c.0), counted.map(|c| c.1));
    run.when(Command::ReportProgress { job, token, percent, message: None, processed, total });
}

#[test]
fn counters_stand_beside_percent_and_count_where_there_is_none() {
    let mut run = given(&only(task(json!({})))).started(&json!({}));
    run.take(1);
    tell(&mut run, 1, None, Some((4, 6)));
    assert_eq!(run.execution.progress, 66);
    tell(&mut run, 1, Some(70), Some((4, 6)));
    let job = &run.execution.jobs[&JobId(1)];
    assert_eq!((job.percent, job.processed, job.total), (Some(70), Some(4), Some(6)));
    assert_eq!(run.execution.progress, 70, "what is told outweighs what is counted");
    tell(&mut run, 1, None, Some((600, 6)));
    assert_eq!(run.execution.progress, 70);
    run.complete(1, &json!(null));
    assert_eq!((run.execution.progress, run.execution.items_processed), (100, 600));
}

#[test]
fn a_cancelled_and_a_failed_execution_stay_where_they_were() {
    let two = json!({"StartAt": "A", "States": {
        "A": task(json!({"Next": "B"})), "B": task(json!({}))}});
    let mut run = given(&two).started(&json!({}));
    let token = run.take(1);
    tell(&mut run, 1, Some(80), None);
    run.cancel();
    let (processed, total, message) = (None, None, None);
    let percent = Some(100);
    let late = Command::ReportProgress { job: JobId(1), token, percent, message, processed, total };
    assert_eq!(run.try_command(late).unwrap_err().code(), "NOT_IN_STATUS");
    run.when(Command::AcknowledgeCancel { job: JobId(1), token });
    assert_eq!((run.status(), run.execution.progress), ("cancelled", 40));

    let mut run = given(&two).started(&json!({}));
    run.complete(1, &json!({}));
    run.fail(2, "Mine");
    assert_eq!((run.status(), run.execution.progress), ("failed", 50));
}

fn batched(fields: Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "MaxConcurrency": 2,
        "ItemBatcher": {"MaxItemsPerBatch": 2},
        "ItemProcessor": {"StartAt": "P", "States": {"P": task(json!({}))}}});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    only(state)
}

#[test]
fn batches_count_whole_and_those_that_run_by_their_fraction() {
    let mut run = given(&batched(json!({}))).started(&json!([1, 2, 3, 4, 5, 6, 7, 8]));
    run.take(1);
    run.take(2);
    tell(&mut run, 1, Some(50), None);
    assert_eq!(run.execution.progress, 12);
    tell(&mut run, 2, Some(50), None);
    assert_eq!(run.execution.progress, 25);
    run.complete(1, &json!("one"));
    assert_eq!(run.execution.progress, 37);
    run.complete(2, &json!("two"));
    assert_eq!(run.execution.progress, 50);
}

fn distributed(items: u32) -> (Run, Vec<ExecutionId>) {
    let processor = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED"},
        "StartAt": "P", "States": {"P": task(json!({}))}});
    let map = json!({"Type": "Map", "End": true, "ItemProcessor": processor});
    let items: Vec<u32> = (0..items).collect();
    let run = given(&only(map)).started(&json!(items));
    let root = &run.execution.frames[&crate::engine::FrameId::ROOT];
    let children = root.map_run().unwrap().children.keys().copied().collect();
    (run, children)
}

#[test]
fn parts_of_a_distributed_map_that_run_count_their_fraction_in_steps() {
    let (mut run, parts) = distributed(4);
    run.when(Command::ChildProgressed { child: parts[0], percent: 50 });
    assert_eq!((run.names().as_str(), run.execution.progress), ("ItemProgressed", 12));
    let little = Command::ChildProgressed { child: parts[0], percent: 54 };
    assert_eq!(run.try_command(little).unwrap_err().code(), "NOTHING_TO_DO");
    let back = Command::ChildProgressed { child: parts[0], percent: 20 };
    assert_eq!(run.try_command(back).unwrap_err().code(), "NOTHING_TO_DO");
    run.when(Command::ChildProgressed { child: parts[0], percent: 55 });
    run.when(Command::ChildProgressed { child: parts[1], percent: 100 });
    assert_eq!(run.execution.progress, 38);
}

#[test]
fn a_map_of_many_parts_hears_only_their_ends() {
    let (mut run, parts) = distributed(101);
    let half = Command::ChildProgressed { child: parts[0], percent: 50 };
    assert_eq!(run.try_command(half).unwrap_err().code(), "NOTHING_TO_DO");
}

#[test]
fn what_is_left_is_told_while_something_is_at_work() {
    let definition = json!({"StartAt": "A", "States": {
        "A": task(json!({"Next": "Rest"})),
        "Rest": {"Type": "Wait", "Seconds": 3600, "Next": "B"},
        "B": task(json!({}))}});
    let mut run = given(&definition).started(&json!({}));
    assert_eq!(run.execution.seconds_left(), None, "no worker has it");
    run.now = run.now.plus_seconds(100);
    run.take(1);
    assert_eq!(run.execution.seconds_left(), None, "there is nothing to go by");
    run.now = run.now.plus_seconds(10);
    tell(&mut run, 1, Some(50), None);
    // A sixth took ten seconds; the time before a worker had it does not count.
    assert_eq!((run.execution.progress, run.execution.seconds_left()), (16, Some(53)));
    let estimate = run.execution.jobs[&JobId(1)].estimate();
    assert_eq!((estimate.seconds_left, estimate.rate_per_second), (Some(10), None));
    run.now = run.now.plus_seconds(10);
    run.complete(1, &json!({}));
    assert_eq!(run.execution.seconds_left(), None, "it waits for a time");
    run.fire_next();
    run.now = run.execution.updated_at;
    run.take(2);
    run.now = run.now.plus_seconds(5);
    tell(&mut run, 2, Some(50), Some((50, 100)));
    assert_eq!(run.execution.pace.waited_ms, 3_700_000);
    assert_eq!((run.execution.progress, run.execution.pace.worked_ms), (83, 25_000));
    assert_eq!(run.execution.seconds_left(), Some(5));
    let estimate = run.execution.jobs[&JobId(2)].estimate();
    assert_eq!((estimate.seconds_left, estimate.rate_per_second), (Some(5), Some(10.0)));
    run.cancel();
    assert_eq!(run.execution.seconds_left(), None, "it stops");
    assert_eq!(run.execution.jobs[&JobId(2)].estimate().seconds_left, None);
}

#[test]
fn parts_have_a_rate_once_one_has_ended() {
    let mut run = given(&batched(json!({}))).started(&json!([1, 2, 3, 4, 5, 6, 7, 8]));
    run.take(1);
    run.now = run.now.plus_seconds(10);
    run.complete(1, &json!("one"));
    let root = &run.execution.frames[&crate::engine::FrameId::ROOT];
    let estimate = root.fork().unwrap().estimate(&run.execution, 0.25);
    assert_eq!(estimate.seconds_left, None, "no worker has any of the others");
    run.take(2);
    let root = &run.execution.frames[&crate::engine::FrameId::ROOT];
    let estimate = root.fork().unwrap().estimate(&run.execution, 0.25);
    assert_eq!((estimate.rate_per_second, estimate.seconds_left), (Some(0.1), Some(30)));
}

#[test]
fn a_step_remembers_why_its_parts_failed_and_what_others_gave() {
    let mut run = given(&batched(json!({}))).started(&json!([1, 2, 3, 4]));
    run.complete(1, &json!("one"));
    run.fail(2, "Mine");
    assert_eq!(run.status(), "failed");
    let kept = &run.execution.steps["A"].kept;
    assert_eq!(
        kept.outputs.iter().map(|(i, o)| (*i, o.value())).collect::<Vec<_>>(),
        [(0, json!("one"))]
    );
    assert_eq!((kept.failed[0].index, &*kept.failed[0].failure.error), (1, "Mine"));

    let many = json!({"Type": "Map", "End": true, "ToleratedFailurePercentage": 100,
        "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Fail", "Error": "Mine"}}}});
    let items: Vec<u32> = (0..150).collect();
    let mut run = given(&only(many)).started(&json!(items));
    while !run.execution.ready.is_empty() {
        run.when(Command::Advance);
    }
    let step = &run.execution.steps["A"];
    assert_eq!(
        (run.status(), step.parts_failed, step.kept.failed.len()),
        ("completed_with_errors", 150, 100)
    );
}
