//! The workflow, killed and cancelled in the middle of its second batch.

use serde_json::{Value, json};

use super::{Scenes, result};
use crate::crash::place::Program;
use crate::crash::until;

/// Three batches.
pub(super) const FILES: usize = 250;

/// A workflow that is in the middle of its second batch.
pub(super) fn in_batch_two() -> (Scenes, Program) {
    let scenes = Scenes::with_downloads(FILES, 0, 0);
    scenes.slow("analysis", 150);
    let program = scenes.begin();
    until("the second batch is under way", || {
        let half_made =
            |plan: &String| plan.contains("#status PENDING") && plan.contains("add_tag");
        (scenes.begun("analysis").len() == 2 && scenes.plans().iter().any(half_made)).then_some(())
    });
    (scenes, program)
}

#[test]
fn after_a_kill_in_batch_two_it_goes_on_there_and_nothing_is_done_twice() {
    let (scenes, mut program) = in_batch_two();
    assert!(program.kill());
    let result = result(&scenes.begin().ended(), 0);
    assert_eq!(result["status"], "completed");
    assert_eq!(result["output"]["scenes_analyzed"], FILES);
    assert_eq!(scenes.analyzed(), FILES);
    for (job_type, times) in [("process_downloads", 1), ("stash_scan", 1), ("sync", 2)] {
        assert_eq!(scenes.begun(job_type).len(), times, "{job_type}");
    }
    let analyses = scenes.begun("analysis");
    let [one, two, again, three] = analyses.as_slice() else {
        panic!("batch 2 alone began twice: {analyses:?}");
    };
    assert_eq!(two, again);
    assert!(one < two && again < three, "{analyses:?}");
    assert_eq!(scenes.begun("apply_plan").len(), 3);
    assert_eq!(result["steps"]["Process downloads"]["result"]["synced_items"], FILES);
    let batches = result["output"]["analysis_batches"].as_array().unwrap();
    let sizes: Vec<&Value> = batches.iter().map(|batch| &batch["scenes_analyzed"]).collect();
    assert_eq!(sizes, [&json!(100), &json!(100), &json!(50)]);
    scenes.0.ran(&["log", "verify"], 0);
    scenes.0.is_quiet();
}

#[test]
fn scenario_16_a_cancel_makes_drafts_of_pending_plans_and_leaves_no_process() {
    let (scenes, program) = in_batch_two();
    scenes.0.ran(&["cancel", "@", "--reason", "enough"], 0);
    let result = result(&program.ended(), 11);
    assert_eq!(result["status"], "cancelled");
    assert_eq!(scenes.0.processes(), [0; 0]);
    assert_eq!(scenes.begun("analysis").len(), 2, "no third batch begins");
    assert!(scenes.begun("stash_generate").is_empty());
    assert_eq!(scenes.begun("draft_plans").len(), 1);
    let plans = scenes.plans();
    let (drafts, others): (Vec<&String>, Vec<&String>) =
        plans.iter().partition(|plan| plan.contains("#status DRAFT"));
    assert_eq!((drafts.len(), others.len()), (1, 1), "{plans:?}");
    assert!(drafts[0].contains("#finalized_reason Job was cancelled by"), "{}", drafts[0]);
    assert!(drafts[0].contains(": enough\n") && drafts[0].contains("add_tag"), "{}", drafts[0]);
    assert!(others[0].contains("#status APPLIED"), "what was applied stays: {}", others[0]);
    // What was done stays, and can be read.
    assert_eq!(result["steps"]["Process downloads"]["result"]["synced_items"], FILES);
    assert_eq!(result["summary"]["total_synced_items"], FILES);
    assert_eq!(scenes.analyzed(), 100);
    let card = scenes.0.ran(&["show", "@", "--json"], 0).json();
    assert!(card["progress"].as_u64() < Some(70), "{card}");
}

#[test]
fn a_clean_up_that_fails_is_recorded_and_does_not_block_the_cancel() {
    let (scenes, program) = in_batch_two();
    let job = scenes.0.path().join("examples/process_new_scenes/jobs/draft_plans.sh");
    std::fs::write(job, "#!/bin/sh\necho '::error Scenes.NoLibrary it is gone' >&2\nexit 1\n")
        .unwrap();
    scenes.0.ran(&["cancel", "@"], 0);
    let result = result(&program.ended(), 11);
    assert_eq!(result["status"], "cancelled");
    let history = scenes.0.history();
    let failed: Vec<&Value> = history.named("CleanupFailed").collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].to_string().contains("Scenes.NoLibrary"), "{failed:?}");
    assert_eq!(scenes.0.processes(), [0; 0]);
}
