//! Parallel and Map.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::{only, only_jsonata};
use crate::engine::EngineLimits;
use crate::engine::kept::MOST_FAILED_PARTS;

fn job_machine(name: &str) -> Value {
    json!({"StartAt": name, "States": {name: {"Type": "Task", "Resource": "work", "End": true}}})
}

fn parallel(fields: &Value) -> Value {
    let mut state = json!({"Type": "Parallel", "End": true,
        "Branches": [job_machine("X"), job_machine("Y"), job_machine("Z")]});
    merge(&mut state, fields);
    only(state)
}

fn merge(state: &mut Value, fields: &Value) {
    let state = state.as_object_mut().unwrap();
    state.extend(fields.as_object().unwrap().clone());
}

fn map(fields: &Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": job_machine("P")});
    merge(&mut state, fields);
    only(state)
}

#[test]
fn parallel_gives_results_in_the_order_of_its_branches() {
    let mut run = given(&parallel(&json!({}))).started(&json!({"a": 1}));
    assert_eq!(run.open_jobs(), [1, 2, 3]);
    assert_eq!(run.job_input(3), json!({"a": 1}));
    for job in [2, 3, 1] {
        run.complete(job, &json!(job));
    }
    assert_eq!(run.output(), json!([1, 2, 3]));
}

#[test]
fn a_branch_that_fails_cancels_its_siblings() {
    let mut run = given(&parallel(&json!({}))).started(&json!({}));
    let token = run.take(3);
    run.complete(1, &json!(1));
    run.fail(2, "Mine");
    assert_eq!(run.names(), "JobFailed FrameFailed JobCancelled FrameCancelled ExecutionFailed");
    assert_eq!(run.error(), "Mine");
    let late = crate::engine::Command::CompleteJob {
        job: crate::engine::JobId(3),
        token,
        output: crate::language::Json::null(),
        errors: 0,
    };
    assert_eq!(run.try_command(late).unwrap_err().code(), "NOT_IN_STATUS");
}

#[test]
fn a_parallel_that_is_retried_begins_all_branches_again() {
    let retry = json!({"Retry": [{"ErrorEquals": ["States.ALL"]}]});
    let mut run = given(&parallel(&retry)).started(&json!({}));
    run.complete(1, &json!(1));
    run.fail(2, "Mine");
    assert_eq!(run.execution.frames.len(), 1);
    run.fire_next();
    for job in [4, 5, 6] {
        run.complete(job, &json!(job));
    }
    assert_eq!(run.output(), json!([4, 5, 6]));
}

#[test]
fn a_map_runs_each_item_within_its_concurrency() {
    let mut run = given(&map(&json!({"MaxConcurrency": 2}))).started(&json!(["a", "b", "c"]));
    assert_eq!(run.open_jobs(), [1, 2]);
    assert_eq!(run.job_input(2), json!("b"));
    run.complete(2, &json!("B"));
    assert_eq!(run.open_jobs(), [1, 3]);
    run.complete(3, &json!("C"));
    run.complete(1, &json!("A"));
    assert_eq!(run.output(), json!(["A", "B", "C"]));
}

#[test]
fn a_map_without_items_is_done() {
    assert_eq!(given(&map(&json!({}))).started(&json!([])).output(), json!([]));
}

#[test]
fn a_map_over_what_is_no_array_fails() {
    assert_eq!(given(&map(&json!({}))).started(&json!({})).error(), "States.Runtime");
    let run = given(&map(&json!({}))).limits(|limits| limits.map_items = 2);
    assert_eq!(run.started(&json!([1, 2, 3])).error(), "States.Runtime");
}

