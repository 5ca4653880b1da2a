//! Distributed Maps: an execution for each part.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::only;
use crate::engine::event::MapRunWish;
use crate::engine::execution::Activity;
use crate::engine::own_jobs::{READ_ITEMS, WRITE_RESULTS};
use crate::engine::{
    ChildEnd, Command, Effect, Execution, ExecutionId, Failure, FrameId, JobId, Link, Status,
    Timestamp, pending_effects,
};
use crate::language::Json;

fn map(fields: Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "work", "End": true}}}});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    only(state)
}

/// The parts under way: index, id, input.
fn parts(run: &Run) -> Vec<(u32, ExecutionId, Value)> {
    let Activity::Forked(fork) = &run.execution.frames[&FrameId::ROOT].activity else {
        panic!("no Map is open")
    };
    let children = &fork.run.as_ref().unwrap().children;
    let mut parts: Vec<_> =
        children.iter().map(|(id, part)| (part.index, *id, part.input.value())).collect();
    parts.sort_by_key(|part| part.0);
    parts
}

fn end(output: Option<Value>) -> Option<Box<ChildEnd>> {
    let failed = output.is_none();
    Some(Box::new(ChildEnd {
        workflow: "w".into(),
        name: None,
        input: Json::null(),
        status: if failed { Status::Failed } else { Status::Completed },
        output: output.map(Json::from),
        failure: failed.then(|| Failure::new("Mine", "as told")),
        started_at: Timestamp(1_700_000_000_000),
        ended_at: Timestamp(1_700_000_000_000),
    }))
}

fn complete(run: &mut Run, child: ExecutionId, output: Value) {
    run.when(Command::ChildEnded { child, end: end(Some(output)) });
}

#[test]
fn each_item_is_an_execution_and_results_keep_their_order() {
    let mut run = given(&map(json!({}))).started(&json!(["a", "b", "c"]));
    assert_eq!(run.count("ItemStarted"), 3);
    let open = parts(&run);
    assert_eq!(open.iter().map(|part| &part.2).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(pending_effects(&run.execution).len(), 3);
    for (index, child, _) in open.iter().rev() {
        complete(&mut run, *child, json!(index * 10));
    }
    assert_eq!(run.output(), json!([0, 10, 20]));
    assert_eq!(run.execution.progress, 100);
}

#[test]
fn an_unchanged_item_is_not_written_again_and_a_shaped_one_is() {
    let kept = given(&map(json!({}))).started(&json!(["long"]));
    let shaped = given(&map(json!({"ItemSelector": {"v.$": "$$.Map.Item.Value"}})))
        .started(&json!(["long"]));
    let written = |run: &Run| {
        run.last.iter().any(|event| match event {
            crate::engine::Event::ItemStarted(body) => {
                matches!(body.input, crate::engine::Data::New(_))
            }
            _ => false,
        })
    };
    assert!(!written(&kept) && written(&shaped));
    assert_eq!(parts(&shaped)[0].2, json!({"v": "long"}));
}

#[test]
fn entries_of_an_object_are_items_with_keys() {
    let object = json!({"b": {"n": 2}, "a": [1]});
    let run = given(&map(json!({}))).started(&object);
    let inputs: Vec<Value> = parts(&run).into_iter().map(|part| part.2).collect();
    assert_eq!(inputs, [json!({"Key": "b", "Value": {"n": 2}}), json!({"Key": "a", "Value": [1]})]);
    let selector = json!({"ItemsPath": "$.o", "ItemSelector": {"key.$": "$$.Map.Item.Key",
        "value.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index",
        "source.$": "$$.Map.Item.Source"}});
    let mut run = given(&map(selector)).started(&json!({"o": object}));
    let open = parts(&run);
    assert_eq!(open[1].2, json!({"key": "a", "value": [1], "index": 1, "source": "STATE_DATA"}));
    for (index, child, _) in open {
        complete(&mut run, child, json!(index));
    }
    assert_eq!(run.output(), json!([0, 1]));
    let batches = json!({"ItemBatcher": {"MaxItemsPerBatch": 2}});
    let run = given(&map(batches)).started(&json!({"x": 1, "y": 2, "z": 3}));
    assert_eq!(parts(&run)[1].2, json!({"Items": [{"Key": "z", "Value": 3}]}));
}

#[test]
fn an_array_has_no_keys_and_a_file_is_the_source_of_its_items() {
    let selector = json!({"v.$": "$$.Map.Item.Key"});
    let run = given(&map(json!({"ItemSelector": selector}))).started(&json!([1]));
    assert_eq!(run.error(), "States.Runtime");
    let mut run = given(&map(json!({"ItemSelector": {"from.$": "$$.Map.Item.Source"},
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "in", "Key.$": "$.key"},
            "ReaderConfig": {"InputType": "JSON"}}})))
    .started(&json!({"key": "a.json"}));
    run.complete(1, &json!({"one": 1}));
    assert_eq!(parts(&run)[0].2, json!({"from": "s3://in/a.json"}));
}

