//! What holds for every operation.

use serde_json::json;

use super::super::Server;
use super::{WIRE, pass, refusal};

#[test]
fn what_no_operation_is_called_is_unknown() {
    let server = Server::new();
    for target in [
        "AWSStepFunctions.Nothing",
        "AWSStepFunctions.",
        "AWSStepFunctions.liststatemachines",
        "DynamoDB_20120810.ListTables",
        "ListStateMachines",
    ] {
        let answer =
            server.request("POST", "/").header("x-amz-target", target).body(WIRE, b"{}").send();
        assert_eq!((answer.status, &*refusal(&answer).0), (400, "UnknownOperationException"));
    }
    let answer = server.request("POST", "/").body(WIRE, b"{}").send();
    assert_eq!(refusal(&answer).0, "UnknownOperationException");
}

#[test]
fn what_cannot_be_read_is_told_apart_from_what_is_out_of_bounds() {
    let server = Server::new();
    let ask = |body: &[u8]| {
        let request = server.operation("DescribeStateMachine", &json!({}));
        let answer = request.body(WIRE, body).send();
        assert_eq!(answer.status, 400, "{answer:?}");
        refusal(&answer)
    };
    for body in [&b"{"[..], b"[]", b"\xff", br#"{"stateMachineArn": 7}"#] {
        assert_eq!(ask(body).0, "SerializationException", "{}", String::from_utf8_lossy(body));
    }
    let (kind, message) = ask(b"{}");
    assert_eq!(kind, "ValidationException");
    assert_eq!(
        message,
        "1 validation error detected: Value null at 'stateMachineArn' failed to satisfy \
         constraint: Member must not be null"
    );
    let (kind, message) = ask(br#"{"stateMachineArn": ""}"#);
    assert_eq!(kind, "ValidationException");
    assert!(message.contains("length greater than or equal to 1"), "{message}");
    assert_eq!(
        ask(br#"{"stateMachineArn": "w"}"#),
        ("InvalidArn".into(), "Invalid Arn: 'w'".into())
    );
}

#[test]
fn another_content_type_and_a_body_that_is_too_large_are_refused() {
    let server = Server::new();
    let request = server.operation("ListStateMachines", &json!({}));
    let answer = request.body("application/json", b"{}").send();
    assert_eq!(refusal(&answer).0, "SerializationException");
    let large = json!({"nextToken": "x".repeat(3 * 1024 * 1024)});
    let answer = server.operation("ListStateMachines", &large).send();
    assert_eq!((answer.status, &*refusal(&answer).0), (413, "RequestEntityTooLargeException"));
}

#[test]
fn arns_of_any_region_and_account_are_read_and_those_of_the_settings_are_given() {
    let set = |settings: &mut everstep::server::http::Settings| {
        settings.region = "eu-west-1".to_owned();
        settings.account = "123456789012".to_owned();
    };
    let server = Server::with(set, |builder| builder);
    let arn = server.machine("w", &pass());
    assert_eq!(arn, "arn:aws:states:eu-west-1:123456789012:stateMachine:w");
    let other = arn.replace("eu-west-1:123456789012", "us-east-1:000000000000");
    let told = server.aws("DescribeStateMachine", json!({"stateMachineArn": other}));
    assert_eq!(told["stateMachineArn"], arn);
}

#[test]
fn a_name_with_the_prefix_for_answers_at_once_is_ours_too() {
    let server = Server::new();
    let ask = |host: &str| {
        let request = server.operation("ListStateMachines", &json!({}));
        request.header("host", host).send().status
    };
    assert_eq!((ask("sync-localhost:80"), ask("sync-elsewhere")), (200, 400));
}

#[test]
fn every_operation_is_told_with_its_members_and_refusals() {
    let server = Server::new();
    let document = server.get("/openapi.json").json();
    let told = document["x-everstep-operations"].as_object().unwrap();
    let start = &told["StartExecution"];
    assert_eq!(start["x-everstep-role"], "operator");
    assert_eq!(start["input"]["required"], json!(["stateMachineArn"]));
    assert_eq!(start["input"]["properties"]["name"]["maxLength"], 80);
    assert!(start["errors"].as_array().unwrap().contains(&json!("ExecutionAlreadyExists")));
    assert!(told.len() >= 28, "{}", told.len());
}
