//! Scenarios 19 to 24 of workflow jobs, on the workflow that they were written about.

use std::fs;

use serde_json::{Value, json};

use super::{Scenes, fields, job_types};

/// Jobs that the old system did itself, without a child.
const CHECKS: [&str; 3] = ["count_pending", "list_unanalyzed", "approve_changes"];

#[test]
fn scenario_19_children_come_in_their_order_and_belong_to_the_workflow() {
    let scenes = Scenes::with_downloads(150, 0, 0);
    let result = scenes.run(&scenes.input(), 0);
    let history = scenes.0.history();
    let children: Vec<&str> =
        job_types(&history).into_iter().filter(|job_type| !CHECKS.contains(job_type)).collect();
    let expected = [
        "process_downloads",
        "stash_scan",
        "sync",
        "analysis",
        "apply_plan",
        "analysis",
        "apply_plan",
        "stash_generate",
        "sync",
    ];
    assert_eq!(children, expected);
    let id = result["job_id"].as_str().unwrap();
    assert!(history.named("JobScheduled").all(|event| event["execution"] == id));
    // The job's own log tells the same order.
    let log = scenes.lines("jobs.log");
    let words = log.iter().map(|line| line.split(' ').next().unwrap());
    assert_eq!(words.filter(|word| !CHECKS.contains(word)).collect::<Vec<_>>(), expected);
}

#[test]
fn scenario_20_without_new_items_the_scan_is_skipped_and_the_workflow_completes() {
    let scenes = Scenes::new();
    let result = scenes.run(&scenes.input(), 0);
    assert_eq!(result["status"], "completed");
    assert_eq!(result["steps"]["Process downloads"]["result"]["total_items"], 0);
    assert_eq!(result["steps"]["Scan metadata"]["status"], "skipped");
    assert_eq!(result["steps"]["Completed"]["status"], "completed");
    assert!(scenes.begun("stash_scan").is_empty());
}

#[test]
fn scenario_21_steps_that_are_skipped_say_why_in_the_shape_of_all_others() {
    let scenes = Scenes::new();
    let result = scenes.run(&scenes.input(), 0);
    let steps = &result["steps"];
    let shape = fields(&steps["Process downloads"]);
    for (step, reason) in [
        ("Scan metadata", "No new items to scan"),
        ("Incremental sync", "No pending scenes to sync"),
        ("Analyze scenes", "No unanalyzed scenes found"),
        ("Final sync", "No pending updates to sync"),
    ] {
        assert_eq!(steps[step]["status"], "skipped");
        assert_eq!(steps[step]["reason"], reason);
        assert_eq!(fields(&steps[step]), shape);
    }
    assert_eq!(result["summary"]["total_errors"], 0);
    let card = scenes.0.ran(&["show", "@", "--json"], 0).json();
    let scan = &card["steps"][1];
    assert_eq!(
        (&scan["status"], &scan["message"]),
        (&json!("skipped"), &json!("No new items to scan"))
    );
}

#[test]
fn scenario_22_a_failed_download_is_counted_and_the_workflow_goes_on() {
    let scenes = Scenes::new();
    let input = json!({ "downloads": "not there", "library": "library" });
    let result = scenes.run(&input, 12);
    assert_eq!(result["status"], "completed_with_errors");
    assert_eq!(result["summary"]["total_errors"], 1);
    assert_eq!(result["output"]["synced_items"], 0);
    let step = &result["steps"]["Process downloads"];
    let job = format!("{}:1", result["job_id"].as_str().unwrap());
    assert_eq!((&step["job_id"], &step["status"]), (&json!(job), &json!("failed")));
    assert_eq!(step["error"]["error"], "Scenes.NoDownloads");
    assert_eq!(result["steps"]["Scan metadata"]["status"], "skipped");
    assert_eq!(result["steps"]["Generate metadata"]["status"], "completed");
}

#[test]
fn scenario_23_a_batch_that_fails_is_recorded_and_the_next_goes_on() {
    let scenes = Scenes::new();
    // Ids follow the names, and the newest come first: one of the first batch cannot be decoded, and
    // nothing in the names of the second is worth a tag.
    for number in 0..21 {
        scenes.download(&format!("Aaa {number:02}.mp4"), "duration=60 codec=h264");
    }
    for number in 0..99 {
        scenes.download(&format!("Beach {number:02}.mp4"), "duration=60 codec=h264");
    }
    scenes.download("zz.mp4", "duration=60 codec=none");
    let result = scenes.run(&scenes.input(), 12);
    assert_eq!(
        (&result["status"], &result["summary"]["total_errors"]),
        (&json!("completed_with_errors"), &json!(1))
    );
    let batches = result["output"]["analysis_batches"].as_array().unwrap();
    let [first, second] = batches.as_slice() else { panic!("two batches: {batches:?}") };
    assert_eq!(fields(first), fields(second));
    let error = first["errors"][0].as_str().unwrap();
    assert!(error.contains("Analysis failed for batch 1: zz.mp4"), "{error}");
    assert_eq!(second["errors"], json!([]));
    assert_eq!((&second["scenes_analyzed"], &second["plan_id"]), (&json!(21), &Value::Null));
    assert_eq!(result["output"]["scenes_analyzed"], 21);
    assert_eq!(scenes.analyzed(), 21);
    assert_eq!(scenes.begun("analysis").len(), 2);
    assert!(scenes.begun("apply_plan").is_empty(), "there was nothing to apply");
    assert!(scenes.begun("approve_changes").is_empty());
    assert_eq!(result["steps"]["Generate metadata"]["status"], "completed");
}

#[test]
fn scenario_24_a_check_that_fails_fails_the_workflow_and_what_was_done_can_be_read() {
    let scenes = Scenes::with_downloads(5, 0, 0);
    fs::create_dir(scenes.library("")).unwrap();
    fs::write(scenes.library("catalogue.tsv"), "no catalogue\n").unwrap();
    scenes.run(&scenes.input(), 10);
    let result = scenes.0.ran(&["show", "@", "--result", "--json"], 0).json();
    assert_eq!(
        (&result["status"], &result["error"]["error"]),
        (&json!("failed"), &json!("Scenes.Damaged"))
    );
    let steps = &result["steps"];
    assert_eq!(steps["Process downloads"]["result"]["synced_items"], 5);
    assert_eq!(steps["Scan metadata"]["result"]["new_scenes"], 5);
    assert_eq!(steps["Check for pending scenes"]["status"], "failed");
    assert!(scenes.begun("sync").is_empty());
    let card = scenes.0.ran(&["show", "@", "--json"], 0).json();
    assert!(card["progress"].as_u64() < Some(100), "{card}");
}