#[test]
fn a_file_without_items_is_a_failure_of_reading() {
    let mut run = given(&map(json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "in", "Key": "k"}, "ReaderConfig": {"InputType": "JSON"}}})))
    .started(&json!({}));
    run.complete(1, &json!("text"));
    assert_eq!(run.error(), "States.ItemReaderFailed");
    assert_eq!(run.cause(), "Attempting to map over non-iterable node.");
}

#[test]
fn a_number_of_items_to_read_fails_as_on_aws() {
    let outcome = |most: Value| {
        let run = given(&map(json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "in", "Key": "k"},
            "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$.most"}}})))
        .started(&json!({"most": most}));
        (run.error(), run.cause())
    };
    assert_eq!(
        outcome(json!(-1)),
        ("States.ItemReaderFailed".into(), "field MaxItems must be positive".into())
    );
    let cause =
        "The MaxItemsPath field refers to value \"1.5\" which is not a valid integer: $.most";
    assert_eq!(outcome(json!(1.5)), ("States.Runtime".into(), cause.into()));
}

#[test]
fn batches_run_within_the_concurrency() {
    let fields = json!({"MaxConcurrency": 2, "ItemBatcher": {"MaxItemsPerBatch": 2}});
    let mut run = given(&map(fields)).started(&json!([1, 2, 3, 4, 5]));
    assert_eq!(parts(&run).len(), 2);
    let (_, first, input) = parts(&run).remove(0);
    assert_eq!(input, json!({"Items": [1, 2]}));
    complete(&mut run, first, json!("one"));
    assert_eq!(parts(&run).iter().map(|part| part.0).collect::<Vec<_>>(), [1, 2]);
    for (_, child, _) in parts(&run) {
        complete(&mut run, child, json!("more"));
    }
    assert_eq!(run.output(), json!(["one", "more", "more"]));
}

#[test]
fn one_failure_too_many_stops_the_others_and_the_end_waits_for_them() {
    let mut run = given(&map(json!({}))).started(&json!([1, 2]));
    let open = parts(&run);
    run.when(Command::ChildEnded { child: open[0].1, end: end(None) });
    assert_eq!(run.names(), "ItemFailed ItemCancelled ExecutionClosing");
    let stop = Effect::StopChild { child: open[1].1 };
    assert_eq!(pending_effects(&run.execution), [stop]);
    run.when(Command::ChildEnded { child: open[1].1, end: None });
    assert_eq!(run.error(), "States.ExceedToleratedFailureThreshold");
}

#[test]
fn tolerated_failures_leave_the_results_of_the_other_executions() {
    let mut run = given(&map(json!({"ToleratedFailureCount": 1}))).started(&json!([1, 2]));
    let open = parts(&run);
    run.when(Command::ChildEnded { child: open[0].1, end: end(None) });
    complete(&mut run, open[1].1, json!("b"));
    let failed = json!({"Status": "FAILED", "Error": "Mine", "Cause": "as told"});
    assert_eq!(run.output(), json!([failed, "b"]));
    assert_eq!(run.status(), "completed_with_errors");
}

#[test]
fn errors_of_parts_count_unless_they_are_to_be_ignored() {
    let fields = json!({"ToleratedFailureCount": 1, "CountErrors": "ignore"});
    let mut run = given(&map(fields)).started(&json!([1, 2]));
    let open = parts(&run);
    run.when(Command::ChildEnded { child: open[0].1, end: end(None) });
    complete(&mut run, open[1].1, json!("b"));
    assert_eq!((run.status(), run.execution.total_errors), ("completed", 0));
    let mut run = given(&map(json!({}))).started(&json!([1]));
    let child = parts(&run)[0].1;
    let with_errors = end(Some(json!(1))).map(|mut end| {
        end.status = Status::CompletedWithErrors;
        end
    });
    run.when(Command::ChildEnded { child, end: with_errors });
    assert_eq!((run.status(), run.execution.total_errors), ("completed_with_errors", 1));
}

#[test]
fn a_batch_that_fails_counts_as_all_its_items() {
    let fields = json!({"ItemBatcher": {"MaxItemsPerBatch": 2}, "ToleratedFailureCount": 2});
    let mut run = given(&map(fields)).started(&json!([1, 2, 3, 4, 5]));
    let open = parts(&run);
    run.when(Command::ChildEnded { child: open[0].1, end: end(None) });
    assert_eq!(run.names(), "ItemFailed", "two may fail");
    run.when(Command::ChildEnded { child: open[2].1, end: end(None) });
    run.when(Command::ChildEnded { child: open[1].1, end: None });
    assert_eq!(run.error(), "States.ExceedToleratedFailureThreshold");
    let cause = &run.execution.failure.as_ref().unwrap().cause;
    assert_eq!(
        &**cause,
        "The specified tolerated failure threshold was exceeded: 3 of 5 items failed, and 2 may. \
         The last failed with Mine: as told"
    );
}

