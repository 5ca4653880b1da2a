//! Executions: starting, showing, listing, stopping and redriving them.

use serde_json::{Value, json};

use super::super::Server;
use super::{pages, pass, text, texts, wait};

fn start(server: &Server, arn: &str, name: &str, input: &str) -> Value {
    let start = json!({"stateMachineArn": arn, "name": name, "input": input});
    server.aws("StartExecution", start)
}

fn describe(server: &Server, execution: &Value) -> Value {
    server.aws("DescribeExecution", json!({"executionArn": execution}))
}

#[test]
fn a_named_start_can_be_repeated_while_its_execution_goes_on() {
    let server = Server::new();
    let arn = server.machine("w", &wait());
    let first = start(&server, &arn, "n", r#"{"a": 1}"#);
    let execution = text(&first["executionArn"]);
    assert_eq!(execution, "arn:aws:states:us-east-1:000000000000:execution:w:n");
    assert_eq!(start(&server, &arn, "n", r#"{"a":1}"#), first, "space does not count");
    let other = json!({"stateMachineArn": arn, "name": "n", "input": "{}"});
    let (kind, message) = server.aws_refuses("StartExecution", other);
    assert_eq!(kind, "ExecutionAlreadyExists");
    assert_eq!(message, format!("Execution Already Exists: '{execution}'"));
    server.aws("StopExecution", json!({"executionArn": execution}));
    let again = json!({"stateMachineArn": arn, "name": "n", "input": r#"{"a": 1}"#});
    assert_eq!(server.aws_error("StartExecution", again), "ExecutionAlreadyExists");
}

#[test]
fn a_start_that_cannot_be_is_refused_by_the_names_of_aws() {
    let server = Server::new();
    let arn = server.machine("w", &pass());
    let refused = |more: Value| {
        let mut input = json!({"stateMachineArn": arn});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.aws_error("StartExecution", input)
    };
    assert_eq!(refused(json!({"input": "{"})), "InvalidExecutionInput");
    assert_eq!(refused(json!({"name": "a b"})), "InvalidName");
    assert_eq!(refused(json!({"stateMachineArn": "w"})), "InvalidArn");
    assert_eq!(refused(json!({"stateMachineArn": format!("{arn}:1")})), "StateMachineDoesNotExist");
    let long = json!({"input": "x".repeat(262_145)});
    assert_eq!(refused(long), "ValidationException");
}

#[test]
fn an_execution_is_described_by_its_name_or_its_id() {
    let server = Server::new();
    let arn = server.machine("w", &pass());
    let unnamed = server.aws("StartExecution", json!({"stateMachineArn": arn}));
    let execution = text(&unnamed["executionArn"]);
    let id = execution.rsplit(':').next().unwrap().parse().unwrap();
    server.ended(id);
    let told = describe(&server, &json!(execution));
    assert_eq!(told["status"], "SUCCEEDED");
    assert_eq!(told["name"], id.to_string());
    assert_eq!(told["input"], "{}");
    assert_eq!(told["output"], "{}");
    assert_eq!(told["stateMachineArn"], arn);
    assert_eq!(
        (&told["redriveCount"], &told["redriveStatus"]),
        (&json!(0), &json!("NOT_REDRIVABLE"))
    );
    assert!(told["stopDate"].as_f64() >= told["startDate"].as_f64());
    assert_eq!(told["startDate"], unnamed["startDate"]);
    let few = json!({"executionArn": execution, "includedData": "METADATA_ONLY"});
    let few = server.aws("DescribeExecution", few);
    assert!(few.get("input").is_none() && few.get("output").is_none(), "{few}");
    let elsewhere = execution.replace(":w:", ":x:");
    for arn in [elsewhere, execution.replace(&id.to_string(), "none")] {
        let kind = server.aws_error("DescribeExecution", json!({"executionArn": arn}));
        assert_eq!(kind, "ExecutionDoesNotExist");
    }
}

#[test]
fn what_stopped_an_execution_is_told_as_error_and_cause() {
    let server = Server::new();
    let arn = server.machine("w", &wait());
    let execution = start(&server, &arn, "n", "{}")["executionArn"].clone();
    let running = describe(&server, &execution);
    assert_eq!((&running["status"], running.get("stopDate")), (&json!("RUNNING"), None));
    let stop = json!({"executionArn": execution, "error": "Stop.It", "cause": "no: longer wanted"});
    let stopped = server.aws("StopExecution", stop.clone());
    let told = describe(&server, &execution);
    assert_eq!(told["status"], "ABORTED");
    assert_eq!((&told["error"], &told["cause"]), (&stop["error"], &stop["cause"]));
    assert_eq!(told["stopDate"], stopped["stopDate"]);
    assert_eq!(server.aws("StopExecution", stop), stopped, "it stays as it ended");
}

#[test]
fn a_failure_is_told_with_its_error_and_cause() {
    let server = Server::new();
    let fail =
        json!({"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "c"}}});
    let arn = server.machine("w", &fail);
    let execution = start(&server, &arn, "n", "{}")["executionArn"].clone();
    let id = server.runtime.block_on(server.engine.find_named("w", "n")).unwrap().unwrap();
    server.ended(id);
    let told = describe(&server, &execution);
    assert_eq!(told["status"], "FAILED");
    assert_eq!((&told["error"], &told["cause"]), (&json!("E"), &json!("c")));
    assert_eq!(told["redriveStatus"], "REDRIVABLE");
}

#[test]
fn a_redrive_counts_and_its_client_token_makes_it_once() {
    let server = Server::new();
    let arn = server.machine("w", &wait());
    let execution = start(&server, &arn, "n", "{}")["executionArn"].clone();
    let redrive = |token: Option<&str>| json!({"executionArn": execution, "clientToken": token});
    let kind = server.aws_error("RedriveExecution", redrive(None));
    assert_eq!(kind, "ExecutionNotRedrivable", "it goes on");
    server.aws("StopExecution", json!({"executionArn": execution}));
    let first = server.aws("RedriveExecution", redrive(Some("k")));
    assert_eq!(server.aws("RedriveExecution", redrive(Some("k"))), first);
    let told = describe(&server, &execution);
    assert_eq!((&told["status"], &told["redriveCount"]), (&json!("RUNNING"), &json!(1)));
    assert_eq!(told["redriveDate"], first["redriveDate"]);
    assert_eq!(server.aws_error("RedriveExecution", redrive(Some("l"))), "ExecutionNotRedrivable");
    let list = |filter: &str| {
        let input = json!({"stateMachineArn": arn, "redriveFilter": filter});
        server.aws("ListExecutions", input)["executions"].as_array().unwrap().clone()
    };
    assert_eq!((list("REDRIVEN").len(), list("NOT_REDRIVEN").len()), (1, 0));
    let row = &list("REDRIVEN")[0];
    assert_eq!((&row["redriveCount"], &row["redriveDate"]), (&json!(1), &first["redriveDate"]));
}

#[test]
fn executions_are_listed_by_status_page_by_page() {
    let server = Server::new();
    let arn = server.machine("w", &wait());
    for name in ["a", "b", "c"] {
        start(&server, &arn, name, "{}");
    }
    start(&server, &server.machine("x", &pass()), "other", "{}");
    server.aws(
        "StopExecution",
        json!({"executionArn": arn.replace("stateMachine", "execution") + ":b"}),
    );
    let list = |status: Option<&str>| {
        let input = json!({"stateMachineArn": arn, "statusFilter": status});
        texts(&json!(pages(&server, "ListExecutions", &input, "executions")), "name")
    };
    assert_eq!(list(None), ["c", "b", "a"], "the newest first");
    assert_eq!(list(Some("RUNNING")), ["c", "a"]);
    assert_eq!(list(Some("ABORTED")), ["b"]);
    assert!(list(Some("PENDING_REDRIVE")).is_empty());
    let bad = json!({"stateMachineArn": arn, "nextToken": "x"});
    assert_eq!(server.aws_error("ListExecutions", bad), "InvalidToken");
    assert_eq!(server.aws_error("ListExecutions", json!({})), "ValidationException");
}
