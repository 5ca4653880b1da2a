//! Activities, and what becomes of tasks that are answered by token.

use std::sync::mpsc;

use everstep::worker::JobContext;
use serde_json::{Value, json};

use super::super::Server;
use super::{pages, text, texts};

#[test]
fn an_activity_keeps_its_date_and_is_listed_until_it_is_deleted() {
    let server = Server::new();
    let create = |name: &str| server.aws("CreateActivity", json!({"name": name}));
    let first = create("a");
    assert_eq!(first["activityArn"], "arn:aws:states:us-east-1:000000000000:activity:a");
    assert_eq!(create("a"), first, "it is there already");
    create("b");
    let list = || texts(&json!(pages(&server, "ListActivities", &json!({}), "activities")), "name");
    assert_eq!(list(), ["a", "b"]);
    let arn = json!({"activityArn": first["activityArn"]});
    let told = server.aws("DescribeActivity", arn.clone());
    assert_eq!((&told["name"], &told["creationDate"]), (&json!("a"), &first["creationDate"]));
    let tag = json!({"resourceArn": first["activityArn"], "tags": [{"key": "k", "value": "v"}]});
    server.aws("TagResource", tag);
    server.aws("DeleteActivity", arn.clone());
    server.aws("DeleteActivity", arn.clone());
    assert_eq!(list(), ["b"]);
    assert_eq!(server.aws_error("DescribeActivity", arn), "ActivityDoesNotExist");
    create("a");
    let tags = server.aws("ListTagsForResource", json!({"resourceArn": first["activityArn"]}));
    assert_eq!(tags["tags"], json!([]), "tags go with what they are of");
    assert_eq!(server.aws_error("CreateActivity", json!({"name": "a:b"})), "InvalidName");
    assert_eq!(server.aws_error("DescribeActivity", json!({"activityArn": "a"})), "InvalidArn");
}

#[test]
fn an_execution_may_begin_before_anybody_works_at_its_activity() {
    let server = Server::new();
    let resource = "arn:aws:states:us-east-1:000000000000:activity:a";
    let machine = json!({"StartAt": "A", "States":
        {"A": {"Type": "Task", "Resource": resource, "End": true}}});
    let arn = server.machine("w", &machine);
    let start = json!({"stateMachineArn": arn});
    assert_eq!(server.aws_error("StartExecution", start.clone()), "ValidationException");
    server.aws("CreateActivity", json!({"name": "a"}));
    server.aws("StartExecution", start);
}

