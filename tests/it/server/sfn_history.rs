//! The Step Functions API from outside: what happened in executions, and runs of distributed Maps.

use everstep::engine::ExecutionId;
use serde_json::{Value, json};

use super::Server;
use super::sfn_call::{Sfn as _, arn, create};

/// `1 ExecutionStarted<0  2 PassStateEntered<0 …`
fn told(events: &Value) -> String {
    let one = |event: &Value| {
        let kind = event["type"].as_str().unwrap();
        format!("{} {kind}<{}", event["id"], event["previousEventId"])
    };
    events.as_array().unwrap().iter().map(one).collect::<Vec<String>>().join("  ")
}

fn started(server: &Server, machine: &str, input: &str) -> String {
    let asked = json!({"stateMachineArn": arn("stateMachine", machine), "input": input});
    let begun = server.sfn("StartExecution", &asked).unwrap();
    begun["executionArn"].as_str().unwrap().to_owned()
}

fn await_end(server: &Server, execution: &str) {
    let id: ExecutionId = execution.rsplit(':').next().unwrap().parse().unwrap();
    server.ended(id);
}

fn echo() -> Value {
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "echo", "End": true}}})
}

#[test]
fn a_history_is_told_as_aws_tells_it() {
    let server = Server::new();
    create(&server, "w", &echo());
    let execution = started(&server, "w", r#"{"a":1}"#);
    await_end(&server, &execution);
    let history = server.sfn("GetExecutionHistory", &json!({"executionArn": execution})).unwrap();
    assert_eq!(
        told(&history["events"]),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 ActivityScheduled<2  4 ActivityStarted<3  \
         5 ActivitySucceeded<4  6 TaskStateExited<5  7 ExecutionSucceeded<6"
    );
    let started = &history["events"][0];
    let details = &started["executionStartedEventDetails"];
    assert_eq!(details["input"], r#"{"a":1}"#);
    assert_eq!(details["roleArn"], "arn:aws:iam::000000000000:role/r");
    assert!(started["timestamp"].is_f64(), "{started}");
    let scheduled = &history["events"][2]["activityScheduledEventDetails"];
    assert_eq!(scheduled["resource"], arn("activity", "echo"));
}

#[test]
fn a_history_knows_the_version_and_the_alias_that_were_started() {
    let server = Server::new();
    create(&server, "w", &super::pass());
    let machine = json!({"stateMachineArn": arn("stateMachine", "w")});
    let version = server.sfn("PublishStateMachineVersion", &machine).unwrap();
    let version = &version["stateMachineVersionArn"];
    let routes = json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let asked = json!({"name": "live", "routingConfiguration": routes});
    let alias = server.sfn("CreateStateMachineAlias", &asked).unwrap();
    let execution = started(&server, "w:live", "{}");
    let history = server.sfn("GetExecutionHistory", &json!({"executionArn": execution})).unwrap();
    let details = &history["events"][0]["executionStartedEventDetails"];
    assert_eq!(&details["stateMachineVersionArn"], version);
    assert_eq!(details["stateMachineAliasArn"], alias["stateMachineAliasArn"]);
}

#[test]
fn a_history_comes_in_pages_and_in_either_order() {
    let server = Server::new();
    create(&server, "w", &echo());
    let execution = started(&server, "w", "{}");
    await_end(&server, &execution);
    for (is_reversed, wanted) in [(false, [1, 2, 3, 4, 5, 6, 7]), (true, [7, 6, 5, 4, 3, 2, 1])] {
        let mut asked = json!({"executionArn": execution, "maxResults": 3,
            "reverseOrder": is_reversed, "includeExecutionData": false});
        let mut ids = Vec::new();
        loop {
            let page = server.sfn("GetExecutionHistory", &asked).unwrap();
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= 3 && !page.to_string().contains("\"input\""), "{page}");
            ids.extend(events.iter().map(|event| event["id"].as_u64().unwrap()));
            let Some(next) = page.get("nextToken") else { break };
            asked["nextToken"] = next.clone();
        }
        assert_eq!(ids, wanted);
        // The token of one order is none of the other.
        asked["reverseOrder"] = json!(!is_reversed);
        assert_eq!(server.sfn("GetExecutionHistory", &asked).unwrap_err(), "InvalidToken");
    }
}

#[test]
fn what_is_not_there_has_no_history() {
    let server = Server::new();
    for (name, refusal) in [
        (arn("execution", "w:x"), "ExecutionDoesNotExist"),
        (arn("stateMachine", "w"), "InvalidArn"),
        ("w".to_owned(), "InvalidArn"),
    ] {
        let asked = json!({"executionArn": name});
        assert_eq!(server.sfn("GetExecutionHistory", &asked).unwrap_err(), refusal);
        assert_eq!(server.sfn("ListMapRuns", &asked).unwrap_err(), refusal);
    }
}

fn each() -> Value {
    json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "MaxConcurrency": 2,
        "ToleratedFailurePercentage": 50,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "C", "States": {
                "C": {"Type": "Choice", "Default": "P", "Choices": [
                    {"Variable": "$", "NumericEquals": 0, "Next": "F"}]},
                "F": {"Type": "Fail", "Error": "Zero"},
                "P": {"Type": "Pass", "End": true}}}}}})
}

