//! A workflow that waits for other executions, one for each row of a file, killed.

use std::collections::BTreeSet;
use std::fs;

use super::chance::{Chance, kills};
use super::history::Witness;
use super::place::Place;
use super::run::spare;

const ROWS: usize = 8;

const PARENT: &str = r#"
StartAt: Other
States:
  Other:
    Type: Task
    Resource: states:startExecution.sync:2
    Parameters: {StateMachineArn: child, Input: {n: 1}}
    ResultPath: null
    Next: Rows
  Rows:
    Type: Map
    MaxConcurrency: 3
    ItemReader:
      Resource: s3:getObject
      ReaderConfig: {InputType: CSV, CSVHeaderLocation: FIRST_ROW}
      Parameters: {Bucket: in, Key: rows.csv}
    ItemProcessor:
      ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}
      StartAt: Row
      States:
        Row: {Type: Task, Resource: work, End: true}
    ResultWriter:
      Resource: s3:putObject
      Parameters: {Bucket: out}
    End: true
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("parent.yaml", PARENT);
    let child = "StartAt: Work\nStates:\n  Work: {Type: Task, Resource: work, End: true}\n";
    place.write("child.yaml", child);
    let notes = place.notes_file();
    place.write(
        "everstep.toml",
        &format!(
            "[buckets]\nin = \"in\"\nout = {{ folder = \"out\", write = true }}\n\
             [jobs.work]\ncommand = [\"/bin/sh\", \"work.sh\"]\nset = {{ NOTES = {notes:?} }}\n"
        ),
    );
    place.write("work.sh", "sleep 0.2\nexec cat\n");
    for folder in ["in", "out"] {
        fs::create_dir(place.path().join(folder)).unwrap();
    }
    let rows: String = (0..ROWS).map(|n| format!("{n},row {n}\n")).collect();
    place.write("in/rows.csv", &format!("id,name\n{rows}"));
    place
}

#[test]
fn executions_of_a_killed_parent_go_on_and_none_begins_twice() {
    const RUN: [&str; 5] = ["run", "parent.yaml", "--with", "child.yaml", "--resume"];
    let mut chance = Chance::new();
    let place = place();
    let mut witness = Witness::default();
    for _ in 0..kills(12) {
        let mut program = place.spawn(&RUN);
        spare(&place, &mut program, &witness);
        std::thread::sleep(chance.within_ms(400));
        if !program.kill() {
            break;
        }
        witness.look(&place);
    }
    let ended = place.spawn(&RUN).ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    let key = ended.json()["ResultWriterDetails"]["Key"].as_str().unwrap().to_owned();
    let read = |key: &str| -> serde_json::Value {
        let text = fs::read_to_string(place.path().join("out").join(key)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let manifest = read(&key);
    let succeeded = read(manifest["ResultFiles"]["SUCCEEDED"][0]["Key"].as_str().unwrap());
    let outputs: Vec<&str> =
        succeeded.as_array().unwrap().iter().filter_map(|row| row["Output"].as_str()).collect();
    let expected: Vec<String> =
        (0..ROWS).map(|n| format!("{{\"id\":\"{n}\",\"name\":\"row {n}\"}}")).collect();
    assert_eq!(outputs, expected);

    let log = place.history();
    log.continues(witness.last());
    let begun: Vec<&str> =
        log.named("ExecutionStarted").filter_map(|event| event["execution"].as_str()).collect();
    let different: BTreeSet<&str> = begun.iter().copied().collect();
    assert_eq!((begun.len(), different.len()), (ROWS + 2, ROWS + 2), "the parent, its child, rows");
    assert!(log.jobs("JobSucceeded").values().all(|count| *count == 1));
    assert_eq!(log.named("ItemSucceeded").count(), ROWS);
    for name in ["RetryScheduled", "JobFailed", "ItemFailed", "FailureCaught"] {
        assert_eq!(log.named(name).next(), None, "a crash is no matter of the workflow's");
    }
    place.ran(&["log", "verify"], 0);
    place.is_quiet();
}
