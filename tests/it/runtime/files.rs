//! Distributed Maps that read their items from files and write their results into files.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use everstep::engine::{Event, Status};
use everstep::runtime::{Builder, Orchestrator};
use everstep::store::MemoryStore;
use everstep::testing::FaultyStore;
use everstep::worker::files::{Access, Buckets};
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{World, deploy, within};

fn buckets(folder: &Path) -> Buckets {
    let mut buckets = Buckets::new();
    buckets.bind("in", folder.join("in"), Access::Read);
    buckets.bind("out", folder.join("out"), Access::ReadWrite);
    buckets
}

/// A folder with three rows.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("in/day")).unwrap();
    fs::create_dir_all(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("in/day/rows.csv"), "id,name\n1,ada\n2,bob\n3,cy\n").unwrap();
    folder
}

/// Fails for bob.
fn greeting(builder: Builder) -> Builder {
    builder.handle("greet", |_: JobContext, row: Value| async move {
        match row["name"].as_str() {
            Some("bob") => Err(JobError::new("NoBobs", "as told")),
            name => Ok(format!("hello {}", name.unwrap_or_default())),
        }
    })
}

fn definition(writer: &Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "ToleratedFailurePercentage": 50,
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": "in", "Key.$": "$.key"}},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "greet", "End": true}}}});
    if !writer.is_null() {
        state["ResultWriter"] = writer.clone();
    }
    json!({"StartAt": "A", "States": {"A": state}})
}

async fn run(system: &Orchestrator, key: &str) -> everstep::Outcome {
    let id = system.start("w", json!({"key": key})).await.unwrap();
    within(system.result(id)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_file_are_items_and_results_come_back_or_go_into_files() {
    let folder = folder();
    let mut world = World::new();
    let system = world.open(|b| greeting(b).buckets(buckets(folder.path()))).await;
    deploy(&system, &definition(&Value::Null)).await;
    let outcome = run(&system, "day/rows.csv").await;
    assert_eq!(outcome.status, Status::CompletedWithErrors);
    let failed = json!({"Status": "FAILED", "Error": "NoBobs", "Cause": "as told"});
    assert_eq!(outcome.output.unwrap().value(), json!(["hello ada", failed, "hello cy"]));

    let writer = json!({"Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "out", "Prefix": "greetings"}});
    deploy(&system, &definition(&writer)).await;
    let output = run(&system, "day/rows.csv").await.output.unwrap().value();
    let read = |key: &str| -> Value {
        let text = fs::read_to_string(folder.path().join("out").join(key)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let manifest = read(output["ResultWriterDetails"]["Key"].as_str().unwrap());
    let succeeded = read(manifest["ResultFiles"]["SUCCEEDED"][0]["Key"].as_str().unwrap());
    let outputs: Vec<&Value> =
        succeeded.as_array().unwrap().iter().map(|child| &child["Output"]).collect();
    assert_eq!(outputs, ["\"hello ada\"", "\"hello cy\""]);
    let failed = read(manifest["ResultFiles"]["FAILED"][0]["Key"].as_str().unwrap());
    assert_eq!((&failed[0]["Error"], &failed[0]["Cause"]), (&json!("NoBobs"), &json!("as told")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_config_alone_shapes_the_result() {
    let folder = folder();
    let mut world = World::new();
    let system = world.open(|b| greeting(b).buckets(buckets(folder.path()))).await;
    let writer = json!({"WriterConfig": {"Transformation": "NONE", "OutputType": "JSON"}});
    deploy(&system, &definition(&writer)).await;
    let output = run(&system, "day/rows.csv").await.output.unwrap().value();
    let statuses: Vec<&Value> =
        output.as_array().unwrap().iter().map(|child| &child["Status"]).collect();
    assert_eq!(statuses, ["SUCCEEDED", "FAILED", "SUCCEEDED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_not_bound_is_out_of_reach() {
    let folder = folder();
    let mut world = World::new();
    let system = world.open(greeting).await;
    deploy(&system, &definition(&Value::Null)).await;
    let failure = run(&system, "day/rows.csv").await.failure.unwrap();
    assert_eq!(&*failure.error, "States.ItemReaderFailed");
    drop(system);

    let system = world.open(|b| greeting(b).buckets(buckets(folder.path()))).await;
    let failure = run(&system, "../out/secret").await.failure.unwrap();
    assert_eq!(&*failure.error, "States.ItemReaderFailed");
    let writer = json!({"Resource": "s3:putObject", "Parameters": {"Bucket": "in"}});
    deploy(&system, &definition(&writer)).await;
    let id = system.start("w", json!({"key": "day/rows.csv"})).await.unwrap();
    let failure = within(system.result(id)).await.unwrap().failure.unwrap();
    assert_eq!(&*failure.error, "States.ResultWriterFailed");
    // That is known before any part begins.
    let history = system.history(id).await.unwrap();
    assert!(!history.iter().any(|record| matches!(&*record.event, Event::ForkStarted(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_and_written_to_the_same_end_after_any_crash() {
    let writer = json!({"Resource": "s3:putObject", "Parameters": {"Bucket": "out"}});
    for appends in 0.. {
        let folder = folder();
        let mut world = World::on(Arc::new(MemoryStore::new()));
        let system = world.open(|builder| builder).await;
        deploy(&system, &definition(&writer)).await;
        within(system.stop()).await.unwrap();

        let faulty = Arc::new(FaultyStore::new(world.store.clone()));
        faulty.fail_append_after(appends, ErrorKind::Other);
        let first = greeting(world.builder()).buckets(buckets(folder.path()));
        let first = first.open_store(faulty).await.unwrap();
        let Ok(id) = first.start("w", json!({"key": "day/rows.csv"})).await else { continue };
        let ended = tokio::select! {
            ended = within(first.result(id)) => ended.is_ok(),
            _ = first.failed() => false,
        };
        drop(first);

        let second = world.open(|b| greeting(b).buckets(buckets(folder.path()))).await;
        let outcome = within(second.result(id)).await.unwrap();
        assert_eq!(outcome.failure, None, "after {appends} appends");
        let details = outcome.output.unwrap().value();
        let key = details["ResultWriterDetails"]["Key"].as_str().unwrap().to_owned();
        let manifest = fs::read_to_string(folder.path().join("out").join(key)).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let succeeded = manifest["ResultFiles"]["SUCCEEDED"].as_array().unwrap().len();
        assert_eq!(succeeded, 1, "after {appends} appends: {manifest}");
        if ended {
            assert!(appends > 5, "only {appends} appends: is anything cut off?");
            return;
        }
    }
}
