//! What was recorded, held against another definition.

use serde_json::Value;

use super::Place;

/// Another version of `greet.yaml`.
fn other_greeting(place: &Place, change: (&str, &str)) -> String {
    let text = super::GREET.replace(change.0, change.1);
    assert_ne!(text, super::GREET);
    place.write("other/greet.yaml", &text);
    "other/greet.yaml".to_owned()
}

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path().join("other")).unwrap();
    place.ran(&["run", "greet.yaml"], 0);
    place
}

#[test]
fn a_definition_that_leads_the_same_way_agrees() {
    let place = place();
    let ran = place.ran(&["replay", "@", "--definition", "greet.yaml"], 0);
    assert!(ran.stdout.contains("✓") && ran.stdout.contains("the same way"), "{}", ran.stdout);
    assert!(ran.stderr.contains("replayed 1 execution") && ran.stderr.contains("without effects"));
    let retitled = other_greeting(&place, ("A greeting", "Another title"));
    let found = place.ran(&["replay", "@", "--definition", &retitled, "--json"], 0).json();
    assert_eq!(found["schema"], "everstep.replay/v1");
    assert_eq!((&found["agrees"], &found["items"][0]["parting"]), (&true.into(), &Value::Null));
    assert_eq!(found["items"][0]["status"], "completed");
    assert_eq!(place.ran(&["list", "--json"], 0).json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn where_the_ways_part_is_told_with_both_events() {
    let place = place();
    let other = other_greeting(&place, ("$states.result.text", "$uppercase($states.result.text)"));
    let ran = place.ran(&["replay", "@", "--definition", &other], 23);
    for words in ["✕", "differs at event", "StateExited in \"Greet\"", "hello → HELLO"] {
        assert!(ran.stdout.contains(words), "{words:?} in {}", ran.stdout);
    }
    let found = place.ran(&["replay", "@", "--definition", &other, "--json"], 23).json();
    let turn = &found["items"][0]["parting"];
    let events = place.ran(&["log", "show", "@", "--json"], 0).json();
    let index = usize::try_from(turn["sequence"].as_u64().unwrap()).unwrap() - 1;
    assert_eq!(events["items"][index]["event"], "StateExited");
    assert_eq!(turn["recorded"]["event"], "StateExited");
    assert_eq!(turn["instead"]["step_name"], "Greet");
    assert_eq!(turn["differences"][0]["field"], "output");
    assert_eq!(turn["differences"][0]["instead"], "HELLO");
}

#[test]
fn every_execution_of_an_exported_log_is_told() {
    let place = place();
    place.ran(&["run", "greet.yaml", "--input", "{\"loud\": true}"], 0);
    place.ran(&["run", "fails.yaml"], 10);
    place.write("log.ndjson", &place.ran(&["log", "export"], 0).stdout);
    let ran = place.ran(&["replay", "log.ndjson", "--definition", "greet.yaml"], 0);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("1 of other workflows left out"), "{}", ran.stderr);
    let other = other_greeting(
        &place,
        (
            "Resource: greet",
            "Resource: greet\n    Arguments: '{% $states.input.loud ? 1 : $states.input %}'",
        ),
    );
    let found = place.ran(&["replay", "log.ndjson", "--definition", &other, "--json"], 23).json();
    let agree: Vec<&Value> =
        found["items"].as_array().unwrap().iter().map(|item| &item["agrees"]).collect();
    assert_eq!(agree, [true, false], "only what is loud goes another way");
    assert_eq!(found["items"][1]["parting"]["instead"]["event"], "JobScheduled");
    let of_all = place
        .ran(&["replay", "log.ndjson", "--definition", "fails.yaml", "--workflow", "fails"], 0);
    assert!(of_all.stdout.contains("fails") && !of_all.stdout.contains("greet"));
    place.ran(&["replay", "log.ndjson", "--definition", "greet.yaml", "--workflow", "none"], 3);
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    let place = place();
    place.ran(&["replay", "missing.ndjson", "--definition", "greet.yaml"], 3);
    place.ran(&["replay", "zzz", "--definition", "greet.yaml"], 3);
    place.ran(&["replay", "@", "--definition", "missing.yaml"], 3);
    place.write("bad.yaml", "StartAt: A\nStates: {}\n");
    place.ran(&["replay", "@", "--definition", "bad.yaml"], 21);
}

#[test]
fn an_execution_that_waits_can_go_on_under_a_definition_that_changes_what_comes() {
    let place = Place::new();
    let (child, _rest) = place.spawn_until(&["run", "slow.yaml"], "waits until");
    super::signal(&child, "-INT");
    child.wait_with_output().unwrap();
    let text = super::SLOW
        .replace("Last: {Type: Task, Resource: note", "Last: {Type: Task, Resource: greet");
    place.write("slow2.yaml", &text);
    let ran = place.ran(&["replay", "@", "--definition", "slow2.yaml"], 0);
    assert!(ran.stdout.contains("can go on"), "{}", ran.stdout);
    place.ran(&["run", "slow.yaml", "--resume"], 0);
    place.ran(&["replay", "@", "--definition", "slow2.yaml"], 23);
}
