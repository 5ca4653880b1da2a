//! Deleting executions from the command line, and what their log is afterwards.

use serde_json::Value;

use super::{Place, signal, until};

const MAP: &str = "\
StartAt: Each
States:
  Each:
    Type: Map
    ItemProcessor:
      ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}
      StartAt: P
      States: {P: {Type: Pass, End: true}}
    ResultPath: null
    Next: Greet
  Greet:
    Type: Task
    Resource: states:startExecution.sync:2
    Parameters: {StateMachineArn: greet}
    End: true
";

fn ids(place: &Place) -> Vec<String> {
    let list = place.ran(&["list", "--json"], 0).json();
    let rows = list["items"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_was_deleted_is_gone_and_the_log_is_sound() {
    let place = Place::new();
    place.ran(&["run", "greet.yaml", "--name", "mine"], 0);
    let id = ids(&place).remove(0);
    place.ran(&["run", "fails.yaml"], 10);
    place.ran(&["run", "greet.yaml", "--name", "mine"], 5);

    let dry = place.ran(&["delete", &id, "--dry-run"], 0);
    assert!(dry.stderr.contains("would be deleted: 1 execution"), "{}", dry.stderr);
    assert_eq!(ids(&place).len(), 2);
    let ran = place.ran(&["delete", &id, "--reason", "no longer needed", "--json"], 0).json();
    assert_eq!(ran["schema"], "everstep.deletions/v1");
    assert_eq!(ran["items"][0]["deleted"], serde_json::json!([id]));
    assert!(!ids(&place).contains(&id));

    for command in [&["show"][..], &["why"], &["log", "show"], &["delete"], &["cancel"]] {
        let ran = place.run(&[command, &[&id]].concat());
        assert!(ran.code == 3, "{command:?} gave {}: {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains("[DELETED]"), "{command:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("no longer needed"), "{command:?}: {}", ran.stderr);
    }
    let verified = place.ran(&["log", "verify", "--json"], 0).json();
    assert_eq!((&verified["deleted"], &verified["executions"]), (&1.into(), &1.into()));
    assert!(verified["deleted_events"].as_u64().unwrap() > 3);
    let stats = place.ran(&["log", "stats"], 0).stdout;
    assert!(stats.contains("deleted: 1 execution"), "{stats}");
    let tail = place.ran(&["log", "tail", "-n", "100"], 0).stdout;
    assert!(tail.contains("events of deleted executions"), "{tail}");
    assert!(tail.contains("ExecutionDeleted") && tail.contains("no longer needed"), "{tail}");
    place.ran(&["run", "greet.yaml", "--name", "mine"], 0);

    let exported = place.ran(&["log", "export"], 0).stdout;
    place.write("log.ndjson", &exported);
    let listed = place.ran(&["list", "--file", "log.ndjson", "--json"], 0).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[test]
fn what_goes_on_is_refused_and_what_ended_long_ago_goes_by_its_age() {
    let place = Place::new();
    let (child, _rest) = place.spawn_until(&["run", "slow.yaml"], "waits until");
    signal(&child, "-KILL");
    child.wait_with_output().unwrap();
    place.ran(&["run", "fails.yaml"], 10);
    let refused = place.ran(&["delete", &ids(&place)[1]], 5);
    assert!(refused.stderr.contains("[NOT_IN_STATUS]"), "{}", refused.stderr);
    let events = || place.ran(&["log", "tail", "-n", "100"], 0).stdout;
    let before = events();
    place.ran(&["delete", "--older-than", "1d", "--json"], 0);
    place.ran(&["delete", "--older-than", "0s", "--status", "completed"], 0);
    place.ran(&["delete", "--older-than", "0s", "--workflow", "greet"], 0);
    assert_eq!(events(), before, "nothing fits, and what is unfinished did not go on");
    let gone = place.ran(&["delete", "--older-than", "0s", "--status", "failed,cancelled"], 0);
    assert!(gone.stderr.contains("deleted: 1 execution"), "{}", gone.stderr);
    let list = place.ran(&["list", "--json"], 0).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["workflow"], "slow");
    place.ran(&["delete", "--older-than", "soon"], 2);
    place.ran(&["delete"], 2);
    place.ran(&["delete", "@", "--older-than", "1d"], 2);
    place.ran(&["delete", "zzz"], 3);
    place.ran(&["run", "slow.yaml", "--resume"], 0);
}

#[test]
fn a_running_server_deletes_and_compacts() {
    let place = Place::new();
    place.write("map.yaml", MAP);
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let start = ["start", "map.yaml", "--with", "greet.yaml", "--wait", "--input", "[1, 2, 3]"];
    place.ran(&start, 0);
    let parent = place.ran(&["show", "@", "--json"], 0).json()["id"].as_str().unwrap().to_owned();
    let deleted = place.ran(&["delete", &parent], 0);
    assert!(deleted.stderr.contains("deleted: 4 executions"), "{}", deleted.stderr);
    assert!(deleted.stderr.contains("began stay:"), "{}", deleted.stderr);
    let left = ids(&place);
    assert_eq!(left.len(), 1);
    let child = place.ran(&["show", &left[0]], 0);
    assert!(child.stderr.contains(&format!("execution {parent} was deleted")), "{}", child.stderr);
    place.ran(&["delete", &left[0]], 0);
    let compacted = place.ran(&["log", "compact", "--forget", "0s", "--json"], 0).json();
    assert_eq!(compacted["schema"], "everstep.compaction/v1");
    until("all records are taken away", || {
        let tail = place.ran(&["log", "tail", "-n", "1000", "-o", "plain"], 0).stdout;
        (!tail.contains("ExecutionStarted")).then_some(())
    });
    place.ran(&["log", "verify"], 0);
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    place.ran(&["log", "verify"], 0);
    place.ran(&["run", "greet.yaml"], 0);
}

#[test]
fn compact_says_what_it_gave_back() {
    let place = Place::new();
    assert_eq!(place.ran(&["log", "compact", "--json"], 0).json()["events"], 0);
    for _ in 0..3 {
        place.ran(&["run", "greet.yaml"], 0);
    }
    let wide: Vec<String> = ids(&place);
    let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
    place.ran(&[&["delete"], &wide[..2]].concat(), 0);
    let again = place.ran(&["log", "compact"], 0).stdout;
    assert!(again.contains("took away 0 events") && again.contains("on disk:"), "{again}");
    let first: Value = place.ran(&["log", "compact", "--forget", "0s", "--json"], 0).json();
    assert_eq!(first["events"], 1, "the last event of the log stays: {first}");
    assert!(first["bytes_on_disk_before"].as_u64().unwrap() > 0);
    assert_eq!(place.ran(&["show", wide[2]], 0).code, 0);
}

#[test]
fn what_is_salvaged_of_a_cut_log_verifies_and_does_not_run_by_surprise() {
    let place = Place::new();
    let (child, _rest) = place.spawn_until(&["run", "slow.yaml"], "waits until");
    signal(&child, "-KILL");
    child.wait_with_output().unwrap();
    for _ in 0..3 {
        place.ran(&["run", "greet.yaml"], 0);
    }
    let salvage = ["log", "salvage", "everstep-data", "--to", "sound", "--json"];
    let sound = place.ran(&salvage, 0).json();
    assert_eq!(
        (&sound["schema"], &sound["is_whole"]),
        (&"everstep.salvage/v1".into(), &true.into())
    );
    let before = place.ran(&["list", "--json"], 0).json();
    assert_eq!(place.ran(&["list", "--data", "sound", "--json"], 0).json(), before);
    place.ran(&["log", "verify", "--data", "sound"], 0);
    let again = place.ran(&salvage, 2);
    assert!(again.stderr.contains("[SALVAGE_TARGET]") || again.stderr.contains("SALVAGE_TARGET"));
    place.ran(&["log", "salvage", "nowhere", "--to", "other"], 3);

    let path = place.path().join("everstep-data/log/db");
    let content = std::fs::read(&path).unwrap();
    let used = content.iter().rposition(|byte| *byte != 0).unwrap();
    std::fs::write(&path, &content[..used * 4 / 5]).unwrap();
    place.ran(&["list"], 20);
    let ran = place.ran(&["log", "salvage", "everstep-data", "--to", "rest"], 20);
    assert!(ran.stdout.contains("lost positions:"), "{}", ran.stdout);
    assert!(ran.stderr.contains("everstep log verify --data rest"), "{}", ran.stderr);
    place.ran(&["log", "verify", "--data", "rest"], 0);
    let rows = place.ran(&["list", "--data", "rest", "--json"], 0).json();
    for row in rows["items"].as_array().unwrap() {
        let is_over = row["ended_at"].is_string();
        assert!(is_over || row["set_aside"].as_str().unwrap().starts_with("salvaged: "), "{row}");
    }
}
