//! The Step Functions API from outside: tests of single states, checks of definitions, and executions
//! that are waited for.

use serde_json::{Value, json};

use super::sfn_call::{Sfn as _, arn, create, create_as};
use super::{Server, pass, wait};

/// A request to test a state, with further members.
fn test_of(state: &Value, more: Value) -> Value {
    let mut asked = json!({"definition": state.to_string(), "input": r#"{"v":1}"#});
    let Value::Object(more) = more else { panic!("{more}") };
    asked.as_object_mut().unwrap().extend(more);
    asked
}

#[test]
fn a_state_is_tested_alone_and_its_data_is_told_as_text() {
    let server = Server::new();
    let state = json!({"Type": "Pass", "ResultPath": "$.r", "Next": "B"});
    let tested = server.sfn("TestState", &test_of(&state, json!({}))).unwrap();
    let whole = r#"{"v":1,"r":{"v":1}}"#;
    assert_eq!(tested, json!({"status": "SUCCEEDED", "output": whole, "nextState": "B"}));
    let asked = test_of(&state, json!({"inspectionLevel": "DEBUG"}));
    let tested = server.sfn("TestState", &asked).unwrap();
    let part = r#"{"v":1}"#;
    let seen = json!({"input": part, "afterInputPath": part, "afterParameters": part,
        "afterResultSelector": part, "afterResultPath": whole});
    assert_eq!(tested["inspectionData"], seen);
}

#[test]
fn the_work_of_a_task_is_mocked_and_its_failure_goes_where_it_would_go() {
    let server = Server::new();
    let state = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 2}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]});
    let tested = |more| server.sfn("TestState", &test_of(&state, more)).unwrap();
    let good = tested(json!({"mock": {"result": "[7]"}}));
    assert_eq!(good, json!({"status": "SUCCEEDED", "output": "[7]"}));
    let fails = |error: &str| json!({"errorOutput": {"error": error, "cause": "why"}});
    let again = tested(json!({"mock": fails("Flaky"), "inspectionLevel": "TRACE",
        "stateConfiguration": {"retrierRetryCount": 1}}));
    assert_eq!((&again["status"], &again["error"]), (&json!("RETRIABLE"), &json!("Flaky")));
    let details = json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 4});
    assert_eq!(again["inspectionData"]["errorDetails"], details);
    let caught = tested(json!({"mock": fails("Other")}));
    assert_eq!((&caught["status"], &caught["nextState"]), (&json!("CAUGHT_ERROR"), &json!("B")));
    assert_eq!(caught["output"], r#"{"Error":"Other","Cause":"why"}"#);
}

