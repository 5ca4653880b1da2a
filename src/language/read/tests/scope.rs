//! What expressions can see, and which variables a machine may assign.

use serde_json::{Value, json};

use super::{check_json, list};
use crate::language::diagnostic::{Diagnostic, codes};

fn found(definition: &Value) -> Vec<Diagnostic> {
    check_json(&definition.to_string()).diagnostics
}

/// Insists on one fault, and gives its place.
fn refused(definition: &Value, code: &str) -> String {
    let found = found(definition);
    let [only] = found.as_slice() else { panic!("{definition}\n{}", list(&found)) };
    assert_eq!(only.code, code, "{definition}\n{}", list(&found));
    only.pointer.clone()
}

fn taken(definition: &Value) {
    let found = found(definition);
    assert!(found.is_empty(), "{definition}\n{}", list(&found));
}

/// A machine of these states, in JSONata, that starts with the first.
fn machine(states: Value) -> Value {
    let first = states.as_object().unwrap().keys().next().unwrap().clone();
    json!({"QueryLanguage": "JSONata", "StartAt": first, "States": states})
}

fn ends(mut state: Value, fields: &Value) -> Value {
    let object = state.as_object_mut().unwrap();
    object.insert("End".into(), true.into());
    object.extend(fields.as_object().unwrap().clone());
    state
}

fn pass() -> Value {
    json!({"Type": "Pass"})
}

fn task() -> Value {
    json!({"Type": "Task", "Resource": "work"})
}

fn one(state: &Value) -> Value {
    machine(json!({"a": state}))
}

fn catching(fields: &Value) -> Value {
    let mut catcher = json!({"ErrorEquals": ["States.ALL"], "Next": "s"});
    catcher.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    machine(json!({"t": ends(task(), &json!({"Catch": [catcher]})), "s": {"Type": "Succeed"}}))
}

#[test]
fn a_result_is_read_only_where_there_is_one() {
    const CODE: &str = codes::STATES_FIELD;
    let output = |text: &str| one(&ends(pass(), &json!({"Output": text})));
    for text in [
        "{% $states.result %}",
        "{% $states.result.x[0] %}",
        "{% $states.`result` %}",
        "{% $count([$states.result]) %}",
        "{% $map([1], function($v) { $states.result }) %}",
        "{% $states.errorOutput.Cause %}",
        "{% $states.foo %}",
    ] {
        assert_eq!(refused(&output(text), CODE), "/States/a/Output");
    }
    let read = "{% $states.result %}";
    let nested = one(&ends(pass(), &json!({"Output": {"k": [1, read]}})));
    assert_eq!(refused(&nested, CODE), "/States/a/Output/k/1");
    let assign = one(&ends(pass(), &json!({"Assign": {"v": read}})));
    assert_eq!(refused(&assign, CODE), "/States/a/Assign/v");
    let wait = json!({"Type": "Wait", "Seconds": read});
    assert_eq!(refused(&one(&ends(wait, &json!({}))), CODE), "/States/a/Seconds");
    refused(&one(&json!({"Type": "Succeed", "Output": read})), CODE);
    refused(&one(&json!({"Type": "Fail", "Cause": "{% $states.errorOutput %}"})), CODE);
    refused(&one(&ends(task(), &json!({"Arguments": read}))), CODE);
    refused(&one(&ends(task(), &json!({"TimeoutSeconds": read}))), CODE);
    refused(&one(&ends(task(), &json!({"Output": "{% $states.errorOutput %}"}))), CODE);
    refused(&catching(&json!({"Output": read})), CODE);
}

#[test]
fn a_result_is_read_where_there_is_one_and_so_is_what_only_looks_like_it() {
    let output = |state: Value, text: &str| taken(&one(&ends(state, &json!({"Output": text}))));
    for text in [
        "{% '$states.result' %}",
        "{% $states.input.result %}",
        "{% ($states).result %}",
        "{% [$states, $states.input, $states.context] %}",
    ] {
        output(pass(), text);
    }
    let read = "{% $states.result.x %}";
    output(task(), read);
    output(task(), "{% $map([1], function($v) { $states.result }) %}");
    taken(&one(&ends(task(), &json!({"Assign": {"v": read}}))));
    let inner = json!({"StartAt": "b", "States": {"b": {"Type": "Succeed"}}});
    output(json!({"Type": "Parallel", "Branches": [inner]}), read);
    output(json!({"Type": "Map", "ItemProcessor": inner}), read);
    taken(&catching(&json!({"Output": "{% [$states.errorOutput.Cause, $states.input] %}"})));
    taken(&catching(&json!({"Assign": {"e": "{% $states.errorOutput %}"}})));
}

#[test]
fn a_fault_about_states_points_into_the_expression() {
    let text = r#"{"QueryLanguage":"JSONata","StartAt":"a","States":{"a":{"Type":"Pass","End":true,
"Output": "{% 1 + $states.result %}"}}}"#;
    let found = check_json(text).diagnostics;
    assert_eq!((found[0].line, found[0].column), (2, 19), "{}", list(&found));
}

/// A branch that assigns `x` in a state called `name`.
fn assigning(name: &str) -> Value {
    json!({"StartAt": name, "States": {
        name: {"Type": "Pass", "Assign": {"x": 2}, "End": true}}})
}

fn fan(fields: &Value) -> Value {
    let mut state = json!({"Type": "Parallel", "Branches": [assigning("b")]});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state
}

fn assigns_x(next: &str) -> Value {
    json!({"Type": "Pass", "Assign": {"x": 1}, "Next": next})
}

