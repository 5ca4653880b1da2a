//! What is built is what would be written by hand.

use serde_json::json;

use super::*;
use crate::language::machine_fields::WhenFull;
use crate::language::{Format, Options, check};

/// Every type of state, in JSONPath.
fn all_states() -> Definition {
    let one = |job_type| Machine::new().state(&format!("Do {job_type}"), State::task(job_type));
    Definition::new()
        .comment("All of it")
        .timeout_seconds(3600)
        .state("Start", State::pass().result(json!({"n": 1})).result_path("$.first").next("Ask"))
        .state(
            "Ask",
            State::task("ask.waitForTaskToken")
                .parameters(json!({"token.$": "$$.Task.Token"}))
                .timeout_seconds(60)
                .heartbeat_seconds_path("$.beat")
                .result_selector(json!({"got.$": "$"}))
                .assign("count.$", "$.n")
                .retry(
                    Retrier::on(["States.Timeout", "Flaky"])
                        .interval_seconds(2)
                        .max_attempts(5)
                        .backoff_rate(1.5)
                        .max_delay_seconds(30)
                        .full_jitter(),
                )
                .catch(Catcher::on(["States.ALL"], "Give up").result_path(()).ignore_errors())
                .next("Which"),
        )
        .state(
            "Which",
            State::choice()
                .rule(Rule::compare("$.n", "NumericLessThan", 3, "Pause"))
                .rule(Rule::combine("Not", json!({"Variable": "$.n", "IsPresent": true}), "Until"))
                .otherwise("Both"),
        )
        .state("Pause", State::wait_seconds(5).next("Until"))
        .state("Until", State::wait_until_path("$.when").next("Both"))
        .state(
            "Both",
            State::parallel([one("left"), one("right")])
                .input_path("$.x")
                .output_path(())
                .next("Each"),
        )
        .state(
            "Each",
            State::map(one("scan").distributed())
                .items_path("$.files")
                .item_selector(json!({"file.$": "$$.Map.Item.Value"}))
                .batches_of(10)
                .batch_input(json!({"a": 1}))
                .max_concurrency(4)
                .tolerated_failure_percentage(2.5)
                .label("scan")
                .next("Done"),
        )
        .state("Done", State::succeed())
        .state("Give up", State::fail("Mine", "no answer").title("No answer").weight(0.0))
}

/// The same by hand.
fn all_by_hand() -> Value {
    json!({
        "Comment": "All of it", "TimeoutSeconds": 3600, "StartAt": "Start", "States": {
            "Start": {"Type": "Pass", "Result": {"n": 1}, "ResultPath": "$.first", "Next": "Ask"},
            "Ask": {"Type": "Task", "Resource": "ask.waitForTaskToken",
                "Parameters": {"token.$": "$$.Task.Token"}, "TimeoutSeconds": 60,
                "HeartbeatSecondsPath": "$.beat", "ResultSelector": {"got.$": "$"},
                "Assign": {"count.$": "$.n"},
                "Retry": [{"ErrorEquals": ["States.Timeout", "Flaky"], "IntervalSeconds": 2,
                    "MaxAttempts": 5, "BackoffRate": 1.5, "MaxDelaySeconds": 30,
                    "JitterStrategy": "FULL"}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Give up", "ResultPath": null,
                    "CountErrors": "ignore"}],
                "Next": "Which"},
            "Which": {"Type": "Choice", "Choices": [
                {"Variable": "$.n", "NumericLessThan": 3, "Next": "Pause"},
                {"Not": {"Variable": "$.n", "IsPresent": true}, "Next": "Until"}],
                "Default": "Both"},
            "Pause": {"Type": "Wait", "Seconds": 5, "Next": "Until"},
            "Until": {"Type": "Wait", "TimestampPath": "$.when", "Next": "Both"},
            "Both": {"Type": "Parallel", "InputPath": "$.x", "OutputPath": null, "Branches": [
                {"StartAt": "Do left", "States": {
                    "Do left": {"Type": "Task", "End": true, "Resource": "left"}}},
                {"StartAt": "Do right", "States": {
                    "Do right": {"Type": "Task", "End": true, "Resource": "right"}}}],
                "Next": "Each"},
            "Each": {"Type": "Map", "ItemsPath": "$.files",
                "ItemSelector": {"file.$": "$$.Map.Item.Value"},
                "ItemBatcher": {"MaxItemsPerBatch": 10, "BatchInput": {"a": 1}},
                "MaxConcurrency": 4, "ToleratedFailurePercentage": 2.5, "Label": "scan",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Do scan", "States": {
                        "Do scan": {"Type": "Task", "End": true, "Resource": "scan"}}},
                "Next": "Done"},
            "Done": {"Type": "Succeed"},
            "Give up": {"Type": "Fail", "Error": "Mine", "Cause": "no answer",
                "Title": "No answer", "Weight": 0.0}}})
}

