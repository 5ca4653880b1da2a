//! Definitions that are read, and what they become.

use super::{check_json, check_yaml, list};
use crate::language::expression::Scope;
use crate::language::model::{
    Flow, Number, QueryLanguage, ResultPath, Selection, StateKind, Transition, Wait,
};
use crate::language::{Format, Options, Workflow, parse};

const IMPORT: &str = r#"
Comment: Brings files in.
Title: Media import
TimeoutSeconds: 3600
Version: "1.0"
StartAt: Validate
States:
  Validate:
    Type: Task
    Title: Check the files
    Weight: 0.5
    Resource: arn:aws:states:eu-west-1:123456789012:activity:validate_import
    TimeoutSeconds: 60
    HeartbeatSecondsPath: $.beat
    InputPath: $.in
    Parameters: {path.$: $.path, fixed: 1}
    ResultSelector: {files.$: $.files}
    ResultPath: $.checked
    OutputPath: $
    Assign: {count.$: $.n, kind: media}
    Retry:
    - ErrorEquals: [Flaky, States.Timeout]
      IntervalSeconds: 2
      MaxAttempts: 5
      BackoffRate: 1.5
      MaxDelaySeconds: 30
      JitterStrategy: FULL
    - ErrorEquals: [States.ALL]
    Catch:
    - ErrorEquals: [States.ALL]
      ResultPath: null
      Next: Failed
    Next: Enough?
  Enough?:
    Type: Choice
    Choices:
    - Or:
      - {Variable: $.n, NumericLessThan: 1}
      - Not: {Variable: $.n, IsPresent: true}
      Next: Pause
    Default: Each
  Pause: {Type: Wait, SecondsPath: $.pause, Next: Validate}
  Each:
    Type: Map
    ItemsPath: $.files
    ItemSelector: {file.$: $$.Map.Item.Value}
    ItemBatcher: {MaxItemsPerBatch: 10, BatchInput: {a: 1}}
    MaxConcurrency: 4
    ToleratedFailurePercentage: 10
    ItemProcessor:
      ProcessorConfig: {Mode: INLINE}
      StartAt: Import
      States:
        Import: {Type: Task, Resource: import_batch, End: true}
    Next: Both
  Both:
    Type: Parallel
    Branches:
    - StartAt: Index
      States:
        Index: {Type: Task, Resource: index, Next: Mark}
        Mark: {Type: Pass, Result: {done: true}, InputPath: null, End: true}
    - StartAt: Notify
      States: {Notify: {Type: Task, Resource: notify, End: true}}
    Next: Done
  Done: {Type: Succeed}
  Failed: {Type: Fail, Error: ImportFailed, CausePath: $.cause}
"#;

fn import() -> Workflow {
    let checked = check_yaml(IMPORT);
    assert!(checked.diagnostics.is_empty(), "{}", list(&checked.diagnostics));
    checked.workflow.unwrap()
}

#[test]
fn every_state_type_is_read_with_its_fields() {
    let workflow = import();
    assert_eq!(workflow.title.as_deref(), Some("Media import"));
    assert_eq!(workflow.comment.as_deref(), Some("Brings files in."));
    assert_eq!(workflow.timeout_seconds, Some(3600));
    assert_eq!(workflow.root.start_at.as_ref(), "Validate");
    let names: Vec<&str> = workflow.states.keys().map(AsRef::as_ref).collect();
    let expected = [
        "Validate", "Enough?", "Pause", "Each", "Import", "Both", "Index", "Mark", "Notify",
        "Done", "Failed",
    ];
    assert_eq!(names, expected);
    let types: Vec<&str> = workflow.states.values().map(|s| s.kind.type_name()).collect();
    let expected = [
        "Task", "Choice", "Wait", "Map", "Task", "Parallel", "Task", "Pass", "Task", "Succeed",
        "Fail",
    ];
    assert_eq!(types, expected);
    assert_eq!(workflow.root.states.len(), 7);
    let job_types = workflow.job_types();
    let job_types: Vec<&str> = job_types.iter().map(AsRef::as_ref).collect();
    assert_eq!(job_types, ["validate_import", "import_batch", "index", "notify"]);
}

