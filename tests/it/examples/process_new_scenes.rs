//! The workflow on a folder of a thousand files.

use serde_json::json;

use super::{Scenes, WORKFLOW, fields, progress};
use crate::crash::until;

#[test]
fn a_thousand_files_go_through_and_progress_is_smooth() {
    let scenes = Scenes::with_downloads(1000, 0, 50);
    let mut input = scenes.input();
    input["exclude_small_vids"] = json!(true);
    let result = scenes.run(&input, 0);
    assert_eq!(result["status"], "completed");
    let output = &result["output"];
    assert_eq!((&output["synced_items"], &output["scenes_analyzed"]), (&json!(950), &json!(950)));
    assert_eq!(output["changes_applied"], output["changes_approved"]);
    assert!(output["changes_applied"].as_u64() > Some(500), "{output}");
    assert_eq!(output["analysis_batches"].as_array().map(Vec::len), Some(10));
    let summary = &result["summary"];
    assert_eq!(summary["total_synced_items"], 950);
    assert_eq!(summary["total_scenes_analyzed"], 950);
    assert_eq!(summary["total_changes_applied"], output["changes_applied"]);
    assert_eq!(summary["total_errors"], 0);
    assert_eq!(scenes.analyzed(), 950);
    assert_eq!(std::fs::read_dir(scenes.library("sidecars")).unwrap().count(), 950);
    assert_eq!(std::fs::read_dir(scenes.library("files")).unwrap().count(), 950);
    assert!(scenes.plans().iter().all(|plan| plan.contains("#status APPLIED")));
    // What the jobs made for themselves is gone.
    let left = std::fs::read_dir(scenes.library("")).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("new.")).count(), 0);

    let percents = progress(&scenes.0.history());
    assert_eq!((percents.first(), percents.last()), (Some(&0), Some(&100)));
    for pair in percents.windows(2) {
        assert!(pair[0] <= pair[1], "{}% after {}%", pair[1], pair[0]);
        assert!(pair[1] - pair[0] <= 10, "from {}% to {}% at once", pair[0], pair[1]);
    }
    let seen: std::collections::BTreeSet<u64> = percents.into_iter().collect();
    assert!(seen.len() > 60, "only {} numbers were seen: {seen:?}", seen.len());
}

#[test]
fn what_was_done_is_not_done_again_by_the_next_execution() {
    let scenes = Scenes::with_downloads(40, 0, 10);
    let mut input = scenes.input();
    input["exclude_small_vids"] = json!(true);
    let first = scenes.run(&input, 0);
    assert_eq!(first["output"]["synced_items"], 30);
    let before = scenes.lines("catalogue.tsv");

    let again = scenes.run(&input, 0);
    assert_eq!(again["output"]["synced_items"], 0);
    assert_eq!(scenes.lines("catalogue.tsv"), before);

    // Short ones were left alone, and come when they are wanted.
    let all = scenes.run(&scenes.input(), 0);
    assert_eq!(all["output"]["synced_items"], 10);
    assert_eq!(scenes.lines("catalogue.tsv").len(), before.len() + 10);
}

#[test]
fn broken_files_are_named_and_counted_and_the_others_go_through() {
    let scenes = Scenes::with_downloads(30, 3, 0);
    let result = scenes.run(&scenes.input(), 12);
    assert_eq!(result["status"], "completed_with_errors");
    assert_eq!(result["summary"]["total_errors"], 3);
    let step = &result["steps"]["Process downloads"];
    assert_eq!(step["status"], "completed_with_errors");
    let (synced, failed) = (&step["result"]["synced_items"], &step["result"]["failed_items"]);
    assert_eq!((synced, failed), (&json!(27), &json!(3)));
    let errors = step["result"]["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 3);
    assert!(errors.iter().all(|error| fields(error) == ["error", "item"].into()), "{errors:?}");
    assert_eq!(scenes.analyzed(), 27);
}

#[test]
fn executions_in_one_library_take_turns() {
    let scenes = Scenes::with_downloads(30, 0, 0);
    scenes.slow("process_downloads", 200);
    let config = "examples/process_new_scenes/everstep.toml";
    let mut server = scenes.0.spawn(&["serve", "--config", config]);
    server.says("is ready");
    let start = || {
        let file = format!("./{WORKFLOW}");
        let input = scenes.input().to_string();
        scenes.0.ran(&["start", &file, "--input", &input], 0).printed.trim().to_owned()
    };
    let (first, second) = (start(), start());
    let card = scenes.0.ran(&["show", &second, "--json"], 0).json();
    assert_eq!(card["status"], "pending");
    until("both have ended", || {
        scenes.0.list().iter().all(|row| row["status"] == "completed").then_some(())
    });
    let log = scenes.lines("jobs.log");
    let mut of: Vec<&str> = log.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    of.dedup();
    assert_eq!(of, [first, second], "jobs of the two are not mixed");
    server.terminate();
    assert_eq!(server.ended().status.code(), Some(0));
}
