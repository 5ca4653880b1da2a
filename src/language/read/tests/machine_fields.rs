//! `Concurrency`, `Labels` and `JobTypes`.

use super::{both, check_json, check_yaml, expect, list};
use crate::language::diagnostic::codes;
use crate::language::expression::Template;
use crate::language::machine_fields::WhenFull;
use crate::language::{Format, Workflow, aws};

/// A machine of one Task, `scan`, with this field before its states.
fn with(field: &str) -> String {
    format!(
        "{{{field},\"StartAt\":\"A\",\"States\":{{\"A\":{{\"Type\":\"Task\",\"Resource\":\"scan\",\"End\":true}}}}}}"
    )
}

fn with_jsonata(field: &str) -> String {
    with(&format!("\"QueryLanguage\":\"JSONata\",{field}"))
}

fn read(text: &str) -> Workflow {
    let checked = check_json(text);
    assert!(checked.diagnostics.is_empty(), "{text}\n{}", list(&checked.diagnostics));
    checked.workflow.unwrap()
}

fn faults(code: &str, cases: &[&str]) {
    for case in cases {
        expect(&with(case), Format::Json, code);
    }
}

#[test]
fn a_workflow_says_how_many_of_its_executions_may_run() {
    let plain = read(&with(r#""Concurrency":{"Limit":2}"#)).concurrency.unwrap();
    assert_eq!((plain.limit, plain.when_full), (2, WhenFull::Queue));
    assert!(plain.key.is_none());
    let text = r#""Concurrency":{"Key":"library","Limit":1,"WhenFull":"refuse"}"#;
    let fixed = read(&with(text)).concurrency.unwrap();
    assert_eq!((fixed.limit, fixed.when_full), (1, WhenFull::Refuse));
    assert!(matches!(fixed.key, Some(Template::Literal(key)) if key == "library"));
    let path = read(&with(r#""Concurrency":{"KeyPath":"$.studio","Limit":1}"#));
    assert!(matches!(path.concurrency.unwrap().key, Some(Template::Expression(_))));
    let call = r#""Concurrency":{"KeyPath":"States.Format('{}-x', $.studio)","Limit":1}"#;
    assert!(matches!(read(&with(call)).concurrency.unwrap().key, Some(Template::Expression(_))));
    let jsonata = r#""Concurrency":{"Key":"{% $states.input.studio %}","Limit":1}"#;
    let key = read(&with_jsonata(jsonata)).concurrency.unwrap().key;
    assert!(matches!(key, Some(Template::Expression(_))));
}

#[test]
fn faults_of_concurrency_are_told_where_they_stand() {
    faults(codes::MISSING_FIELD, &[r#"¦"Concurrency":{"Key":"x"}"#]);
    faults(
        codes::RANGE,
        &[
            r#""Concurrency":{"Limit":¦0}"#,
            r#""Concurrency":{"Limit":¦1000001}"#,
            &format!(r#""Concurrency":{{"Limit":1,"Key":¦"{}"}}"#, "k".repeat(257)),
        ],
    );
    faults(codes::EMPTY, &[r#""Concurrency":{"Limit":1,"Key":¦""}"#]);
    faults(
        codes::TYPE,
        &[
            r#""Concurrency":¦3"#,
            r#""Concurrency":{"Limit":¦"2"}"#,
            r#""Concurrency":{"Limit":1,"Key":¦7}"#,
        ],
    );
    faults(codes::CONFLICT, &[r#""Concurrency":{"Limit":1,"Key":"x",¦"KeyPath":"$.x"}"#]);
    faults(codes::EXPRESSION, &[r#""Concurrency":{"Limit":1,"KeyPath":"$.[¦"}"#]);
    faults(codes::LANGUAGE_MIX, &[r#""Concurrency":{"Limit":1,"Key":¦"$.studio"}"#]);
    let text = with(r#""Concurrency":{"Limit":1,"WhenFull":¦"refused"}"#);
    let found = expect(&text, Format::Json, codes::VALUE);
    assert_eq!(found.hint.unwrap(), "did you mean `refuse`?");
    let found = expect(&with(r#"¦"Concurency":{"Limit":1}"#), Format::Json, codes::UNKNOWN_FIELD);
    assert_eq!(found.hint.unwrap(), "did you mean `Concurrency`?");
    let text = with(r#""Concurrency":{"Limit":1,¦"WhenFul":"queue"}"#);
    let found = expect(&text, Format::Json, codes::UNKNOWN_FIELD);
    assert_eq!(found.hint.unwrap(), "did you mean `WhenFull`?");
    for (code, case) in [
        (codes::FIELD_LANGUAGE, r#""Concurrency":{"Limit":1,¦"KeyPath":"$.x"}"#),
        (codes::STATES_FIELD, r#""Concurrency":{"Limit":1,"Key":"{% ¦$states.result %}"}"#),
    ] {
        expect(&with_jsonata(case), Format::Json, code);
    }
}

#[test]
fn labels_are_texts_within_bounds() {
    let labels = read(&with(r#""Labels":{"team":"media","env":""}"#)).labels;
    let labels: Vec<(&str, &str)> =
        labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("team", "media"), ("env", "")]);
    faults(codes::TYPE, &[r#""Labels":{"team":¦1}"#, r#""Labels":¦[]"#]);
    faults(
        codes::NAME,
        &[
            r#""Labels":{¦"":"x"}"#,
            r#""Labels":{¦"a=b":"x"}"#,
            &format!(r#""Labels":{{¦"{}":"x"}}"#, "k".repeat(129)),
        ],
    );
    faults(codes::RANGE, &[&format!(r#""Labels":{{"a":¦"{}"}}"#, "v".repeat(257))]);
    let many: Vec<String> = (0..51).map(|n| format!("\"l{n}\":\"\"")).collect();
    faults(codes::LIMIT, &[&format!(r#""Labels":¦{{{}}}"#, many.join(","))]);
}

#[test]
fn job_types_have_words_and_units() {
    let text = r##""JobTypes":{"scan":{"Label":"Scan","Colour":"#1E90ff","Unit":"scenes","UnitSingular":"scene"}}"##;
    let words = read(&with(text)).job_type_words["scan"].clone();
    assert_eq!(words.label.as_deref(), Some("Scan"));
    assert_eq!(words.colour.as_deref(), Some("#1E90ff"));
    assert_eq!((words.unit_for(1), words.unit_for(0)), (Some("scene"), Some("scenes")));
    let plain = read(&with(r#""JobTypes":{"scan":{"Unit":"MiB","Colour":"teal"}}"#));
    assert_eq!(plain.job_type_words["scan"].unit_for(1), Some("MiB"));
    faults(
        codes::VALUE,
        &[
            r##""JobTypes":{"scan":{"Colour":¦"#12345"}}"##,
            r#""JobTypes":{"scan":{"Colour":¦"mauve"}}"#,
        ],
    );
    faults(codes::EMPTY, &[r#""JobTypes":{"scan":{"Unit":¦" "}}"#]);
    faults(codes::RANGE, &[&format!(r#""JobTypes":{{"scan":{{"Unit":¦"{}"}}}}"#, "u".repeat(81))]);
    faults(codes::MISSING_FIELD, &[r#""JobTypes":{¦"scan":{"UnitSingular":"scene"}}"#]);
    let found = expect(
        &with(r#""JobTypes":{"scan":{¦"Color":"red"}}"#),
        Format::Json,
        codes::UNKNOWN_FIELD,
    );
    assert_eq!(found.hint.unwrap(), "did you mean `Colour`?");
    let text = with(r#""JobTypes":{"scan":{"Colour":¦"grren"}}"#);
    assert_eq!(expect(&text, Format::Json, codes::VALUE).hint.unwrap(), "did you mean `green`?");
}

#[test]
fn words_for_a_job_type_that_nobody_uses_are_warned_of() {
    let json = "{\"JobTypes\":{¦\"scann\":{\"Unit\":\"x\"}},\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\",\"Resource\":\"scan\",\"End\":true}}}";
    let yaml = "JobTypes:\n  ¦scann: {Unit: x}\nStartAt: A\nStates:\n  A: {Type: Task, Resource: scan, End: true}\n";
    let found = both(codes::NO_EFFECT, "/JobTypes/scann", json, yaml);
    assert_eq!(found.hint.unwrap(), "did you mean `scan`?");
}

#[test]
fn fields_of_the_machine_come_through_and_are_stripped_for_aws() {
    let yaml = "Concurrency: {Limit: 3}\nLabels: {team: media}\nJobTypes:\n  scan: {Unit: scenes}\nStartAt: A\nStates:\n  A: {Type: Task, Resource: scan, End: true}\n";
    let workflow = check_yaml(yaml).workflow.unwrap();
    let again = read(workflow.source.as_str());
    assert_eq!((again.hash, again.labels), (workflow.hash, workflow.labels.clone()));
    assert_eq!(again.job_type_words, workflow.job_type_words);
    let export = aws::export(&workflow, &aws::Account::default());
    let lost: Vec<&str> = export.losses.iter().map(|loss| &*loss.pointer).collect();
    assert_eq!(lost[..3], ["/Concurrency", "/JobTypes", "/Labels"]);
    let text = export.definition.to_string();
    assert!(aws::check(&text, Format::Json, &crate::language::Options::default()).is_empty());
    let refused = aws::check(yaml, Format::Yaml, &crate::language::Options::default());
    let fields = refused.iter().filter(|found| found.code == codes::AWS_EXTENSION);
    assert_eq!(fields.count(), 3);
}

#[test]
fn fields_of_the_outermost_machine_are_refused_inside() {
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[{¦"Labels":{},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}]}}}"#;
    expect(text, Format::Json, codes::FIELD_NOT_ALLOWED);
}
