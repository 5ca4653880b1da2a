use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engine::Failure;
use crate::language::Json;
use crate::language::distributed::{OutputType, Transformation, WriterConfig};
use crate::worker::files::{
    Access, Buckets, ChildResult, ChildStatus, RESULT_FILE_BYTES, ResultFiles, Transformed,
    check_destination,
};

const RUN: &str = "arn:aws:states:us-east-1:123456789012:mapRun:orders/Map:0193-run";

fn child(number: u64, status: ChildStatus) -> ChildResult {
    let (succeeded, pending) = (status == ChildStatus::Succeeded, status == ChildStatus::Pending);
    let failed = !succeeded && !pending;
    ChildResult {
        id: format!("id-{number}"),
        name: format!("name-{number}"),
        workflow: "orders/Map".into(),
        input: Json::from(json!({"n": number})),
        output: succeeded.then(|| Json::from(json!([number, [number]]))),
        error: failed.then(|| "Oops".into()),
        cause: failed.then(|| "it broke".into()),
        status,
        started_at_ms: 1_700_000_000_000 + number,
        ended_at_ms: (!pending).then_some(1_700_000_001_000),
        redrives: 0,
    }
}

fn children() -> Vec<ChildResult> {
    use ChildStatus::{Aborted, Failed, Pending, Succeeded, TimedOut};
    let statuses = [Succeeded, Failed, Succeeded, TimedOut, Aborted, Pending];
    (0..).zip(statuses).map(|(number, status)| child(number, status)).collect()
}

fn config(transformation: Transformation, output_type: OutputType) -> WriterConfig {
    WriterConfig { transformation, output_type }
}

fn bucket() -> (TempDir, Buckets) {
    let folder = tempfile::tempdir().unwrap();
    let mut buckets = Buckets::new();
    buckets.bind("out", folder.path(), Access::ReadWrite);
    buckets.bind("in", folder.path(), Access::Read);
    (folder, buckets)
}

fn arguments() -> Value {
    json!({"Bucket": "out", "Prefix": "jobs/day1/"})
}

/// Writes the results of all children, in pieces of two, and gives the result of the Map.
async fn write_results(
    buckets: &Buckets,
    arguments: &Value,
    config: WriterConfig,
    map_run: &str,
    children: impl IntoIterator<Item = ChildResult>,
) -> Result<Json, Failure> {
    let children: Vec<ChildResult> = children.into_iter().collect();
    let limit = RESULT_FILE_BYTES;
    let mut files = ResultFiles::begin(buckets, arguments, config, map_run, limit).await?;
    for some in children.chunks(2) {
        files = files.add(some.to_vec()).await?;
    }
    files.finish().await
}

