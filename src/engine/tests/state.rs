//! Every state type, in both query languages.

use serde_json::json;

use super::kit::given;
use super::{only, only_jsonata, task};

#[test]
fn pass_gives_its_input_or_its_result() {
    let plain = given(&only(json!({"Type": "Pass", "End": true}))).started(&json!([1]));
    assert_eq!(plain.output(), json!([1]));
    let fixed = json!({"Type": "Pass", "Result": {"x": 1}, "ResultPath": "$.r", "End": true});
    assert_eq!(
        given(&only(fixed)).started(&json!({"a": 1})).output(),
        json!({"a": 1, "r": {"x": 1}})
    );
    let made = json!({"Type": "Pass", "Output": "{% $states.input.a + 1 %}", "End": true});
    assert_eq!(given(&only_jsonata(made)).started(&json!({"a": 1})).output(), json!(2));
}

#[test]
fn succeed_ends_with_its_input_or_output() {
    let path = json!({"Type": "Succeed", "OutputPath": "$.a"});
    assert_eq!(given(&only(path)).started(&json!({"a": 5})).output(), json!(5));
    let jsonata = json!({"Type": "Succeed", "Output": {"n": "{% $states.input.a %}"}});
    assert_eq!(given(&only_jsonata(jsonata)).started(&json!({"a": 5})).output(), json!({"n": 5}));
}

#[test]
fn fail_ends_with_its_error() {
    let fixed = json!({"Type": "Fail", "Error": "Mine", "Cause": "because"});
    assert_eq!(given(&only(fixed)).started(&json!({})).error(), "Mine");
    let path = json!({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"});
    let run = given(&only(path)).started(&json!({"e": "Theirs", "c": "so"}));
    assert_eq!((run.error().as_str(), run.status()), ("Theirs", "failed"));
    let jsonata = json!({"Type": "Fail", "Error": "{% $states.input.e %}"});
    assert_eq!(given(&only_jsonata(jsonata)).started(&json!({"e": "Third"})).error(), "Third");
}

#[test]
fn a_task_gives_its_result() {
    let mut run = given(&only(task(json!({})))).started(&json!({"a": 1}));
    run.complete_only(&json!({"b": 2}));
    assert_eq!(run.output(), json!({"b": 2}));
    assert_eq!(run.names(), "JobSucceeded StateExited ExecutionCompleted");
    assert_eq!((run.status(), run.execution.progress), ("completed", 100));
    let jsonata = task(json!({
        "Arguments": {"n": "{% $states.input.a * 2 %}"}, "Output": "{% $states.result.b %}"}));
    let mut run = given(&only_jsonata(jsonata)).started(&json!({"a": 4}));
    assert_eq!(run.job_input(1), json!({"n": 8}));
    run.complete_only(&json!({"b": 2}));
    assert_eq!(run.output(), json!(2));
}

fn choice() -> serde_json::Value {
    json!({"StartAt": "C", "States": {
        "C": {"Type": "Choice", "Choices": [
            {"Variable": "$.n", "NumericGreaterThan": 5, "Next": "Big"},
            {"Variable": "$.n", "NumericEquals": 5, "Next": "Five"}]},
        "Big": {"Type": "Pass", "Result": "big", "End": true},
        "Five": {"Type": "Pass", "Result": "five", "End": true}}})
}

#[test]
fn choice_takes_the_first_rule_that_holds() {
    assert_eq!(given(&choice()).started(&json!({"n": 6})).output(), json!("big"));
    assert_eq!(given(&choice()).started(&json!({"n": 5})).output(), json!("five"));
}

#[test]
fn choice_without_a_match_takes_default_or_fails() {
    let run = given(&choice()).started(&json!({"n": 1}));
    assert_eq!(run.error(), "States.Runtime");
    let cause = run.execution.failure.as_ref().unwrap().cause.to_string();
    assert!(cause.contains("The state does not point to a next state."), "{cause}");
    let mut with_default = choice();
    with_default["States"]["C"]["Default"] = json!("Five");
    assert_eq!(given(&with_default).started(&json!({"n": 1})).output(), json!("five"));
}

#[test]
fn choice_in_jsonata_shapes_its_output_and_assigns() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "C", "States": {
        "C": {"Type": "Choice", "Default": "End", "Choices": [{
            "Condition": "{% $states.input.n > 1 %}",
            "Output": {"was": "{% $states.input.n %}"},
            "Assign": {"seen": "{% $states.input.n * 10 %}"},
            "Next": "End"}]},
        "End": {"Type": "Pass", "Output": "{% [$states.input, $seen] %}", "End": true}}});
    let run = given(&definition).started(&json!({"n": 2}));
    assert_eq!(run.output(), json!([{"was": 2}, 20]));
}

#[test]
fn wait_waits_for_a_time_span_or_a_moment() {
    let cases = [
        (only(json!({"Type": "Wait", "Seconds": 5, "End": true})), 5000),
        (only(json!({"Type": "Wait", "SecondsPath": "$.s", "End": true})), 7000),
        (only(json!({"Type": "Wait", "Timestamp": "2023-11-14T22:13:21Z", "End": true})), 1000),
        (only(json!({"Type": "Wait", "TimestampPath": "$.t", "End": true})), 2500),
        (
            only_jsonata(
                json!({"Type": "Wait", "Seconds": "{% $states.input.s + 1 %}", "End": true}),
            ),
            8000,
        ),
        (
            only_jsonata(
                json!({"Type": "Wait", "Timestamp": "{% $states.input.t %}", "End": true}),
            ),
            2500,
        ),
    ];
    let input = json!({"s": 7, "t": "2023-11-14T22:13:22.5Z"});
    for (definition, ms) in cases {
        let mut run = given(&definition).started(&input);
        assert_eq!(run.names(), "ExecutionStarted StateEntered WaitStarted");
        assert_eq!(run.fire_next(), ms, "{definition}");
        assert_eq!(run.output(), input);
    }
}