#[test]
fn a_state_of_a_whole_definition_is_tested_by_its_name() {
    let server = Server::new();
    let machine = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Output": "{% $x + $states.input.v %}", "Assign": {"y": "{% $x %}"},
            "Next": "B"},
        "B": {"Type": "Succeed", "Output": "{% $states.context.Execution.Name %}"}}});
    let asked = test_of(
        &machine,
        json!({"stateName": "A", "variables": r#"{"x":41}"#, "inspectionLevel": "DEBUG"}),
    );
    let tested = server.sfn("TestState", &asked).unwrap();
    assert_eq!((&tested["output"], &tested["nextState"]), (&json!("42"), &json!("B")));
    assert_eq!(tested["inspectionData"]["variables"], r#"{"x":41,"y":41}"#);
    let asked =
        test_of(&machine, json!({"stateName": "B", "context": r#"{"Execution":{"Name":"n"}}"#}));
    assert_eq!(server.sfn("TestState", &asked).unwrap()["output"], r#""n""#);
}

#[test]
fn a_map_is_tested_with_items_of_which_some_fail() {
    let server = Server::new();
    let state = json!({"Type": "Map", "ToleratedFailureCount": 1, "End": true,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}},
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "b", "Key": "k"}, "ReaderConfig": {"InputType": "JSON"}}});
    let tested = |failed: u32| {
        let configuration = json!({"mapIterationFailureCount": failed,
            "mapItemReaderData": "[1,2,3]", "errorCausedByState": "I"});
        let more = json!({"mock": {"result": "[1,2,3]"}, "inspectionLevel": "TRACE",
            "stateConfiguration": configuration});
        server.sfn("TestState", &test_of(&state, more)).unwrap()
    };
    let good = tested(1);
    assert_eq!((&good["status"], &good["output"]), (&json!("SUCCEEDED"), &json!("[1,2,3]")));
    let seen = &good["inspectionData"];
    assert_eq!(seen["afterItemsPath"], "[1,2,3]");
    assert_eq!((&seen["maxConcurrency"], &seen["toleratedFailureCount"]), (&0.into(), &1.into()));
    assert_eq!(tested(2)["error"], "States.ExceedToleratedFailureThreshold");
}

#[test]
fn tests_that_make_no_sense_are_refused_in_the_words_of_aws() {
    let server = Server::new();
    let pass = json!({"Type": "Pass", "End": true});
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true});
    let fork = json!({"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}]});
    let machine = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}});
    let both = json!({"result": "1", "errorOutput": {"error": "E"}});
    let cases = [
        (
            &pass,
            json!({"mock": {"result": "1"}}),
            "ValidationException: State type 'Pass' is not supported when a mock is specified",
        ),
        (
            &task,
            json!({"mock": {"result": "{"}}),
            "ValidationException: Mocked result must be valid JSON",
        ),
        (
            &task,
            json!({"mock": both}),
            "ValidationException: A test mock should have only one of the following fields: \
             [result, errorOutput].",
        ),
        (
            &task,
            json!({"mock": {"result": "1"}, "revealSecrets": true}),
            "ValidationException: TestState does not support RevealSecrets when a mock is \
             specified.",
        ),
        (
            &task,
            json!({}),
            "ValidationException: A Task state is tested with a mock: give mock.result or \
             mock.errorOutput, as no worker is asked",
        ),
        (
            &fork,
            json!({"mock": {"result": "[1,2]"}}),
            "ValidationException: Mocked result must contain the same number of items as number of \
             Parallel branches.",
        ),
        (
            &fork,
            json!({"mock": {"errorOutput": {"error": "E"}},
            "stateConfiguration": {"errorCausedByState": "X"}}),
            "ValidationException: errorCausedByState must name a state inside of the tested one, \
             and 'X' is none",
        ),
        (&machine, json!({"stateName": "X"}), "ValidationException: State not found in definition"),
        (
            &machine,
            json!({}),
            "ValidationException: stateName must be given when the definition is that of a state \
             machine",
        ),
        (&pass, json!({"variables": "[]"}), "ValidationException: variables must be a JSON object"),
    ];
    for (state, more, refusal) in cases {
        assert_eq!(server.sfn_refusal("TestState", &test_of(state, more)), refusal);
    }
    let asked = test_of(&json!({"Type": "Nothing"}), json!({}));
    assert_eq!(server.sfn("TestState", &asked).unwrap_err(), "InvalidDefinition");
    let asked = json!({"definition": pass.to_string(), "input": "{"});
    assert_eq!(server.sfn("TestState", &asked).unwrap_err(), "InvalidExecutionInput");
}

#[test]
fn a_definition_is_checked_and_its_faults_are_told_with_their_places() {
    let server = Server::new();
    let check = |text: &str, more: Value| {
        let mut asked = more;
        asked["definition"] = text.into();
        server.sfn("ValidateStateMachineDefinition", &asked).unwrap()
    };
    let sound = check(&pass().to_string(), json!({}));
    assert_eq!(sound, json!({"result": "OK", "diagnostics": [], "truncated": false}));
    let broken = check("not a definition", json!({}));
    assert_eq!(broken["result"], "FAIL");
    assert_eq!(broken["diagnostics"][0]["code"], "INVALID_JSON_DESCRIPTION");
    let faulty = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "X"}, "B": {"Type": "Pass", "Next": 7}}})
    .to_string();
    let found = check(&faulty, json!({}));
    let places: Vec<(&str, &str)> = found["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["code"].as_str().unwrap(), one["location"].as_str().unwrap()))
        .collect();
    assert!(places.contains(&("MISSING_TRANSITION_TARGET", "/States/A/Next")), "{found}");
    assert!(places.contains(&("SCHEMA_VALIDATION_FAILED", "/States/B/Next")), "{found}");
    let one = check(&faulty, json!({"maxResults": 1}));
    assert_eq!(
        (one["diagnostics"].as_array().unwrap().len(), &one["truncated"]),
        (1, &true.into())
    );
    let empty = check("{}", json!({}));
    assert_eq!(empty["diagnostics"][0]["location"], "/");
}

