//! Data through the stages of a state.

use serde_json::{Value, json};

use super::kit::given;
use super::{only, only_jsonata, task};

/// What the worker gets, and the output, when it answers `result`.
fn through(state: Value, input: &Value, result: &Value) -> (Value, Value) {
    let mut run = given(&only(task(state))).started(input);
    let got = run.job_input(1);
    run.complete_only(result);
    (got, run.output())
}

#[test]
fn the_five_stages_follow_each_other() {
    let state = json!({
        "InputPath": "$.in",
        "Parameters": {"x.$": "$.a", "fixed": true, "who.$": "$$.State.Name"},
        "ResultSelector": {"y.$": "$.b"},
        "ResultPath": "$.out",
        "OutputPath": "$.out",
    });
    let (got, output) = through(state, &json!({"in": {"a": 1}}), &json!({"b": 2, "c": 3}));
    assert_eq!(got, json!({"x": 1, "fixed": true, "who": "A"}));
    assert_eq!(output, json!({"y": 2}));
}

#[test]
fn result_path_writes_into_the_raw_input() {
    let state = json!({"InputPath": "$.in", "ResultPath": "$.deep.out"});
    let (got, output) = through(state, &json!({"in": 1}), &json!(9));
    assert_eq!((got, output), (json!(1), json!({"in": 1, "deep": {"out": 9}})));
    let (_, kept) = through(json!({"ResultPath": null}), &json!({"a": 1}), &json!(9));
    assert_eq!(kept, json!({"a": 1}));
}

#[test]
fn null_paths_are_empty_objects() {
    let state = json!({"InputPath": null, "OutputPath": null});
    assert_eq!(through(state, &json!({"a": 1}), &json!(9)), (json!({}), json!({})));
}

#[test]
fn a_path_that_leads_nowhere_fails_with_its_stage() {
    let error = |state: Value| {
        let mut run = given(&only(task(state))).started(&json!({"a": [1]}));
        if run.status() == "running" {
            run.complete_only(&json!({"r": 1}));
        }
        (run.error(), run.cause())
    };
    let runtime = |cause: &str| ("States.Runtime".to_owned(), cause.to_owned());
    assert_eq!(
        error(json!({"Parameters": {"x.$": "$.none"}})),
        runtime(
            "The JSONPath '$.none' specified for the field 'x.$' could not be found in the input \
             '{\"a\":[1]}'"
        )
    );
    assert_eq!(
        error(json!({"ResultSelector": {"x.$": "$.none"}})),
        runtime(
            "The JSONPath '$.none' specified for the field 'x.$' could not be found in the input \
             '{\"r\":1}'"
        )
    );
    assert_eq!(
        error(json!({"OutputPath": "$.none"})),
        runtime("Invalid path '$.none' : No results for path: $['none']")
    );
    assert_eq!(
        error(json!({"ResultPath": "$.a.b"})),
        (
            "States.ReferencePathConflict".to_owned(),
            "Unable to apply step \"b\" to input {\"a\":[1]}".to_owned()
        )
    );
    let query = task(json!({"Arguments": "{% $states.input.a + 'x' %}"}));
    let run = given(&only_jsonata(query)).started(&json!({"a": 1}));
    assert_eq!(run.error(), "States.QueryEvaluationError");
}

#[test]
fn an_intrinsic_function_that_fails_cannot_be_caught() {
    let failed = |function: &str| {
        let definition = json!({"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": "work", "End": true,
                "Parameters": {"x.$": function},
                "Catch": [{"ErrorEquals": ["States.IntrinsicFailure"], "Next": "B"},
                    {"ErrorEquals": ["States.ALL"], "Next": "B"}]},
            "B": {"Type": "Succeed"}}});
        let run = given(&definition).started(&json!({"other": 1}));
        assert_eq!(run.error(), "States.Runtime");
        run.cause()
    };
    assert_eq!(
        failed("States.Format('{} {}', States.Array($.other), $.a.b)"),
        "The function 'States.Format('{} {}', States.Array($.other), $.a.b)' had the following \
         error: The JsonPath argument for the field '$.a.b' could not be found in the input \
         '{\"other\":1}'"
    );
    assert_eq!(
        failed("States.Format('{}', $$.Nope.Deep)"),
        "The function 'States.Format('{}', $$.Nope.Deep)' had the following error: The JsonPath \
         argument for the field '$.Nope.Deep' could not be found in the input '{\"other\":1}'"
    );
    let cause = failed("States.MathAdd('a', 1)");
    assert!(cause.starts_with("The function 'States.MathAdd('a', 1)' had the following error: "));
}

