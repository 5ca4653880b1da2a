//! Commands about definitions, by the real binary: for AWS, and for single states.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const WORKFLOW: &str = "\
Title: Resize
StartAt: Look
States:
  Look: {Type: Pass, Weight: 2, Next: Resize}
  Resize:
    Type: Task
    Resource: resize
    ResultPath: $.done
    Catch: [{ErrorEquals: [Broken], Next: Lost}]
    End: true
  Lost: {Type: Fail, Error: Lost}
";

fn everstep(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everstep"));
    command.args(arguments).current_dir(folder);
    for variable in ["EVERSTEP_DATA", "EVERSTEP_LOG", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    std::fs::write(place.path().join("w.yaml"), WORKFLOW).unwrap();
    place
}

/// Runs it, insists on the exit code, and reads stdout.
fn asked(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let output = everstep(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_aws_refuses_is_found_when_asked_and_gone_after_the_export() {
    let place = place();
    let folder = place.path();
    asked(folder, &["validate", "w.yaml", "--json"], 0);
    let found = asked(folder, &["validate", "--aws", "w.yaml", "--json"], 21);
    let faults = found["items"][0]["diagnostics"].as_array().unwrap();
    let codes: Vec<&str> = faults.iter().map(|fault| fault["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E_AWS_EXTENSION", "E_AWS_EXTENSION", "E_AWS_RESOURCE"]);

    let output = everstep(folder, &["export", "--aws", "w.yaml", "--region", "eu-west-1"]);
    assert!(output.status.success(), "{output:?}");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("/States/Look/Weight: removed: 2"), "{talk}");
    std::fs::write(folder.join("aws.json"), &output.stdout).unwrap();
    asked(folder, &["validate", "--aws", "aws.json", "--json"], 0);
    let resource = &asked(folder, &["export", "--aws", "aws.json", "--json"], 0)["definition"]["States"]
        ["Resize"]["Resource"];
    assert_eq!(resource, "arn:aws:states:eu-west-1:123456789012:activity:resize");

    let output = everstep(folder, &["export", "--aws", "w.yaml", "--account", "me"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn one_state_of_a_definition_is_tested() {
    let place = place();
    let test = |more: &[&str], code| {
        let mut arguments = vec!["test-state", "w.yaml", "--state", "Resize"];
        arguments.extend(["--input", "{\"a\": 1}"]);
        arguments.extend(more);
        asked(place.path(), &arguments, code)
    };
    let answer = test(&["--result", "7"], 0);
    let expected = json!({
        "schema": "everstep.tested-state/v1", "status": "SUCCEEDED", "output": {"a": 1, "done": 7}
    });
    assert_eq!(answer, expected);
    let answer = test(&["--error", "Broken", "--cause", "why", "--inspect", "debug"], 0);
    assert_eq!((&answer["status"], &answer["nextState"]), (&json!("CAUGHT_ERROR"), &json!("Lost")));
    assert_eq!(answer["inspectionData"]["afterParameters"], json!({"a": 1}));
    let answer = test(&["--error", "Other", "--inspect", "trace"], 0);
    assert_eq!(answer["status"], "FAILED");
    assert!(answer["events"].as_array().is_some_and(|events| events.len() > 2));
    assert!(!place.path().join("everstep-data").exists(), "a test must write nothing");
}

#[test]
fn a_state_that_stands_alone_is_tested() {
    let place = place();
    let folder = place.path();
    let alone = r#"{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $n + $states.context.Map.Item.Index %}","Next":"X"}"#;
    std::fs::write(folder.join("s.json"), alone).unwrap();
    let context = r#"{"Map": {"Item": {"Index": 2}}}"#;
    let answer = asked(
        folder,
        &["test-state", "s.json", "--variables", "{\"n\": 40}", "--context", context],
        0,
    );
    assert_eq!((&answer["output"], &answer["nextState"]), (&json!(42), &json!("X")));
}

#[test]
fn tests_that_make_no_sense_say_what_to_do() {
    let place = place();
    let code = |arguments: &[&str], exit| {
        let output = everstep(place.path(), arguments);
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        let fault: Value = serde_json::from_slice(&output.stderr).unwrap();
        fault["code"].as_str().unwrap().to_owned()
    };
    let test = ["test-state", "w.yaml", "--json"];
    let with = |more: &[&'static str]| [&test[..], more].concat();
    assert_eq!(code(&with(&[]), 2), "STATE_NOT_NAMED");
    assert_eq!(code(&with(&["--state", "None"]), 3), "TEST_UNKNOWN_STATE");
    assert_eq!(code(&with(&["--state", "Resize"]), 2), "TEST_NEEDS_MOCK");
    assert_eq!(code(&with(&["--state", "Look", "--result", "1"]), 2), "TEST_TAKES_NO_MOCK");
    assert_eq!(code(&with(&["--state", "Look", "--variables", "[]"]), 2), "INPUT_NO_OBJECT");
}

#[test]
fn the_quotas_of_aws_are_held_when_asked() {
    let place = place();
    let folder = place.path();
    std::fs::write(folder.join("p.yaml"), "StartAt: A\nStates:\n  A: {Type: Pass, End: true}\n")
        .unwrap();
    std::fs::write(folder.join("big.json"), format!("\"{}\"", "x".repeat(300_000))).unwrap();
    let run = ["run", "p.yaml", "--input", "@big.json", "--quiet"];
    assert_eq!(everstep(folder, &run).status.code(), Some(0));
    let output = everstep(folder, &[&run[..], &["--aws-limits", "--json"]].concat());
    let fault: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(fault["code"], "TOO_LARGE", "{fault}");
    std::fs::write(folder.join("everstep.toml"), "[limits]\npayload_bytes = 2048\n").unwrap();
    let output = everstep(folder, &[&run[..], &["--json"]].concat());
    let fault: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(fault["message"].as_str().unwrap().contains("limit of 2048"), "{fault}");
}
