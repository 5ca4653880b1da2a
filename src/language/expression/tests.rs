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
