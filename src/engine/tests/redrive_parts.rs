//! Parallel and Map after a redrive: only what was not done is done.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::{only, task};
use crate::engine::execution::Fork;
use crate::engine::own_jobs::WRITE_RESULTS;
use crate::engine::{
    ChildEnd, Command, ExecutionId, Failure, FrameId, JobId, RedriveRequest, Status, Timestamp,
};
use crate::language::Json;

fn job_machine(name: &str) -> Value {
    json!({"StartAt": name, "States": {name: {"Type": "Task", "Resource": "work", "End": true}}})
}

fn merged(mut state: Value, fields: Value) -> Value {
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    only(state)
}

fn map(fields: Value) -> Value {
    merged(json!({"Type": "Map", "End": true, "ItemProcessor": job_machine("P")}), fields)
}

fn distributed(fields: Value) -> Value {
    let mut processor = job_machine("P");
    processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    merged(json!({"Type": "Map", "End": true, "ItemProcessor": processor}), fields)
}

fn fork(run: &Run) -> &Fork {
    run.execution.frames[&FrameId::ROOT].fork().unwrap()
}

/// Parts of a distributed Map that are under way: which, and the execution.
fn parts(run: &Run) -> Vec<(u32, ExecutionId)> {
    let children = &fork(run).run.as_ref().unwrap().children;
    let mut parts: Vec<_> = children.iter().map(|(id, part)| (part.index, *id)).collect();
    parts.sort_by_key(|part| part.0);
    parts
}

fn ended(run: &mut Run, child: ExecutionId, status: Status, output: Value) {
    let failed = status == Status::Failed;
    let end = ChildEnd {
        workflow: "w".into(),
        name: None,
        input: Json::null(),
        status,
        output: (!failed).then(|| output.into()),
        failure: failed.then(|| Failure::new("Mine", "as told")),
        started_at: Timestamp(1_700_000_000_000),
        ended_at: Timestamp(1_700_000_000_000),
    };
    run.when(Command::ChildEnded { child, end: Some(Box::new(end)) });
}

fn inputs(run: &Run) -> Vec<Value> {
    run.execution.jobs.values().map(|job| job.input.value()).collect()
}

#[test]
fn of_a_map_only_the_batches_that_failed_run_again() {
    let fields = json!({"ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"k": 1}},
        "MaxConcurrency": 1});
    let mut run = given(&map(fields)).started(&json!([0, 1, 2, 3, 4, 5, 6]));
    run.complete_only(&json!("b0"));
    run.complete_only(&json!("b1"));
    run.fail_only("Mine");
    assert_eq!((run.status(), run.execution.progress), ("failed", 75));
    run.redrive();
    assert_eq!(
        run.names(),
        "ExecutionRedriven StateEntered ForkStarted PartsKept FrameStarted StateEntered JobScheduled"
    );
    assert_eq!(run.execution.progress, 50, "what is kept is done");
    assert_eq!(inputs(&run), [json!({"BatchInput": {"k": 1}, "Items": [4, 5]})]);
    let step = &run.execution.steps["A"];
    assert_eq!((step.parts, step.parts_completed, step.attempts), (4, 2, 2));
    run.complete_only(&json!("b2"));
    run.complete_only(&json!("b3"));
    assert_eq!(run.output(), json!(["b0", "b1", "b2", "b3"]));
    assert_eq!(run.count("JobScheduled"), 5, "no batch that was done ran again");
}

#[test]
fn parts_that_were_stopped_run_again_in_between_those_that_are_kept() {
    let mut run = given(&map(json!({}))).started(&json!(["a", "b", "c", "d", "e"]));
    run.complete(2, &json!(1));
    run.complete(4, &json!(3));
    run.cancel();
    run.redrive();
    assert_eq!(inputs(&run), ["a", "c", "e"]);
    for (job, index) in [(6, 0), (7, 2), (8, 4)] {
        run.complete(job, &json!(index));
    }
    assert_eq!(run.output(), json!([0, 1, 2, 3, 4]));
}

#[test]
fn what_is_kept_twice_is_kept() {
    let mut run = given(&map(json!({"MaxConcurrency": 1}))).started(&json!(["a", "b", "c"]));
    run.complete_only(&json!(0));
    run.fail_only("Mine");
    run.redrive();
    run.complete_only(&json!(1));
    run.fail_only("Mine");
    run.redrive();
    assert_eq!(inputs(&run), ["c"]);
    assert_eq!(run.execution.progress, 66);
    run.complete_only(&json!(2));
    assert_eq!(run.output(), json!([0, 1, 2]));
}

#[test]
fn of_a_parallel_only_the_branches_that_were_not_done_run_again() {
    let branches = json!([job_machine("X"), job_machine("Y"), job_machine("Z")]);
    let state = json!({"Type": "Parallel", "End": true, "Branches": branches});
    let mut run = given(&only(state)).started(&json!({"n": 1}));
    run.complete(2, &json!("y"));
    run.fail(1, "Mine");
    run.redrive();
    assert_eq!(run.open_jobs(), [4, 5]);
    assert_eq!(inputs(&run), [json!({"n": 1}), json!({"n": 1})]);
    run.complete(5, &json!("z"));
    run.complete(4, &json!("x"));
    assert_eq!(run.output(), json!(["x", "y", "z"]));
}

