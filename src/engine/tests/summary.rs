//! `Summary`.

use serde_json::{Value, json};

use super::kit::{Run, given};
use super::task;
use crate::engine::EndSummary;

/// The summary that the execution ended with.
fn made(run: &Run) -> Value {
    match &run.execution.summary {
        Some(EndSummary::Made(made)) => made.value(),
        other => panic!("{other:?}"),
    }
}

fn failed(run: &Run) -> (&str, &str) {
    match &run.execution.summary {
        Some(EndSummary::Failed(failure)) => (&failure.error, &failure.cause),
        other => panic!("{other:?}"),
    }
}

fn summed(language: &str, summary: Value) -> Value {
    json!({"QueryLanguage": language, "Summary": summary, "StartAt": "A", "States": {
        "A": task(json!({"Next": "B", "Assign": {"kept": 7}})),
        "B": task(json!({"Cleanup": "Undo"})),
        "Undo": {"Type": "Pass", "End": true},
    }})
}

#[test]
fn a_summary_is_made_of_steps_variables_and_counts() {
    let summary = json!({
        "files": "{% $states.input.steps.A.result.files %}",
        "all": "{% $keys($states.input.steps) %}",
        "kept": "{% $kept + $states.input.variables.kept %}",
        "errors": "{% $states.input.total_errors %}",
        "status": "{% $states.input.status %}",
        "came": "{% $states.input.input %}",
        "gave": "{% $states.input.output %}",
        "of": "{% $states.context.StateMachine.Name %}",
        "fixed": 1,
    });
    let mut run = given(&summed("JSONata", summary)).started(&json!({"in": true}));
    run.complete_only(&json!({"files": 12}));
    run.complete_only(&json!("out"));
    assert_eq!(run.names(), "JobSucceeded StateExited ExecutionCompleted");
    let wanted = json!({"files": 12, "all": ["A", "B"], "kept": 14, "errors": 0,
        "status": "completed", "came": {"in": true}, "gave": "out", "of": "w", "fixed": 1});
    assert_eq!(made(&run), wanted);
}

#[test]
fn a_summary_is_made_when_it_fails_or_is_cancelled_after_cleaning_up() {
    let summary = json!({
        "status.$": "$.status", "why.$": "$.error", "step.$": "$.steps.B", "kept.$": "$kept",
        "undone.$": "$.cleanup[*].step", "by.$": "$.cancel", "out.$": "$.output",
    });
    let mut run = given(&summed("JSONPath", summary.clone())).started(&json!({}));
    run.complete_only(&json!({}));
    run.fail_only("Mine");
    let failed = made(&run);
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["why"], json!({"error": "Mine", "cause": "as told"}));
    assert_eq!(failed["step"]["status"], "failed");
    assert_eq!(failed["step"]["error"]["error"], "Mine");
    assert_eq!((&failed["kept"], &failed["undone"]), (&json!(7), &json!(["B"])));
    assert_eq!((&failed["by"], &failed["out"]), (&json!(null), &json!(null)));
    let mut run = given(&summed("JSONPath", summary)).started(&json!({}));
    run.complete_only(&json!({}));
    run.cancel();
    let cancelled = made(&run);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["step"]["status"], "cancelled");
    assert_eq!(cancelled["by"], json!({"by": "me", "reason": null}));
}

#[test]
fn a_summary_that_fails_is_told_and_changes_nothing() {
    let mut run = given(&summed("JSONPath", json!({"x.$": "$.absent"}))).started(&json!({}));
    run.complete_only(&json!({}));
    run.complete_only(&json!("out"));
    assert_eq!((run.status(), run.output()), ("completed", json!("out")));
    assert_eq!(failed(&run).0, "States.Runtime");
    assert!(
        failed(&run).1.contains("'$.absent' specified for the field 'x.$'"),
        "{:?}",
        failed(&run)
    );
    let mut run = given(&summed("JSONata", json!("{% 3 %}"))).started(&json!({}));
    run.complete_only(&json!({}));
    run.complete_only(&json!("out"));
    assert_eq!(failed(&run).0, "States.QueryEvaluationError");
}

#[test]
fn a_summary_has_the_limit_of_a_payload() {
    let summary = json!({"much": "{% $pad('', 100, 'x') %}"});
    let mut run = given(&summed("JSONata", summary))
        .limits(|limits| limits.payload_bytes = 60)
        .started(&json!({}));
    run.complete_only(&json!({}));
    run.complete_only(&json!("out"));
    assert_eq!(failed(&run).0, "States.DataLimitExceeded");
}

#[test]
fn without_a_summary_there_is_none() {
    let mut run = given(&super::only(task(json!({})))).started(&json!({}));
    run.complete_only(&json!(1));
    assert_eq!(run.execution.summary, None);
}
