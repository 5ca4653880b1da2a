//! `Cleanup`, `OnCancel`, `CleanupTimeoutSeconds`, `Summary`.

use super::{both, check_json, expect, list};
use crate::language::Format;
use crate::language::diagnostic::codes;
use crate::language::model::DEFAULT_CLEANUP_SECONDS;

/// A definition with these further states and machine fields, whose first state is `A`.
fn with(states: &str, fields: &str) -> String {
    format!("{{\"StartAt\":\"A\",{fields}\"States\":{{{states}}}}}")
}

const UNDO: &str = r#""U":{"Type":"Pass","End":true}"#;

#[test]
fn states_that_clean_up_are_read() {
    let text = with(
        r#""A":{"Type":"Pass","Cleanup":"U","Next":"B"},
           "B":{"Type":"Succeed","Cleanup":"V"},
           "U":{"Type":"Pass","Weight":5,"Next":"V"},
           "V":{"Type":"Choice","Choices":[{"Variable":"$.x","IsPresent":true,"Next":"V"}],"Default":"W"},
           "W":{"Type":"Succeed"},"X":{"Type":"Succeed"}"#,
        r#""OnCancel":"X","CleanupTimeoutSeconds":7,"Summary":{"n.$":"$.total_errors"},"#,
    );
    let checked = check_json(&text);
    let workflow = checked.workflow.unwrap_or_else(|| panic!("{}", list(&checked.diagnostics)));
    let cleanup = |name: &str| workflow.state(name).unwrap().cleanup.as_deref();
    assert_eq!((cleanup("A"), cleanup("B"), cleanup("U")), (Some("U"), Some("V"), None));
    let undoing = workflow.states.values().filter(|state| state.cleans_up);
    let undoing: Vec<&str> = undoing.map(|state| &*state.name).collect();
    assert_eq!(undoing, ["U", "V", "W", "X"]);
    assert_eq!(workflow.state("U").unwrap().weight, 0.0, "it is no step");
    assert_eq!((workflow.on_cancel.as_deref(), workflow.cleanup_timeout_seconds), (Some("X"), 7));
    assert!(workflow.summary.is_some());
}