#[test]
fn a_changed_input_keeps_no_parts() {
    let mut run = given(&map(json!({"MaxConcurrency": 1}))).started(&json!(["a", "b"]));
    run.complete_only(&json!(0));
    run.fail_only("Mine");
    let set = vec![("$[1]".to_owned(), json!("c").into())];
    run.redrive_with(&RedriveRequest { set, ..RedriveRequest::default() });
    assert_eq!(run.count("PartsKept"), 0);
    run.complete_only(&json!(0));
    assert_eq!(inputs(&run), ["c"]);
}

#[test]
fn tolerated_parts_of_what_completed_with_errors_run_again() {
    let fields = json!({"MaxConcurrency": 1, "ToleratedFailureCount": 1});
    let mut run = given(&map(fields)).started(&json!(["a", "b", "c"]));
    run.complete_only(&json!(0));
    run.fail_only("Mine");
    run.complete_only(&json!(2));
    let failed = json!({"Status": "FAILED", "Error": "Mine", "Cause": "as told"});
    assert_eq!((run.status(), run.output()), ("completed_with_errors", json!([0, failed, 2])));
    run.redrive();
    assert_eq!((inputs(&run), run.execution.total_errors), (vec![json!("b")], 0));
    run.complete_only(&json!(1));
    assert_eq!((run.status(), run.output()), ("completed", json!([0, 1, 2])));
}

/// A Map whose parts catch their failures, which count.
fn catching() -> Value {
    let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "Q"}]);
    let processor = json!({"StartAt": "P", "States": {
        "P": task(json!({"Catch": catch})),
        "Q": {"Type": "Pass", "Result": "saved", "End": true}}});
    let state =
        json!({"Type": "Map", "End": true, "ItemProcessor": processor, "MaxConcurrency": 1});
    only(state)
}

#[test]
fn a_part_that_dealt_with_its_failure_is_kept_with_its_error_when_another_one_failed() {
    let mut definition = catching();
    definition["States"]["A"]["Next"] = json!("B");
    definition["States"]["A"].as_object_mut().unwrap().remove("End");
    definition["States"]["B"] = task(json!({}));
    let mut run = given(&definition).started(&json!(["a", "b"]));
    run.fail_only("Mine");
    run.cancel();
    assert_eq!(run.status(), "cancelled");
    run.redrive();
    assert_eq!((inputs(&run), run.execution.total_errors), (vec![json!("b")], 1));
    run.complete_only(&json!(1));
    assert_eq!(run.execution.frames[&FrameId::ROOT].data.value(), json!(["saved", 1]));
    run.fail_only("Mine");
    run.redrive();
    assert_eq!(run.execution.total_errors, 1, "the error of what is kept counts on");
}

#[test]
fn a_part_with_errors_runs_again_when_it_is_for_the_errors() {
    let mut run = given(&catching()).started(&json!(["a", "b"]));
    run.fail_only("Mine");
    run.complete_only(&json!(1));
    assert_eq!(run.status(), "completed_with_errors");
    run.redrive();
    assert_eq!((inputs(&run), run.execution.total_errors), (vec![json!("a")], 0));
    run.complete_only(&json!(0));
    assert_eq!((run.status(), run.output()), ("completed", json!([0, 1])));
}

#[test]
fn a_map_that_had_nothing_left_to_do_is_done_anew_when_it_is_named() {
    let mut definition = map(json!({"MaxConcurrency": 1}));
    definition["States"]["A"]["Next"] = json!("B");
    definition["States"]["A"].as_object_mut().unwrap().remove("End");
    definition["States"]["B"] = task(json!({}));
    let mut run = given(&definition).started(&json!(["a", "b"]));
    run.complete_only(&json!(0));
    run.complete_only(&json!(1));
    run.fail_only("Mine");
    let from = Some("A".into());
    run.redrive_with(&RedriveRequest { from, ..RedriveRequest::default() });
    assert_eq!((run.count("PartsKept"), inputs(&run)), (0, vec![json!("a")]));
}

#[test]
fn a_map_that_was_caught_keeps_what_it_had_done() {
    let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "B"}]);
    let mut definition = map(json!({"MaxConcurrency": 1, "Catch": catch}));
    definition["States"]["B"] = json!({"Type": "Succeed"});
    let mut run = given(&definition).started(&json!(["a", "b"]));
    run.complete_only(&json!(0));
    run.fail_only("Mine");
    assert_eq!(run.status(), "completed_with_errors");
    run.redrive();
    assert_eq!(inputs(&run), ["b"]);
    run.complete_only(&json!(1));
    assert_eq!((run.status(), run.output()), ("completed", json!([0, 1])));
}

