//! Looking into the log: how it was, what changed, why nothing happens, from a running engine and
//! from the folder alone.

use serde_json::Value;

use super::{Place, signal};

#[test]
fn a_card_is_shown_as_it_was() {
    let place = Place::new();
    place.ran(&["run", "catches.yaml"], 12);
    let events = place.ran(&["log", "show", "@", "--json"], 0).json();
    let failed = sequence_of(&events, "JobFailed").to_string();
    let then = place.ran(&["show", "@", "--at", &failed, "--json"], 0).json();
    assert_eq!(then["schema"], "everstep.execution/v1");
    assert_eq!((&then["status"], &then["ended_at"]), (&"running".into(), &Value::Null));
    assert_eq!(then["sequence"].to_string(), failed);
    assert_eq!(place.ran(&["log", "at", "@", &failed, "--json"], 0).json(), then);
    let shown = place.ran(&["log", "at", "@", "1"], 0).stdout;
    assert!(shown.contains("◐ running") && shown.contains("event 1"), "{shown}");
    let result = place.ran(&["show", "@", "--at", &failed, "--result"], 0).json();
    assert_eq!(result["status"], "running");

    for sequence in ["0", "1000"] {
        let ran = place.ran(&["show", "@", "--at", sequence], 3);
        let last = events["items"].as_array().unwrap().len();
        let expected = format!("has no event {sequence}: it has 1 to {last} [NO_SUCH_EVENT]");
        assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
        place.ran(&["log", "at", "@", sequence], 3);
    }
}

#[test]
fn a_running_engine_shows_the_past_as_its_folder_does() {
    let place = Place::new();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "catches.yaml", "--wait"], 12);
    let live = place.ran(&["show", "@", "--at", "4", "--json"], 0).json();
    place.ran(&["show", "@", "--at", "4000"], 3);
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(place.ran(&["show", "@", "--at", "4", "--json"], 0).json(), live);
}

/// The sequence of the first event of a kind in what `log show --json` printed.
fn sequence_of(events: &Value, kind: &str) -> u64 {
    let items = events["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["event"] == kind).unwrap();
    found["sequence"].as_u64().unwrap()
}
