//! Single states, against what AWS's TestState is known to answer.

use serde_json::json;

use super::*;
use crate::language::{self, Format};

/// Tests the state `A` of a workflow with further states `B` and `C`.
fn tried(state: Value, change: impl FnOnce(&mut StateTest)) -> Value {
    let answer = try_it(&state, change).unwrap();
    serde_json::to_value(answer).unwrap()
}

fn try_it(state: &Value, change: impl FnOnce(&mut StateTest)) -> Result<TestedState, TestError> {
    let mut test = StateTest::new("A", json!({"v": 1}).into());
    test.level = InspectionLevel::Debug;
    change(&mut test);
    test_state(&program(state), &test, &EngineLimits::default())
}

fn program(state: &Value) -> Program {
    let ways = json!({
        "StartAt": "Way",
        "States": {
            "Way": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.x", "IsPresent": true, "Next": "B"},
                    {"Variable": "$.y", "IsPresent": true, "Next": "C"}
                ],
                "Default": "A"
            },
            "A": state,
            "B": {"Type": "Fail", "Error": "MustNotRun"},
            "C": {"Type": "Fail", "Error": "MustNotRun"}
        }
    });
    let options = language::Options::default();
    let workflow = language::parse(&ways.to_string(), Format::Json, &options);
    Program::new(workflow.unwrap_or_else(|faults| panic!("{faults:#?}")))
}

fn mock(result: Value) -> impl FnOnce(&mut StateTest) {
    |test| test.mock = Some(Ok(result.into()))
}

fn fails(error: &'static str) -> impl FnOnce(&mut StateTest) {
    move |test| test.mock = Some(Err(Failure::new(error, "why")))
}

