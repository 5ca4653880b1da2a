//! Retrying and repeating executions, with a server and without.

use serde_json::{Value, json};

use super::{Place, signal};

/// Three steps; the second is a Map whose items fail for as long as a file is missing.
const BATCHES: &str = "\
StartAt: Prepare
States:
  Prepare: {Type: Task, Resource: note, ResultPath: null, Next: Each}
  Each:
    Type: Map
    ItemsPath: $.items
    MaxConcurrency: 1
    ResultPath: $.done
    ItemProcessor:
      StartAt: Item
      States:
        Item: {Type: Task, Resource: item, End: true}
    Next: Report
  Report: {Type: Pass, End: true}
";

/// Fails once, then waits long before it tries again.
const PATIENT: &str = "\
StartAt: Try
States:
  Try:
    Type: Task
    Resource: item
    Retry: [{ErrorEquals: [States.ALL], IntervalSeconds: 3600}]
    End: true
";

const CONFIG: &str = r#"
[jobs.note]
command = ["/bin/sh", "-c", "echo ran >> notes; echo null"]
[jobs.item]
command = ["/bin/sh", "item.sh"]
"#;

/// Notes its input; the item 3 needs the file `mended`.
const ITEM: &str = "\
read -r input
echo \"$input\" >>items
case \"$input\" in
  *3*) test -e mended || { echo broken >&2; exit 1; } ;;
esac
echo \"$input\"
";

fn place() -> Place {
    let place = Place::new();
    place.write("batches.yaml", BATCHES);
    place.write("patient.yaml", PATIENT);
    place.write("everstep.toml", CONFIG);
    place.write("item.sh", ITEM);
    place
}

/// The inputs of all item jobs so far.
fn items(place: &Place) -> String {
    let text = std::fs::read_to_string(place.path().join("items")).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const INPUT: &str = r#"{"items": [1, 2, 3, 4]}"#;

/// A place in which the third item of four has failed.
fn failed() -> Place {
    let place = place();
    let ran = place.ran(&["run", "batches.yaml", "--input", INPUT], 10);
    assert!(ran.stderr.contains("next: everstep retry "), "{}", ran.stderr);
    place
}

#[test]
fn retry_without_a_server_finishes_what_is_missing() {
    let place = failed();
    place.write("mended", "");
    let ran = place.ran(&["retry", "@", "--reason", "mended"], 0);
    let expected = json!({"items": [1, 2, 3, 4], "done": [1, 2, 3, 4]});
    assert_eq!(ran.json(), expected);
    assert!(ran.stderr.contains("\"Each\" (attempt 2): 2 parts of 4, 2 kept"), "{}", ran.stderr);
    assert_eq!(items(&place), "1 2 3 3 4");
    assert_eq!(std::fs::read_to_string(place.path().join("notes")).unwrap(), "ran\n");
    let card = place.ran(&["show", "@", "--json"], 0).json();
    assert_eq!((&card["status"], &card["redrives"]), (&json!("completed"), &json!(1)));
    let shown = place.ran(&["show", "@"], 0).stdout;
    assert!(shown.contains("retried 1 time, last at "), "{shown}");
    let events = place.ran(&["log", "show", "@"], 0).stdout;
    assert!(events.contains("retried it from \"Each\" on: mended"), "{events}");
    place.ran(&["log", "verify"], 0);
    let refused = place.ran(&["retry", "@"], 5);
    assert!(refused.stderr.contains("the execution is completed [NOT_IN_STATUS]"));
}

#[test]
fn a_run_that_was_cancelled_is_finished_by_a_retry() {
    let place = failed();
    place.write("mended", "");
    place.write("slow.yaml", super::SLOW);
    let (run, _rest) = place.spawn_until(&["run", "slow.yaml"], "Rest");
    signal(&run, "-INT");
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(130));
    place.ran(&["cancel", "@"], 0);
    let ran = place.ran(&["retry", "@"], 0);
    assert!(ran.stderr.contains("keep       \"First\""), "{}", ran.stderr);
    let notes = std::fs::read_to_string(place.path().join("notes")).unwrap();
    assert_eq!(notes.lines().count(), 3, "of two workflows, and none of them twice");
}

#[test]
fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let place = failed();
    let before = place.ran(&["log", "export"], 0).stdout;
    let told = place.ran(&["retry", "@", "--dry-run"], 0).stdout;
    let lines: Vec<&str> = told.lines().skip(1).map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "keep       \"Prepare\"",
            "run again  \"Each\" (attempt 2): 2 parts of 4, 2 kept",
            "then       \"Report\""
        ]
    );
    let told = place.ran(&["retry", "@", "--dry-run", "--json"], 0).json();
    assert_eq!((&told["schema"], &told["is_dry_run"]), (&json!("everstep.retry/v1"), &json!(true)));
    assert_eq!(told["parts"], json!({"total": 4, "kept": 2, "again": 2}));
    assert_eq!((&told["kept"], &told["then"]), (&json!(["Prepare"]), &json!(["Report"])));
    let from = place.ran(&["retry", "@", "--from", "Prepare", "--dry-run", "--json"], 0).json();
    assert_eq!((&from["step_name"], &from["kept"]), (&json!("Prepare"), &json!([])));
    assert_eq!(place.ran(&["log", "export"], 0).stdout, before, "nothing was written");
    let refused = place.ran(&["retry", "@", "--from", "Report", "--dry-run"], 3);
    assert!(refused.stderr.contains("entered were \"Prepare\", \"Each\""), "{}", refused.stderr);
}

