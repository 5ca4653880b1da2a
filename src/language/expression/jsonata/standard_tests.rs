//! Every function of JSONata, as its documentation describes it.

use serde_json::{Value, json};

use super::tests::evaluate;

fn assert_all(cases: &[(&str, Value)]) {
    for (text, expected) in cases {
        match evaluate(text) {
            Ok(value) => assert_eq!(value, *expected, "{text}"),
            Err(error) => panic!("{text}: {}", error.cause),
        }
    }
}

#[test]
fn text_functions_of_jsonata_are_there() {
    assert!(evaluate("$encodeUrl(1)").is_err() && evaluate("$encodeUrl($absent)").is_err());
    assert_all(&[
        ("$string([1, 'a'])", json!("[1,\"a\"]")),
        ("$length('añb')", json!(3)),
        ("$substring('hello', 1, 3)", json!("ell")),
        ("$substringBefore('a-b', '-')", json!("a")),
        ("$substringAfter('a-b', '-')", json!("b")),
        ("$uppercase('ab')", json!("AB")),
        ("$lowercase('AB')", json!("ab")),
        ("$trim('  a  b ')", json!("a b")),
        ("$pad('a', 3, '#')", json!("a##")),
        ("$contains('abc', /b/)", json!(true)),
        ("$split('a, b', ', ')", json!(["a", "b"])),
        ("$join(['a', 'b'], '-')", json!("a-b")),
        ("$match('ababb', /a(b+)/)[1].groups", json!(["bb"])),
        ("$replace('a1b2', /[0-9]/, '')", json!("ab")),
        ("$base64encode('ab')", json!("YWI=")),
        ("$base64decode('YWI=')", json!("ab")),
        ("$encodeUrlComponent('?a=b c')", json!("%3Fa%3Db%20c")),
        ("$encodeUrlComponent(\"-_.!~*'()\")", json!("-_.!~*'()")),
        (
            "$encodeUrl('http://x/?a=b c&é=\"%\"#[1]')",
            json!("http://x/?a=b%20c&%C3%A9=%22%25%22#%5B1%5D"),
        ),
        ("$decodeUrlComponent('%3Fa')", json!("?a")),
        ("$decodeUrl('http://x/?a=b%20c')", json!("http://x/?a=b c")),
    ]);
}

#[test]
fn number_and_date_functions_of_jsonata_are_there() {
    assert_all(&[
        ("$number('1.5')", json!(1.5)),
        ("$abs(-2)", json!(2)),
        ("$floor(1.7)", json!(1)),
        ("$ceil(1.2)", json!(2)),
        ("$round(12.345, 1)", json!(12.3)),
        ("$power(2, 8)", json!(256)),
        ("$sqrt(9)", json!(3)),
        ("$formatNumber(12345.6, '#,###.00')", json!("12,345.60")),
        ("$formatBase(100, 2)", json!("1100100")),
        ("$formatInteger(12, 'w')", json!("twelve")),
        ("$parseInteger('twelve', 'w')", json!(12)),
        ("$sum([1, 2])", json!(3)),
        ("$max([1, 2])", json!(2)),
        ("$min([1, 2])", json!(1)),
        ("$average([1, 2])", json!(1.5)),
        ("$fromMillis(0)", json!("1970-01-01T00:00:00.000Z")),
        ("$toMillis('1970-01-01T00:00:01Z')", json!(1000)),
    ]);
}

#[test]
fn array_object_and_other_functions_of_jsonata_are_there() {
    assert_all(&[
        ("$boolean([0, 1])", json!(true)),
        ("$not(true)", json!(false)),
        ("$exists($absent)", json!(false)),
        ("$count([1, 2])", json!(2)),
        ("$append([1], 2)", json!([1, 2])),
        ("$sort([2, 1])", json!([1, 2])),
        ("$reverse([1, 2])", json!([2, 1])),
        ("$distinct([1, 1, 2])", json!([1, 2])),
        ("$zip([1, 2], [3, 4])", json!([[1, 3], [2, 4]])),
        ("$keys({'a': 1, 'b': 2})", json!(["a", "b"])),
        ("$lookup({'a': 1}, 'a')", json!(1)),
        ("$spread({'a': 1, 'b': 2})", json!([{"a": 1}, {"b": 2}])),
        ("$merge([{'a': 1}, {'b': 2}])", json!({"a": 1, "b": 2})),
        ("$sift({'a': 1, 'b': 2}, function($v) { $v > 1 })", json!({"b": 2})),
        ("$each({'a': 1, 'b': 2}, function($v, $k) { $k & $v })", json!(["a1", "b2"])),
        ("$type([])", json!("array")),
        ("($assert(true, 'no'); 1)", json!(1)),
        ("$map([1, 2], function($v) { $v + 1 })", json!([2, 3])),
        ("$filter([1, 2, 3], function($v) { $v > 1 })", json!([2, 3])),
        ("$single([1, 2], function($v) { $v > 1 })", json!(2)),
        ("$reduce([1, 2, 3], function($a, $b) { $a + $b })", json!(6)),
    ]);
    for text in ["$assert(false, 'no')", "$error('no')"] {
        assert!(evaluate(text).unwrap_err().cause.contains("no"), "{text}");
    }
}

#[test]
fn operators_of_jsonata_are_there() {
    assert_all(&[
        ("5 % 3 + 2 * 3 - 4 / 2", json!(6)),
        ("'a' & 1", json!("a1")),
        ("1 = 1 and (2 != 3 or false)", json!(true)),
        ("1 < 2 and 2 <= 2 and 3 > 2 and 3 >= 3", json!(true)),
        ("2 in [1, 2]", json!(true)),
        ("[1..3]", json!([1, 2, 3])),
        ("$states.input.items[0].n", json!(1)),
        ("$states.input.items.{'n': n}", json!([{"n": 1}, {"n": 2}])),
        ("$states.input.items^(>n).n", json!([2, 1])),
        ("$states.input.items ~> $count", json!(2)),
        ("$states.input.items#$i[$i = 1].n", json!(2)),
        ("false ?: 'b'", json!("b")),
        ("$absent ?? 'c'", json!("c")),
        ("$states.input.items[0] ~> | $ | {'n': 9} |", json!({"n": 9, "p": 2.5})),
        ("($f := function($x) { $x * 2 }; $f(4))", json!(8)),
    ]);
}