#[test]
fn a_reference_path_that_does_not_fit_can_be_caught() {
    let definition = |names: &str| {
        json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "work", "ResultPath": "$.a.b", "End": true,
            "Catch": [{"ErrorEquals": [names], "Next": "B"}]},
        "B": {"Type": "Succeed"}}})
    };
    for (names, end) in [
        ("States.ReferencePathConflict", "completed_with_errors"),
        ("States.ALL", "completed_with_errors"),
        ("States.ResultPathMatchFailure", "failed"),
    ] {
        let mut run = given(&definition(names)).started(&json!({"a": [1]}));
        run.complete_only(&json!(1));
        assert_eq!(run.status(), end, "{names}");
    }
}

#[test]
fn assigned_variables_are_seen_by_later_states() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "work", "Assign": {"v.$": "$.b", "w": 1}, "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"v.$": "$v", "w.$": "$w"}, "End": true}}});
    let mut run = given(&definition).started(&json!({}));
    run.complete_only(&json!({"b": 2}));
    assert_eq!(run.output(), json!({"v": 2, "w": 1}));
}

#[test]
fn every_assignment_sees_the_variables_as_they_were() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x": "{% $y %}", "y": "{% $x %}"}, "Next": "C"},
        "C": {"Type": "Succeed", "Output": "{% [$x, $y] %}"}}});
    assert_eq!(given(&definition).started(&json!({})).output(), json!([2, 1]));
}

#[test]
fn the_context_object_names_execution_state_and_machine() {
    let state = json!({"Type": "Pass", "Parameters": {
        "id.$": "$$.Execution.Id", "input.$": "$$.Execution.Input.a",
        "start.$": "$$.Execution.StartTime", "entered.$": "$$.State.EnteredTime",
        "machine.$": "$$.StateMachine.Name"}, "End": true});
    let run = given(&only(state)).started(&json!({"a": 1}));
    assert_eq!(
        run.output(),
        json!({
        "id": run.execution.id.to_string(), "input": 1, "machine": "w",
        "start": "2023-11-14T22:13:20.000Z", "entered": "2023-11-14T22:13:20.000Z"})
    );
    let jsonata = json!({"Type": "Succeed", "Output": "{% $states.context.State.Name %}"});
    assert_eq!(given(&only_jsonata(jsonata)).started(&json!({})).output(), json!("A"));
}

#[test]
fn data_over_the_limit_fails_the_state() {
    let double = json!({"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": true});
    let run = given(&only(double)).limits(|limits| limits.payload_bytes = 60);
    let run = run.started(&json!("x".repeat(40)));
    assert_eq!(run.error(), "States.DataLimitExceeded");
    assert_eq!(
        run.cause(),
        "The state/task 'A' returned a result with a size exceeding the maximum number of bytes \
         service limit. It has 95 bytes, and 60 is the most."
    );
}

#[test]
fn a_result_over_the_limit_is_called_by_its_resource() {
    for (resource, name) in [
        ("work", "work"),
        ("arn:aws:states:::lambda:invoke", "lambda"),
        (
            "arn:aws:lambda:eu-west-1:111111111111:function:f",
            "arn:aws:lambda:eu-west-1:111111111111:function:f",
        ),
    ] {
        let state = json!({"Type": "Task", "Resource": resource, "End": true});
        let mut run = given(&only(state)).limits(|limits| limits.payload_bytes = 60);
        run = run.started(&json!({}));
        run.complete_only(&json!("x".repeat(70)));
        assert_eq!(run.error(), "States.DataLimitExceeded");
        let start = format!("The state/task '{name}' returned a result with a size exceeding ");
        assert!(run.cause().starts_with(&start), "{}", run.cause());
    }
}

#[test]
fn variables_have_limits_of_their_own() {
    let long = "x".repeat(40);
    let twice = json!({"Type": "Pass", "Assign": {"a": long, "b": long}, "End": true});
    let run = given(&only(twice)).limits(|limits| limits.payload_bytes = 80);
    assert_eq!(run.started(&json!({})).error(), "States.DataLimitExceeded");
    let definition = |second: &str| {
        json!({"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Assign": {"a": long}, "Next": "B"},
            "B": {"Type": "Pass", "Assign": {second: long}, "End": true}}})
    };
    let ended = |second: &str| {
        let run = given(&definition(second)).limits(|limits| limits.variables_bytes = 80);
        run.started(&json!({})).status()
    };
    assert_eq!((ended("a"), ended("b")), ("completed", "failed"));
}

#[test]
fn joined_results_over_the_limit_fail_the_state() {
    let map = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "P", "States": {
        "P": {"Type": "Pass", "Result": "0123456789", "End": true}}}});
    let run = given(&only(map)).limits(|limits| limits.payload_bytes = 30);
    assert_eq!(run.started(&json!([1, 2, 3])).error(), "States.DataLimitExceeded");
}