#[test]
fn an_inline_map_over_an_object_fails_by_its_language() {
    let object = json!({"a": 1});
    let by_path = |path: &str, shown: &str| {
        let run = given(&map(&json!({"ItemsPath": path}))).started(&object);
        assert_eq!(run.error(), "States.Runtime");
        assert_eq!(run.cause(), format!("Reference path \"{shown}\" must point to array."));
    };
    by_path("$", "$");
    by_path("$.a", "$.a");
    by_path("$$.Execution.Input", "$.Execution.Input");
    let in_jsonata = |mut state: Value, cause: &str| {
        merge(&mut state, &json!({"Type": "Map", "End": true, "ItemProcessor": job_machine("P")}));
        let run = given(&only_jsonata(state)).started(&object);
        assert_eq!(run.error(), "States.QueryEvaluationError");
        assert_eq!(run.cause(), cause);
    };
    in_jsonata(
        json!({"Items": "{% $states.input %}"}),
        "The JSONata expression '$states.input' specified for the field 'Items' returned an \
         unexpected result type. Expected 'array', but was 'object' for value: {\"a\":1}",
    );
    in_jsonata(
        json!({"Items": "{% 1 %}"}),
        "The JSONata expression '1' specified for the field 'Items' returned an unexpected result \
         type. Expected 'array', but was 'number' for value: 1",
    );
    in_jsonata(json!({}), "Map state input must be an array but was: {\"a\":1}");
}

#[test]
fn a_path_to_items_that_leads_nowhere_is_a_conflict() {
    let cause = |path: &str| {
        let run = given(&map(&json!({"ItemsPath": path}))).started(&json!({"a": {"b": []}}));
        assert_eq!(run.error(), "States.ReferencePathConflict");
        run.cause()
    };
    assert_eq!(cause("$.a.c"), "Unable to apply step \"c\" to input {\"a\":{\"b\":[]}}");
    assert_eq!(cause("$.x.y"), "Unable to apply step \"x\" to input {\"a\":{\"b\":[]}}");
    assert_eq!(cause("$.a.b[0]"), "Unable to apply step \"0\" to input {\"a\":{\"b\":[]}}");
}

#[test]
fn a_map_runs_no_more_items_at_once_than_aws_lets_it() {
    let run = |limits: EngineLimits, asked: u32| {
        let definition = map(&json!({"MaxConcurrency": asked}));
        let items: Vec<u32> = (0..50).collect();
        given(&definition).limits(|own| *own = limits).started(&json!(items)).open_jobs().len()
    };
    assert_eq!(run(EngineLimits::aws(), 45), 40);
    assert_eq!(run(EngineLimits::aws(), 3), 3);
    assert_eq!(run(EngineLimits::aws(), 0), 40);
    assert_eq!(run(EngineLimits::default(), 45), 45);
}

