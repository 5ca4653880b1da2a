use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::Failure;
use crate::language::Json;
use crate::worker::command::testing::{context, outcome_of};
use crate::worker::files::{Access, Buckets, ReadItems, ReadLimits};
use crate::worker::{JobHandler as _, JobOutcome};

fn handler(files: &[(&str, &str)]) -> (tempfile::TempDir, ReadItems) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let mut buckets = Buckets::new();
    buckets.bind("in", folder.path(), Access::Read);
    (folder, ReadItems::new(Arc::new(buckets), ReadLimits::default()))
}

async fn run(handler: &ReadItems, input: &Value) -> Result<Json, Failure> {
    let (job, _fire, _sink) = context(&input.to_string());
    outcome_of(handler.run(job).await)
}

fn order(key: &str, config: Value) -> Value {
    json!({
        "Resource": "s3:getObject",
        "Arguments": {"Bucket": "in", "Key": key},
        "ReaderConfig": config,
    })
}

#[tokio::test]
async fn the_items_of_a_file_are_the_result() {
    let (_folder, handler) = handler(&[("a.csv", "x|y\n1|2\n3|4\n"), ("b.json", "{\"l\":[1,2]}")]);
    let config = json!({"InputType": "CSV", "CSVDelimiter": "PIPE", "MaxItems": 1});
    let items = run(&handler, &order("a.csv", config)).await.unwrap();
    assert_eq!(items.value(), json!([{"x": "1", "y": "2"}]));
    let config = json!({"InputType": "JSON", "ItemsPointer": "/l"});
    assert_eq!(run(&handler, &order("b.json", config)).await.unwrap().value(), json!([1, 2]));
}

#[tokio::test]
async fn the_files_of_a_bucket_are_the_result() {
    let (_folder, handler) = handler(&[("a1", ""), ("a2", ""), ("a3", ""), ("b", "")]);
    let list = json!({
        "Resource": "s3:listObjectsV2",
        "Arguments": {"Bucket": "in", "Prefix": "a"},
        "ReaderConfig": {"MaxItems": 2},
    });
    let items = run(&handler, &list).await.unwrap().value();
    assert_eq!((&items[0]["Key"], &items[1]["Key"]), (&json!("a1"), &json!("a2")));
    let all = json!({"Resource": "s3:listObjectsV2", "Arguments": {"Bucket": "in"}});
    assert_eq!(run(&handler, &all).await.unwrap().value().as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn every_failure_is_one_of_the_item_reader() {
    let (_folder, handler) = handler(&[("a", "1\n{\n")]);
    let jsonl = json!({"InputType": "JSONL"});
    let mut unknown = order("a", jsonl.clone());
    unknown["Arguments"]["Bucket"] = json!("on");
    let mut version = order("a", jsonl.clone());
    version["Arguments"]["VersionId"] = json!("3");
    let mut no_key = order("a", jsonl.clone());
    no_key["Arguments"] = json!({"Bucket": "in", "Prefix": "a"});
    let cases = [
        (order("a", jsonl), "\"a\" in the bucket \"in\": line 2: item 2 is no JSON"),
        (order("b", json!({"InputType": "CSV"})), "NoSuchKey"),
        (order("a", json!({})), "no `InputType`"),
        (order("a", json!({"InputType": "PARQUET"})), "unknown variant `PARQUET`"),
        (unknown, "NoSuchBucket"),
        (version, "leave out `VersionId`"),
        (no_key, "no `Key`"),
        (json!({"Resource": "s3:deleteObject", "Arguments": {}}), "s3:deleteObject"),
        (json!({"Resource": "s3:getObject", "Arguments": {"Key": "a"}}), "missing field `Bucket`"),
        (json!(7), "cannot be understood"),
    ];
    for (input, words) in cases {
        let failure = run(&handler, &input).await.unwrap_err();
        assert_eq!(&*failure.error, "States.ItemReaderFailed", "{failure:?}");
        assert!(failure.cause.contains(words), "{failure:?}");
    }
}

#[tokio::test]
async fn progress_is_reported_on_the_way_and_at_the_end() {
    let (_folder, handler) = handler(&[("a", &"1\n".repeat(2048))]);
    let (job, _fire, sink) = context(&order("a", json!({"InputType": "JSONL"})).to_string());
    outcome_of(handler.run(job).await).unwrap();
    let reports: Vec<_> = sink
        .reports()
        .into_iter()
        .map(|report| (report.percent, report.processed, report.total))
        .collect();
    let (all, half) = (Some(2048), Some(1024));
    assert_eq!(reports[0], (Some(50), half, None));
    assert_eq!(*reports.last().unwrap(), (Some(100), all, all));
}

#[tokio::test]
async fn reading_that_is_cancelled_ends_as_cancelled() {
    let (_folder, handler) = handler(&[("a", &"1\n".repeat(2048))]);
    let (job, fire, _sink) = context(&order("a", json!({"InputType": "JSONL"})).to_string());
    fire.send(true).unwrap();
    assert_eq!(handler.run(job).await, JobOutcome::Cancelled);
}
