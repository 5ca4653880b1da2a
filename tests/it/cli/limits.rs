//! Places, limits on jobs, labels and units, as people see them.

use super::{Place, signal, until};

/// Two executions of it do not run at once.
const ONE: &str = "\
Concurrency: {KeyPath: $.library, Limit: 1}
Labels: {team: media}
JobTypes:
  hold: {Label: Hold the door, Unit: doors, UnitSingular: door}
StartAt: Hold
States:
  Hold: {Type: Task, Resource: hold, End: true}
";

const REFUSES: &str = "\
Concurrency: {Limit: 1, WhenFull: refuse}
StartAt: Hold
States:
  Hold: {Type: Task, Resource: hold, End: true}
";

const PLAIN: &str = "\
StartAt: Hold
States:
  Hold: {Type: Task, Resource: hold, End: true}
";

/// Holds on until there is a file `open`.
const CONFIG: &str = r#"
[limits]
running_jobs = 2
[jobs.hold]
command = ["/bin/sh", "-c", "echo '::count 4/6' >&2; while [ ! -e open ]; do sleep 0.1; done; echo null"]
concurrency = 3
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("everstep.toml", CONFIG);
    place.write("one.yaml", ONE);
    place.write("refuses.yaml", REFUSES);
    place.write("plain.yaml", PLAIN);
    place
}

#[test]
fn what_waits_for_a_place_says_so_and_why() {
    let place = place();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let input = r#"{"library": "films"}"#;
    let first = place.ran(&["start", "one.yaml", "--input", input], 0);
    assert!(!first.stderr.contains("queued"), "{}", first.stderr);
    let second = place.ran(&["start", "one.yaml", "--input", input], 0);
    assert!(
        second.stderr.contains("queued: it waits for a place (films, limit 1)"),
        "{}",
        second.stderr
    );
    let third = place.ran(&["start", "one.yaml", "--input", input, "--json"], 0).json();
    assert_eq!(third["status"], "pending");

    let (first, second) = (first.stdout.trim().to_owned(), second.stdout.trim().to_owned());
    let third = third["id"].as_str().unwrap().to_owned();
    let holder = place.ran(&["show", &first, "--json"], 0).json()["handle"].as_str().unwrap()[..6]
        .to_owned();
    let why = place.ran(&["why", &third], 0).stdout;
    let told =
        format!("waits for a place: films, limit 1, held by {holder}, number 2 in the queue");
    assert!(why.contains(&told), "{why}");
    assert!(why.contains(&format!("who has it: everstep show {holder}")), "{why}");
    let shown = place.ran(&["show", &second], 0).stdout;
    assert!(shown.contains("pending") && shown.contains("waits for a place: films"), "{shown}");
    let listed = place.ran(&["list", "--status", "pending"], 0).stdout;
    assert_eq!(listed.matches("waits for a place: films").count(), 2, "{listed}");

    until("its counters are shown", || {
        let card = place.ran(&["show", &first, "--json"], 0).json();
        (card["steps"][0]["counted"] == "4 / 6 doors").then_some(())
    });
    let shown = place.ran(&["show", &first], 0).stdout;
    assert!(shown.contains("Hold the door") && shown.contains("team=media"), "{shown}");

    let cancelled = place.ran(&["cancel", &second], 0);
    assert!(cancelled.stderr.contains("is cancelled"), "{}", cancelled.stderr);
    place.write("open", "");
    until("the third has had its turn", || {
        let card = place.ran(&["show", &third, "--json"], 0).json();
        (card["status"] == "completed").then_some(())
    });
    signal(&server, "-TERM");
}

#[test]
fn a_start_that_finds_no_place_may_be_refused() {
    let place = place();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let first = place.ran(&["start", "refuses.yaml"], 0).stdout;
    let handle = place.ran(&["show", first.trim(), "--json"], 0).json()["handle"].as_str().unwrap()
        [..6]
        .to_owned();
    let refused = place.ran(&["start", "refuses.yaml"], 5);
    assert!(refused.stderr.contains("[PLACE_TAKEN]"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("held by {handle}")), "{}", refused.stderr);
    assert_eq!(place.ran(&["list", "--json"], 0).json()["items"].as_array().unwrap().len(), 1);
    place.write("open", "");
    signal(&server, "-TERM");
}

#[test]
fn what_waits_for_the_process_says_so() {
    let place = place();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(place.ran(&["start", "plain.yaml"], 0).stdout.trim().to_owned());
    }
    let why = place.ran(&["why", &ids[3]], 0).stdout;
    let told = "the process limit of 2 running jobs is reached, 1 before it";
    assert!(why.contains(told), "{why}");
    assert!(why.contains("who is at work: everstep list --status unfinished"), "{why}");
    place.write("open", "");
    until("all have ended", || {
        let rows = place.ran(&["list", "--status", "unfinished", "--json"], 0).json();
        rows["items"].as_array().unwrap().is_empty().then_some(())
    });
    signal(&server, "-TERM");
}

#[test]
fn executions_are_listed_by_the_labels_of_their_workflow() {
    let place = place();
    place.write("open", "");
    place.ran(&["run", "plain.yaml"], 0);
    place.ran(&["run", "one.yaml", "--input", r#"{"library": "films"}"#], 0);
    let count = |label: &str| {
        let rows = place.ran(&["list", "--json", "--label", label], 0).json();
        let rows = rows["items"].as_array().unwrap().clone();
        assert!(rows.iter().all(|row| row["labels"]["team"] == "media"), "{rows:?}");
        rows.len()
    };
    assert_eq!((count("team=media"), count("team=other"), count("env=test")), (1, 0, 0));
    place.ran(&["list", "--label", "team"], 2);
}
