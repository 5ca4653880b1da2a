use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::scope::{EvaluationErrorKind, Scope};
use super::*;

fn evaluate_within(text: &str, seed: u64, limits: Limits) -> Result<Value, EvaluationError> {
    let input = json!({
        "total": 10, "items": [{"n": 1, "p": 2.5}, {"n": 2, "p": 4}], "name": "Ada", "big": 123456789012_i64
    });
    let context = json!({"Execution": {"Id": "e-1"}});
    let mut variables = Map::new();
    variables.insert("v".to_owned(), json!({"x": [1, 2, 3]}));
    let (result, error) = (json!({"ok": true}), json!({"Error": "Boom"}));
    let scope = Scope {
        input: &input,
        context: &context,
        variables: &variables,
        result: Some(&result),
        error_output: Some(&error),
        now_ms: 1_457_920_740_007,
        seed,
    };
    let program = compile(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    program.evaluate_within(&Session::new(scope), || format!("'{text}'"), limits)
}

pub(super) fn evaluate(text: &str) -> Result<Value, EvaluationError> {
    evaluate_within(text, 1, LIMITS)
}

#[test]
fn expressions_see_states_and_variables() {
    let cases = [
        ("1 + 2", json!(3)),
        (" $states.input.total * 1.5 ", json!(15)),
        ("$states.input.items.p", json!([2.5, 4])),
        ("$states.input.items[p > 3].n", json!(2)),
        ("$states.input.items[$.p > 3].n", json!(2)),
        ("$states.input.items.(n * p)", json!([2.5, 8])),
        ("$sum($states.input.items.(n * p))", json!(10.5)),
        ("$states.context.Execution.Id", json!("e-1")),
        ("$states.result.ok", json!(true)),
        ("$states.errorOutput.Error", json!("Boom")),
        ("$v.x[1]", json!(2)),
        ("$states.input.big", json!(123456789012_i64)),
        ("{'a': $v.x, 'gone': $v.absent}", json!({"a": [1, 2, 3]})),
        ("($k := 'total'; $lookup($states.input, $k))", json!(10)),
        ("$keys($states)", json!(["input", "result", "errorOutput", "context"])),
        ("$map($v.x, function($i) { $i * $i })", json!([1, 4, 9])),
        ("$exists($states.input.absent) ? 'y' : 'n'", json!("n")),
        ("null", json!(null)),
        ("[1 / 0, -1 / 0]", json!(["Infinity", "-Infinity"])),
        ("[]", json!([])),
        ("$states.input.items^(>p).n", json!([2, 1])),
        ("$states.input.items{name: n}", json!({})),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluate(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn functions_of_aws_are_there() {
    let cases = [
        ("$partition([1,2,3], 2)", json!([[1, 2], [3]])),
        ("$partition([1..3], 5)", json!([[1, 2, 3]])),
        ("$range(0, 10, 5)", json!([0, 5, 10])),
        ("$hash('', 'MD5')", json!("d41d8cd98f00b204e9800998ecf8427e")),
        ("$parse('{\"a\":[1]}').a", json!([1])),
        ("$now()", json!("2016-03-14T01:59:00.007Z")),
        ("$now('[Y0001]-[M01]')", json!("2016-03")),
        ("$pad('a', 3)", json!("a  ")),
        ("$pad('a', -3, '#')", json!("##a")),
        ("$pad('a', 2, '')", json!("a ")),
        ("$map([1, 2], $millis)", json!([1_457_920_740_007_i64, 1_457_920_740_007_i64])),
        ("$count($map([1, 2], $uuid))", json!(2)),
        ("[3, 1] ~> $shuffle ~> $sort", json!([1, 3])),
        ("$millis()", json!(1_457_920_740_007_i64)),
        ("$random(7) = $random(7)", json!(true)),
        ("$random(42)", json!(0.727_563_680_032_868_1)),
        ("$range(1, 9, 9)", json!(1)),
        ("$partition([1], 2)", json!([[1]])),
        ("$parse('-0')", json!(0)),
        ("$random() = $random()", json!(false)),
        ("$uuid() = $uuid()", json!(false)),
        ("$length($uuid())", json!(36)),
        ("$sort($shuffle([3,1,2]))", json!([1, 2, 3])),
        (
            "$map([1, 2], function($i) { $millis() })",
            json!([1_457_920_740_007_i64, 1_457_920_740_007_i64]),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluate(text).unwrap(), expected, "{text}");
    }
    for text in [
        "$partition([1], 0)",
        "$range(1, 2)",
        "$hash('a', 'X')",
        "$parse('{')",
        "$random('a')",
        "$pad('a', 1000001)",
        "$pad('a', -2000000000)",
    ] {
        assert_eq!(evaluate(text).unwrap_err().kind, EvaluationErrorKind::Query, "{text}");
    }
}

#[test]
fn functions_that_stand_in_for_others_behave_like_them() {
    let cases = [
        ("['a b', 'c'].$encodeUrlComponent()", json!(["a%20b", "c"])),
        ("$map(['a b', 'c'], $encodeUrl)", json!(["a%20b", "c"])),
        ("['a', 'bc'].$pad(-3)", json!(["  a", " bc"])),
        ("['a', 'bc'].$pad(3, '#')", json!(["a##", "bc#"])),
        ("'a' ~> $pad(3) ~> $encodeUrl()", json!("a%20%20")),
        ("($pad := function($n) { $n }; $pad(4))", json!(4)),
        ("$pad(?, 2)('a')", json!("a ")),
        ("$map(['[1]', '2'], $parse)", json!([[1], 2])),
        ("$count($map([1, 2], $random))", json!(2)),
        ("$map([[1], [2]], $shuffle)", json!([[1], [2]])),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluate(text).unwrap(), expected, "{text}");
    }
    for text in ["$pad(3)", "$range($nothing, 1, 1)", "$partition([1], $nothing)"] {
        assert!(evaluate(text).unwrap_err().cause.contains("undefined"), "{text}");
    }
    for text in ["$encodeUrl(1)", "$toMillis(1)", "$pad(1, 2)"] {
        assert!(evaluate(text).unwrap_err().cause.contains("T0410"), "{text}");
    }
}

#[test]
fn dates_take_what_they_lack_from_the_time_of_the_scope() {
    // It is 2016-03-14T01:59:00.007Z.
    let cases = [
        ("'13:45', '[H]:[m]'", "2016-03-14T13:45:00.000Z"),
        ("'7', '[D]'", "2016-03-07T00:00:00.000Z"),
        ("'02-07', '[M01]-[D01]'", "2016-02-07T00:00:00.000Z"),
        ("'3:30', '[h]:[m]'", "2016-03-14T03:30:00.000Z"),
        ("'3:30 pm', '[h]:[m] [P]'", "2016-03-14T15:30:00.000Z"),
        ("'30', '[m]'", "2016-03-14T01:30:00.000Z"),
        ("'60', '[d]'", "2016-02-29T00:00:00.000Z"),
        ("'[2011', '[[[Y]'", "2011-01-01T00:00:00.000Z"),
    ];
    for (arguments, expected) in cases {
        let text = format!("$fromMillis($toMillis({arguments}))");
        assert_eq!(evaluate(&text).unwrap(), json!(expected), "{text}");
    }
    assert_eq!(evaluate("$toMillis('1970-01-01')").unwrap(), json!(0));
    assert_eq!(evaluate("['1970-01-01'].$toMillis()").unwrap(), json!(0));
    for text in ["$toMillis('x', '[D]')", "$toMillis('x', 'x')", "$toMillis($nothing, '[D]')"] {
        assert!(evaluate(text).unwrap_err().cause.contains("undefined"), "{text}");
    }
}

#[test]
fn randomness_follows_from_the_seed() {
    let text = "[$random(), $uuid(), $shuffle([1..50])]";
    let draw = |seed| evaluate_within(text, seed, LIMITS).unwrap();
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn what_gives_no_value_is_a_query_error() {
    let cases = [
        ("$states.input.absent", "undefined"),
        ("$nothing", "undefined"),
        ("$error('stop')", "evaluation. D3137: stop"),
        ("'a' + 1", "T2001"),
        ("function($x) { $x }", "returned an unsupported result type."),
        ("[$sum]", "unsupported"),
        // The library panics at this picture.
        ("$fromMillis(0, '[,]')", "broke down"),
        ("$number('x')", "threw an error during evaluation. D3030: "),
        ("($f := function() { $f() + 1 }; $f())", "D1011"),
    ];
    for (text, part) in cases {
        let error = evaluate(text).unwrap_err();
        assert_eq!(error.kind, EvaluationErrorKind::Query, "{text}");
        assert!(error.cause.contains(part), "{text}: {}", error.cause);
        assert!(error.cause.contains(text), "{text}: {}", error.cause);
    }
}

#[test]
fn time_and_size_have_limits() {
    let limits = Limits { time: Duration::from_millis(50), ..LIMITS };
    let error = evaluate_within("($f := function() { $f() }; $f())", 1, limits).unwrap_err();
    assert!(error.cause.contains("D1012"), "{}", error.cause);
    let few = Limits { items: 100, ..LIMITS };
    assert!(evaluate_within("[1..1000]", 1, few).is_err());
    let nested = "$reduce([1..500], function($a, $b) { {'a': $a} }, 0)";
    assert!(evaluate(nested).unwrap_err().cause.contains("nested deeper"));
}

#[test]
fn what_grows_without_end_is_stopped_before_it_is_made() {
    // Time would stop it too, on a busy machine even before it has grown.
    let limits = Limits { time: Duration::from_secs(60), ..LIMITS };
    let doubled = "$reduce([1..60], function($x, $i) { ";
    for (text, part) in [
        (format!("$length({doubled}$x & $x }}, 'x'))"), "larger than"),
        (format!("$length({doubled}$x & 1 & $x }}, 'x'))"), "larger than"),
        (format!("{doubled}{{'a': $x, 'b': $x}} }}, 'x')"), "the result is larger than"),
        (format!("$length($string({doubled}{{'a': $x, 'b': $x}} }}, 'x')))"), "larger than"),
        (format!("({doubled}{{'a': $x, 'b': $x}} }}, 'x')) & ''"), "larger than"),
        ("$length($join([1..1000].('x'), $pad('', 1000000)))".to_owned(), "larger than"),
        ("$length([1..1000].('x') ~> $join($pad('', 1000000)))".to_owned(), "larger than"),
        (
            "($x := $pad('', 1000000); $reduce([1..9999], function($a, $i) { $length($x & $i) }))"
                .to_owned(),
            "together",
        ),
        ("$string($pad('x', 100000000))".to_owned(), "the width must be"),
        ("[1..9999999]".to_owned(), "D2015"),
        ("($x := $pad('', 1000000); [1..1000].($x))".to_owned(), "the result is larger than"),
    ] {
        let error = evaluate_within(&text, 1, limits).unwrap_err();
        assert!(error.cause.contains(part), "{text}: {}", error.cause);
    }
}

#[test]
fn bounds_on_growth_change_no_value() {
    let cases = [
        ("[1] & 'x' & {'a': 1}", json!("[1]x{\"a\":1}")),
        ("$states.input.absent & 'x' & null & true & 1.5", json!("xnulltrue1.5")),
        ("$string($states.input.items[0])", json!("{\"n\":1,\"p\":2.5}")),
        ("[1, 'a'].$string()", json!(["1", "a"])),
        ("$map([1, 2], $string)", json!(["1", "2"])),
        ("$string({'a': 1}, true)", json!("{\n  \"a\": 1\n}")),
        ("$string(function($x) { $x })", json!("")),
        ("$join(['a', 'b'], '-') & $join('c')", json!("a-bc")),
        ("['a', 'b'] ~> $join('-')", json!("a-b")),
        ("$join(?, '-')(['a', 'b'])", json!("a-b")),
        ("($join := function($x) { $x }; $join(3))", json!(3)),
        ("$map([['a', 'b']], function($x) { $join($x, '+') })", json!("a+b")),
        ("$exists($join($states.input.absent))", json!(false)),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluate(text).unwrap(), expected, "{text}");
    }
    for (text, code) in [("$join([1])", "T0412"), ("$join()", "T0410"), ("$join(1, 2, 3)", "T041")]
    {
        let error = evaluate(text).unwrap_err();
        assert!(error.cause.contains(code), "{}", error.cause);
    }
    // A table that is joined row by row has room.
    let table = "$length($reduce([1..3000], function($a, $i) { $a & $pad('', 90) & $i }, ''))";
    assert!(evaluate(table).unwrap().as_u64().unwrap() > 270_000);
}

#[test]
fn faults_are_found_when_parsing() {
    let cases = [
        ("1 +", Some(3), "S0207: the expression ends too early"),
        ("", Some(0), "S0207: the expression ends too early"),
        ("1 22", Some(2), "S0201: '22' does not fit here"),
        ("$a.b)", Some(4), "S0201: ')' does not fit here"),
        ("(1 + foo bar baz)", Some(9), "S0202: expected ')', found 'bar'"),
        ("(é + 1 'x y')", Some(8), "S0202: expected ')', found ''x y''"),
        ("{'a' 1}", Some(5), "S0202: expected ':', found '1'"),
        ("[1, 2", Some(5), "S0203: expected ']', but the expression ends"),
        ("1 /* open", Some(2), "S0106: the comment does not end"),
        ("'open", None, "S0101: String literal must be terminated by a matching quote"),
        ("1 @ 2", None, "S0214: Expected a variable reference after @"),
    ];
    for (text, offset, message) in cases {
        let fault = compile(text).expect_err(text);
        let expected = (offset, format!("this is not JSONata: {message}"));
        assert_eq!((fault.offset, fault.message), expected, "{text}");
    }
}

#[test]
fn what_aws_refuses_is_refused() {
    for text in [
        "$",
        "$$",
        "$.a",
        "a",
        "a.b",
        "$sum(a)",
        "* ",
        "**.a",
        "[a]",
        "{'x': $$.y}",
        "$eval('1')",
        "($e := $eval; 1)",
        "$map([1], $eval)",
        "($x := a; $x)",
        "true ? a : 1",
    ] {
        assert!(compile(text).is_err(), "{text}");
    }
}

#[test]
fn only_what_is_used_counts() {
    let cases = [
        ("$states.context.a", true),
        ("$states", true),
        ("$lookup($states, 'context')", true),
        ("$states.input.x[$states.context.y]", true),
        ("$states.input.context", false),
        ("$context", false),
    ];
    for (text, expected) in cases {
        assert_eq!(compile(text).unwrap().references_context(), expected, "{text}");
    }
}

#[test]
fn deep_texts_are_refused_or_evaluated() {
    for text in [
        format!("{}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("1{}", " + 1".repeat(5000)),
        "[".repeat(20_000),
        format!("{}1", "-".repeat(5000)),
    ] {
        if compile(&text).is_ok() {
            drop(evaluate(&text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_upsets_the_parser(text in "\\PC{0,48}") {
        drop(compile(&text));
    }

    #[test]
    fn whatever_parses_also_evaluates(parts in prop::collection::vec(
        prop::sample::select(vec![
            "$states", ".input", ".items", "[0]", "[", "]", "(", ")", "$v", ".x", "$", "+", "&",
            "'a'", "1", ",", "$sum", "$map", "function($i){$i}", "{", "}", ":", "?", "^", "%", "#$i", "@$j", "~>", "|",
        ]),
        0..12,
    )) {
        let text = parts.concat();
        if compile(&text).is_ok() {
            drop(evaluate(&text));
        }
    }
}
