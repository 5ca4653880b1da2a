//! `everstep retry`, killed and repeated.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::chance::{Chance, kills};
use super::place::Place;

/// A step, a Map of twelve batches of which some fail until a file is there, and a step.
const DEFINITION: &str = "\
StartAt: First
States:
  First: {Type: Task, Resource: step, ResultPath: null, Next: Each}
  Each:
    Type: Map
    MaxConcurrency: 3
    ItemBatcher: {MaxItemsPerBatch: 2}
    ItemProcessor:
      StartAt: Batch
      States:
        Batch:
          Type: Task
          Resource: step
          End: true
    Next: Last
  Last: {Type: Task, Resource: step, End: true}
";

/// Notes that it began and succeeded, with its input. The batch of 13 fails until it is mended.
const STEP: &str = r#"#!/bin/sh
input=$(cat)
echo "start $input" >>"$NOTES"
case "$input" in
  '{"Items":[13,14]}') sleep 0.05; test -e mended || exit 1 ;;
esac
sleep 0.0$((2 + EVERSTEP_JOB % 3))
echo "done $input" >>"$NOTES"
echo "$input"
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("batches.yaml", DEFINITION);
    place.write("step.sh", STEP);
    let notes = place.notes_file();
    let config = format!(
        "[jobs.step]\ncommand = [\"/bin/sh\", \"step.sh\"]\nset = {{ NOTES = {notes:?} }}\n"
    );
    place.write("everstep.toml", &config);
    place
}

/// How often each input is noted with this word.
fn noted(place: &Place, word: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in place.notes() {
        if let Some(input) = line.strip_prefix(word) {
            *counts.entry(input.trim().to_owned()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn a_retry_survives_kill_9_and_does_nothing_twice() {
    let mut chance = Chance::new();
    let items: Vec<u32> = (1..=24).collect();
    let input = json!(items).to_string();
    let expected = json!(items.chunks(2).map(|batch| json!({"Items": batch})).collect::<Vec<_>>());
    let mut left = kills(12);
    while left > 0 {
        let place = place();
        place.ran(&["run", "batches.yaml", "--input", &input], 10);
        place.write("mended", "");
        let before = succeeded(&place);
        assert!(before.len() > 5, "some batches were done: {before:?}");
        let starts = noted(&place, "start");
        let printed = retried(&place, &mut chance, &mut left);
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), expected);
        let (after, again) = (succeeded(&place), noted(&place, "start"));
        assert!(after.values().all(|count| *count == 1), "{after:?}");
        assert_eq!(after.len(), 12 + 2);
        for input in before.keys() {
            assert_eq!(again.get(input), starts.get(input), "{input} had succeeded and ran again");
        }
        let history = place.history();
        assert_eq!(history.named("ExecutionRedriven").count(), 1);
        assert_eq!(history.executions().len(), 1);
        place.ran(&["log", "verify"], 0);
        place.is_quiet();
    }
}

/// Retries the execution, killed time and again, to its end; gives what that printed.
fn retried(place: &Place, chance: &mut Chance, left: &mut u64) -> String {
    let mut here = 3;
    loop {
        // Whether the retry was taken before the kill is what the log says.
        let status = place.list()[0]["status"].as_str().unwrap().to_owned();
        let mut program = match status.as_str() {
            "failed" => place.spawn(&["retry", "@"]),
            _ => place.spawn(&["run", "--resume"]),
        };
        if *left > 0 && here > 0 {
            std::thread::sleep(chance.within_ms(500));
            if program.kill() {
                *left -= 1;
                here -= 1;
                continue;
            }
        }
        let ended = program.ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
        return ended.printed;
    }
}

/// The inputs of the jobs that the log says have succeeded, and how often.
fn succeeded(place: &Place) -> BTreeMap<String, usize> {
    let history = place.history();
    let mut counts = BTreeMap::new();
    for event in history.named("JobSucceeded") {
        // The step gives what it got.
        *counts.entry(event["data"]["output"].to_string()).or_default() += 1;
    }
    counts
}
