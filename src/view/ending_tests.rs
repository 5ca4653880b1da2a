//! What is seen of clean-up, forced ends and summaries.

use serde_json::{Value, json};

use super::tests::{Run, kinds};
use super::*;
use crate::engine::{Command, JobId, Timestamp, Token};
use crate::language::Json;

const WORKFLOW: &str = r#"
StartAt: Make
OnCancel: Tell
Summary: {made.$: $.steps.Make.result.made, total_errors: 99}
States:
  Make: {Type: Task, Resource: make, Cleanup: Undo make, Next: Use}
  Use: {Type: Task, Resource: use, Cleanup: Undo use, Next: Rest}
  Rest: {Type: Pass, End: true}
  Undo make: {Type: Task, Resource: unmake, End: true}
  Undo use: {Type: Task, Resource: unuse, End: true}
  Tell: {Type: Succeed}
"#;

impl Run {
    /// A worker takes a job and completes or fails it.
    fn work(&mut self, job: u32, outcome: Result<Value, &str>) {
        let (job, token) = (JobId(job), Token([9; 16]));
        self.command(Command::StartJob { job, attempt: 1, worker: "w-1".into(), token });
        self.command(match outcome {
            Ok(output) => {
                Command::CompleteJob { job, token, output: Json::from_value(&output), errors: 0 }
            }
            Err(error) => {
                let failure = crate::engine::Failure::new(error, "as told");
                Command::FailJob { job, token, failure }
            }
        });
    }

    fn cancel(&mut self, force: bool) {
        self.command(Command::CancelExecution { by: "me".into(), reason: None, force });
    }

    fn result(&self) -> Value {
        let result = ResultCard::of(&self.program, &self.execution, Timestamp(self.now));
        serde_json::to_value(result).unwrap()
    }
}

/// In its second step.
fn in_use() -> Run {
    let mut run = Run::of(WORKFLOW);
    run.work(1, Ok(json!({"made": 3})));
    run
}

#[test]
fn states_that_clean_up_are_no_steps() {
    let run = in_use();
    let names: Vec<String> = run.card().steps.iter().map(|step| step.name.to_string()).collect();
    assert_eq!(names, ["Make", "Use", "Rest"]);
    assert_eq!(run.card().total_steps, 3);
    assert!(run.card().cleanup.is_none() && run.card().summary.is_none());
}

#[test]
fn a_card_shows_what_is_undone_and_until_when() {
    let mut run = in_use();
    run.cancel(false);
    let card = run.card();
    assert_eq!((card.status, card.step_name.as_deref()), ("cancelling", Some("Use")));
    assert_eq!(run.statuses(), ["completed", "cancelled", "skipped"]);
    let cleanup = card.cleanup.unwrap();
    let [only] = cleanup.outcomes.as_slice() else { panic!("{cleanup:?}") };
    assert_eq!((only.step.as_deref(), &*only.state), (Some("Use"), "Undo use"));
    assert_eq!((only.status, only.duration_seconds), ("running", Some(0.0)));
    assert_eq!(cleanup.deadline, Timestamp(run.now + 300_000).to_string());
    assert_eq!(card.active_sub_job.unwrap().job_type.as_ref(), "unuse");
    let progress = card.progress;
    run.work(3, Err("Broken"));
    run.work(4, Ok(json!(null)));
    let card = run.card();
    assert_eq!((card.status, card.progress), ("cancelled", progress));
    let statuses: Vec<&str> = card.cleanup.unwrap().outcomes.iter().map(|one| one.status).collect();
    assert_eq!(statuses, ["failed", "completed", "completed"]);
}

#[test]
fn a_result_lists_what_was_undone_and_the_summary_beside_the_counts() {
    let mut run = in_use();
    run.work(2, Err("Mine"));
    run.work(3, Err("Broken"));
    run.work(4, Ok(json!(null)));
    let result = run.result();
    assert_eq!(result["status"], "failed");
    let cleanup = result["cleanup"].as_array().unwrap();
    assert_eq!(cleanup.len(), 2);
    let broken = json!({"error": "Broken", "cause": "as told"});
    assert_eq!((&cleanup[0]["step"], &cleanup[0]["error"]), (&json!("Use"), &broken));
    assert_eq!(
        (&cleanup[1]["state"], &cleanup[1]["status"]),
        (&json!("Undo make"), &json!("completed"))
    );
    assert!(cleanup[1].get("error").is_none());
    // The counts are ours, whatever the definition says.
    assert_eq!(result["summary"]["total_errors"], 0);
    assert_eq!(result["summary"]["made"], 3);
    assert_eq!(result["summary"]["failed_steps"], 1);
    assert!(result["summary"].get("summary_error").is_none());
    let told: u64 = 3;
    assert_eq!(run.card().summary.unwrap()["made"], json!(told));
    // The step took no longer than until it failed.
    let took = result["steps"]["Use"]["duration_seconds"].as_f64().unwrap();
    assert!((1.0..=3.0).contains(&took), "{took}");
}

