use serde_json::{Map, json};

use super::*;

fn with_scope<T>(run: impl FnOnce(&Scope<'_>) -> T) -> T {
    let (input, context) = (json!({"a": {"b": [1, 2]}, "s": "x"}), json!({"Id": "c"}));
    let variables = Map::new();
    run(&Scope {
        input: &input,
        context: &context,
        variables: &variables,
        result: None,
        error_output: None,
        now_ms: 0,
        seed: 1,
    })
}

fn assert_send_sync<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}

#[test]
fn every_form_is_evaluated() {
    with_scope(|scope| {
        let path = Expression::path("$.a.b[1]").unwrap();
        let call = Expression::path_or_intrinsic("States.ArrayLength($.a.b)").unwrap();
        let either = Expression::path_or_intrinsic("$$.Id").unwrap();
        let jsonata = Expression::jsonata("{% $sum($states.input.a.b) %}").unwrap();
        assert_eq!(path.evaluate(scope).unwrap(), json!(2));
        assert_eq!(call.evaluate(scope).unwrap(), json!(2));
        assert_eq!(either.evaluate(scope).unwrap(), json!("c"));
        assert_eq!(jsonata.evaluate(scope).unwrap(), json!(3));
        assert_send_sync(&jsonata);
        let contexts = [&path, &call, &either, &jsonata].map(Expression::references_context);
        assert_eq!(contexts, [false, false, true, false]);
    });
}

#[test]
fn a_text_in_the_wrong_language_is_refused() {
    assert!(Expression::path("States.UUID()").is_err());
    assert!(Expression::path("{% 1 %}").is_err());
    assert!(Expression::jsonata("$.a").is_err());
    assert!(Expression::jsonata("{% 1").is_err());
    assert!(Expression::jsonata("{%}").is_err());
    assert!(Expression::path_or_intrinsic("x").is_err());
}

#[test]
fn offsets_count_from_the_start_of_the_text() {
    assert_eq!(Expression::jsonata("{% 1 2 %}").unwrap_err().offset, Some(5));
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let long = format!("$.{}", "a".repeat(MAX_TEXT));
    assert!(Expression::path(&long).is_err());
    assert!(ReferencePath::parse(&long).is_err());
}

#[test]
fn a_peek_borrows_what_a_path_selects() {
    with_scope(|scope| {
        let found = Expression::path("$.a").unwrap().peek(scope).unwrap().unwrap();
        assert!(matches!(found, Cow::Borrowed(_)));
        assert_eq!(Expression::path("$.z").unwrap().peek(scope).unwrap(), None);
        assert!(Expression::path("$.s.min()").unwrap().peek(scope).is_err());
    });
}

fn cause(template: &Template, field: &str) -> String {
    with_scope(|scope| template.clone().in_field(field).evaluate(scope).unwrap_err().cause)
}

#[test]
fn errors_of_jsonata_name_text_and_field_in_the_words_of_aws() {
    let read = |text: &str| Template::jsonata(&json!({"v": [1, text]})).unwrap();
    let cases = [
        (
            "{% $states.input.absent %}",
            "The JSONata expression '$states.input.absent' specified for the field 'Output/v[1]' \
             returned nothing (undefined).",
        ),
        (
            "{%$number('x')%}",
            "The JSONata expression '$number('x')' specified for the field 'Output/v[1]' threw an \
             error during evaluation. D3030: ",
        ),
        (
            "{% $hash('x', 'y') %}",
            "The JSONata expression '$hash('x', 'y')' specified for the field 'Output/v[1]' threw \
             an error during evaluation: $hash: ",
        ),
        (
            "{% $sum %}",
            "The JSONata expression '$sum' specified for the field 'Output/v[1]' returned an \
             unsupported result type.",
        ),
    ];
    for (text, expected) in cases {
        let found = cause(&read(text), "Output");
        assert!(found.starts_with(expected), "{found}");
    }
    let condition = Expression::jsonata("{% 1 %}").unwrap().in_field("Choices[0]/Condition");
    assert_eq!(
        condition.unexpected("boolean", &json!(1)).cause,
        "The JSONata expression '1' specified for the field 'Choices[0]/Condition' returned an \
         unexpected result type. Expected 'boolean', but was 'number' for value: 1"
    );
}

#[test]
fn errors_of_paths_name_the_field_in_the_words_of_aws() {
    let read = |path: &str| Template::Expression(Expression::path(path).unwrap());
    let input = "the input '{\"a\":{\"b\":[1,2]},\"s\":\"x\"}'";
    let nested = Template::json_path(&json!({"in": {"value.$": "$.absent"}})).unwrap();
    assert_eq!(
        cause(&nested, "Parameters"),
        format!(
            "The JSONPath '$.absent' specified for the field 'value.$' could not be found in {input}"
        )
    );
    let called = Template::json_path(&json!({"n.$": "States.ArrayLength($.absent)"})).unwrap();
    assert_eq!(
        cause(&called, "Parameters"),
        format!(
            "The function 'States.ArrayLength($.absent)' had the following error: The JsonPath \
             argument for the field '$.absent' could not be found in {input}"
        )
    );
    let cases = [
        ("$.absent", "InputPath", "Invalid path '$.absent' : No results for path: $['absent']"),
        ("$.a.x", "OutputPath", "Invalid path '$.a.x' : No results for path: $['a']['x']"),
        ("$.x.y.z", "InputPath", "Invalid path '$.x.y.z' : Missing property in path $['x']"),
        ("$.x", "SecondsPath", "The SecondsPath parameter does not reference an input value: $.x"),
    ];
    for (path, field, expected) in cases {
        assert_eq!(cause(&read(path), field), expected);
    }
    assert_eq!(
        cause(&read("$.x"), "ErrorPath"),
        format!(
            "The JSONPath '$.x' specified for the field 'ErrorPath' could not be found in {input}"
        )
    );
}