#[test]
fn the_input_of_the_step_can_be_changed() {
    let place = failed();
    let told = place.ran(&["retry", "@", "--set", "items[2]=5", "--dry-run", "--json"], 0).json();
    assert_eq!((&told["parts"], &told["input_changed"]), (&Value::Null, &json!(true)));
    let ran = place.ran(&["retry", "@", "--set", "items[2]=5", "--set", "note=x y"], 0);
    let expected = json!({"items": [1, 2, 5, 4], "note": "x y", "done": [1, 2, 5, 4]});
    assert_eq!(ran.json(), expected);
    assert_eq!(items(&place), "1 2 3 1 2 5 4", "no parts are kept of another input");

    let place = failed();
    let ran = place.ran(&["retry", "@", "--input", r#"{"items": [7]}"#], 0);
    assert_eq!(ran.json(), json!({"items": [7], "done": [7]}));
    place.ran(&["retry", "@", "--set", "x"], 2);
    place.ran(&["retry", "@", "--set", "x=1", "--input", "{}"], 2);
    let place = failed();
    let refused = place.ran(&["retry", "@", "--set", "items.x=1"], 1);
    assert!(refused.stderr.contains("[BAD_CHANGE]"), "{}", refused.stderr);
}

#[test]
fn a_running_server_retries_and_reruns() {
    let place = failed();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let why = place.ran(&["why", "@"], 0).stdout;
    assert!(why.contains("to go on with it:") && why.contains("everstep retry "), "{why}");
    let told = place.ran(&["retry", "@", "--json", "--reason", "again"], 0).json();
    assert_eq!((&told["redrive"], &told["is_dry_run"]), (&json!(1), &json!(false)));
    super::until("it has failed again", || {
        let card = place.ran(&["show", "@", "--json"], 0).json();
        (card["status"] == "failed" && card["redrives"] == 1).then_some(())
    });
    place.write("mended", "");
    let ran = place.ran(&["retry", "@", "--wait"], 0);
    assert_eq!(ran.json()["done"], json!([1, 2, 3, 4]));
    let refused = place.ran(&["retry", "@"], 5);
    assert!(refused.stderr.contains("the execution is completed"), "{}", refused.stderr);
    assert_eq!(items(&place), "1 2 3 3 3 4");

    let first = place.ran(&["show", "@", "--json"], 0).json()["id"].as_str().unwrap().to_owned();
    let id = place.ran(&["rerun", "@", "--name", "second"], 0).stdout;
    let card = place.ran(&["show", id.trim(), "--json"], 0).json();
    assert_eq!((&card["rerun_of"], &card["name"]), (&json!(first), &json!("second")));
    let ran = place.ran(&["rerun", "@", "--wait", "--input", r#"{"items": []}"#], 0);
    assert_eq!(ran.json(), json!({"items": [], "done": []}));
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn rerun_without_a_server_is_a_run() {
    let place = place();
    place.write("mended", "");
    place.ran(&["run", "batches.yaml", "--input", INPUT], 0);
    let first = place.ran(&["show", "@", "--json"], 0).json();
    let ran = place.ran(&["rerun", "@"], 0);
    assert_eq!(ran.json()["done"], json!([1, 2, 3, 4]));
    assert!(ran.stderr.contains(", a rerun of "), "{}", ran.stderr);
    let card = place.ran(&["show", "@", "--json"], 0).json();
    assert_eq!(card["rerun_of"], first["id"]);
    let shown = place.ran(&["show", "@"], 0).stdout;
    assert!(shown.contains("a rerun of execution "), "{shown}");
    place.ran(&["rerun", "nobody"], 3);
}

#[test]
fn a_delay_is_skipped_with_now() {
    let place = place();
    let (run, _rest) = place.spawn_until(&["run", "patient.yaml", "--input", "3"], "started");
    let why = super::until("it waits to try again", || {
        let why = place.ran(&["why", "@"], 0).stdout;
        why.contains("(retry 1 of 3)").then_some(why)
    });
    assert!(why.contains("to try again now:") && why.contains(" --now"), "{why}");
    place.write("mended", "");
    place.ran(&["retry", "@", "--now"], 0);
    let ended = run.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(0), &b"3\n"[..]));
    place.ran(&["retry", "@", "--now"], 5);
    place.ran(&["retry", "@", "--now", "--from", "Try"], 2);
}