#[test]
fn a_cancel_stops_every_part() {
    let mut run = given(&map(json!({}))).started(&json!([1, 2]));
    let open = parts(&run);
    run.cancel();
    assert_eq!(run.names(), "CancelRequested ItemCancelled ItemCancelled");
    run.when(Command::ChildEnded { child: open[0].1, end: None });
    run.when(Command::ChildEnded { child: open[1].1, end: end(Some(json!(1))) });
    assert_eq!(run.status(), "cancelled");
}

#[test]
fn parts_of_a_map_run_do_not_count_against_the_limit_on_a_history() {
    let mut run = given(&map(json!({}))).limits(|limits| limits.history_events = 8);
    run = run.started(&json!([1, 2, 3, 4, 5, 6]));
    for (_, child, _) in parts(&run) {
        complete(&mut run, child, json!(1));
    }
    assert_eq!(run.status(), "completed");
    assert!(run.history.len() > 12);
}

#[test]
fn no_items_are_no_parts() {
    let run = given(&map(json!({}))).started(&json!([]));
    assert_eq!(run.output(), json!([]));
}

#[test]
fn items_are_read_by_a_job_of_ours_before_the_map_opens() {
    let mut run = given(&map(json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "in", "Key.$": "$.key"},
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2}}})))
    .started(&json!({"key": "a.csv"}));
    assert_eq!(&*run.execution.jobs[&JobId(1)].job_type, READ_ITEMS);
    let asked = run.job_input(1);
    assert_eq!(asked["Resource"], "s3:getObject");
    assert_eq!(asked["Arguments"], json!({"Bucket": "in", "Key": "a.csv"}));
    assert_eq!(asked["ReaderConfig"]["InputType"], "CSV");
    assert_eq!(asked["ReaderConfig"]["MaxItems"], 2);
    run.report(1, Some(90), None);
    assert_eq!(run.execution.progress, 0, "reading is not the work");
    run.complete(1, &json!([{"id": "1"}, {"id": "2"}]));
    assert_eq!((run.execution.progress, run.execution.steps["A"].attempts), (0, 1));
    let open = parts(&run);
    assert_eq!(open[1].2, json!({"id": "2"}));
    for (index, child, _) in open {
        complete(&mut run, child, json!(index));
    }
    assert_eq!(run.output(), json!([0, 1]));
}

#[test]
fn a_file_that_cannot_be_read_is_a_failure_of_the_map() {
    let mut run = given(&map(json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "in", "Key": "k"}, "ReaderConfig": {"InputType": "JSON"}},
        "Retry": [{"ErrorEquals": ["States.ItemReaderFailed"]}]})))
    .started(&json!({}));
    run.fail(1, "States.ItemReaderFailed");
    run.fire_next();
    run.complete(1, &json!([1]));
    assert_eq!(parts(&run).len(), 1);
}