#[test]
fn wait_for_a_moment_that_has_passed_ends_at_once() {
    let past = json!({"Type": "Wait", "Timestamp": "1969-01-01T00:00:00Z", "End": true});
    let mut run = given(&only(past)).started(&json!({}));
    assert_eq!(run.fire_next(), 0);
    assert_eq!(run.status(), "completed");
}

#[test]
fn wait_for_what_is_no_time_fails() {
    let cause = |field: &str, value: serde_json::Value| {
        let wait = json!({"Type": "Wait", field: "$.s", "End": true});
        let run = given(&only(wait)).started(&json!({"s": value}));
        assert_eq!(run.error(), "States.Runtime");
        run.cause()
    };
    assert_eq!(
        cause("SecondsPath", json!(-1)),
        "The SecondsPath parameter references a negative value: $.s == -1"
    );
    for value in [1.5, -1.5] {
        assert_eq!(
            cause("SecondsPath", json!(value)),
            format!("The SecondsPath parameter cannot be parsed as a long value: $.s == {value}")
        );
    }
    assert_eq!(
        cause("TimestampPath", json!("2016-12-05T21:29:29")),
        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time \
         format string: $.s == 2016-12-05T21:29:29"
    );
    let jsonata = |value: serde_json::Value| {
        let wait = json!({"Type": "Wait", "Timestamp": "{% $states.input %}", "End": true});
        given(&only_jsonata(wait)).started(&value).cause()
    };
    assert_eq!(
        jsonata(json!("05-12-2016T21:29:29Z")),
        "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format \
         string: 05-12-2016T21:29:29Z"
    );
    assert_eq!(
        jsonata(json!(5)),
        "The JSONata expression '$states.input' specified for the field 'Timestamp' returned an \
         unexpected result type. Expected 'string', but was 'number' for value: 5"
    );
}

#[test]
fn wait_reads_what_aws_reads_and_names_the_failure_by_its_language() {
    let wait = |field: &str| json!({"Type": "Wait", field: "{% $states.input.v %}", "End": true});
    let outcome = |field: &str, value: serde_json::Value| {
        let run = given(&only_jsonata(wait(field))).started(&json!({"v": value}));
        if run.status() == "running" { "waits".to_owned() } else { run.error() }
    };
    for good in [json!(0), json!(0.0), json!(100_000_000)] {
        assert_eq!(outcome("Seconds", good.clone()), "waits", "{good}");
    }
    for bad in [json!(-1), json!(1.5), json!("3"), json!(null), json!(true), json!(1e10)] {
        assert_eq!(outcome("Seconds", bad.clone()), "States.QueryEvaluationError", "{bad}");
    }
    for good in ["2016-12-05T21:29Z", "2016-12-05t21:29:29z", "2016-12-05T21:29:29+09:00"] {
        assert_eq!(outcome("Timestamp", json!(good)), "waits", "{good}");
    }
    for bad in [json!("2016-12-05 21:29:29Z"), json!("2016-12-05T21:29:29"), json!(5)] {
        assert_eq!(outcome("Timestamp", bad.clone()), "States.QueryEvaluationError", "{bad}");
    }
    let seconds = only(json!({"Type": "Wait", "SecondsPath": "$.v", "End": true}));
    assert_eq!(given(&seconds).started(&json!({"v": "3"})).status(), "running");
    assert_eq!(given(&seconds).started(&json!({"v": 1.5})).error(), "States.Runtime");
}

#[test]
fn a_wait_of_more_than_31_bits_of_seconds_fails() {
    let until = |days: u64| {
        let moment = crate::engine::Timestamp(super::kit::START.0 + days * 86_400_000);
        let wait = only(json!({"Type": "Wait", "TimestampPath": "$.t", "End": true}));
        given(&wait).started(&json!({"t": moment.to_string()}))
    };
    assert_eq!(until(24_855).status(), "running");
    assert_eq!(until(24_856).error(), "States.Runtime");
}

#[test]
fn a_choice_whose_variable_leads_nowhere_fails_unless_it_asks_for_that() {
    let choose = |test: &str| {
        let definition = json!({"StartAt": "C", "States": {
            "C": {"Type": "Choice", "Default": "End", "Choices": [
                {"Variable": "$.none", test: true, "Next": "End"}]},
            "End": {"Type": "Succeed"}}});
        given(&definition).started(&json!({}))
    };
    for test in ["IsString", "IsNull", "BooleanEquals"] {
        let run = choose(test);
        assert_eq!(run.error(), "States.Runtime");
        let cause = run.execution.failure.as_ref().unwrap().cause.to_string();
        assert_eq!(
            cause,
            "Invalid path '$.none': The choice state's condition path references an \
            invalid value."
        );
    }
    assert_eq!(choose("IsPresent").status(), "completed");
}