#[test]
fn an_item_selector_sees_the_item_and_the_input() {
    let fields = json!({"ItemsPath": "$.list", "ItemSelector": {
        "item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "all.$": "$.k"}});
    let run = given(&map(&fields)).started(&json!({"list": [7, 8], "k": true}));
    assert_eq!(run.job_input(2), json!({"item": 8, "index": 1, "all": true}));
    let jsonata = json!({"Type": "Map", "End": true, "Items": "{% $states.input.list %}",
        "ItemSelector": {"v": "{% $states.context.Map.Item.Value * 2 %}"},
        "ItemProcessor": job_machine("P")});
    let run = given(&only_jsonata(jsonata)).started(&json!({"list": [7, 8]}));
    assert_eq!(run.job_input(2), json!({"v": 16}));
}

#[test]
fn batches_hold_items_and_what_they_share() {
    let fields = json!({"ItemsPath": "$.list", "ItemBatcher": {
        "MaxItemsPerBatch": 2, "BatchInput": {"k.$": "$.k"}}});
    let mut run = given(&map(&fields)).started(&json!({"list": [1, 2, 3], "k": "v"}));
    assert_eq!(run.open_jobs(), [1, 2]);
    assert_eq!(run.job_input(1), json!({"BatchInput": {"k": "v"}, "Items": [1, 2]}));
    assert_eq!(run.job_input(2), json!({"BatchInput": {"k": "v"}, "Items": [3]}));
    run.complete(1, &json!("x"));
    run.complete(2, &json!("y"));
    assert_eq!(run.output(), json!(["x", "y"]));
}

#[test]
fn a_batch_over_the_payload_limit_fails_the_map() {
    let fields = json!({"ItemBatcher": {"MaxItemsPerBatch": 9}});
    let run = given(&map(&fields)).limits(|limits| limits.payload_bytes = 30);
    let items = json!(["0123456789", "0123456789"]);
    assert_eq!(run.started(&items).status(), "running");
    let selector = json!({"ItemBatcher": {"MaxItemsPerBatch": 9},
        "ItemSelector": {"text": "0123456789"}});
    let run = given(&map(&selector)).limits(|limits| limits.payload_bytes = 30);
    assert_eq!(run.started(&json!([1, 2, 3])).error(), "States.DataLimitExceeded");
}

#[test]
fn tolerated_failures_stand_among_the_results_as_what_they_are() {
    let fields = json!({"ToleratedFailureCount": 1});
    let mut run = given(&map(&fields)).started(&json!([1, 2, 3]));
    run.fail(2, "Mine");
    assert_eq!(run.status(), "running");
    run.complete(1, &json!(1));
    run.complete(3, &json!(3));
    let failed = json!({"Status": "FAILED", "Error": "Mine", "Cause": "as told"});
    assert_eq!(run.output(), json!([1, failed, 3]));
    assert_eq!((run.status(), run.execution.total_errors), ("completed_with_errors", 1));
}

#[test]
fn one_failure_too_many_fails_the_map() {
    let fields = json!({"ToleratedFailurePercentage": 50});
    let mut run = given(&map(&fields)).started(&json!([1, 2, 3]));
    run.fail(1, "One");
    assert_eq!(run.status(), "running");
    run.fail(2, "Two");
    assert_eq!(run.error(), "States.ExceedToleratedFailureThreshold");
    assert_eq!(
        run.cause(),
        "The specified tolerated failure threshold was exceeded: 2 of 3 items failed, and 1 may. \
         The last failed with Two: as told"
    );
    assert_eq!(run.count("FrameCancelled"), 1);
}

#[test]
fn a_map_inside_a_parallel_keeps_its_own_variables() {
    let inner = json!({"Type": "Map", "End": true, "MaxConcurrency": 1,
        "Items": [1, 2], "ItemProcessor": {"StartAt": "P", "States": {
            "P": {"Type": "Pass", "Assign": {"seen": "{% $states.input %}"}, "Next": "Q"},
            "Q": {"Type": "Task", "Resource": "work", "Arguments": "{% [$outer, $seen] %}",
                "End": true}}}});
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {
        "S": {"Type": "Pass", "Assign": {"outer": "o"}, "Next": "F"},
        "F": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "M", "States": {"M": inner}}, job_machine("X")]}}});
    let mut run: Run = given(&definition).started(&json!({}));
    let mut inputs = Vec::new();
    while run.status() == "running" {
        let job = run.open_jobs()[0];
        inputs.push(run.job_input(job));
        run.complete(job, &json!(job));
    }
    assert!(inputs.contains(&json!(["o", 1])) && inputs.contains(&json!(["o", 2])), "{inputs:?}");
    assert_eq!(run.output().as_array().unwrap().len(), 2);
}

#[test]
fn a_tolerance_of_nothing_is_none_beside_the_other_one() {
    let fails = |count: u32, percent: u32, failures: u32| {
        let fields = json!({"ToleratedFailureCount": count, "ToleratedFailurePercentage": percent});
        let mut run = given(&map(&fields)).started(&json!([1, 2, 3]));
        for job in 1..=failures {
            run.fail(job, "Mine");
        }
        run.status() == "failed"
    };
    assert!(fails(0, 0, 1));
    assert!(!fails(0, 50, 1) && fails(0, 50, 2));
    assert!(!fails(1, 0, 1) && fails(1, 0, 2));
}

#[test]
fn of_many_failed_parts_none_is_remembered_as_an_output() {
    let mut run = given(&map(&json!({"ToleratedFailureCount": 148})));
    run = run.started(&json!(vec![0; 150]));
    run.complete(1, &json!("well"));
    (2..=150).for_each(|job| run.fail(job, "Mine"));
    assert_eq!(run.error(), "States.ExceedToleratedFailureThreshold");
    let (_, step) = run.execution.steps.first().unwrap();
    assert_eq!((step.parts_failed, step.kept.failed.len()), (149, MOST_FAILED_PARTS));
    assert_eq!(step.kept.outputs.keys().collect::<Vec<_>>(), [&0]);
}