#[test]
fn a_task_keeps_its_times_flow_and_error_handling() {
    let workflow = import();
    let state = workflow.state("Validate").unwrap();
    assert_eq!((state.title.as_deref(), state.weight), (Some("Check the files"), 0.5));
    assert_eq!(state.transition, Transition::Next("Enough?".into()));
    let StateKind::Task(task) = &state.kind else { panic!("no Task") };
    assert!(matches!(task.timeout, Some(Number::Fixed(60))));
    assert!(matches!(&task.heartbeat, Some(Number::Computed(path)) if path.source() == "$.beat"));
    let Flow::JsonPath(flow) = &state.flow else { panic!("no JSONPath") };
    assert!(matches!(&flow.input_path, Selection::Path(path) if path.source() == "$.in"));
    assert!(matches!(flow.output_path, Selection::Whole));
    assert!(matches!(&flow.result_path, ResultPath::At(path) if path.source() == "$.checked"));
    assert!(flow.parameters.is_some() && flow.result_selector.is_some());
    let names: Vec<&str> = flow.assign.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(names, ["count", "kind"]);
    let [first, second] = state.retry.as_slice() else { panic!("not two retriers") };
    assert_eq!(first.error_equals, ["Flaky", "States.Timeout"]);
    assert_eq!((first.interval_seconds, first.max_attempts, first.backoff_rate), (2, 5, 1.5));
    assert_eq!((first.max_delay_seconds, first.full_jitter), (Some(30), true));
    assert_eq!((second.interval_seconds, second.max_attempts, second.backoff_rate), (1, 3, 2.0));
    assert_eq!((second.max_delay_seconds, second.full_jitter), (None, false));
    assert_eq!(state.catch[0].next.as_ref(), "Failed");
    assert!(matches!(state.catch[0].result_path, ResultPath::Discard));
}

#[test]
fn a_map_keeps_its_items_batches_and_tolerance() {
    let workflow = import();
    let StateKind::Map(map) = &workflow.state("Each").unwrap().kind else { panic!("no Map") };
    assert_eq!(map.processor.start_at.as_ref(), "Import");
    assert!(map.items.is_some() && map.item_selector.is_some());
    assert!(matches!(map.max_concurrency, Number::Fixed(4)));
    assert!(matches!(map.tolerated_failure_percentage, Some(Number::Fixed(10.0))));
    assert!(map.tolerated_failure_count.is_none());
    let batcher = map.batcher.as_ref().unwrap();
    assert!(matches!(batcher.max_items, Some(Number::Fixed(10))));
    assert!(batcher.max_bytes.is_none() && batcher.input.is_some());
}

#[test]
fn the_other_types_keep_what_they_say() {
    let workflow = import();
    let kind = |name: &str| &workflow.state(name).unwrap().kind;
    assert!(matches!(kind("Pause"), StateKind::Wait(Wait::Seconds(Number::Computed(_)))));
    let StateKind::Choice(choice) = kind("Enough?") else { panic!("no Choice") };
    assert_eq!(choice.default.as_deref(), Some("Each"));
    assert_eq!(choice.rules[0].next.as_ref(), "Pause");
    let StateKind::Pass { result } = kind("Mark") else { panic!("no Pass") };
    assert_eq!(result.as_ref().unwrap().as_str(), r#"{"done":true}"#);
    let Flow::JsonPath(flow) = &workflow.state("Mark").unwrap().flow else { panic!("no JSONPath") };
    assert!(matches!(flow.input_path, Selection::Nothing));
    let StateKind::Parallel { branches } = kind("Both") else { panic!("no Parallel") };
    let starts: Vec<&str> = branches.iter().map(|branch| branch.start_at.as_ref()).collect();
    assert_eq!(starts, ["Index", "Notify"]);
    assert!(matches!(kind("Failed"), StateKind::Fail { error: Some(_), cause: Some(_) }));
    assert_eq!(workflow.state("Done").unwrap().transition, Transition::End);
}

#[test]
fn jsonata_states_are_read() {
    let text = r#"{
  "QueryLanguage": "JSONata",
  "StartAt": "Count",
  "States": {
    "Count": {"Type": "Pass", "Output": {"n": "{% $count($states.input) %}"}, "Assign": {"n": "{% 1 %}", "list": [1, "{% 2 %}"]}, "Next": "Work"},
    "Work": {"Type": "Task", "Resource": "work", "Arguments": "{% $states.input %}", "TimeoutSeconds": "{% $n %}", "HeartbeatSeconds": 5, "Output": "{% $states.result %}",
      "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Assign": {"e": 1}, "Next": "Pick"}], "Next": "Pick"},
    "Pick": {"Type": "Choice", "Choices": [{"Condition": "{% $n > 1 %}", "Assign": {"x": 1}, "Output": 1, "Next": "Each"}, {"Condition": true, "Next": "Sleep"}], "Default": "Sleep", "Output": 2, "Assign": {"y": 1}},
    "Each": {"Type": "Map", "Items": "{% $list %}", "ItemSelector": {"v": "{% $states.context.Map.Item.Value %}"}, "MaxConcurrency": "{% 2 %}", "ItemBatcher": {"MaxItemsPerBatch": "{% 3 %}"},
      "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Succeed", "Output": 1}}}, "Next": "Sleep"},
    "Sleep": {"Type": "Wait", "Timestamp": "{% $now() %}", "Next": "Stop"},
    "Stop": {"Type": "Fail", "Error": "{% 'E' %}", "Cause": "plain"}
  }
}"#;
    let checked = check_json(text);
    assert!(checked.diagnostics.is_empty(), "{}", list(&checked.diagnostics));
    let workflow = checked.workflow.unwrap();
    assert!(workflow.states.values().all(|s| s.query_language() == QueryLanguage::Jsonata));
    let StateKind::Task(task) = &workflow.state("Work").unwrap().kind else { panic!("no Task") };
    assert!(matches!(task.timeout, Some(Number::Computed(_))));
    let Flow::Jsonata(flow) = &workflow.state("Work").unwrap().flow else { panic!("no JSONata") };
    assert!(flow.arguments.is_some() && flow.output.is_some());
    assert!(workflow.state("Work").unwrap().catch[0].output.is_some());
    let StateKind::Choice(choice) = &workflow.state("Pick").unwrap().kind else { panic!() };
    assert!(choice.rules[0].output.is_some() && choice.rules[0].assign.len() == 1);
    let StateKind::Wait(Wait::Until(_)) = &workflow.state("Sleep").unwrap().kind else { panic!() };
}