#[test]
fn without_these_fields_nothing_cleans_up() {
    let workflow = check_json(&with(r#""A":{"Type":"Succeed"}"#, "")).workflow.unwrap();
    assert!(workflow.on_cancel.is_none() && workflow.summary.is_none());
    assert_eq!(workflow.cleanup_timeout_seconds, DEFAULT_CLEANUP_SECONDS);
}

#[test]
fn a_cleanup_that_is_a_part_of_the_normal_flow_is_refused() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Cleanup\":¦\"B\",\"Next\":\"B\"},\"B\":{\"Type\":\"Succeed\"}}}";
    let yaml =
        "StartAt: A\nStates:\n  A: {Type: Pass, Cleanup: ¦B, Next: B}\n  B: {Type: Succeed}\n";
    let found = both(codes::CLEANUP_FLOW, "/States/A/Cleanup", json, yaml);
    assert_eq!(
        found.message,
        "`B` is a part of the normal flow, so it cannot be what `Cleanup` names"
    );
    expect(
        &with(r#""A":{"Type":"Succeed"}"#, r#""OnCancel":¦"A","#),
        Format::Json,
        codes::CLEANUP_FLOW,
    );
    // A state cannot undo itself.
    expect(
        &with(r#""A":{"Type":"Pass","End":true,"Cleanup":¦"A"}"#, ""),
        Format::Json,
        codes::CLEANUP_FLOW,
    );
}

#[test]
fn a_cleanup_that_leads_into_the_normal_flow_is_refused() {
    let states = r#""A":{"Type":"Pass","Cleanup":¦"U","Next":"B"},"B":{"Type":"Succeed"},"U":{"Type":"Pass","Next":"V"},"V":{"Type":"Pass","Next":"B"}"#;
    let found = expect(&with(states, ""), Format::Json, codes::CLEANUP_FLOW);
    let wanted =
        "the clean-up that begins with `U` leads to `B`, which is a part of the normal flow";
    assert_eq!(found.message, wanted);
}

#[test]
fn a_cleanup_must_end_and_be_known() {
    let endless = r#""A":{"Type":"Succeed","Cleanup":¦"U"},"U":{"Type":"Pass","Next":"U"}"#;
    expect(&with(endless, ""), Format::Json, codes::NO_END);
    let unknown = format!(r#""A":{{"Type":"Succeed","Cleanup":¦"UU"}},{UNDO}"#);
    let found = expect(&with(&unknown, ""), Format::Json, codes::UNKNOWN_STATE);
    assert_eq!(found.hint.unwrap(), "did you mean `U`?");
    let unknown = with(r#""A":{"Type":"Succeed"}"#, r#""OnCancel":¦"B","#);
    expect(&unknown, Format::Json, codes::UNKNOWN_STATE);
    let nobody = format!(r#""A":{{"Type":"Succeed"}},¦{UNDO}"#);
    expect(&with(&nobody, ""), Format::Json, codes::UNREACHABLE);
}

#[test]
fn what_cleans_up_is_not_undone_itself() {
    let states = r#""A":{"Type":"Succeed","Cleanup":"U"},"U":{"Type":"Pass","Next":"V"},"V":{"Type":"Pass","End":true,¦"Cleanup":"W"},"W":{"Type":"Succeed"}"#;
    let found = expect(&with(states, ""), Format::Json, codes::FIELD_NOT_ALLOWED);
    assert_eq!(found.message, "`V` cleans up, and is not undone itself");
}

#[test]
fn only_states_of_an_execution_are_undone() {
    let inner = r#"{"StartAt":"I","States":{"I":{"Type":"Succeed",¦"Cleanup":"U"}}}"#;
    let branch = format!(r#""A":{{"Type":"Parallel","End":true,"Branches":[{inner}]}}"#);
    let found = expect(&with(&branch, ""), Format::Json, codes::FIELD_NOT_ALLOWED);
    assert_eq!(
        found.hint.unwrap(),
        "give it to the Parallel or Map state around, or make the Map distributed"
    );
    let map = format!(r#""A":{{"Type":"Map","End":true,"ItemProcessor":{inner}}}"#);
    expect(&with(&map, ""), Format::Json, codes::FIELD_NOT_ALLOWED);
    // The parts of a distributed Map are executions, wherever it stands.
    let own = r#"{"ProcessorConfig":{"Mode":"DISTRIBUTED"},"StartAt":"I","States":{"I":{"Type":"Succeed","Cleanup":"U"},"U":{"Type":"Succeed"}}}"#;
    let map = format!(r#""M":{{"Type":"Map","End":true,"ItemProcessor":{own}}}"#);
    let text = with(
        &format!(
            r#""A":{{"Type":"Parallel","End":true,"Branches":[{{"StartAt":"M","States":{{{map}}}}}]}}"#
        ),
        "",
    );
    let checked = check_json(&text);
    assert!(checked.workflow.is_some(), "{}", list(&checked.diagnostics));
}

#[test]
fn fields_of_the_machine_have_their_types() {
    for (fields, code) in [
        (r#""CleanupTimeoutSeconds":¦0,"#, codes::RANGE),
        (r#""CleanupTimeoutSeconds":¦"1","#, codes::TYPE),
        (r#""OnCancel":¦3,"#, codes::TYPE),
        (r#""Summary":¦3,"#, codes::TYPE),
        (r#""Summary":¦[1],"#, codes::TYPE),
        (r#""Summary":{"a.$":"$[¦"},"#, codes::EXPRESSION),
        (r#""QueryLanguage":"JSONata","Summary":"{% ( ¦%}","#, codes::EXPRESSION),
        (
            r#""QueryLanguage":"JSONata","Summary":{"a":"{% ¦$states.result %}"},"#,
            codes::STATES_FIELD,
        ),
    ] {
        expect(&with(r#""A":{"Type":"Succeed"}"#, fields), Format::Json, code);
    }
    for field in ["OnCancel\":\"I", "Summary\":\"I", "CleanupTimeoutSeconds\":\"I"] {
        let text = format!(
            r#""A":{{"Type":"Map","End":true,"ItemProcessor":{{"StartAt":"I",¦"{field}","States":{{"I":{{"Type":"Succeed"}}}}}}}}"#
        );
        expect(&with(&text, ""), Format::Json, codes::FIELD_NOT_ALLOWED);
    }
}