#[test]
fn every_type_of_state_can_be_built_in_json_path() {
    let definition = all_states();
    assert_eq!(definition.to_value(), all_by_hand());
    let checked = check(&definition.text(), Format::Json, &Options::default());
    assert!(checked.diagnostics.is_empty(), "{:#?}", checked.diagnostics);
    assert_eq!(definition.build().unwrap().states.len(), 12);
}

#[test]
fn jsonata_can_be_built_for_all_or_for_one_state() {
    let definition = Definition::jsonata()
        .state(
            "Which",
            State::choice()
                .rule(
                    Rule::when("{% $states.input.big %}", "Work")
                        .output("{% $states.input %}")
                        .assign(json!({"n": 1})),
                )
                .otherwise("Rest"),
        )
        .state(
            "Work",
            State::task("work")
                .arguments(json!({"n": "{% $n %}"}))
                .timeout_seconds("{% $states.input.limit %}")
                .catch(
                    Catcher::on(["States.ALL"], "Rest")
                        .output("{% $states.errorOutput %}")
                        .assign(json!({"failed": true})),
                )
                .output("{% $states.result %}")
                .next("Rest"),
        )
        .state("Rest", State::wait_until("{% $now() %}"));
    let workflow = definition.build().unwrap();
    assert_eq!(
        workflow.states["Work"].query_language(),
        super::super::model::QueryLanguage::Jsonata
    );
    let mixed = Definition::new()
        .state("A", State::pass().next("B"))
        .state("B", State::pass().in_jsonata().output("{% 1 %}"));
    assert!(mixed.build().is_ok());
}

#[test]
fn a_workflow_says_about_itself_what_it_could_by_hand() {
    let definition = Definition::new()
        .title("Scans")
        .concurrency(Concurrency::limit(2).key_path("$.studio").refuse())
        .label("team", "media")
        .label("env", "test")
        .job_type("scan", JobType::new().label("Scan").colour("#00aa00").unit("scenes", "scene"))
        .state("Scan", State::task("scan").title("Scan it").weight(2.0));
    let workflow = definition.build().unwrap();
    let concurrency = workflow.concurrency.clone().unwrap();
    assert_eq!((concurrency.limit, concurrency.when_full), (2, WhenFull::Refuse));
    assert_eq!(workflow.labels.keys().collect::<Vec<_>>(), ["team", "env"]);
    assert_eq!(workflow.job_type_words["scan"].unit_for(1), Some("scene"));
    let again = crate::language::parse(&definition.text(), Format::Json, &Options::default());
    assert_eq!(again.unwrap().hash, workflow.hash);
}

#[test]
fn clean_up_is_written_as_the_language_has_it() {
    let definition = Definition::new()
        .summary(json!({"files.$": "$.steps.Scan.result.files"}))
        .on_cancel("Tell")
        .cleanup_timeout_seconds(30)
        .state("Scan", State::task("scan").cleanup("Undo"))
        .state("Undo", State::task("undo"))
        .state("Tell", State::task("tell"));
    let value = definition.to_value();
    assert_eq!(value["Summary"], json!({"files.$": "$.steps.Scan.result.files"}));
    assert_eq!(value["OnCancel"], "Tell");
    assert_eq!(value["CleanupTimeoutSeconds"], 30);
    assert_eq!(value["States"]["Scan"]["Cleanup"], "Undo");
}

#[test]
fn faults_are_found_as_in_any_definition() {
    let faults = Definition::new().state("A", State::pass().next("B")).build().unwrap_err();
    assert_eq!(faults[0].code, crate::language::diagnostic::codes::UNKNOWN_STATE);
    assert_eq!(faults[0].pointer, "/States/A/Next");
    let elsewhere = Definition::new()
        .state("B", State::succeed())
        .state("A", State::pass().next("B"))
        .start_at("A");
    assert!(elsewhere.build().is_ok());
}
