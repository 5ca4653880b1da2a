//! Executions of executions and callbacks, from the command line.

use serde_json::Value;

use super::{Place, signal};
use crate::folder::copy;
use crate::source_text::root;

/// Starts `greet`, then waits for a callback whose token its worker writes into a file.
const PARENT: &str = "\
StartAt: Greet
States:
  Greet:
    Type: Task
    Resource: states:startExecution.sync:2
    Parameters: {StateMachineArn: greet}
    ResultPath: $.greeting
    Next: Approve
  Approve:
    Type: Task
    Resource: ask.waitForTaskToken
    Parameters: {token.$: $$.Task.Token}
    End: true
";

fn place() -> Place {
    let place = Place::new();
    place.write("parent.yaml", PARENT);
    let config = format!(
        "{}\n[jobs.ask]\ncommand = [\"/bin/sh\", \"-c\", \"cat >asked; echo null\"]\n",
        super::CONFIG
    );
    place.write("everstep.toml", &config);
    place
}

fn token(place: &Place) -> String {
    let asked = std::fs::read_to_string(place.path().join("asked")).unwrap();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    asked["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_running_server_hears_callbacks() {
    let place = place();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let refused = place.ran(&["start", "parent.yaml", "--wait"], 10);
    assert!(refused.stderr.contains("StateMachineDoesNotExist"), "{}", refused.stderr);

    let mut start = place.command(&["start", "parent.yaml", "--with", "greet.yaml", "--wait"]);
    let (piped, null) = (std::process::Stdio::piped(), std::process::Stdio::null());
    let waiting = start.stdout(piped).stderr(null).spawn().unwrap();
    super::until("it waits for its callback", || {
        let card = place.ran(&["show", "@", "--json"], 0).json();
        (card["waiting"]["reason"] == "callback").then_some(())
    });
    let shown = place.ran(&["show", "@"], 0).stdout;
    assert!(shown.contains("waits for a callback for ask"), "{shown}");
    let token = token(&place);
    place.ran(&["callback", "heartbeat", &token], 0);
    place.ran(&["callback", "complete", &token, "--result", "{\"yes\": true}"], 0);
    let ended = waiting.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "{\"yes\": true}\n");
    let late = place.ran(&["callback", "fail", &token, "--error", "Late"], 5);
    assert!(late.stderr.contains("to fail a job is not possible"), "{}", late.stderr);
    place.ran(&["callback", "complete", "bogus"], 3);
    let log = place.ran(&["log", "show", "@", "--json"], 0).stdout;
    assert!(!log.contains("\"callback\""), "the log that is shown has no tokens of its own");

    let children = place.ran(&["list", "--parent", "@", "--json"], 0).json();
    assert_eq!(children["items"].as_array().unwrap().len(), 1);
    assert_eq!(children["items"][0]["workflow"], "greet");
    let child = children["items"][0]["id"].as_str().unwrap();
    let parent = place.ran(&["show", "@", "--json"], 0).json()["id"].clone();
    assert_eq!(place.ran(&["show", child, "--json"], 0).json()["parent"], parent);
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_callback_without_a_process_is_in_the_log_when_the_next_one_starts() {
    let place = place();
    let run = ["run", "parent.yaml", "--with", "greet.yaml"];
    let (child, _rest) = place.spawn_until(&run, "waits for a callback");
    signal(&child, "-KILL");
    child.wait_with_output().unwrap();
    place.ran(&["callback", "complete", &token(&place), "--result", "7"], 0);
    assert_eq!(place.ran(&["run", "parent.yaml", "--resume"], 0).stdout, "7\n");
    place.ran(&["log", "verify"], 0);
}

#[test]
fn the_orders_example_bills_each_row_and_sums_up() {
    let place = Place::new();
    copy(&root().join("examples/orders"), &place.path().join("orders"));
    let run = ["run", "orders/orders.yaml", "--with", "orders/report.yaml"];
    let ran = place.ran(&[&run[..], &["--input", "{\"file\": \"orders.csv\"}"]].concat(), 12);
    assert_eq!(ran.json(), serde_json::json!({"bills": 7, "total": 1573.45, "failed": 1}));
    let result = place.ran(&["show", "@", "--result"], 0).json();
    assert_eq!(result["summary"]["total_errors"], 1);
    let parts = place.ran(&["list", "--parent", "@", "--status", "failed", "--json"], 0).json();
    assert_eq!(parts["items"][0]["failure"]["error"], "Orders.BadQuantity");
    place.ran(&["log", "verify"], 0);
}