#[test]
fn one_state_can_use_jsonata_in_a_jsonpath_definition() {
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","QueryLanguage":"JSONata","Output":1,"Next":"B"},"B":{"Type":"Pass","Result":2,"End":true}}}"#;
    let workflow = check_json(text).workflow.unwrap();
    assert_eq!(workflow.state("A").unwrap().query_language(), QueryLanguage::Jsonata);
    assert_eq!(workflow.state("B").unwrap().query_language(), QueryLanguage::JsonPath);
}

#[test]
fn the_source_is_compact_and_keeps_the_order_of_keys() {
    let text = "{ \"States\": {\"A\": {\"Type\": \"Succeed\"} },\n \"StartAt\": \"A\" }";
    let workflow = check_json(text).workflow.unwrap();
    let source = r#"{"States":{"A":{"Type":"Succeed"}},"StartAt":"A"}"#;
    assert_eq!(workflow.source.as_str(), source);
    // sha256sum of the source.
    let expected = "97e940d7367eacc8fa572b204c0ee736ec6eb813f10ddd7de07f4d98f11f416b";
    assert_eq!(workflow.hash.to_string(), expected);
}

#[test]
fn a_byte_order_mark_and_windows_lines_are_no_matter() {
    let text = "\u{feff}StartAt: A\r\nStates:\r\n  A:\r\n    Type: Succeed\r\n";
    assert!(check_yaml(text).workflow.is_some());
    let bad = "\u{feff}StartAt: A\r\nStates:\r\n  A:\r\n    Typ: Succeed\r\n";
    let found = check_yaml(bad).diagnostics;
    assert_eq!((found[0].line, found[0].column), (3, 3), "{}", list(&found));
}

#[test]
fn aliases_share_retry_rules() {
    let text = "StartAt: A\nStates:\n  A: {Type: Task, Resource: r, Retry: &r [{ErrorEquals: [E]}], Next: B}\n  B: {Type: Task, Resource: r, Retry: *r, End: true}\n";
    let workflow = check_yaml(text).workflow.unwrap();
    assert_eq!(workflow.state("B").unwrap().retry[0].error_equals, ["E"]);
}

#[test]
fn expressions_know_where_in_their_state_they_stand() {
    let text = r#"{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "A", "States": {
            "A": {"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [
                {"Condition": true, "Output": {"x": ["{% $gone %}"]}, "Next": "B"}]},
            "B": {"Type": "Pass", "Parameters": {"deep": {"y.$": "$.gone"}}, "End": true}
        }}
    ]}}}"#;
    let workflow = parse(text, Format::Json, &Options::default()).unwrap();
    let nothing = serde_json::Value::Null;
    let variables = serde_json::Map::new();
    let scope = Scope {
        input: &nothing,
        context: &nothing,
        variables: &variables,
        result: None,
        error_output: None,
        now_ms: 0,
        seed: 0,
    };
    let StateKind::Choice(choice) = &workflow.states["A"].kind else { panic!() };
    let error = choice.rules[0].output.as_ref().unwrap().evaluate(&scope).unwrap_err();
    assert!(error.cause.contains("field 'Choices[0]/Output/x[0]'"), "{}", error.cause);
    let Flow::JsonPath(flow) = &workflow.states["B"].flow else { panic!() };
    let error = flow.parameters.as_ref().unwrap().evaluate(&scope).unwrap_err();
    assert!(error.cause.contains("field 'y.$'"), "{}", error.cause);
}
