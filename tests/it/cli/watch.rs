//! Watching executions of a running engine, with nobody at a terminal.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::{Place, signal};

/// Counts to four, in its own time.
const COUNTS: &str = "\
Title: Counting
StartAt: Count
States:
  Count: {Type: Task, Title: Count things, Resource: count, Next: Done}
  Done: {Type: Pass, End: true}
";

const COUNTER: &str = r#"
[jobs.count]
command = ["/bin/sh", "-c", "for i in 1 2 3 4; do echo \"::progress $((i * 25)) thing $i\" >&2; sleep 0.6; done; echo 4"]
"#;

fn serving() -> (Place, Child, impl BufRead) {
    let place = Place::new();
    place.write("everstep.toml", &format!("{}{COUNTER}", super::CONFIG));
    place.write("counts.yaml", COUNTS);
    let (server, rest) = place.spawn_until(&["serve"], "is ready");
    (place, server, rest)
}

fn stopped(server: Child) {
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn watch_prints_a_line_for_each_visible_change_and_ends_as_the_execution_does() {
    let (place, server, _rest) = serving();
    place.ran(&["start", "counts.yaml"], 0);
    let ran = place.ran(&["watch", "@"], 0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    for words in ["thing 2", "thing 4", "1 Count things", "2 Done", "✓ completed  counts"] {
        assert!(lines.iter().any(|line| line.contains(words)), "{words:?} in {lines:#?}");
    }
    let percents: Vec<u8> = lines.iter().filter_map(|line| percent(line)).collect();
    assert!(percents.is_sorted() && percents.len() >= 3, "{lines:#?}");
    let mut once = lines.clone();
    once.dedup();
    assert_eq!(once, lines, "nothing is said twice");
    assert!(!ran.stdout.contains('\x1b'), "what is no terminal gets no codes");
    let ascii = place.ran(&["watch", "@", "--ascii"], 0).stdout;
    assert!(ascii.is_ascii() && ascii.contains("+ completed"), "{ascii}");

    place.ran(&["start", "fails.yaml", "--wait"], 10);
    let failed = place.ran(&["watch", "@"], 10).stdout;
    assert!(failed.contains("✕ failed") && failed.contains("no such luck"), "{failed}");
    place.ran(&["start", "catches.yaml", "--wait"], 12);
    place.ran(&["watch", "@"], 12);
    place.ran(&["watch", "@", "--allow-errors"], 0);
    place.ran(&["watch", "zzz"], 3);
    stopped(server);
}

/// The percent in `15:00:01   37%  …`.
fn percent(line: &str) -> Option<u8> {
    line.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse().ok())
}

#[test]
fn watch_prints_each_event_with_the_card_after_it_for_programs() {
    let (place, server, _rest) = serving();
    place.ran(&["start", "counts.yaml"], 0);
    let lines = place.ran(&["watch", "@", "--json"], 0).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["schema"] == "everstep.watched/v1"));
    assert_eq!(lines[0]["event"], Value::Null, "the first line says how it stands");
    let sequences: Vec<u64> =
        lines.iter().map(|line| line["execution"]["sequence"].as_u64().unwrap()).collect();
    let dense: Vec<u64> = (sequences[0]..).take(sequences.len()).collect();
    assert_eq!(sequences, dense, "no event is passed over, none comes twice");
    let last = lines.last().unwrap();
    assert_eq!(last["event"]["event"], "ExecutionCompleted");
    assert_eq!(last["execution"]["progress"], 100);
    let card = place.ran(&["show", "@", "--json"], 0).json();
    for field in ["id", "status", "steps", "sequence", "ended_at", "duration_seconds"] {
        assert_eq!(last["execution"][field], card[field], "{field}");
    }
    stopped(server);
}

#[test]
fn watch_without_arguments_shows_what_goes_on_and_what_begins_until_ctrl_c() {
    let (place, server, _rest) = serving();
    place.ran(&["start", "greet.yaml", "--wait"], 0);
    place.ran(&["start", "slow.yaml"], 0);
    let mut command = place.command(&["watch"]);
    let mut watch = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("slow ")));
    place.ran(&["start", "counts.yaml"], 0);
    let mut seen = Vec::new();
    let ended = lines.find(|line| {
        seen.push(line.clone());
        line.contains("✓ completed  counts")
    });
    assert!(ended.is_some() && !seen.iter().any(|line| line.contains("greet")), "{seen:#?}");
    place.ran(&["start", "slow.yaml"], 0);
    assert!(lines.any(|line| line.contains("waits until")));
    signal(&watch, "-INT");
    assert_eq!(watch.wait().unwrap().code(), Some(130));
    let list = place.ran(&["list", "--status", "running"], 0).stdout;
    assert!(list.contains("slow"), "what is watched goes on: {list}");
    stopped(server);
}

#[test]
fn watch_without_an_engine_shows_how_it_stands() {
    let place = Place::new();
    let none = place.ran(&["watch"], 0);
    assert!(none.stderr.contains("no execution is under way"), "{}", none.stderr);
    let (child, _rest) = place.spawn_until(&["run", "slow.yaml"], "waits until");
    signal(&child, "-INT");
    child.wait_with_output().unwrap();
    let cold = place.ran(&["watch", "@"], 4);
    assert!(cold.stdout.contains("◷ waiting") && cold.stdout.contains("Rest"), "{}", cold.stdout);
    assert!(cold.stderr.contains("no engine runs") && cold.stderr.contains("everstep serve"));
    let line: Value =
        serde_json::from_str(place.ran(&["watch", "--json"], 4).stdout.trim()).unwrap();
    assert_eq!(line["execution"]["status"], "running");
    place.ran(&["run", "slow.yaml", "--resume"], 0);
    let ended = place.ran(&["watch", "@"], 0);
    assert!(ended.stdout.contains("✓ completed") && ended.stderr.is_empty(), "{}", ended.stderr);
}