#[test]
fn a_summary_that_failed_is_named() {
    let mut run = Run::of(WORKFLOW);
    run.work(1, Ok(json!({})));
    run.work(2, Ok(json!({})));
    let result = run.result();
    assert_eq!(result["status"], "completed");
    assert_eq!(result["summary"]["summary_error"]["error"], "States.Runtime");
    assert!(run.card().summary_error.is_some());
}

#[test]
fn why_says_after_which_step_it_cleans_up_and_until_when() {
    let mut run = in_use();
    run.work(2, Err("Mine"));
    let why = run.why(Workers::None);
    assert_eq!((why.state, why.status), (WhyState::CleaningUp, "running"));
    assert_eq!(kinds(&why), [ReasonKind::Cleanup, ReasonKind::Worker]);
    let sentence = &why.reasons[0].sentence;
    let wanted = "cleaning up after step \"Use\" with \"Undo use\" for 0.0s; what is left is given \
                  up in 5m00s";
    assert_eq!(sentence, wanted);
    run.cancel(false);
    run.work(3, Ok(json!(null)));
    run.work(4, Ok(json!(null)));
    let why = run.why(Workers::None);
    assert_eq!((why.state, why.status), (WhyState::Ended, "cancelled"));
    assert_eq!(why.cleanup.unwrap().outcomes.len(), 3);
}

#[test]
fn why_knows_the_failed_step_after_its_cleanup() {
    let mut run = in_use();
    run.work(2, Err("Mine"));
    run.work(3, Err("Broken"));
    run.work(4, Ok(json!(null)));
    let end = run.why(Workers::None).end.unwrap();
    assert_eq!(end.failed_step.as_deref(), Some("Use"));
    let first = end.first_failure.unwrap();
    assert_eq!((first.event, &*first.failure.error), ("JobFailed", "Mine"));
}

#[test]
fn a_forced_end_is_seen() {
    let mut run = in_use();
    run.cancel(false);
    run.now += 30_000;
    run.cancel(true);
    let card = run.card();
    assert_eq!(card.status, "cancelled");
    let forced = card.cancel.unwrap().forced.unwrap();
    assert_eq!((&*forced.by, forced.abandoned.len()), ("me", 0));
    let errors = card.cleanup.unwrap().outcomes;
    assert!(
        errors
            .iter()
            .all(|one| one.error.as_ref().unwrap().error.as_ref() == "Everstep.CancelForced")
    );
}

#[test]
fn events_of_cleanup_have_their_words_and_places_and_are_sound() {
    let mut run = in_use();
    run.cancel(false);
    run.work(3, Err("Broken"));
    run.now += 30_000;
    run.cancel(true);
    let mut places = Places::default();
    let told: Vec<(Option<String>, String)> = run
        .history
        .iter()
        .map(|record| {
            let place = places.place(&record.event).map(|place| place.to_string());
            (place, sentence(&record.event))
        })
        .collect();
    assert!(told.iter().all(|(_, words)| !words.is_empty()), "{told:#?}");
    let has = |place: &str, words: &str| {
        let found =
            told.iter().any(|(at, told)| at.as_deref() == Some(place) && told.contains(words));
        assert!(found, "{place}: {words}\n{told:#?}");
    };
    has("Undo use", "thread 1 undoes Use and has until");
    has("Undo use", "Undo use, which undoes Use, failed: Broken: as told");
    assert!(told.iter().any(|(_, words)| words == "me forced the end"), "{told:#?}");
    assert!(
        told.iter().any(|(_, words)| words.starts_with("Tell, which is OnCancel, never began"))
    );
    assert_eq!(run.checks(), [""; 0]);
}

#[test]
fn what_was_undone_is_a_difference() {
    let mut run = in_use();
    let before = run.execution.clone();
    run.cancel(false);
    run.work(3, Ok(json!(null)));
    let difference = Difference::of(&run.program, &before, &run.execution);
    let change = difference.changes.iter().find(|change| change.field == "cleanup").unwrap();
    assert_eq!(change.after, json!(["Use by Undo use completed", "Make by Undo make running"]));
}