#[test]
fn a_map_run_counts_its_items_and_lists_its_executions() {
    let server = Server::new();
    create(&server, "m", &each());
    let execution = started(&server, "m", "[1, 0, 2, 3]");
    await_end(&server, &execution);
    let list = server.sfn("ListMapRuns", &json!({"executionArn": execution})).unwrap();
    let [run] = list["mapRuns"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!(run["stateMachineArn"], arn("stateMachine", "m"));
    assert_eq!(run["executionArn"], execution.as_str());
    let named = json!({"mapRunArn": run["mapRunArn"]});
    let shown = server.sfn("DescribeMapRun", &named).unwrap();
    assert_eq!((&shown["status"], &shown["maxConcurrency"]), (&json!("SUCCEEDED"), &json!(2)));
    assert_eq!(shown["toleratedFailurePercentage"], 50.0);
    let counts = json!({"pending": 0, "running": 0, "succeeded": 3, "failed": 1, "timedOut": 0,
        "aborted": 0, "total": 4, "resultsWritten": 0, "pendingRedrive": 0,
        "failuresNotRedrivable": 0});
    assert_eq!((&shown["itemCounts"], &shown["executionCounts"]), (&counts, &counts));
    assert!(shown["stopDate"].is_f64(), "{shown}");
    // The history names the same run.
    let history = server.sfn("GetExecutionHistory", &json!({"executionArn": execution})).unwrap();
    let events = history["events"].as_array().unwrap();
    let event = events.iter().find(|event| event["type"] == "MapRunStarted").unwrap();
    assert_eq!(event["mapRunStartedEventDetails"]["mapRunArn"], run["mapRunArn"]);
    let children = server.sfn("ListExecutions", &named).unwrap();
    assert_eq!(children["executions"].as_array().unwrap().len(), 4, "{children}");
}

#[test]
fn executions_are_listed_by_the_run_that_began_them() {
    let server = Server::new();
    let mut twice = each();
    twice["States"]["M"]["Next"] = json!("N");
    twice["States"]["M"].as_object_mut().unwrap().remove("End");
    twice["States"]["N"] = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Q", "States": {"Q": {"Type": "Pass", "End": true}}}});
    create(&server, "m", &twice);
    let execution = started(&server, "m", "[1, 2]");
    await_end(&server, &execution);
    let list = server.sfn("ListMapRuns", &json!({"executionArn": execution})).unwrap();
    let runs = list["mapRuns"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{list}");
    let mut seen = std::collections::BTreeSet::new();
    for run in runs {
        let named = json!({"mapRunArn": run["mapRunArn"]});
        let children = server.sfn("ListExecutions", &named).unwrap();
        let children = children["executions"].as_array().unwrap();
        assert_eq!(children.len(), 2);
        for child in children {
            assert_eq!((&child["mapRunArn"], &child["itemCount"]), (&run["mapRunArn"], &json!(1)));
            let child = child["executionArn"].as_str().unwrap().to_owned();
            assert!(seen.insert(child), "two runs have one execution");
        }
    }
}

#[test]
fn a_map_run_that_is_not_there_is_not_found() {
    let server = Server::new();
    let ones = "11111111-1111-7111-8111-111111111111";
    for (name, refusal) in [
        (arn("mapRun", &format!("m/{ones}:{ones}")), "ResourceNotFound"),
        (arn("mapRun", "m/x:y"), "ResourceNotFound"),
        (arn("stateMachine", "m"), "InvalidArn"),
    ] {
        let asked = json!({"mapRunArn": name});
        for operation in ["DescribeMapRun", "UpdateMapRun"] {
            assert_eq!(server.sfn(operation, &asked).unwrap_err(), refusal, "{operation} {name}");
        }
    }
}

#[test]
fn a_map_run_is_changed_while_it_is_open() {
    let server = Server::new();
    let waits = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true,
        "MaxConcurrency": 1, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 100_000, "End": true}}}}}});
    create(&server, "m", &waits);
    let execution = started(&server, "m", "[1, 2, 3, 4]");
    let list = server.sfn("ListMapRuns", &json!({"executionArn": execution})).unwrap();
    let run = json!({"mapRunArn": list["mapRuns"][0]["mapRunArn"]});
    let running = |shown: &Value| shown["executionCounts"]["running"].as_u64().unwrap();
    let shown = server.sfn("DescribeMapRun", &run).unwrap();
    assert_eq!((&shown["status"], running(&shown)), (&json!("RUNNING"), 1));
    assert!(shown.get("stopDate").is_none(), "{shown}");
    let mut change = run.clone();
    assert_eq!(server.sfn("UpdateMapRun", &change).unwrap_err(), "ValidationException");
    change["maxConcurrency"] = json!(3);
    change["toleratedFailurePercentage"] = json!(12.5);
    assert_eq!(server.sfn("UpdateMapRun", &change).unwrap(), json!({}));
    let shown = server.sfn("DescribeMapRun", &run).unwrap();
    assert_eq!((&shown["maxConcurrency"], running(&shown)), (&json!(3), 3));
    assert_eq!(shown["toleratedFailurePercentage"], 12.5);
    change["toleratedFailurePercentage"] = json!(101);
    assert_eq!(server.sfn("UpdateMapRun", &change).unwrap_err(), "ValidationException");
    server.sfn("StopExecution", &json!({"executionArn": execution})).unwrap();
    await_end(&server, &execution);
    assert_eq!(server.sfn("DescribeMapRun", &run).unwrap()["status"], "ABORTED");
    change["toleratedFailurePercentage"] = json!(10);
    assert_eq!(server.sfn("UpdateMapRun", &change).unwrap_err(), "ValidationException");
}