#[test]
fn a_tolerated_percentage_need_not_be_whole() {
    let fails = |fields: Value, failures: u32| {
        let mut run = given(&map(&fields)).started(&json!({"list": [1, 2, 3, 4, 5, 6, 7, 8],
            "p": 12.5, "text": "12.5"}));
        for job in 1..=failures {
            run.fail(job, "Mine");
        }
        run.status() == "failed"
    };
    for name in ["ToleratedFailurePercentage", "ToleratedFailurePercentagePath"] {
        let values = if name.ends_with("Path") {
            vec![json!("$.p"), json!("$.text")]
        } else {
            vec![json!(12.5)]
        };
        for value in values {
            let fields = json!({"ItemsPath": "$.list", name: value});
            assert!(!fails(fields.clone(), 1) && fails(fields, 2), "{name}");
        }
    }
}

#[test]
fn numbers_that_do_not_fit_a_map_fail_in_the_words_of_aws() {
    let cause = |name: &str, value: Value| {
        let fields = json!({"ItemsPath": "$.list", format!("{name}Path"): "$.v"});
        let run = given(&map(&fields)).started(&json!({"list": [1], "v": value}));
        assert_eq!(run.error(), "States.Runtime");
        run.cause()
    };
    let (count, percent) = ("ToleratedFailureCount", "ToleratedFailurePercentage");
    assert_eq!(
        cause("MaxConcurrency", json!("NoNumber")),
        "The MaxConcurrencyPath field refers to value \"NoNumber\" which is not a valid integer: $.v"
    );
    assert_eq!(
        cause(count, json!({})),
        "The ToleratedFailureCountPath field refers to value \"{}\" which is not a valid integer: \
         $.v"
    );
    assert_eq!(cause(count, json!(-1)), "ToleratedFailureCount cannot be negative.");
    assert_eq!(
        cause(percent, json!("NoNumber")),
        "The ToleratedFailurePercentagePath field refers to value \"NoNumber\" which is not a valid \
         float: $.v"
    );
    for value in [-1.0, -1.1, 100.1] {
        let expected = "ToleratedFailurePercentage must be between 0 and 100.";
        assert_eq!(cause(percent, json!(value)), expected);
    }
    let state = json!({"Type": "Map", "End": true, "Items": [1],
        "MaxConcurrency": "{% $states.input %}", "ItemProcessor": job_machine("P")});
    let run = given(&only_jsonata(state)).started(&json!("3"));
    assert_eq!(run.error(), "States.QueryEvaluationError");
    assert_eq!(
        run.cause(),
        "The JSONata expression '$states.input' specified for the field 'MaxConcurrency' returned \
         an unexpected result type. Expected 'number', but was 'string' for value: \"3\""
    );
}

#[test]
fn each_item_that_ends_moves_progress() {
    let fields = json!({"ToleratedFailureCount": 1});
    let mut run = given(&map(&fields)).started(&json!([1, 2, 3, 4]));
    run.complete(1, &json!(1));
    assert_eq!(run.execution.progress, 25);
    run.fail(2, "Mine");
    assert_eq!(run.execution.progress, 50);
    run.complete(3, &json!(3));
    assert_eq!(run.execution.progress, 75);
}

#[test]
fn numbers_of_a_map_may_come_from_its_input() {
    let fields = json!({"ItemsPath": "$.list", "MaxConcurrencyPath": "$.two",
        "ToleratedFailureCountPath": "$.two", "ToleratedFailurePercentagePath": "$.most"});
    let input = json!({"list": [1, 2, 3], "two": 2, "most": 99});
    let mut run = given(&map(&fields)).started(&input);
    assert_eq!(run.open_jobs(), [1, 2]);
    run.fail(1, "One");
    run.fail(2, "Two");
    run.complete(3, &json!("C"));
    assert_eq!((run.status(), &run.output()[2]), ("completed_with_errors", &json!("C")));

    let batcher = json!({"ItemsPath": "$.list", "ItemBatcher": {"MaxItemsPerBatchPath": "$.two"}});
    let run = given(&map(&batcher)).started(&input);
    assert_eq!(run.job_input(1), json!({"Items": [1, 2]}));
    let batcher =
        json!({"ItemsPath": "$.list", "ItemBatcher": {"MaxInputBytesPerBatchPath": "$.two"}});
    let run = given(&map(&batcher)).started(&json!({"list": [1, 22, 3], "two": 2}));
    assert_eq!(
        (run.job_input(1), run.job_input(2)),
        (json!({"Items": [1]}), json!({"Items": [22]}))
    );
}