#[test]
fn of_a_distributed_map_the_executions_that_succeeded_are_kept() {
    let mut run = given(&distributed(json!({}))).started(&json!(["a", "b", "c"]));
    let first = parts(&run);
    let map_run = fork(&run).run.as_ref().unwrap().id;
    ended(&mut run, first[0].1, Status::Completed, json!(0));
    ended(&mut run, first[1].1, Status::Failed, json!(null));
    run.when(Command::ChildEnded { child: first[2].1, end: None });
    assert_eq!(run.status(), "failed");
    run.redrive();
    let second = parts(&run);
    assert_eq!(second.iter().map(|part| part.0).collect::<Vec<_>>(), [1, 2]);
    assert!(second.iter().all(|part| first.iter().all(|before| before.1 != part.1)), "new ones");
    assert_eq!(fork(&run).run.as_ref().unwrap().id, map_run, "the run goes on");
    for (index, child) in second {
        ended(&mut run, child, Status::Completed, json!(index));
    }
    assert_eq!(run.output(), json!([0, 1, 2]));
}

#[test]
fn with_a_writer_the_outputs_stay_where_they_are_and_are_written_with_the_others() {
    let writer = json!({"Resource": "s3:putObject", "Parameters": {"Bucket": "out"}});
    let fields = json!({"ResultWriter": writer, "MaxConcurrency": 1});
    let mut run = given(&distributed(fields)).started(&json!(["a", "b"]));
    let child = parts(&run)[0].1;
    ended(&mut run, child, Status::Completed, json!(0));
    let child = parts(&run)[0].1;
    ended(&mut run, child, Status::Failed, json!(null));
    run.redrive();
    assert!(fork(&run).outputs.is_empty());
    let open = parts(&run);
    assert_eq!(open.iter().map(|part| part.0).collect::<Vec<_>>(), [1]);
    ended(&mut run, open[0].1, Status::Completed, json!(1));
    assert_eq!(&*run.execution.jobs[&JobId(1)].job_type, WRITE_RESULTS);
    // All that is left is to write.
    run.fail_only("States.ResultWriterFailed");
    assert_eq!(run.status(), "failed");
    run.redrive();
    assert_eq!(run.open_jobs(), [2]);
    assert_eq!(&*run.execution.jobs[&JobId(2)].job_type, WRITE_RESULTS);
    assert_eq!(run.count("ItemStarted"), 3);
    run.complete_only(&json!({"MapRunArn": "x"}));
    assert_eq!(run.status(), "completed");
}

#[test]
fn items_that_were_read_are_not_read_again() {
    let reader = json!({"Resource": "s3:getObject", "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "in", "Key": "k.json"}});
    let fields = json!({"ItemReader": reader, "MaxConcurrency": 1});
    let mut run = given(&distributed(fields)).started(&json!({}));
    run.complete_only(&json!(["a", "b"]));
    let child = parts(&run)[0].1;
    ended(&mut run, child, Status::Completed, json!(0));
    let child = parts(&run)[0].1;
    ended(&mut run, child, Status::Failed, json!(null));
    run.redrive();
    assert_eq!((run.count("JobScheduled"), parts(&run).len()), (1, 1));
    let child = parts(&run)[0].1;
    assert_eq!(fork(&run).run.as_ref().unwrap().children[&child].input.value(), json!("b"));
}

/// Seed 927 of the simulation.
#[test]
fn an_item_that_succeeded_inside_of_a_part_does_not_make_the_part_done() {
    let inner = distributed(json!({}))["States"]["A"].clone();
    let processor = json!({"StartAt": "I", "States": {"I": inner}});
    let map = json!({"Type": "Map", "End": true, "ItemProcessor": processor});
    let mut run = given(&only(map)).started(&json!([["a", "b"]]));
    let open = |run: &Run| {
        let runs = run.execution.frames.values().filter_map(|frame| frame.map_run());
        runs.flat_map(|run| run.children.keys().copied()).collect::<Vec<_>>()
    };
    let children = open(&run);
    ended(&mut run, children[0], Status::Completed, json!(0));
    run.when(Command::ChildEnded { child: children[1], end: None });
    assert_eq!(run.status(), "failed");
    run.redrive();
    assert_eq!((run.count("PartsKept"), open(&run).len()), (0, 2));
}

/// Seed 1283 of the simulation.
#[test]
fn parts_of_a_step_that_was_taken_back_are_none_of_the_step_before_it() {
    let branches = json!([job_machine("X"), job_machine("Y")]);
    let state = json!({"Type": "Parallel", "End": true, "Branches": branches});
    let mut run = given(&json!({"StartAt": "A", "States": {
        "A": task(json!({"Next": "B"})),
        "B": state}}))
    .started(&json!({}));
    run.complete_only(&json!({}));
    run.complete(2, &json!("x"));
    run.fail(3, "Mine");
    run.redrive();
    run.fail_only("Mine");
    let from = Some("A".into());
    run.redrive_with(&RedriveRequest { from, ..RedriveRequest::default() });
    assert_eq!(run.names(), "ExecutionRedriven StateEntered JobScheduled");
}
