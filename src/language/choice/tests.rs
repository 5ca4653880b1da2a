use serde_json::{Map, json};

use super::super::expression::EvaluationErrorKind;
use super::*;

fn holds(condition: &Condition) -> Result<bool, EvaluationError> {
    let input = json!({
        "s": "b", "n": 5, "f": 5.0, "t": "2026-01-02T00:00:00Z", "t2": "2026-01-02T01:00:00+01:00",
        "yes": true, "nul": null, "list": [1], "other": "a", "big": 9007199254740993_i64
    });
    let context = json!({"Id": "c"});
    let mut variables = Map::new();
    variables.insert("v".to_owned(), json!("b"));
    condition.holds(&Scope {
        input: &input,
        context: &context,
        variables: &variables,
        result: None,
        error_output: None,
        now_ms: 0,
        seed: 0,
    })
}

fn test(name: &str, variable: &str, operand: &Value) -> Condition {
    Condition::test(name, Expression::path(variable).unwrap(), operand)
        .unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

fn assert_tests(cases: &[(&str, &str, Value, bool)]) {
    for (name, variable, operand, expected) in cases {
        let found = holds(&test(name, variable, operand)).unwrap();
        assert_eq!(found, *expected, "{name} {variable} {operand}");
    }
}

#[test]
fn there_are_39_comparators_and_all_can_be_built() {
    assert_eq!(COMPARATORS.len(), 39);
    for name in COMPARATORS {
        let operands = [json!("$.a"), json!("2026-01-02T00:00:00Z"), json!(1), json!(true)];
        let variable = Expression::path("$.a").unwrap();
        let built = operands
            .iter()
            .filter(|operand| Condition::test(name, variable.clone(), operand).is_ok());
        assert!(built.count() > 0, "{name}");
    }
}

#[test]
fn texts_and_booleans_compare() {
    assert_tests(&[
        ("StringEquals", "$.s", json!("b"), true),
        ("StringEquals", "$v", json!("b"), true),
        ("StringEquals", "$$.Id", json!("c"), true),
        ("StringEquals", "$.s", json!("B"), false),
        ("StringLessThan", "$.s", json!("c"), true),
        ("StringLessThan", "$.s", json!("b"), false),
        ("StringGreaterThan", "$.s", json!("a"), true),
        ("StringLessThanEquals", "$.s", json!("b"), true),
        ("StringGreaterThanEquals", "$.s", json!("c"), false),
        ("StringEqualsPath", "$.s", json!("$v"), true),
        ("StringLessThanPath", "$.other", json!("$.s"), true),
        ("StringGreaterThanPath", "$.other", json!("$.s"), false),
        ("StringLessThanEqualsPath", "$.s", json!("$.s"), true),
        ("StringGreaterThanEqualsPath", "$.s", json!("$.other"), true),
        ("StringMatches", "$.t", json!("2026-*Z"), true),
        ("StringMatches", "$.s", json!("a*"), false),
        ("BooleanEquals", "$.yes", json!(true), true),
        ("BooleanEquals", "$.yes", json!(false), false),
        ("BooleanEqualsPath", "$.yes", json!("$.yes"), true),
    ]);
}

#[test]
fn numbers_and_timestamps_compare() {
    assert_tests(&[
        ("NumericEquals", "$.n", json!(5), true),
        ("NumericEquals", "$.f", json!(5), true),
        ("NumericEquals", "$.big", json!(9007199254740992_i64), false),
        ("NumericLessThan", "$.n", json!(5.5), true),
        ("NumericGreaterThan", "$.n", json!(5), false),
        ("NumericLessThanEquals", "$.n", json!(5), true),
        ("NumericGreaterThanEquals", "$.n", json!(6), false),
        ("NumericEqualsPath", "$.n", json!("$.f"), true),
        ("NumericLessThanPath", "$.n", json!("$.big"), true),
        ("NumericGreaterThanPath", "$.n", json!("$.big"), false),
        ("NumericLessThanEqualsPath", "$.n", json!("$.f"), true),
        ("NumericGreaterThanEqualsPath", "$.n", json!("$.f"), true),
        ("TimestampEquals", "$.t", json!("2026-01-02T00:00:00Z"), true),
        ("TimestampEquals", "$.t2", json!("2026-01-02T00:00:00.000Z"), true),
        ("TimestampLessThan", "$.t", json!("2026-01-02T00:00:00.001Z"), true),
        ("TimestampGreaterThan", "$.t", json!("2026-01-01T00:00:00Z"), true),
        ("TimestampLessThanEquals", "$.t", json!("2026-01-01T00:00:00Z"), false),
        ("TimestampGreaterThanEquals", "$.t", json!("2026-01-02T00:00:00Z"), true),
        ("TimestampEqualsPath", "$.t", json!("$.t2"), true),
        ("TimestampLessThanPath", "$.t", json!("$.t2"), false),
        ("TimestampGreaterThanPath", "$.t", json!("$.t2"), false),
        ("TimestampLessThanEqualsPath", "$.t", json!("$.t2"), true),
        ("TimestampGreaterThanEqualsPath", "$.t", json!("$.t2"), true),
    ]);
}

#[test]
fn types_are_tested() {
    assert_tests(&[
        ("IsNull", "$.nul", json!(true), true),
        ("IsNull", "$.n", json!(true), false),
        ("IsNull", "$.n", json!(false), true),
        ("IsPresent", "$.nul", json!(true), true),
        ("IsPresent", "$.absent", json!(true), false),
        ("IsPresent", "$.absent.below", json!(false), true),
        ("IsPresent", "$absent", json!(true), false),
        ("IsNumeric", "$.n", json!(true), true),
        ("IsNumeric", "$.s", json!(false), true),
        ("IsString", "$.s", json!(true), true),
        ("IsString", "$.list", json!(true), false),
        ("IsBoolean", "$.yes", json!(true), true),
        ("IsTimestamp", "$.t", json!(true), true),
        ("IsTimestamp", "$.s", json!(true), false),
        ("IsTimestamp", "$.n", json!(false), true),
    ]);
}

#[test]
fn a_mismatch_of_types_is_false() {
    assert_tests(&[
        ("StringEquals", "$.n", json!("5"), false),
        ("NumericEquals", "$.s", json!(5), false),
        ("NumericLessThan", "$.nul", json!(5), false),
        ("BooleanEquals", "$.s", json!(true), false),
        ("TimestampEquals", "$.s", json!("2026-01-02T00:00:00Z"), false),
        ("StringMatches", "$.n", json!("*"), false),
        ("StringEqualsPath", "$.s", json!("$.n"), false),
        ("NumericGreaterThanEqualsPath", "$.n", json!("$.s"), false),
    ]);
}

#[test]
fn a_missing_path_is_an_error() {
    for condition in [
        test("StringEquals", "$.absent", &json!("x")),
        test("IsNull", "$.absent", &json!(true)),
        test("IsString", "$.absent", &json!(false)),
        test("StringEqualsPath", "$.s", &json!("$.absent")),
        Condition::Not(Box::new(test("NumericEquals", "$.absent", &json!(1)))),
    ] {
        let error = holds(&condition).unwrap_err();
        assert_eq!(error.kind, EvaluationErrorKind::Path);
        assert!(error.cause.contains("$.absent"), "{}", error.cause);
    }
}

#[test]
fn operands_are_checked_when_the_definition_is_read() {
    let cases = [
        ("StringEquals", json!(1)),
        ("StringMatches", json!(1)),
        ("NumericEquals", json!("1")),
        ("BooleanEquals", json!("true")),
        ("TimestampEquals", json!("2026-01-02")),
        ("IsNull", json!("true")),
        ("StringEqualsPath", json!("a")),
        ("StringEqualsPath", json!(1)),
        ("StringMatchesPath", json!("$.a")),
        ("BooleanLessThan", json!(true)),
        ("IsArray", json!(true)),
        ("", json!(1)),
    ];
    for (name, operand) in cases {
        let variable = Expression::path("$.a").unwrap();
        assert!(Condition::test(name, variable, &operand).is_err(), "{name} {operand}");
    }
}

#[test]
fn conditions_combine_and_stop_early() {
    let yes = || test("StringEquals", "$.s", &json!("b"));
    let no = || test("StringEquals", "$.s", &json!("x"));
    let broken = || test("StringEquals", "$.absent", &json!("x"));
    let cases = [
        (Condition::And(vec![yes(), yes()]), true),
        (Condition::And(vec![no(), broken()]), false),
        (Condition::Or(vec![no(), yes(), broken()]), true),
        (Condition::Or(vec![no(), no()]), false),
        (Condition::Not(Box::new(no())), true),
        (
            Condition::And(vec![Condition::Or(vec![no(), yes()]), Condition::Not(Box::new(no()))]),
            true,
        ),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(&condition).unwrap(), expected, "{condition:?}");
    }
    assert!(holds(&Condition::And(vec![yes(), broken()])).is_err());
}

#[test]
fn jsonata_conditions_give_booleans() {
    let jsonata = |text| Condition::Jsonata(Expression::jsonata(text).unwrap());
    assert!(holds(&jsonata("{% $states.input.n > 4 %}")).unwrap());
    assert!(!holds(&jsonata("{% $v = 'x' %}")).unwrap());
    for text in ["{% 1 %}", "{% $states.input.absent %}", "{% 'true' %}"] {
        assert_eq!(holds(&jsonata(text)).unwrap_err().kind, EvaluationErrorKind::Query, "{text}");
    }
}

#[test]
fn the_context_is_found_on_both_sides() {
    assert!(test("StringEqualsPath", "$.s", &json!("$$.Id")).references_context());
    assert!(test("StringEquals", "$$.Id", &json!("x")).references_context());
    assert!(!test("StringEqualsPath", "$.s", &json!("$.t")).references_context());
}
