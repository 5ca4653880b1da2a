//! The tests.

use aws_sdk_sfn::error::ProvideErrorMetadata as _;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType, StateMachineStatus};
use serde_json::{Value, json};

use crate::kit::{self, client, client_with, ended, events, take, work};

fn pass() -> Value {
    json!({"Type": "Pass", "Result": {"done": true}, "End": true})
}

pub async fn machine() {
    let sfn = client();
    let arn = kit::machine(&sfn, "rust-machine", pass()).await;
    assert_eq!(kit::machine(&sfn, "rust-machine", pass()).await, arn, "the same again");
    let told = sfn.describe_state_machine().state_machine_arn(&arn).send().await.unwrap();
    assert_eq!(told.status, Some(StateMachineStatus::Active));
    let definition: Value = serde_json::from_str(&told.definition).unwrap();
    assert_eq!(definition["States"]["A"], pass());
    sfn.delete_state_machine().state_machine_arn(&arn).send().await.unwrap();
    let gone = sfn.describe_state_machine().state_machine_arn(&arn).send().await.unwrap_err();
    assert!(gone.into_service_error().is_state_machine_does_not_exist());
}

pub async fn start() {
    let sfn = client();
    let arn = kit::machine(&sfn, "rust-start", pass()).await;
    let named = |input: &str| {
        sfn.start_execution().state_machine_arn(&arn).name("once").input(input).send()
    };
    let execution = named(r#"{"n":1}"#).await.unwrap().execution_arn;
    let told = ended(&sfn, &execution).await;
    assert_eq!(told.status, ExecutionStatus::Succeeded);
    assert_eq!(told.output.as_deref(), Some(r#"{"done":true}"#));
    assert!(told.stop_date.unwrap() >= told.start_date);
    let again = named(r#"{"n":2}"#).await.unwrap_err().into_service_error();
    assert!(again.is_execution_already_exists(), "{again:?}");
    let listed = sfn.list_executions().state_machine_arn(&arn).send().await.unwrap();
    assert_eq!(listed.executions.len(), 1);
    assert_eq!(listed.executions[0].execution_arn, execution);
}

pub async fn worker() {
    let sfn = client();
    let (activity, execution) = work(&sfn, "rust-worker", json!({"HeartbeatSeconds": 20})).await;
    let (token, input) = take(&sfn, &activity).await;
    assert_eq!(input, r#"{"n":20}"#);
    sfn.send_task_heartbeat().task_token(&token).send().await.unwrap();
    sfn.send_task_success().task_token(&token).output(r#"{"n":21}"#).send().await.unwrap();
    let told = ended(&sfn, &execution).await;
    assert_eq!(told.status, ExecutionStatus::Succeeded);
    assert_eq!(told.output.as_deref(), Some(r#"{"n":21}"#));
    let late = sfn.send_task_heartbeat().task_token(&token).send().await.unwrap_err();
    assert!(late.into_service_error().is_task_timed_out());
    let wrong = sfn.send_task_heartbeat().task_token("nothing").send().await.unwrap_err();
    assert!(wrong.into_service_error().is_invalid_token());
}

pub async fn retry() {
    let sfn = client();
    let retry = json!({"Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1}]});
    let (activity, execution) = work(&sfn, "rust-retry", retry).await;
    let (first, _) = take(&sfn, &activity).await;
    let failure = sfn.send_task_failure().task_token(&first).error("Flaky").cause("try again");
    failure.send().await.unwrap();
    let (second, _) = take(&sfn, &activity).await;
    assert_ne!(second, first);
    sfn.send_task_success().task_token(second).output("{}").send().await.unwrap();
    assert_eq!(ended(&sfn, &execution).await.status, ExecutionStatus::Succeeded);
    let events = events(&sfn, &execution, 100).await;
    let failed = events.iter().find_map(|event| event.activity_failed_event_details());
    assert_eq!(failed.and_then(|details| details.cause()), Some("try again"));
}

pub async fn silent() {
    let sfn = client();
    let (activity, execution) = work(&sfn, "rust-silent", json!({"HeartbeatSeconds": 1})).await;
    let (token, _) = take(&sfn, &activity).await;
    assert_eq!(ended(&sfn, &execution).await.status, ExecutionStatus::Failed);
    let late = sfn.send_task_success().task_token(token).output("{}").send().await.unwrap_err();
    assert!(late.into_service_error().is_task_timed_out());
}

pub async fn history() {
    let sfn = client();
    let arn = kit::machine(&sfn, "rust-history", pass()).await;
    let execution = kit::start(&sfn, &arn).await;
    ended(&sfn, &execution).await;
    let all = events(&sfn, &execution, 100).await;
    let types: Vec<_> = all.iter().map(|event| event.r#type.clone()).collect();
    let wanted = [
        HistoryEventType::ExecutionStarted,
        HistoryEventType::PassStateEntered,
        HistoryEventType::PassStateExited,
        HistoryEventType::ExecutionSucceeded,
    ];
    assert_eq!(types, wanted);
    assert_eq!(events(&sfn, &execution, 1).await, all);
}

pub async fn stop() {
    let sfn = client();
    let wait = json!({"Type": "Wait", "Seconds": 100_000, "End": true});
    let execution = kit::start(&sfn, &kit::machine(&sfn, "rust-stop", wait).await).await;
    let asked = sfn.stop_execution().execution_arn(&execution).error("Enough").cause("not wanted");
    asked.send().await.unwrap();
    let told = ended(&sfn, &execution).await;
    assert_eq!(told.status, ExecutionStatus::Aborted);
    assert_eq!((told.error(), told.cause()), (Some("Enough"), Some("not wanted")));
}

pub async fn redrive() {
    let sfn = client();
    let (activity, execution) = work(&sfn, "rust-redrive", json!({})).await;
    let (token, _) = take(&sfn, &activity).await;
    let again = || sfn.redrive_execution().execution_arn(&execution).send();
    let early = again().await.unwrap_err().into_service_error();
    assert!(early.is_execution_not_redrivable(), "{early:?}");
    sfn.send_task_failure().task_token(token).error("Broken").send().await.unwrap();
    assert_eq!(ended(&sfn, &execution).await.status, ExecutionStatus::Failed);
    again().await.unwrap();
    let (token, _) = take(&sfn, &activity).await;
    sfn.send_task_success().task_token(token).output("2").send().await.unwrap();
    let told = ended(&sfn, &execution).await;
    assert_eq!(told.status, ExecutionStatus::Succeeded);
    assert_eq!((told.output(), told.redrive_count), (Some("2"), Some(1)));
}

pub async fn stranger() {
    let refused = client_with("another").list_activities().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidSignatureException"));
}