#[test]
fn warnings_are_told_to_those_who_want_them() {
    let server = Server::new();
    let text = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "bare", "Title": "A title", "End": true}}})
    .to_string();
    let check = |severity: &str| {
        let asked = json!({"definition": text, "severity": severity});
        server.sfn("ValidateStateMachineDefinition", &asked).unwrap()
    };
    let errors = check("ERROR");
    assert_eq!((&errors["result"], &errors["diagnostics"]), (&json!("OK"), &json!([])));
    let warnings = check("WARNING");
    assert_eq!(warnings["result"], "OK");
    let codes: Vec<&str> = warnings["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert!(codes.contains(&"E_AWS_RESOURCE") && codes.contains(&"E_AWS_EXTENSION"), "{codes:?}");
}

#[test]
fn an_express_machine_is_started_and_waited_for() {
    let server = Server::new();
    create_as(&server, "fast", &pass(), "EXPRESS");
    let asked = json!({"stateMachineArn": arn("stateMachine", "fast"), "name": "one",
        "input": "[1]", "traceHeader": "t"});
    let done = server.sfn("StartSyncExecution", &asked).unwrap();
    assert_eq!((&done["status"], &done["output"]), (&json!("SUCCEEDED"), &json!("[1]")));
    assert_eq!((&done["name"], &done["traceHeader"]), (&json!("one"), &json!("t")));
    // The same name again is another execution.
    let again = server.sfn("StartSyncExecution", &asked).unwrap();
    assert_ne!(done["executionArn"], again["executionArn"]);
    let named = json!({"executionArn": again["executionArn"]});
    assert_eq!(server.sfn("DescribeExecution", &named).unwrap()["status"], "SUCCEEDED");
    let mut asked = asked;
    asked["includedData"] = json!("METADATA_ONLY");
    let bare = server.sfn("StartSyncExecution", &asked).unwrap();
    assert!(bare.get("input").is_none() && bare.get("output").is_none(), "{bare}");
}

#[test]
fn a_failure_of_what_is_waited_for_is_an_answer() {
    let server = Server::new();
    let fails =
        json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}});
    create_as(&server, "fails", &fails, "EXPRESS");
    let asked = json!({"stateMachineArn": arn("stateMachine", "fails")});
    let done = server.sfn("StartSyncExecution", &asked).unwrap();
    let told = (&done["status"], &done["error"], &done["cause"]);
    assert_eq!(told, (&json!("FAILED"), &json!("E"), &json!("c")));
}

#[test]
fn only_express_machines_are_waited_for() {
    let server = Server::new();
    create(&server, "slow", &wait());
    let refused = |asked| server.sfn("StartSyncExecution", &asked).unwrap_err();
    let asked = json!({"stateMachineArn": arn("stateMachine", "slow")});
    assert_eq!(refused(asked), "StateMachineTypeNotSupported");
    let asked = json!({"stateMachineArn": arn("stateMachine", "none")});
    assert_eq!(refused(asked), "StateMachineDoesNotExist");
}

#[test]
fn sdks_put_a_word_before_the_name_of_the_server() {
    let server = Server::new();
    let body = json!({"definition": json!({"Type": "Succeed"}).to_string()}).to_string();
    for (host, status) in [("sync-localhost", 200), ("sync-127.0.0.1", 200), ("sync-evil", 400)] {
        let port = server.address.port();
        let answer = server
            .request("POST", "/")
            .header("host", &format!("{host}:{port}"))
            .header("x-amz-target", "AWSStepFunctions.TestState")
            .body("application/x-amz-json-1.0", body.as_bytes())
            .send();
        assert_eq!(answer.status, status, "{host}: {answer:?}");
        assert_eq!(status == 400, answer.body.contains("this server is not called"), "{answer:?}");
    }
}