fn choice(rule: &Value, default: &str, fields: &Value) -> Value {
    let mut rule = rule.clone();
    rule.as_object_mut().unwrap().insert("Condition".into(), "{% true %}".into());
    let mut state = json!({"Type": "Choice", "Choices": [rule], "Default": default});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state
}

fn to_task(fields: &Value, catcher: &Value) -> Value {
    let mut catcher = catcher.clone();
    catcher.as_object_mut().unwrap().insert("ErrorEquals".into(), json!(["States.ALL"]));
    let mut state = task();
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state.as_object_mut().unwrap().insert("Catch".into(), json!([catcher]));
    state
}

/// Each was refused by AWS with `DUPLICATE_VARIABLE_NAME`, as others measured.
#[test]
fn a_machine_inside_must_not_assign_what_was_assigned_before_it() {
    const CODE: &str = codes::VARIABLE_SCOPE;
    let end = json!({"End": true});
    let done = json!({"Type": "Succeed"});
    let inner = "/States/p/Branches/0/States/b/Assign/x";
    let around = |inner: Value| json!({"Type": "Parallel", "Branches": [inner], "End": true});
    for definition in [
        machine(json!({"a": assigns_x("p"), "p": fan(&end)})),
        machine(json!({
            "c": choice(&json!({"Next": "p", "Assign": {"x": 1}}), "p", &json!({})),
            "p": fan(&end)})),
        machine(json!({
            "c": choice(&json!({"Next": "a"}), "p", &json!({})), "a": assigns_x("p"),
            "p": fan(&end)})),
        machine(json!({"p": fan(&json!({"Next": "a"})), "a": assigns_x("c"),
            "c": choice(&json!({"Next": "p"}), "s", &json!({})), "s": done})),
        machine(json!({"p": fan(&json!({"Assign": {"x": 1}, "Next": "c"})),
            "c": choice(&json!({"Next": "p"}), "s", &json!({})), "s": done})),
        machine(json!({"p": fan(&end),
            "t": to_task(&json!({"Next": "p"}), &json!({"Assign": {"x": 1}, "Next": "p"}))})),
    ] {
        let mut definition = definition;
        if definition["States"].get("t").is_some() {
            definition["StartAt"] = "t".into();
        }
        assert_eq!(refused(&definition, CODE), inner);
    }
    let deep = around(json!({"StartAt": "q", "States": {"q": fan(&end)}}));
    refused(&machine(json!({"a": assigns_x("p"), "p": deep})), CODE);
    let middle = json!({"StartAt": "a", "States": {"a": assigns_x("q"), "q": fan(&end)}});
    refused(&machine(json!({"p": around(middle)})), CODE);
    for mode in ["INLINE", "DISTRIBUTED"] {
        let mut processor = assigning("b");
        processor["ProcessorConfig"] = json!({"Mode": mode});
        let map = json!({"Type": "Map", "ItemProcessor": processor, "End": true});
        refused(&machine(json!({"a": assigns_x("p"), "p": map})), CODE);
    }
}

/// Each was taken by AWS, as others measured.
#[test]
fn a_machine_inside_may_assign_what_is_assigned_after_it_or_on_other_ways() {
    let end = json!({"End": true});
    let done = json!({"Type": "Succeed"});
    let last = ends(pass(), &json!({"Assign": {"x": 1}}));
    for definition in [
        machine(json!({"p": fan(&json!({"Next": "a"})), "a": last})),
        machine(json!({"p": fan(&json!({"Assign": {"x": 1}, "End": true}))})),
        machine(json!({"p": fan(&json!({"End": true, "Catch": [
            {"ErrorEquals": ["States.ALL"], "Assign": {"x": 1}, "Next": "s"}]})), "s": done})),
        machine(json!({
            "t": to_task(&json!({"Assign": {"x": 1}, "Next": "s"}), &json!({"Next": "p"})),
            "s": done, "p": fan(&end)})),
        machine(json!({
            "c": choice(&json!({"Next": "s", "Assign": {"x": 1}}), "p", &json!({})),
            "s": done, "p": fan(&end)})),
        machine(json!({
            "c": choice(&json!({"Next": "p"}), "s", &json!({"Assign": {"x": 1}})),
            "s": done, "p": fan(&end)})),
        machine(json!({
            "t": to_task(&json!({"Next": "p"}), &json!({"Assign": {"x": 1}, "Next": "s"})),
            "s": done, "p": fan(&end)})),
        machine(json!({"p": {"Type": "Parallel", "End": true,
            "Branches": [assigning("b"), assigning("c")]}})),
    ] {
        taken(&definition);
    }
}

#[test]
fn variables_are_unicode_identifiers() {
    let assign = |name: &str| one(&ends(pass(), &json!({"Assign": {name: 1}})));
    for good in ["x", "größe", "a_1", "日"] {
        taken(&assign(good));
    }
    for bad in ["_x", "1x", "a-b", "a.b", "a[0]", "", "states"] {
        refused(&assign(bad), codes::NAME);
    }
}

#[test]
fn items_of_a_distributed_map_may_be_an_object_and_of_an_inline_one_not() {
    let map = |mode: &str, items: Value| {
        one(&json!({"Type": "Map", "End": true, "Items": items, "ItemProcessor": {
            "ProcessorConfig": {"Mode": mode}, "StartAt": "b", "States": {
                "b": {"Type": "Succeed"}}}}))
    };
    taken(&map("DISTRIBUTED", json!({"k": "{% $states.input %}", "l": 1})));
    taken(&map("INLINE", json!([1])));
    assert_eq!(refused(&map("INLINE", json!({"k": 1})), codes::TYPE), "/States/a/Items");
    assert_eq!(refused(&map("DISTRIBUTED", json!(5)), codes::TYPE), "/States/a/Items");
}
