//! Cancel, clean-up and forced ends, from the command line.

use serde_json::json;

use super::{Place, signal, until};

/// Two steps, the second of which hangs; the first takes a file away that it made.
const WORK: &str = "\
StartAt: Make
OnCancel: Tell
Summary: {made.$: $.steps.Make.result}
States:
  Make: {Type: Task, Resource: make, Cleanup: Undo, Next: Hang}
  Hang: {Type: Task, Resource: hang, End: true}
  Undo: {Type: Task, Resource: undo, Parameters: {step.$: $.Step}, End: true}
  Tell: {Type: Task, Resource: hang, End: true}
";

const CONFIG: &str = r#"
[jobs.make]
command = ["/bin/sh", "-c", "echo >made; echo 5"]
[jobs.undo]
command = ["/bin/sh", "-c", "rm made; sleep 0.7; cat"]
[jobs.hang]
command = ["/bin/sh", "-c", "sleep 100"]
grace_seconds = 0
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("work.yaml", WORK);
    place.write("everstep.toml", CONFIG);
    place
}

fn waits_in(place: &Place, job_type: &str) {
    until("the job runs", || {
        let card = place.ran(&["show", "@", "--json"], 0).json();
        let job = &card["active_sub_job"];
        (job["type"] == job_type && job["status"] == "running").then_some(())
    });
}

#[test]
fn a_cancel_cleans_up_and_says_what_it_waits_for() {
    let place = place();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let early = place.ran(&["cancel", "zz"], 3);
    assert!(early.stderr.contains("[NO_SUCH_EXECUTION]"), "{}", early.stderr);
    place.ran(&["start", "work.yaml"], 0);
    waits_in(&place, "hang");
    let early = place.ran(&["cancel", "@", "--force"], 5);
    assert!(early.stderr.contains("[FORCE_TOO_EARLY]"), "{}", early.stderr);
    assert!(early.stderr.contains("nobody has asked it to stop"), "{}", early.stderr);
    let stays = place.ran(&["cancel", "@", "--reason", "enough", "--timeout", "0"], 13);
    assert!(stays.stderr.contains("is still cancelling"), "{}", stays.stderr);
    assert!(stays.stderr.contains("everstep cancel --force"), "{}", stays.stderr);
    until("OnCancel runs", || {
        let why = place.ran(&["why", "@", "--json"], 0).json();
        (why["reasons"][0]["cleanup_state"] == "Tell").then_some(())
    });
    assert!(!place.path().join("made").exists(), "it was undone");
    let why = place.ran(&["why", "@"], 0).stdout;
    assert!(why.contains("is cleaning up"), "{why}");
    assert!(why.contains("OnCancel runs \"Tell\" for"), "{why}");
    assert!(why.contains("its end may be forced from"), "{why}");
    assert!(why.contains("to force its end: everstep cancel --force"), "{why}");
    let shown = place.ran(&["show", "@"], 0).stdout;
    assert!(shown.contains("clean-up of step \"Make\" by \"Undo\" completed after"), "{shown}");
    assert!(shown.contains("OnCancel \"Tell\" running for"), "{shown}");
    let again = place.ran(&["cancel", "@"], 5).stderr;
    assert!(again.contains("[ALREADY_CANCELLING]") && again.contains("asked it to at"), "{again}");
    let early = place.ran(&["cancel", "@", "--force"], 5).stderr;
    assert!(early.contains("[FORCE_TOO_EARLY]") && early.contains("have until 20"), "{early}");
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    // Cold, the folder says the same.
    let why = place.ran(&["why", "@"], 0).stdout;
    assert!(why.contains("is cleaning up") && why.contains("no engine runs"), "{why}");
}

#[test]
fn a_failed_run_tells_what_it_undid() {
    let place = place();
    place.write(
        "work.yaml",
        &WORK.replace("Resource: hang, End: true}\n  Undo", "Resource: fail, End: true}\n  Undo"),
    );
    place.write(
        "everstep.toml",
        &format!("{CONFIG}\n[jobs.fail]\ncommand = [\"/bin/sh\", \"-c\", \"exit 3\"]\n"),
    );
    let ran = place.ran(&["run", "work.yaml", "--json"], 10);
    assert!(ran.stderr.contains("cleaning up: Undo"), "{}", ran.stderr);
    let result = ran.json();
    assert_eq!(result["status"], "failed");
    let cleanup = result["cleanup"].as_array().unwrap();
    assert_eq!(cleanup.len(), 1);
    assert_eq!((&cleanup[0]["step"], &cleanup[0]["status"]), (&json!("Make"), &json!("completed")));
    assert_eq!(result["summary"]["made"], 5);
    assert_eq!(result["summary"]["total_errors"], 0);
    let card = place.ran(&["show", "@", "--json"], 0).json();
    assert_eq!(card["summary"], json!({"total_errors": 0, "made": 5}));
    assert!(card["progress"].as_u64().unwrap() < 100);
    let log = place.ran(&["log", "show", "@"], 0).stdout;
    assert!(log.contains("undoes Make and has until"), "{log}");
}

#[test]
fn a_cancel_without_an_engine_says_that_cleanup_needs_one() {
    let place = place();
    let mut program = place.command(&["run", "work.yaml"]).spawn().unwrap();
    until("the job runs", || place.path().join("made").exists().then_some(()));
    until("it answers", || {
        let ran = place.run(&["show", "@", "--json"]);
        (ran.code == 0 && ran.json()["active_sub_job"]["type"] == "hang").then_some(())
    });
    program.kill().unwrap();
    program.wait().unwrap();
    let ran = place.ran(&["cancel", "@"], 13);
    assert!(ran.stderr.contains("its clean-up needs workers"), "{}", ran.stderr);
    assert!(ran.stderr.contains("next: everstep serve"), "{}", ran.stderr);
    assert!(place.path().join("made").exists());
    // Whoever goes on with it cleans up.
    place.write("everstep.toml", &CONFIG.replace("sleep 100", "echo null"));
    place.ran(&["run", "work.yaml", "--resume"], 11);
    assert!(!place.path().join("made").exists());
}
