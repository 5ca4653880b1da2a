//! The import example.

use std::fs;

use serde_json::{Value, json};

use super::{fields, job_types};
use crate::crash::place::Place;
use crate::crash::until;
use crate::folder::copy;
use crate::source_text::root;

const YAML: &str = "examples/import/import.yaml";
const JSON: &str = "examples/import/import.asl.json";

/// A folder with the example in it, and with so many files to import.
fn place(files: usize) -> Place {
    let place = Place::new();
    for folder in ["examples/lib", "examples/import"] {
        copy(&root().join(folder), &place.path().join(folder));
    }
    for folder in ["files", "work"] {
        fs::create_dir(place.path().join(folder)).unwrap();
    }
    for number in 0..files {
        place.write(&format!("files/{number:03}.txt"), &format!("file {number}\n"));
    }
    place
}

fn run(place: &Place, workflow: &str, more: &Value, code: i32) -> Value {
    let mut input = json!({ "import_path": "files", "work_dir": "work", "output": "index.tsv" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    place.ran(&["run", workflow, "--result", "--input", &input.to_string()], code).json()
}

/// Ended at 100 %, with the reason, after the first step.
fn ended_early(place: &Place, result: &Value, message: &str, reason: &str) {
    assert_eq!(
        (&result["status"], &result["output"]["message"]),
        (&json!("completed"), &json!(message))
    );
    let steps = &result["steps"];
    for step in ["Process files", "Index data", "Clean up"] {
        assert_eq!(
            (&steps[step]["status"], &steps[step]["reason"]),
            (&json!("skipped"), &json!(reason))
        );
        assert_eq!(fields(&steps[step]), fields(&steps["Validate files"]));
    }
    let card = place.ran(&["show", "@", "--json"], 0).json();
    assert_eq!(card["progress"], 100);
    let jobs = place.history().named("JobScheduled").count();
    assert_eq!(jobs, place.list().len(), "only the validation was asked for");
    assert_eq!(fs::read_dir(place.path().join("work")).unwrap().count(), 0);
}

#[test]
fn scenario_25_validation_alone_or_nothing_valid_completes_early_with_the_reason() {
    for workflow in [YAML, JSON] {
        let some = place(3);
        let result = run(&some, workflow, &json!({ "validate_only": true }), 0);
        let message = "Validation complete: 3 valid files";
        ended_early(&some, &result, message, "Only the validation was asked for");

        let none = place(0);
        none.write("files/empty.txt", "");
        let result = run(&none, workflow, &json!({}), 0);
        ended_early(&none, &result, "No valid files to import", "No valid files to import");
        assert_eq!(result["steps"]["Validate files"]["result"]["total_files"], 1);
    }
}

/// An import of 30 files, one of which went away between validation and processing: so its batch
/// failed, and the file is not there.
fn with_a_failed_batch(workflow: &str) -> (Place, Value) {
    let place = place(30);
    let job = place.path().join("examples/import/jobs/process_import.sh");
    let text = fs::read_to_string(&job).unwrap();
    let gone = "rm -f -- \"$IMPORT/029.txt\"\n";
    fs::write(&job, text.replace("total=$(awk", &format!("{gone}total=$(awk"))).unwrap();
    let result = run(&place, workflow, &json!({}), 12);
    fs::write(&job, text).unwrap();
    (place, result)
}

#[test]
fn a_batch_that_fails_is_recorded_and_the_work_folder_is_kept_for_a_retry() {
    let (place, result) = with_a_failed_batch(JSON);
    assert_eq!(
        (&result["status"], &result["summary"]["total_errors"]),
        (&json!("completed_with_errors"), &json!(1))
    );
    let errors = result["output"]["batch_errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("1 of 5 files of batch 2"), "{errors:?}");
    assert_eq!(result["output"]["indexed_files"], 29);
    assert_eq!(result["steps"]["Clean up"]["reason"], "The work folder is kept for a retry");
    assert_eq!(fs::read_dir(place.path().join("work")).unwrap().count(), 1);
}

#[test]
fn a_retry_of_an_import_does_the_failed_batch_again_and_cleans_up() {
    let (place, failed) = with_a_failed_batch(YAML);
    let error = failed["output"]["batch_errors"][0].as_str().unwrap();
    assert!(error.contains("1 of 5 files of batch 2"), "{error}");
    place.write("files/029.txt", "it is back\n");
    let retried = place.ran(&["retry", "@", "--result"], 0).json();
    assert_eq!(retried["status"], "completed");
    assert_eq!(retried["output"]["indexed_files"], 30);
    assert_eq!(retried["output"]["batch_errors"], json!([]));
    assert_eq!(retried["steps"]["Clean up"]["status"], "completed");
    assert_eq!(fs::read_dir(place.path().join("work")).unwrap().count(), 0);
    let history = place.history();
    let jobs = |job_type: &str| job_types(&history).iter().filter(|one| **one == job_type).count();
    assert_eq!(jobs("validate_import"), 1);
    // Batch 1 once, batch 2 three times before the retry and once after it.
    assert_eq!(jobs("process_import"), 5);
    assert_eq!(jobs("index_data"), 2);
}

#[test]
fn a_cancelled_import_leaves_no_work_folder_and_no_half_of_an_index() {
    for workflow in [YAML, JSON] {
        let place = place(60);
        let config = place.path().join("examples/import/everstep.toml");
        let text = fs::read_to_string(&config).unwrap();
        let head = "[jobs.process_import]\n";
        let slowed = format!("{head}set = {{ EVERSTEP_IMPORT_DELAY_MS = \"50\" }}\n");
        fs::write(&config, text.replace(head, &slowed)).unwrap();
        let input = json!({ "import_path": "files", "work_dir": "work", "output": "index.tsv" });
        let program = place.spawn(&["run", workflow, "--result", "--input", &input.to_string()]);
        let records = || {
            let folder = fs::read_dir(place.path().join("work")).unwrap().next()?.unwrap().path();
            let mut entries = fs::read_dir(folder.join("records")).ok()?;
            entries.next().map(|_| folder)
        };
        until("batches are under way", records);
        place.ran(&["cancel", "@"], 0);
        let ended = program.ended();
        assert_eq!(ended.status.code(), Some(11), "{}", ended.said);
        assert_eq!(ended.json()["status"], "cancelled");
        assert_eq!(fs::read_dir(place.path().join("work")).unwrap().count(), 0);
        assert!(!place.path().join("index.tsv").exists());
        assert_eq!(place.processes(), [0; 0]);
        assert_eq!(place.history().named("CleanupSucceeded").count(), 1);
    }
}
