//! What the tests share: how they are counted, the client under test, and waiting.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::config::{Builder, Credentials, Region};
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

/// What nothing here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the tests have gone.
#[derive(Default)]
pub struct Suite {
    passed: u32,
    failed: u32,
}

impl Suite {
    /// Runs a test, whose name is a sentence.
    pub async fn run(&mut self, name: &str, body: impl Future<Output = ()>) {
        let begin = Instant::now();
        // A panic has said on stderr what it is about.
        if AssertUnwindSafe(body).catch_unwind().await.is_ok() {
            self.passed += 1;
            println!("ok   {name} ({} ms)", begin.elapsed().as_millis());
        } else {
            self.failed += 1;
            println!("FAIL {name}");
        }
    }

    /// Tells how many tests went well.
    pub fn end(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; .ci/clients sets it"))
}

/// A client that signs with this secret, and tries nothing again.
pub fn client_with(secret: &str) -> Client {
    let key = Credentials::new(variable("AWS_ACCESS_KEY_ID"), secret, None, None, "tests");
    let config = Builder::default()
        .endpoint_url(variable("EVERSTEP_URL"))
        .region(Region::new("us-east-1"))
        .credentials_provider(key)
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// The client under test.
pub fn client() -> Client {
    client_with(&variable("AWS_SECRET_ACCESS_KEY"))
}

/// Creates a machine of one state, and gives its ARN.
pub async fn machine(sfn: &Client, name: &str, state: Value) -> String {
    let definition = json!({"StartAt": "A", "States": {"A": state}});
    let asked = sfn.create_state_machine().name(name).definition(definition.to_string());
    let made = asked.role_arn("arn:aws:iam::000000000000:role/tests").send().await.unwrap();
    made.state_machine_arn
}

/// Starts an execution, and gives its ARN.
pub async fn start(sfn: &Client, machine: &str) -> String {
    let asked = sfn.start_execution().state_machine_arn(machine).input(r#"{"n":20}"#);
    asked.send().await.unwrap().execution_arn
}

/// An activity, and an execution of a machine that asks for it.
pub async fn work(sfn: &Client, name: &str, more: Value) -> (String, String) {
    let activity = sfn.create_activity().name(name).send().await.unwrap().activity_arn;
    let mut state = json!({"Type": "Task", "Resource": activity, "End": true});
    for (field, value) in more.as_object().unwrap() {
        state[field] = value.clone();
    }
    let machine = machine(sfn, name, state).await;
    let execution = start(sfn, &machine).await;
    (activity, execution)
}

/// Takes a task: its token and its input.
pub async fn take(sfn: &Client, activity: &str) -> (String, String) {
    let asked = sfn.get_activity_task().activity_arn(activity).worker_name("rust");
    let task = asked.send().await.unwrap();
    (task.task_token.expect("there is a task"), task.input.expect("a task has an input"))
}

/// What an execution has come to.
pub async fn ended(sfn: &Client, execution: &str) -> DescribeExecutionOutput {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let told = sfn.describe_execution().execution_arn(execution).send().await.unwrap();
        if told.status != ExecutionStatus::Running {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{execution} did not end");
}

/// All events of an execution, so many on each page.
pub async fn events(sfn: &Client, execution: &str, page: i32) -> Vec<HistoryEvent> {
    let asked = sfn.get_execution_history().execution_arn(execution).max_results(page);
    let mut pages = asked.into_paginator().send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        events.extend(page.unwrap().events);
    }
    events
}