#[test]
fn a_worker_takes_tasks_of_an_activity_and_answers_them() {
    let server = Server::with(|_| {}, |builder| builder.remote_workers(true));
    let activity = text(&server.aws("CreateActivity", json!({"name": "a"}))["activityArn"]);
    let machine = json!({"StartAt": "A", "States":
        {"A": {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 600, "End": true,
            "Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}]}}});
    let arn = server.machine("w", &machine);
    let start = json!({"stateMachineArn": arn, "input": "{\"n\":1}"});
    let execution = text(&server.aws("StartExecution", start)["executionArn"]);
    let wish = json!({"activityArn": activity, "workerName": "my worker"});
    let task = server.aws("GetActivityTask", wish.clone());
    assert_eq!(task["input"], "{\"n\":1}");
    let token = json!({"taskToken": task["taskToken"]});
    assert_eq!(server.aws("SendTaskHeartbeat", token.clone()), json!({}));
    let failure = json!({"taskToken": task["taskToken"], "error": "Again", "cause": "not yet"});
    server.aws("SendTaskFailure", failure.clone());
    assert_eq!(server.aws_error("SendTaskFailure", failure), "TaskTimedOut");
    let again = server.aws("GetActivityTask", wish);
    assert_ne!(again["taskToken"], task["taskToken"]);
    let answer = json!({"taskToken": again["taskToken"], "output": "[7]"});
    server.aws("SendTaskSuccess", answer);
    assert_eq!(ended(&server, &execution)["output"], "[7]");
    let history = server.aws("GetExecutionHistory", json!({"executionArn": execution}));
    let types = history["events"].as_array().unwrap().iter().map(|event| text(&event["type"]));
    let of_activity: Vec<String> = types.filter(|name| name.starts_with("Activity")).collect();
    assert_eq!(
        of_activity,
        [
            "ActivityScheduled",
            "ActivityStarted",
            "ActivityFailed",
            "ActivityScheduled",
            "ActivityStarted",
            "ActivitySucceeded",
        ]
    );
    let missing = json!({"activityArn": activity.replace(":a", ":b")});
    assert_eq!(server.aws_error("GetActivityTask", missing), "ActivityDoesNotExist");
}

/// A server whose handler hands tokens on, with a machine that waits for one.
fn with_callback(retry: bool) -> (Server, mpsc::Receiver<String>, String) {
    let (to, tokens) = mpsc::channel();
    let server = Server::with(
        |_| {},
        |builder| {
            builder.handle("order", move |_: JobContext, input: Value| {
                to.send(input["token"].as_str().unwrap().to_owned()).unwrap();
                async move { Ok("handed on") }
            })
        },
    );
    let mut state = json!({"Type": "Task", "Resource": "order.waitForTaskToken", "End": true,
        "Parameters": {"token.$": "$$.Task.Token"}});
    if retry {
        state["Retry"] = json!([{"ErrorEquals": ["Again"], "IntervalSeconds": 1}]);
    }
    let arn = server.machine("w", &json!({"StartAt": "A", "States": {"A": state}}));
    let started = server.aws("StartExecution", json!({"stateMachineArn": arn}));
    let execution = text(&started["executionArn"]);
    (server, tokens, execution)
}

fn ended(server: &Server, execution: &str) -> Value {
    server.ended(execution.rsplit(':').next().unwrap().parse().unwrap());
    server.aws("DescribeExecution", json!({"executionArn": execution}))
}

#[test]
fn who_has_the_token_gives_the_result_once() {
    let (server, tokens, execution) = with_callback(false);
    let token = tokens.recv().unwrap();
    let bad = json!({"taskToken": token, "output": "{"});
    assert_eq!(server.aws_error("SendTaskSuccess", bad), "InvalidOutput");
    server.aws("SendTaskHeartbeat", json!({"taskToken": token}));
    server.aws("SendTaskSuccess", json!({"taskToken": token, "output": r#"{"done":true}"#}));
    let told = ended(&server, &execution);
    assert_eq!(
        (&told["status"], &told["output"]),
        (&json!("SUCCEEDED"), &json!(r#"{"done":true}"#))
    );
    for (operation, input) in [
        ("SendTaskSuccess", json!({"taskToken": token, "output": "{}"})),
        ("SendTaskFailure", json!({"taskToken": token})),
        ("SendTaskHeartbeat", json!({"taskToken": token})),
    ] {
        let (kind, message) = server.aws_refuses(operation, input);
        assert_eq!(kind, "TaskTimedOut", "{operation}");
        assert!(!message.contains(&token), "tokens are not repeated");
    }
}

#[test]
fn who_has_the_token_says_why_it_failed() {
    let (server, tokens, execution) = with_callback(true);
    let token = tokens.recv().unwrap();
    let again = json!({"taskToken": token, "error": "Again", "cause": "busy"});
    server.aws("SendTaskFailure", again.clone());
    assert_eq!(server.aws_error("SendTaskFailure", again), "TaskTimedOut", "it is tried again");
    let token = tokens.recv().unwrap();
    let failure = json!({"taskToken": token, "error": "Over", "cause": "broken"});
    server.aws("SendTaskFailure", failure);
    let told = ended(&server, &execution);
    assert_eq!((&told["status"], &told["error"]), (&json!("FAILED"), &json!("Over")));
    assert_eq!(told["cause"], "broken");
}

#[test]
fn a_token_of_nothing_is_refused() {
    let server = Server::new();
    let kind = server.aws_error("SendTaskHeartbeat", json!({"taskToken": "nonsense"}));
    assert_eq!(kind, "InvalidToken");
}