#[test]
fn results_are_written_by_a_job_of_ours_after_the_last_part() {
    let writer = json!({"Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "out", "Prefix.$": "$.prefix"}});
    let fields = json!({"ItemsPath": "$.items", "ResultWriter": writer,
        "ResultPath": "$.written"});
    let mut run = given(&map(fields)).started(&json!({"items": [1, 2], "prefix": "p"}));
    for (index, child, _) in parts(&run) {
        complete(&mut run, child, json!(index));
    }
    assert_eq!(&*run.execution.jobs[&JobId(1)].job_type, WRITE_RESULTS);
    assert_eq!(run.execution.progress, 99, "the work is done");
    let asked = run.job_input(1);
    assert_eq!(asked["Arguments"], json!({"Bucket": "out", "Prefix": "p"}));
    assert_eq!(asked["Execution"], run.execution.id.to_string());
    run.complete(1, &json!({"MapRunArn": "x"}));
    assert_eq!(run.output()["written"], json!({"MapRunArn": "x"}));
}

#[test]
fn with_a_writer_the_parent_keeps_neither_outputs_nor_failures() {
    let writer = json!({"Resource": "s3:putObject", "Parameters": {"Bucket": "out"}});
    let fields = json!({"ResultWriter": writer, "ToleratedFailureCount": 1});
    let mut run = given(&map(fields)).started(&json!([1, 2, 3]));
    let open = parts(&run);
    run.when(Command::ChildEnded { child: open[0].1, end: end(None) });
    complete(&mut run, open[1].1, json!("large"));
    let fork = run.execution.frames[&FrameId::ROOT].fork().unwrap();
    assert!(fork.outputs.is_empty(), "{:?}", fork.outputs);
}

#[test]
fn results_that_outgrow_the_limit_fail_the_map() {
    let mut run = given(&map(json!({"MaxConcurrency": 1}))).limits(|limits| {
        limits.items_bytes = 100;
        limits.payload_bytes = 100;
    });
    run = run.started(&json!([1, 2, 3]));
    for _ in 0..2 {
        let child = parts(&run)[0].1;
        complete(&mut run, child, json!("x".repeat(60)));
    }
    assert_eq!(run.error(), "States.DataLimitExceeded");
}

/// Starts what the Map of another execution begins for one of its items.
fn start_as_part(run: &mut Run) {
    let link = Link::Item { frame: FrameId::ROOT, index: 4, map: "A".into() };
    run.start_for(ExecutionId(uuid::Uuid::nil()), link, &json!("item"));
}

#[test]
fn a_part_runs_the_processor_of_its_map_and_nothing_else() {
    let mut run = given(&map(json!({})));
    start_as_part(&mut run);
    assert_eq!(run.job_input(1), json!("item"));
    run.complete(1, &json!("done"));
    assert_eq!(run.output(), json!("done"));
    assert!(!context_has_map(), "the item comes as the input");
    let steps: Vec<&str> = run.execution.steps.keys().map(|name| &**name).collect();
    assert_eq!(steps, ["P"]);
}

/// Whether the states of a part see `Map` in the context object.
fn context_has_map() -> bool {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {
        "Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "P", "States": {"P": {
                "Type": "Succeed", "Output": "{% $exists($states.context.Map) %}"}}}}}});
    let mut run = given(&definition);
    start_as_part(&mut run);
    run.output() == json!(true)
}

#[test]
fn a_part_that_ended_is_known_by_its_parent_once() {
    let mut run = given(&map(json!({"MaxConcurrency": 1}))).started(&json!([1, 2]));
    let child = parts(&run)[0].1;
    complete(&mut run, child, json!(1));
    let again = Command::ChildEnded { child, end: end(Some(json!(1))) };
    assert_eq!(run.try_command(again).unwrap_err().code(), "CHILD_NOT_OPEN");
    let open: &Execution = &run.execution;
    assert_eq!(open.progress, 50);
}

fn change(run: &Run, wish: MapRunWish) -> Command {
    let open = run.execution.frames[&FrameId::ROOT].map_run().unwrap();
    Command::ChangeMapRun { run: open.id, wish, by: "me".into() }
}

#[test]
fn a_run_that_may_have_more_at_work_begins_them_at_once_and_one_that_may_less_waits() {
    let mut run = given(&map(json!({"MaxConcurrency": 2}))).started(&json!([1, 2, 3, 4, 5]));
    assert_eq!(parts(&run).len(), 2);
    let concurrency = |most| MapRunWish { concurrency: Some(most), ..MapRunWish::default() };
    run.when(change(&run, concurrency(4)));
    assert_eq!(
        (run.names().as_str(), parts(&run).len()),
        ("MapRunChanged ItemStarted ItemStarted", 4)
    );
    run.when(change(&run, concurrency(1)));
    let open = parts(&run);
    assert_eq!((run.names().as_str(), open.len()), ("MapRunChanged", 4));
    for (index, child, _) in open {
        complete(&mut run, child, json!(index));
    }
    assert_eq!(parts(&run).len(), 1, "the last begins when no other is at work");
}

#[test]
fn a_tolerance_that_is_raised_holds_for_failures_to_come() {
    let mut run = given(&map(json!({}))).started(&json!([1, 2]));
    let open = parts(&run);
    let tolerated_thousandths = Some(50_000);
    run.when(change(&run, MapRunWish { tolerated_thousandths, ..MapRunWish::default() }));
    run.when(Command::ChildEnded { child: open[0].1, end: end(None) });
    complete(&mut run, open[1].1, json!(2));
    assert_eq!(run.status(), "completed_with_errors");
}

#[test]
fn only_a_run_that_is_open_is_changed_and_only_when_something_is_wished() {
    let mut run = given(&map(json!({}))).started(&json!([1]));
    let nothing = change(&run, MapRunWish::default());
    assert_eq!(run.try_command(nothing).unwrap_err().code(), "NOTHING_TO_DO");
    let wish = MapRunWish { concurrency: Some(1), ..MapRunWish::default() };
    let other = Command::ChangeMapRun { run: uuid::Uuid::nil(), wish, by: "me".into() };
    assert_eq!(run.try_command(other).unwrap_err().code(), "NO_OPEN_MAP_RUN");
    let late = change(&run, wish);
    let child = parts(&run)[0].1;
    complete(&mut run, child, json!(1));
    assert_eq!(run.try_command(late).unwrap_err().code(), "NOT_IN_STATUS");
}
