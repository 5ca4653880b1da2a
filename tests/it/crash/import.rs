//! The import example, killed.

use std::fs;

use super::chance::Chance;
use super::history::Witness;
use super::place::{Place, Program};
use super::until;
use crate::folder::copy;
use crate::source_text::root;

const FILE: &str = "examples/import/import.yaml";

/// How many files are imported: three batches.
const FILES: usize = 60;

/// A folder with the example in it, and with files to import.
fn place() -> Place {
    let place = Place::new();
    for folder in ["examples/lib", "examples/import"] {
        copy(&root().join(folder), &place.path().join(folder));
    }
    for number in 0..FILES {
        let folder = place.path().join(format!("files/{}", number % 7));
        fs::create_dir_all(&folder).unwrap();
        let text = format!("line of file {number}\n").repeat(number % 9 + 1);
        fs::write(folder.join(format!("file {number}.txt")), text).unwrap();
    }
    fs::create_dir(place.path().join("work")).unwrap();
    place
}

fn import(place: &Place) -> Program {
    let input = r#"{"import_path": "files", "work_dir": "work", "output": "index.tsv"}"#;
    place.spawn(&["run", FILE, "--input", input, "--resume"])
}

/// What a finished import left: its index.
fn index(place: &Place, program: Program) -> String {
    let ended = program.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.json()["message"], format!("Imported {FILES} of {FILES} files"));
    let left = fs::read_dir(place.path().join("work")).unwrap().count();
    assert_eq!(left, 0, "the work folder is gone");
    fs::read_to_string(place.path().join("index.tsv")).unwrap()
}

#[test]
fn a_killed_import_gives_the_same_index() {
    let mut chance = Chance::new();
    let whole = place();
    let expected = index(&whole, import(&whole));
    assert_eq!(expected.lines().count(), FILES + 1);

    let place = place();
    let mut witness = Witness::default();
    // No job may be cut off more than three times, so there are three kills.
    for _ in 0..3 {
        let events = witness.last().0.len();
        let mut program = import(&place);
        until("it has done something new", || {
            let said = program.said().contains("import");
            (said || !program.is_running()).then_some(())
        });
        std::thread::sleep(chance.within_ms(400));
        if !program.kill() {
            break;
        }
        assert!(witness.look(&place).0.len() > events, "nothing was done");
    }
    assert_eq!(index(&place, import(&place)), expected);
    let log = place.history();
    log.continues(witness.last());
    assert!(log.jobs("JobSucceeded").values().all(|count| *count == 1));
    assert!(log.named("AttemptLost").next().is_some(), "no kill hit a job");
    for name in ["RetryScheduled", "JobFailed", "FailureCaught"] {
        assert_eq!(log.named(name).next(), None);
    }
    place.ran(&["log", "verify"], 0);
    place.is_quiet();
}
