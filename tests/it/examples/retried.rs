//! The workflow, retried: only what was missing is done again.

use std::fs;

use serde_json::{Value, json};

use super::interrupted::{FILES, in_batch_two};
use super::{Scenes, result};

#[test]
fn a_retry_after_a_failed_batch_does_that_batch_alone_again() {
    let scenes = Scenes::with_downloads(150, 0, 0);
    // Ids follow the names, and the newest come first: the first batch.
    scenes.download("zz beach.mp4", "duration=60 codec=none");
    let failed = scenes.run(&scenes.input(), 12);
    assert_eq!(failed["output"]["scenes_analyzed"], 51);
    assert_eq!(scenes.begun("analysis").len(), 2);

    let mended = "EVERSTEP-MEDIA 1 duration=60 codec=h264\nfiller\n";
    fs::write(scenes.library("files/zz beach.mp4"), mended).unwrap();
    let retried = scenes.0.ran(&["retry", "@", "--result"], 0).json();
    assert_eq!((&retried["status"], &retried["job_id"]), (&json!("completed"), &failed["job_id"]));
    assert_eq!(retried["summary"]["total_errors"], 0);
    assert_eq!(retried["output"]["scenes_analyzed"], 151);
    assert_eq!(scenes.analyzed(), 151);
    assert_eq!(scenes.begun("analysis").len(), 3, "one batch began once more");
    // The steps before are not run again; those after are, as there is something new for them.
    assert_eq!(scenes.begun("process_downloads").len(), 1);
    assert_eq!(scenes.begun("stash_scan").len(), 1);
    assert_eq!(scenes.begun("stash_generate").len(), 2);
    let batches = retried["output"]["analysis_batches"].as_array().unwrap();
    let numbers: Vec<&Value> = batches.iter().map(|batch| &batch["batch_num"]).collect();
    assert_eq!(numbers, [&json!(1), &json!(2)]);
    assert!(batches.iter().all(|batch| batch["errors"] == json!([])), "{batches:?}");
    scenes.0.ran(&["log", "verify"], 0);
}

#[test]
fn a_retry_after_a_cancel_begins_with_the_batch_that_was_stopped() {
    let (scenes, program) = in_batch_two();
    scenes.0.ran(&["cancel", "@"], 0);
    result(&program.ended(), 11);
    let retried = scenes.0.ran(&["retry", "@", "--result"], 0).json();
    assert_eq!(retried["status"], "completed");
    assert_eq!(retried["output"]["scenes_analyzed"], FILES);
    assert_eq!(scenes.analyzed(), FILES);
    assert_eq!(scenes.begun("process_downloads").len(), 1);
    assert_eq!(scenes.begun("sync").len(), 2);
    assert_eq!(scenes.begun("analysis").len(), 4, "batches 1, 2, 2 again, and 3");
    assert_eq!(scenes.begun("apply_plan").len(), 3);
    assert!(scenes.plans().iter().all(|plan| plan.contains("#status APPLIED")));
    assert_eq!(scenes.0.list().len(), 1, "it is the same execution");
}