/// The result of a Map whose results are transformed and not written.
fn transformed(
    children: &[ChildResult],
    config: WriterConfig,
    limit: usize,
) -> Result<Json, Failure> {
    let mut result = Transformed::new(config, limit);
    for child in children {
        result.add(child)?;
    }
    result.finish()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn value(path: &Path) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn write_all(
    buckets: &Buckets,
    config: WriterConfig,
    limit: u64,
    children: Vec<ChildResult>,
) -> Result<Json, Failure> {
    let files = ResultFiles::begin(buckets, &arguments(), config, RUN, limit).await?;
    files.add(children).await?.finish().await
}

#[tokio::test]
async fn results_are_written_as_aws_writes_them() {
    let (folder, buckets) = bucket();
    let written =
        write_results(&buckets, &arguments(), WriterConfig::default(), RUN, children()).await;
    let key = "jobs/day1/0193-run";
    assert_eq!(
        written.unwrap().value(),
        json!({
            "MapRunArn": RUN,
            "ResultWriterDetails": {"Bucket": "out", "Key": format!("{key}/manifest.json")},
        })
    );
    let there = folder.path().join(key);
    assert_eq!(
        names(&there),
        ["FAILED_0.json", "PENDING_0.json", "SUCCEEDED_0.json", "manifest.json"]
    );
    let listed = |name: &str| json!([{"Key": format!("{key}/{name}"), "Size": text(&there.join(name)).len()}]);
    assert_eq!(
        value(&there.join("manifest.json")),
        json!({
            "DestinationBucket": "out",
            "MapRunArn": RUN,
            "ResultFiles": {
                "FAILED": listed("FAILED_0.json"),
                "PENDING": listed("PENDING_0.json"),
                "SUCCEEDED": listed("SUCCEEDED_0.json"),
            },
        })
    );
    let statuses: Vec<Value> = value(&there.join("FAILED_0.json"))
        .as_array()
        .unwrap()
        .iter()
        .map(|child| child["Status"].clone())
        .collect();
    assert_eq!(statuses, ["FAILED", "TIMED_OUT", "ABORTED"]);
}

#[tokio::test]
async fn a_description_has_the_fields_of_aws_in_their_order() {
    let (folder, buckets) = bucket();
    write_all(&buckets, WriterConfig::default(), u64::MAX, children()).await.unwrap();
    let first = |name: &str| {
        let all = value(&folder.path().join("jobs/day1/0193-run").join(name));
        all[0].to_string()
    };
    assert_eq!(
        first("SUCCEEDED_0.json"),
        r#"{"ExecutionArn":"id-0","Input":"{\"n\":0}","InputDetails":{"Included":true},"Name":"name-0","Output":"[0,[0]]","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","RedriveStatusReason":"Execution is SUCCEEDED and cannot be redriven","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"orders/Map","Status":"SUCCEEDED","StopDate":"2023-11-14T22:13:21.000Z"}"#
    );
    assert_eq!(
        first("FAILED_0.json"),
        r#"{"Cause":"it broke","Error":"Oops","ExecutionArn":"id-1","Input":"{\"n\":1}","InputDetails":{"Included":true},"Name":"name-1","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"REDRIVABLE_BY_MAP_RUN","StartDate":"2023-11-14T22:13:20.001Z","StateMachineArn":"orders/Map","Status":"FAILED","StopDate":"2023-11-14T22:13:21.000Z"}"#
    );
    assert_eq!(
        first("PENDING_0.json"),
        r#"{"Input":"{\"n\":5}","InputDetails":{"Included":true},"Status":"PENDING"}"#
    );
}

#[tokio::test]
async fn outputs_are_transformed_and_failures_are_not() {
    let cases = [
        (Transformation::Compact, OutputType::Json, "json", "[[0,[0]],[2,[2]]]"),
        (Transformation::Flatten, OutputType::Json, "json", "[0,[0],2,[2]]"),
        (Transformation::Compact, OutputType::Jsonl, "jsonl", "[0,[0]]\n[2,[2]]\n"),
        (Transformation::Flatten, OutputType::Jsonl, "jsonl", "0\n[0]\n2\n[2]\n"),
    ];
    for (transformation, output_type, ending, wanted) in cases {
        let (folder, buckets) = bucket();
        let config = config(transformation, output_type);
        write_all(&buckets, config, u64::MAX, children()).await.unwrap();
        let there = folder.path().join("jobs/day1/0193-run");
        assert_eq!(text(&there.join(format!("SUCCEEDED_0.{ending}"))), wanted);
        let failed = text(&there.join(format!("FAILED_0.{ending}")));
        assert!(failed.contains("\"Status\":\"TIMED_OUT\""), "{failed}");
    }
}

#[tokio::test]
async fn files_are_cut_at_the_limit_between_records() {
    for (output_type, ending, wanted) in [
        (OutputType::Json, "json", ["[10,[10]]", "[20,[20]]", "[30]"]),
        (OutputType::Jsonl, "jsonl", ["10\n[10]\n", "20\n[20]\n", "30\n"]),
    ] {
        let (folder, buckets) = bucket();
        let mut children: Vec<ChildResult> =
            (10..=30).step_by(10).map(|number| child(number, ChildStatus::Succeeded)).collect();
        children[2].output = Some(Json::from(json!(30)));
        let config = config(Transformation::Flatten, output_type);
        write_all(&buckets, config, 9, children).await.unwrap();
        let there = folder.path().join("jobs/day1/0193-run");
        for (index, wanted) in wanted.iter().enumerate() {
            assert_eq!(text(&there.join(format!("SUCCEEDED_{index}.{ending}"))), *wanted);
        }
        let manifest = value(&there.join("manifest.json"));
        let listed = manifest["ResultFiles"]["SUCCEEDED"].as_array().unwrap();
        assert_eq!(listed.len(), 3);
        assert_eq!(listed[2]["Size"], json!(wanted[2].len()));
    }
}

#[tokio::test]
async fn a_record_over_the_limit_has_a_file_of_its_own() {
    let (folder, buckets) = bucket();
    let config = config(Transformation::Compact, OutputType::Json);
    let children = (0..3).map(|number| child(number, ChildStatus::Succeeded)).collect();
    write_all(&buckets, config, 1, children).await.unwrap();
    let there = folder.path().join("jobs/day1/0193-run");
    assert_eq!(names(&there).len(), 4);
    assert_eq!(text(&there.join("SUCCEEDED_2.json")), "[[2,[2]]]");
}

#[tokio::test]
async fn writing_again_after_a_crash_gives_the_same_files() {
    let (folder, buckets) = bucket();
    let there = folder.path().join("jobs/day1/0193-run");
    let snapshot = || -> Vec<(String, String)> {
        names(&there).into_iter().map(|name| (text(&there.join(&name)), name)).collect()
    };
    write_all(&buckets, WriterConfig::default(), 700, children()).await.unwrap();
    let first = snapshot();
    // As after a crash: a part is left over, and a file is of the run before.
    fs::write(there.join("SUCCEEDED_1.json.everstep-part"), "[half").unwrap();
    fs::remove_file(there.join("manifest.json")).unwrap();
    write_all(&buckets, WriterConfig::default(), 700, children()).await.unwrap();
    assert_eq!(snapshot(), first);
}

#[tokio::test]
async fn nothing_that_is_incomplete_is_left_when_writing_is_given_up() {
    let (folder, buckets) = bucket();
    let config = WriterConfig::default();
    let files = ResultFiles::begin(&buckets, &arguments(), config, RUN, 1).await.unwrap();
    let there = folder.path().join("jobs/day1/0193-run");
    let files = files.add(children()).await.unwrap();
    let is_part =
        |name: &String| name.starts_with("FAILED_2.json.") && name.ends_with(".everstep-part");
    assert!(names(&there).iter().any(is_part));
    drop(files);
    assert_eq!(names(&there), ["FAILED_0.json", "FAILED_1.json", "SUCCEEDED_0.json"]);
}

#[tokio::test]
async fn a_link_in_the_place_of_a_file_is_replaced_and_not_followed() {
    let (folder, buckets) = bucket();
    let outside = tempfile::tempdir().unwrap();
    let precious = outside.path().join("precious");
    fs::write(&precious, "mine").unwrap();
    let there = folder.path().join("jobs/day1/0193-run");
    fs::create_dir_all(&there).unwrap();
    for name in ["SUCCEEDED_0.json", "SUCCEEDED_0.json.everstep-part", "manifest.json"] {
        symlink(&precious, there.join(name)).unwrap();
    }
    write_all(&buckets, WriterConfig::default(), u64::MAX, children()).await.unwrap();
    assert_eq!(text(&precious), "mine");
    assert!(fs::symlink_metadata(there.join("SUCCEEDED_0.json")).unwrap().is_file());
}

#[tokio::test]
async fn a_map_without_children_has_a_manifest() {
    let (folder, buckets) = bucket();
    let arguments = json!({"Bucket": "out"});
    let config = WriterConfig::default();
    let written = write_results(&buckets, &arguments, config, "run7", Vec::new()).await.unwrap();
    assert_eq!(written.value()["ResultWriterDetails"]["Key"], "run7/manifest.json");
    let manifest = value(&folder.path().join("run7/manifest.json"));
    assert_eq!(manifest["ResultFiles"], json!({"FAILED": [], "PENDING": [], "SUCCEEDED": []}));
}

#[tokio::test]
async fn every_failure_is_one_of_the_result_writer() {
    let (folder, buckets) = bucket();
    fs::write(folder.path().join("file"), "").unwrap();
    let cases = [
        (json!({}), "no text `Bucket`"),
        (json!({"Bucket": "on"}), "NoSuchBucket"),
        (json!({"Bucket": "in"}), "AccessDenied"),
        (json!({"Bucket": "out", "Prefix": "../x"}), "no key"),
        (json!({"Bucket": "out", "Prefix": "/x"}), "does not begin"),
        (json!({"Bucket": "out", "Prefix": 7}), "not a text"),
        (json!({"Bucket": "out", "Prefix": "file"}), "cannot be made"),
    ];
    for (arguments, words) in cases {
        let early = check_destination(&buckets, &arguments);
        let config = WriterConfig::default();
        let late = write_results(&buckets, &arguments, config, RUN, children()).await.unwrap_err();
        assert_eq!(&*late.error, "States.ResultWriterFailed", "{late:?}");
        assert!(late.cause.contains(words), "{late:?}");
        // What needs no look at the disk is known before the Map begins.
        assert_eq!(early.is_err(), words != "cannot be made", "{words}");
    }
    assert!(check_destination(&buckets, &arguments()).is_ok());
    for run in ["", "a:..", "a/."] {
        let config = WriterConfig::default();
        assert!(write_results(&buckets, &arguments(), config, run, Vec::new()).await.is_err());
    }
}

#[test]
fn results_can_be_written_from_any_thread() {
    fn sendable<F: Future + Send>(_: F) {}
    let (_folder, buckets) = bucket();
    let arguments = arguments();
    let children = children().into_iter().map(|child| ChildResult { redrives: 1, ..child });
    sendable(write_results(&buckets, &arguments, WriterConfig::default(), RUN, children));
}

#[test]
fn results_that_are_not_written_become_the_result() {
    let of = |transformation, output_type| {
        transformed(&children(), config(transformation, output_type), 100_000).unwrap()
    };
    let compact = of(Transformation::Compact, OutputType::Json).value();
    assert_eq!((&compact[0], &compact[1]["Error"]), (&json!([0, [0]]), &json!("Oops")));
    assert_eq!(compact.as_array().unwrap().len(), 6);
    let flat = of(Transformation::Flatten, OutputType::Json).value();
    assert_eq!(flat.as_array().unwrap().len(), 8);
    let none = of(Transformation::None, OutputType::Json).value();
    assert_eq!(none[2]["Output"], json!("[2,[2]]"));
    let lines = of(Transformation::Flatten, OutputType::Jsonl).value();
    let lines: Vec<&str> = lines.as_str().unwrap().lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1]), (8, "0", "[0]"));
    let mut half = child(1, ChildStatus::Failed);
    half.output = Some(Json::null());
    let described = transformed(&[half], config(Transformation::Flatten, OutputType::Json), 1000);
    assert_eq!(described.unwrap().value()[0]["Output"], "null");
    let nothing = transformed(&[], WriterConfig::default(), 2).unwrap();
    assert_eq!(nothing.as_str(), "[]");
}

#[test]
fn a_result_that_is_too_large_or_too_deep_fails() {
    let compact = config(Transformation::Compact, OutputType::Json);
    let children = [child(1, ChildStatus::Succeeded), child(2, ChildStatus::Succeeded)];
    assert!(transformed(&children, compact, "[[1,[1]],[2,[2]]]".len()).is_ok());
    let failure = transformed(&children, compact, 16).unwrap_err();
    assert_eq!(&*failure.error, "States.DataLimitExceeded");
    let mut deep = child(1, ChildStatus::Succeeded);
    deep.output = Some(Json::parse(&format!("{}{}", "[".repeat(127), "]".repeat(127))).unwrap());
    let failure = transformed(&[deep], compact, 1000).unwrap_err();
    assert_eq!(&*failure.error, "States.ResultWriterFailed");
}