#[test]
fn a_pass_shows_each_stage_with_its_data() {
    let state = json!({
        "Type": "Pass", "InputPath": "$.initial", "Parameters": {"fixed": 1, "in.$": "$.field"},
        "ResultPath": "$.modified", "End": true
    });
    let input = json!({"initial": {"field": "f", "other": "o"}, "unrelated": 4});
    let shaped = json!({"fixed": 1, "in": "f"});
    let output =
        json!({"initial": {"field": "f", "other": "o"}, "unrelated": 4, "modified": shaped});
    let answer = tried(state, |test| test.input = input.clone().into());
    let expected = json!({
        "status": "SUCCEEDED",
        "output": output,
        "inspectionData": {
            "input": input,
            "afterInputPath": {"field": "f", "other": "o"},
            "afterParameters": shaped,
            "afterResultSelector": shaped,
            "afterResultPath": output,
            "variables": {},
        }
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_pass_with_a_result_shows_no_input_stages() {
    let state = json!({"Type": "Pass", "Result": {"r": 1}, "Next": "B"});
    let expected = json!({
        "status": "SUCCEEDED",
        "output": {"r": 1},
        "nextState": "B",
        "inspectionData": {
            "input": {"v": 1}, "result": {"r": 1}, "afterResultSelector": {"r": 1},
            "afterResultPath": {"r": 1}, "variables": {},
        }
    });
    assert_eq!(tried(state, |_| {}), expected);
}

#[test]
fn choice_succeed_and_fail_show_the_input_only() {
    let stages = json!({"input": {"v": 1}, "afterInputPath": {"v": 1}, "variables": {}});
    let choice = json!({"Type": "Choice", "Choices": [
        {"Variable": "$.v", "NumericEquals": 1, "Next": "C"}], "Default": "B"});
    let expected = json!({
        "status": "SUCCEEDED", "output": {"v": 1}, "nextState": "C", "inspectionData": stages
    });
    assert_eq!(tried(choice, |_| {}), expected);
    let expected = json!({"status": "SUCCEEDED", "output": {"v": 1}, "inspectionData": stages});
    assert_eq!(tried(json!({"Type": "Succeed"}), |_| {}), expected);
    let fail = json!({"Type": "Fail", "Error": "Some", "Cause": "why"});
    let expected =
        json!({"status": "FAILED", "error": "Some", "cause": "why", "inspectionData": stages});
    assert_eq!(tried(fail, |_| {}), expected);
}

#[test]
fn a_wait_does_not_wait() {
    let state = json!({"Type": "Wait", "Seconds": 86_400, "Next": "B"});
    let answer = tried(state, |_| {});
    assert_eq!((&answer["status"], &answer["nextState"]), (&json!("SUCCEEDED"), &json!("B")));
    let state = json!({"Type": "Wait", "SecondsPath": "$.absent", "Next": "B"});
    assert_eq!(tried(state, |_| {})["error"], "States.Runtime");
}

#[test]
fn a_task_goes_on_with_the_mocked_result() {
    let state = json!({
        "Type": "Task", "Resource": "r", "Parameters": {"p.$": "$.v"},
        "ResultSelector": {"s.$": "$.r"}, "ResultPath": "$.at", "OutputPath": "$.at",
        "Assign": {"kept.$": "$.s"}, "Next": "B"
    });
    let expected = json!({
        "status": "SUCCEEDED",
        "output": {"s": 2},
        "nextState": "B",
        "inspectionData": {
            "input": {"v": 1}, "afterInputPath": {"v": 1}, "afterParameters": {"p": 1},
            "result": {"r": 2}, "afterResultSelector": {"s": 2},
            "afterResultPath": {"v": 1, "at": {"s": 2}}, "variables": {"kept": 2, "old": true},
        }
    });
    let answer = tried(state, |test| {
        test.mock = Some(Ok(json!({"r": 2}).into()));
        test.variables.insert("old".into(), json!(true).into());
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_jsonata_task_shows_its_arguments() {
    let state = json!({
        "Type": "Task", "Resource": "r", "QueryLanguage": "JSONata",
        "Arguments": {"a": "{% $old + $states.input.v %}"},
        "Output": "{% $states.result.r & $states.context.Execution.Name %}", "Next": "B"
    });
    let answer = tried(state, |test| {
        test.mock = Some(Ok(json!({"r": "x"}).into()));
        test.variables.insert("old".into(), json!(4).into());
        test.context.insert("Execution".into(), json!({"Name": "mine"}));
    });
    let expected = json!({
        "status": "SUCCEEDED",
        "output": "xmine",
        "nextState": "B",
        "inspectionData": {
            "input": {"v": 1}, "afterArguments": {"a": 5}, "result": {"r": "x"},
            "variables": {"old": 4},
        }
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_failure_is_retried_then_caught_then_final() {
    let state = json!({
        "Type": "Task", "Resource": "r",
        "Retry": [{"ErrorEquals": ["Never"]}, {"ErrorEquals": ["Shaky"], "MaxAttempts": 2}],
        "Catch": [{"ErrorEquals": ["Shaky"], "ResultPath": "$.e", "Next": "C"}],
        "Next": "B"
    });
    let answer = tried(state.clone(), fails("Shaky"));
    assert_eq!((&answer["status"], &answer["error"]), (&json!("RETRIABLE"), &json!("Shaky")));
    assert!(answer.get("output").is_none() && answer.get("nextState").is_none(), "{answer}");

    let mut answer = tried(state.clone(), |test| {
        fails("Shaky")(test);
        test.retried = 2;
    });
    answer.as_object_mut().unwrap().remove("inspectionData");
    let expected = json!({
        "status": "CAUGHT_ERROR", "error": "Shaky", "cause": "why", "nextState": "C",
        "output": {"v": 1, "e": {"Error": "Shaky", "Cause": "why"}},
    });
    assert_eq!(answer, expected);
    assert_eq!(tried(state, fails("Other"))["status"], "FAILED");
}

#[test]
fn a_stage_that_fails_is_the_last_one_shown() {
    let state = json!({
        "Type": "Task", "Resource": "r", "ResultSelector": {"s.$": "$.absent"}, "Next": "B"
    });
    let answer = tried(state, mock(json!({"r": 1})));
    assert_eq!(answer["error"], "States.Runtime");
    let shown: Vec<&str> =
        answer["inspectionData"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(shown, ["input", "afterInputPath", "afterParameters", "result", "variables"]);
}

#[test]
fn a_map_works_its_items_out_and_takes_the_mock_for_its_parts() {
    let inner = json!({"StartAt": "In", "States": {"In": {"Type": "Fail", "Error": "MustNotRun"}}});
    let state = |path: &str, selector: &str| {
        json!({
            "Type": "Map", "ItemsPath": path, "ItemProcessor": inner,
            "ItemSelector": {"i.$": selector}, "ResultPath": "$.all", "MaxConcurrency": 1,
            "Next": "B"
        })
    };
    let input = json!({"list": [5, 6]});
    let ask = |state: Value, mocked: Value| {
        tried(state, |test| {
            test.input = input.clone().into();
            test.mock = Some(Ok(mocked.into()));
        })
    };
    let answer = ask(state("$.list", "$$.Map.Item.Value"), json!([50, 60]));
    assert_eq!(answer["output"], json!({"list": [5, 6], "all": [50, 60]}), "{answer}");
    assert_eq!(answer["inspectionData"]["afterItemsPath"], json!([5, 6]));
    assert!(answer["inspectionData"].get("afterParameters").is_none());
    assert_eq!(ask(state("$.none", "$"), json!([]))["status"], "FAILED");
    assert_eq!(ask(state("$.list", "$.absent"), json!([]))["error"], "States.Runtime");
    let refused = try_it(&state("$.list", "$"), mock(json!(7))).unwrap_err();
    assert_eq!(refused.code(), "TEST_MOCK_NO_ARRAY");
}

#[test]
fn a_parallel_takes_the_mock_for_its_branches() {
    let branch = json!({"StartAt": "In", "States": {"In": {"Type": "Succeed"}}});
    let state = json!({
        "Type": "Parallel", "Branches": [branch], "Parameters": {"p.$": "$.v"},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}], "End": true
    });
    let answer = tried(state.clone(), mock(json!(["one"])));
    assert_eq!((&answer["status"], &answer["output"]), (&json!("SUCCEEDED"), &json!(["one"])));
    assert_eq!(answer["inspectionData"]["afterParameters"], json!({"p": 1}));
    assert_eq!(tried(state, fails("Bad"))["status"], "CAUGHT_ERROR");
}

#[test]
fn the_level_says_how_much_is_told() {
    let branch = json!({"StartAt": "In", "States": {"In": {"Type": "Succeed"}}});
    let state = json!({"Type": "Parallel", "Branches": [branch], "End": true});
    let at = |level| {
        tried(state.clone(), |test| {
            test.mock = Some(Ok(json!([]).into()));
            test.level = level;
        })
    };
    let has = |answer: &Value, field: &str| answer.get(field).is_some();
    let info = at(InspectionLevel::Info);
    assert!(!has(&info, "inspectionData") && !has(&info, "events"));
    let debug = at(InspectionLevel::Debug);
    assert!(has(&debug, "inspectionData") && !has(&debug, "events"));
    let trace = at(InspectionLevel::Trace);
    assert!(has(&trace, "inspectionData"));
    let names: Vec<String> = trace["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event.as_object().unwrap().keys().next().unwrap().clone())
        .collect();
    let expected =
        ["JobScheduled", "JobStarted", "JobSucceeded", "StateExited", "ExecutionCompleted"];
    assert_eq!(names, expected);
}

#[test]
fn a_state_that_leads_to_itself_runs_once() {
    let state = json!({
        "Type": "Task", "Resource": "r",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}], "Next": "A"
    });
    let answer = tried(state, mock(json!(1)));
    assert_eq!((&answer["nextState"], &answer["output"]), (&json!("A"), &json!(1)));
}

#[test]
fn a_nested_state_can_be_tested() {
    let inner = json!({"Type": "Pass", "Parameters": {"i.$": "$$.Map.Item.Index"}, "End": true});
    let state = json!({
        "Type": "Map", "ItemProcessor": {"StartAt": "In", "States": {"In": inner}}, "End": true
    });
    let answer = tried(state, |test| {
        test.state = "In".to_owned();
        test.context.insert("Map".into(), json!({"Item": {"Index": 3, "Value": "x"}}));
    });
    assert_eq!(answer["output"], json!({"i": 3}));
}

#[test]
fn tests_that_make_no_sense_are_refused() {
    let task = json!({"Type": "Task", "Resource": "r", "End": true});
    let code = |state: &Value, change: &dyn Fn(&mut StateTest)| {
        try_it(state, |test| change(test)).unwrap_err().code()
    };
    assert_eq!(code(&task, &|_| {}), "TEST_NEEDS_MOCK");
    assert_eq!(code(&task, &|test| test.state = "Z".into()), "TEST_UNKNOWN_STATE");
    let pass = json!({"Type": "Pass", "End": true});
    assert_eq!(code(&pass, &|test| test.mock = Some(Ok(Json::null()))), "TEST_TAKES_NO_MOCK");
    let limits = EngineLimits { payload_bytes: 3, ..EngineLimits::default() };
    let test = StateTest::new("A", json!([1, 2]).into());
    let refused = test_state(&program(&pass), &test, &limits).unwrap_err();
    assert_eq!(refused, TestError::TooLarge { bytes: 5, limit: 3 });
}

/// Watching must not change what a state gives: the stages that decide skips are all plain.
#[test]
fn watching_changes_nothing() {
    let paths = ["", r#""ResultPath": null,"#, r#""ResultPath": "$.at","#];
    let outputs = ["", r#""OutputPath": null,"#, r#""OutputPath": "$.v","#];
    let inputs = ["", r#""InputPath": null,"#, r#""InputPath": "$.v","#];
    for index in 0..27 {
        let fields = format!("{}{}{}", paths[index % 3], outputs[index / 3 % 3], inputs[index / 9]);
        let text = format!(r#"{{{fields} "Type": "Task", "Resource": "r", "End": true}}"#);
        let state: Value = serde_json::from_str(&text).unwrap();
        let program = program(&state);
        let ask = |watched: &str| {
            let state = program.state("A").unwrap();
            let mut test = StateTest::new("A", json!({"v": {"w": 1.0}}).into());
            test.mock = Some(Ok(json!({"r": [2.50]}).into()));
            let probe = Probe::new(watched.into(), Map::new());
            let bench = Bench::new(&program, state, &test, &EngineLimits::default(), &probe);
            bench.run_to_end().unwrap().output
        };
        assert_eq!(ask("A"), ask("nobody"), "{fields}");
    }
}

#[test]
fn a_callback_answers_as_the_mock_says_and_the_state_sees_its_token() {
    let state = json!({"Type": "Task", "Resource": "ask.waitForTaskToken", "End": true,
        "Parameters": {"token.$": "$$.Task.Token"}});
    let tested = tried(state.clone(), mock(json!({"yes": true})));
    assert_eq!(
        (&tested["status"], &tested["output"]),
        (&json!("SUCCEEDED"), &json!({"yes": true}))
    );
    let shown = &tested["inspectionData"]["afterParameters"]["token"];
    assert!(shown.as_str().unwrap().parse::<crate::engine::CallbackToken>().is_ok());
    assert_eq!(tried(state, fails("No"))["error"], "No");
}

#[test]
fn an_execution_gives_what_the_mock_says() {
    for pattern in ["", ".sync", ".sync:2", ".waitForTaskToken"] {
        let state = json!({"Type": "Task", "End": true,
            "Resource": format!("arn:aws:states:::states:startExecution{pattern}"),
            "Parameters": {"StateMachineArn": "other", "Input": {"v.$": "$.v"}}});
        let tested = tried(state, mock(json!({"Output": 1})));
        assert_eq!(tested["output"], json!({"Output": 1}), "{pattern}");
        let shown = &tested["inspectionData"]["afterParameters"];
        assert_eq!(shown["Input"], json!({"v": 1}), "{pattern}");
    }
}

#[test]
fn a_distributed_map_shows_its_first_part_unless_it_reads_a_file() {
    let mut state = json!({"Type": "Map", "End": true, "ItemsPath": "$.items",
        "ItemSelector": {"item.$": "$$.Map.Item.Value"},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}});
    let with_items = |test: &mut StateTest| {
        test.input = json!({"items": [7, 8]}).into();
        test.mock = Some(Ok(json!(["a", "b"]).into()));
    };
    let tested = tried(state.clone(), with_items);
    assert_eq!(tested["output"], json!(["a", "b"]));
    assert_eq!(tested["inspectionData"]["afterItemsPath"], json!([7, 8]));
    let fields = state.as_object_mut().unwrap();
    fields.remove("ItemsPath");
    fields.insert(
        "ItemReader".into(),
        json!({"Resource": "s3:getObject",
        "Parameters": {"Bucket": "b", "Key": "k"}, "ReaderConfig": {"InputType": "JSON"}}),
    );
    assert_eq!(tried(state, with_items)["output"], json!(["a", "b"]));
}

#[test]
fn a_state_that_is_tested_alone_is_not_undone() {
    let undo = json!({"Type": "Fail", "Error": "MustNotRun"});
    let ways = json!({"StartAt": "A", "OnCancel": "U", "Summary": {"x.$": "$.absent"}, "States": {
        "A": {"Type": "Task", "Resource": "r", "Cleanup": "U", "End": true}, "U": undo}});
    let options = language::Options::default();
    let workflow = language::parse(&ways.to_string(), Format::Json, &options).unwrap();
    let mut test = StateTest::new("A", json!({}).into());
    (test.level, test.mock) = (InspectionLevel::Trace, Some(Err(Failure::new("Mine", "why"))));
    let tested = test_state(&Program::new(workflow), &test, &EngineLimits::default()).unwrap();
    assert_eq!((tested.status, tested.error.as_deref()), (TestedStatus::Failed, Some("Mine")));
    assert!(tested.events.iter().all(|event| event.name() != "CleanupStarted"));
}

#[test]
fn what_took_a_failure_is_told() {
    let state = json!({"Type": "Task", "Resource": "r", "End": true,
        "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 2, "MaxAttempts": 4}],
        "Catch": [{"ErrorEquals": ["Other"], "Next": "B"}, {"ErrorEquals": ["Bad"], "Next": "C"}]});
    let details = |error, retried| {
        let answer = tried(state.clone(), |test| {
            fails(error)(test);
            test.retried = retried;
        });
        (answer["status"].clone(), answer["inspectionData"]["errorDetails"].clone())
    };
    let retried = json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 16});
    assert_eq!(details("Flaky", 3), (json!("RETRIABLE"), retried));
    assert_eq!(details("Flaky", 4), (json!("FAILED"), json!({"retryIndex": 0})));
    assert_eq!(details("Bad", 0), (json!("CAUGHT_ERROR"), json!({"catchIndex": 1})));
    assert_eq!(details("Unknown", 0), (json!("FAILED"), Value::Null));
}

#[test]
fn items_that_fail_break_a_map_when_they_are_more_than_are_tolerated() {
    let state = json!({"Type": "Map", "ToleratedFailureCount": 1, "MaxConcurrency": 7, "End": true,
        "Catch": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "B"}],
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}},
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "b", "Key": "k"}, "ReaderConfig": {"InputType": "JSON"}}});
    let with = |failed, items: Option<Value>| {
        try_it(&state, |test| {
            mock(json!([1, 2, 3]))(test);
            test.failed_items = failed;
            test.items_read = items.map(Json::from);
        })
    };
    let items = Some(json!(["a", "b", "c"]));
    let answer = serde_json::to_value(with(1, items.clone()).unwrap()).unwrap();
    assert_eq!((&answer["status"], &answer["output"]), (&json!("SUCCEEDED"), &json!([1, 2, 3])));
    let stages = &answer["inspectionData"];
    assert_eq!(stages["afterItemsPath"], json!(["a", "b", "c"]));
    assert_eq!(
        (&stages["maxConcurrency"], &stages["toleratedFailureCount"]),
        (&7.into(), &1.into())
    );
    let answer = serde_json::to_value(with(2, items.clone()).unwrap()).unwrap();
    assert_eq!(answer["status"], "CAUGHT_ERROR");
    assert_eq!(answer["error"], "States.ExceedToleratedFailureThreshold");
    assert_eq!(with(4, items).unwrap_err().code(), "TEST_TOO_MANY_FAIL");
    assert_eq!(with(1, None).unwrap_err().code(), "TEST_NEEDS_ITEMS");
    assert!(with(0, None).is_ok(), "the items are no matter when none fails");
}
