use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::scope::Scope;
use super::*;

fn evaluate_with(text: &str, seed: u64) -> Result<Value, EvaluationError> {
    let input = json!({
        "name": "Ada", "n": 5, "list": [1, 2, 3, 2, 1.0], "obj": {"a": 1, "b": {"c": 2}},
        "obj2": {"b": 9}, "text": "{\"x\":[1]}", "template": "<{}> \\{}", "none": null, "pi": 3.6,
        "texts": ["x", null, {"t": "y"}]
    });
    let context = json!({"Execution": {"Id": "e-1"}});
    let mut variables = Map::new();
    variables.insert("v".to_owned(), json!("var"));
    let scope = Scope {
        input: &input,
        context: &context,
        variables: &variables,
        result: None,
        error_output: None,
        now_ms: 0,
        seed,
    };
    parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).evaluate(&Session::new(scope))
}

fn evaluate(text: &str) -> Result<Value, EvaluationError> {
    evaluate_with(text, 1)
}

fn assert_all(cases: &[(&str, Value)]) {
    for (text, expected) in cases {
        assert_eq!(&evaluate(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn text_functions_give_what_aws_documents() {
    assert_all(&[
        ("States.Format('Hi {}, {}!', $.name, $.n)", json!("Hi Ada, 5!")),
        ("States.Format('plain')", json!("plain")),
        (r"States.Format('\{\} {} \'q\' \\', true)", json!(r"{} true 'q' \")),
        ("States.Format('{a} {}', null)", json!("{a} null")),
        ("States.Format('{}', $.obj)", json!("{a=1, b={c=2}}")),
        ("States.Format('{}', $.list)", json!("[1, 2, 3, 2, 1.0]")),
        ("States.Format('{}', $.texts)", json!("[x, null, {t=y}]")),
        ("States.Format($.template, 1)", json!("<1> {}")),
        ("States.Format('{}{}', $v, $$.Execution.Id)", json!("vare-1")),
        ("States.StringToJson($.text)", json!({"x": [1]})),
        ("States.StringToJson('\"a\"')", json!("a")),
        ("States.StringToJson('')", json!(null)),
        ("States.StringToJson(' ')", json!(null)),
        ("States.StringToJson('-0')", json!(0)),
        ("States.JsonToString($.obj)", json!(r#"{"a":1,"b":{"c":2}}"#)),
        ("States.JsonToString('a')", json!("\"a\"")),
        ("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU=")),
        ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", json!("Data to encode")),
        ("States.Hash('', 'MD5')", json!("d41d8cd98f00b204e9800998ecf8427e")),
        ("States.Hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7")),
        (
            "States.Hash('abc', 'SHA-256')",
            json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ),
        ("States.StringSplit('1,2,3', ',')", json!(["1", "2", "3"])),
        (
            "States.StringSplit('This.is+a,test=string', '.+,=')",
            json!(["This", "is", "a", "test", "string"]),
        ),
        ("States.StringSplit(',a,,b,', ',')", json!(["a", "b"])),
        ("States.StringSplit('', ',')", json!([])),
    ]);
    let long = |algorithm: &str| evaluate(&format!("States.Hash($.obj, '{algorithm}')")).unwrap();
    assert_eq!(long("SHA-384").as_str().unwrap().len(), 96);
    assert_eq!(long("SHA-512").as_str().unwrap().len(), 128);
}

#[test]
fn array_object_and_number_functions_give_what_aws_documents() {
    assert_all(&[
        ("States.Array()", json!([])),
        (
            "States.Array(1, 'a', null, true, $.name, -2.5e1)",
            json!([1, "a", null, true, "Ada", -25.0]),
        ),
        ("States.ArrayPartition($.list, 2)", json!([[1, 2], [3, 2], [1.0]])),
        ("States.ArrayPartition(States.Array(), 2)", json!([])),
        ("States.ArrayContains($.list, 3)", json!(true)),
        ("States.ArrayContains($.list, 3.0)", json!(true)),
        ("States.ArrayContains($.list, '3')", json!(false)),
        ("States.ArrayContains(States.Array($.obj), $.obj)", json!(true)),
        ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
        ("States.ArrayRange(3, 1, -1)", json!([3, 2, 1])),
        ("States.ArrayRange(3, 1, 1)", json!([])),
        ("States.ArrayRange(0.6, 3, 1)", json!([1, 2, 3])),
        ("States.ArrayGetItem($.list, 2)", json!(3)),
        ("States.ArrayLength($.list)", json!(5)),
        ("States.ArrayUnique($.list)", json!([1, 2, 3])),
        (
            "States.ArrayUnique(States.Array($.obj, 'a', $.obj))",
            json!([{"a": 1, "b": {"c": 2}}, "a"]),
        ),
        ("States.JsonMerge($.obj, $.obj2, false)", json!({"a": 1, "b": 9})),
        ("States.MathAdd($.n, -6)", json!(-1)),
        ("States.MathAdd($.pi, 0)", json!(4)),
        ("States.MathAdd(-1.5, -1.51)", json!(-3)),
        ("States.ArrayLength( States.StringSplit( $.name , 'd' ) ) ", json!(2)),
        ("States.Array($.list[?(@ > 2)], $['name'])", json!([[3], "Ada"])),
    ]);
}

#[test]
fn values_that_do_not_fit_are_intrinsic_errors() {
    let cases = [
        "States.Format('{}')",
        "States.Format('{}', 1, 2)",
        "States.Format(1)",
        "States.StringToJson('{')",
        "States.StringToJson(1)",
        "States.ArrayPartition($.list, 0)",
        "States.ArrayPartition($.name, 1)",
        "States.ArrayContains($.obj, 1)",
        "States.ArrayRange(1, 2, 0)",
        "States.ArrayRange(1, 1001, 1)",
        "States.ArrayRange('a', 2, 1)",
        "States.ArrayGetItem($.list, 5)",
        "States.ArrayGetItem($.list, -1)",
        "States.ArrayLength(1)",
        "States.ArrayUnique(1)",
        "States.Base64Encode(1)",
        "States.Base64Decode('%%')",
        "States.Base64Decode('/w==')",
        "States.Hash('a', 'MD4')",
        "States.JsonMerge($.obj, $.obj2, true)",
        "States.JsonMerge($.obj, 1, false)",
        "States.MathRandom(5, 5)",
        "States.MathRandom(1, 5, 'x')",
        "States.MathAdd(9223372036854775807, 1)",
        "States.MathAdd('1', 1)",
        "States.StringSplit(1, ',')",
    ];
    for text in cases {
        let error = evaluate(text).unwrap_err();
        assert_eq!(error.kind, EvaluationErrorKind::Intrinsic, "{text}");
        let name = text.split('(').next().unwrap();
        assert!(error.cause.contains(name), "{text}: {}", error.cause);
    }
    // 1 to 1000 is just within the limit, 1 to 1001 was not.
    assert_eq!(evaluate("States.ArrayRange(1, 1000, 1)").unwrap().as_array().unwrap().len(), 1000);
}

#[test]
fn an_absent_path_inside_a_call_is_a_path_error() {
    let error = evaluate("States.Format('{}', $.absent)").unwrap_err();
    assert_eq!(error.kind, EvaluationErrorKind::Path);
}

#[test]
fn randomness_follows_from_the_seed_and_differs_from_call_to_call() {
    let two = "States.Array(States.UUID(), States.UUID())";
    let pair = evaluate_with(two, 3).unwrap();
    assert_eq!(pair, evaluate_with(two, 3).unwrap());
    assert_ne!(pair, evaluate_with(two, 4).unwrap());
    assert_ne!(pair[0], pair[1]);
    for seed in 0..50 {
        let drawn = evaluate_with("States.MathRandom(-2, 3)", seed).unwrap().as_i64().unwrap();
        assert!((-2..3).contains(&drawn), "{drawn}");
        let fixed = evaluate_with("States.MathRandom(1, 999, 42)", seed).unwrap();
        assert_eq!(fixed, evaluate("States.MathRandom(1, 999, 42)").unwrap());
    }
}

#[test]
fn faults_are_found_when_parsing() {
    let cases = [
        ("", 0),
        ("Format('a')", 0),
        ("States.", 0),
        ("States.Nope()", 0),
        ("States.Format", 13),
        ("States.Format(", 14),
        ("States.Format()", 0),
        ("States.Format('a'", 17),
        ("States.Format('a',)", 18),
        ("States.Format('a' 'b')", 18),
        ("States.Format('a)", 14),
        (r"States.Format('\n')", 15),
        ("States.Format(\"a\")", 14),
        ("States.UUID() x", 14),
        ("States.UUID(1)", 0),
        ("States.MathAdd(1)", 0),
        ("States.MathAdd(1, 2, 3)", 0),
        ("States.MathRandom(1)", 0),
        ("States.JsonToString($.)", 22),
        ("States.Array(truely)", 13),
        ("States.Array(01)", 13),
        ("States.Array(States.Foo())", 13),
    ];
    for (text, offset) in cases {
        let fault = parse(text).expect_err(text);
        assert_eq!(fault.offset, Some(offset), "{text}: {}", fault.message);
    }
}

#[test]
fn calls_nest_ten_deep_and_no_deeper() {
    let nest = |depth: usize| format!("{}1{}", "States.Array(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nest(10)).is_ok());
    assert!(parse(&nest(11)).is_err());
    assert!(parse(&nest(10_000)).is_err());
}

#[test]
fn the_context_is_found_in_arguments() {
    assert!(parse("States.Array(States.Array($$.a))").unwrap().references_context());
    assert!(!parse("States.Array('$$.a', $.b)").unwrap().references_context());
}

fn some_call() -> impl Strategy<Value = String> {
    let names = vec![
        "Format",
        "StringToJson",
        "JsonToString",
        "Array",
        "ArrayPartition",
        "ArrayContains",
        "ArrayRange",
        "ArrayGetItem",
        "ArrayLength",
        "ArrayUnique",
        "Base64Encode",
        "Base64Decode",
        "Hash",
        "JsonMerge",
        "MathRandom",
        "MathAdd",
        "StringSplit",
        "UUID",
    ];
    let values = vec![
        "1",
        "-9223372036854775808",
        "1e300",
        "'a{}'",
        "'{}'",
        "true",
        "false",
        "null",
        "$.list",
        "$.obj",
        "$.none",
        "$.name",
        "States.Array(1,'b')",
    ];
    let arguments = prop::collection::vec(prop::sample::select(values), 0..4);
    (prop::sample::select(names), arguments)
        .prop_map(|(name, arguments)| format!("States.{name}({})", arguments.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_upsets_the_parser(text in "(States\\.)?\\PC{0,64}") {
        drop(parse(&text));
    }

    #[test]
    fn whatever_parses_also_evaluates_the_same_twice(text in some_call()) {
        if parse(&text).is_ok() {
            prop_assert_eq!(evaluate(&text), evaluate(&text));
        }
    }

    #[test]
    fn text_survives_base64(text in "[^'\\\\{}]{0,40}") {
        let there_and_back = format!("States.Base64Decode(States.Base64Encode('{text}'))");
        prop_assert_eq!(evaluate(&there_and_back).unwrap(), json!(text));
    }
}
