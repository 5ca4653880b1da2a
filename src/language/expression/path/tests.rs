use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::scope::{EvaluationErrorKind, Scope};
use super::super::session::MAX_WORK;
use super::*;

fn select(path: &str, input: &Value) -> Result<Value, EvaluationError> {
    select_after(0, path, input)
}

/// Selects in an evaluation that has already compared so many bytes.
fn select_after(work: usize, path: &str, input: &Value) -> Result<Value, EvaluationError> {
    let context = json!({"Execution": {"Id": "e-1"}});
    let mut variables = Map::new();
    variables.insert("limit".to_owned(), json!(10));
    variables.insert("größe".to_owned(), json!({"x": [1, 2]}));
    let scope = Scope {
        input,
        context: &context,
        variables: &variables,
        result: None,
        error_output: None,
        now_ms: 0,
        seed: 0,
    };
    let path = Path::parse(path).unwrap_or_else(|fault| panic!("{path}: {fault}"));
    let session = Session::new(scope);
    assert!(session.work(work));
    path.select(&session, "").map(Cow::into_owned)
}

fn store() -> Value {
    json!({
        "store": {
            "book": [
                {"category": "reference", "author": "Rees", "title": "Century", "price": 8.95},
                {"category": "fiction", "author": "Waugh", "title": "Sword", "price": 12.99},
                {"category": "fiction", "author": "Melville", "title": "Moby", "isbn": "0-553", "price": 8.99},
                {"category": "fiction", "author": "Tolkien", "title": "Rings", "isbn": "0-395", "price": 22.99}
            ],
            "bicycle": {"color": "red", "price": 19.95}
        },
        "expensive": 10,
        "a-b": {"c d": 1, "é": 2, "it's": 3, "": 4},
        "nothing": null,
        "n": [3, 1, 2],
        "nested": [[1, 2], [3], []],
        "words": ["b", "a"],
        "empty": []
    })
}

#[test]
fn definite_paths_give_the_value_itself() {
    let cases = [
        ("$.expensive", json!(10)),
        ("$['expensive']", json!(10)),
        ("$[\"expensive\"]", json!(10)),
        ("$.store.bicycle.color", json!("red")),
        ("$.a-b['c d']", json!(1)),
        ("$.a-b.é", json!(2)),
        (r"$.\a\-b.\é", json!(2)),
        (r"$.a-b['it\'s']", json!(3)),
        ("$.a-b['']", json!(4)),
        ("$.nothing", json!(null)),
        ("$.n[0]", json!(3)),
        ("$.n[-1]", json!(2)),
        ("$.n[ 1 ]", json!(1)),
        ("$.store.book[2].title", json!("Moby")),
        ("$.['expensive']", json!(10)),
        ("$.nested[0][1]", json!(2)),
        ("$$.Execution.Id", json!("e-1")),
        ("$limit", json!(10)),
        ("$größe.x[1]", json!(2)),
        ("$.store.bicycle['color','price','absent']", json!({"color": "red", "price": 19.95})),
    ];
    for (path, expected) in cases {
        assert_eq!(select(path, &store()).unwrap(), expected, "{path}");
    }
    assert_eq!(select("$", &json!(7)).unwrap(), json!(7));
    assert_eq!(select("$$", &json!(7)).unwrap()["Execution"]["Id"], "e-1");
}

#[test]
fn a_definite_path_that_leads_nowhere_fails() {
    for path in [
        "$.absent",
        "$.n[3]",
        "$.n[-4]",
        "$.n.x",
        "$.expensive.x",
        "$.store[0]",
        "$.nothing.x",
        "$$.Absent",
        "$absent",
        "$limit.x",
        "$.absent.length()",
        "$.n['a','b']",
        // The part before the first open segment must be there.
        "$.absent[*]",
        "$.absent[?(@.x)]",
        "$.n[9][*]",
        "$.expensive[0:1]",
        "$.expensive[?(@.x)]",
    ] {
        let error = select(path, &store()).unwrap_err();
        assert_eq!(error.kind, EvaluationErrorKind::Path, "{path}");
        assert!(error.cause.contains(path), "{path}: {}", error.cause);
    }
}

#[test]
fn the_cause_is_in_the_manner_of_aws() {
    let error = select("$.x", &json!({"a": 1})).unwrap_err();
    assert_eq!(error.cause, r#"The JSONPath '$.x' could not be found in the input '{"a":1}'"#);
    let long = select("$.x", &json!({"a": "y".repeat(5000)})).unwrap_err();
    assert!(long.cause.len() < 400, "{}", long.cause);
}

#[test]
fn indefinite_paths_give_arrays() {
    let cases = [
        ("$.n[*]", json!([3, 1, 2])),
        ("$.store.bicycle.*", json!(["red", 19.95])),
        ("$.store.book[*].isbn", json!(["0-553", "0-395"])),
        ("$.store.book[*]['title']", json!(["Century", "Sword", "Moby", "Rings"])),
        ("$..isbn", json!(["0-553", "0-395"])),
        ("$..absent", json!([])),
        ("$.store..price", json!([8.95, 12.99, 8.99, 22.99, 19.95])),
        ("$.nested..[0]", json!([[1, 2], 1, 3])),
        ("$.nested[*][0]", json!([1, 3])),
        ("$.nested[*][*]", json!([1, 2, 3])),
        ("$.nested..*", json!([[1, 2], [3], [], 1, 2, 3])),
        ("$.n[0,2]", json!([3, 2])),
        ("$.n[0,9]", json!([3])),
        ("$.n[1:]", json!([1, 2])),
        ("$.n[:2]", json!([3, 1])),
        ("$.n[-2:]", json!([1, 2])),
        ("$.n[:-1]", json!([3, 1])),
        ("$.n[0:3:2]", json!([3, 2])),
        ("$.n[2:1]", json!([])),
        ("$.n[5:9]", json!([])),
        ("$.n[:]", json!([3, 1, 2])),
        ("$.empty[*]", json!([])),
        ("$.expensive[*]", json!([])),
        ("$.store['bicycle','book'][*]['color']", json!([])),
        (
            "$.store.book[1:3]['author','price']",
            json!([
                {"author": "Waugh", "price": 12.99}, {"author": "Melville", "price": 8.99}
            ]),
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(select(path, &store()).unwrap(), expected, "{path}");
    }
}

#[test]
fn filters_choose_items() {
    let cases = [
        ("$.store.book[?(@.isbn)].title", json!(["Moby", "Rings"])),
        ("$.store.book[?(!@.isbn)].title", json!(["Century", "Sword"])),
        ("$.store.book[?(@.price < 10)].title", json!(["Century", "Moby"])),
        ("$.store.book[?(@.price<=8.95)].title", json!(["Century"])),
        ("$.store.book[?(@.price > $.expensive)].title", json!(["Sword", "Rings"])),
        ("$.store.book[?(@.price > $limit)].title", json!(["Sword", "Rings"])),
        ("$.store.book[?(@['author'] == 'Rees')].price", json!([8.95])),
        ("$.store.book[?(@.author == \"Rees\")].price", json!([8.95])),
        ("$.store.book[?(@.category == 'fiction' && @.price < 10)].title", json!(["Moby"])),
        (
            "$.store.book[?(@.category == 'fiction' && (@.price < 10 || @.author=='Waugh'))].title",
            json!(["Sword", "Moby"]),
        ),
        ("$.store.book[?(@.category != 'fiction')].title", json!(["Century"])),
        ("$.store.book[?(@.isbn != '0-553')].title", json!(["Century", "Sword", "Rings"])),
        ("$.store.book[?(@.author in ['Rees', 'Waugh'])].title", json!(["Century", "Sword"])),
        ("$.store.book[?(@.author nin ['Rees', 'Waugh'])].title", json!(["Moby", "Rings"])),
        ("$.store.book[?(10 > @.price)].title", json!(["Century", "Moby"])),
        ("$.store.book[?(@.title.length() == 4)].title", json!(["Moby"])),
        ("$.store.book[?(@.author==Rees)].price", json!([8.95])),
        ("$.n[?(@ > 1)]", json!([3, 2])),
        ("$.n[?(@ > 'a')]", json!([])),
        ("$.n[?(@ >= 2)]", json!([3, 2])),
        ("$.words[?(@ > 'a')]", json!(["b"])),
        ("$.nested[?(@[0] == 3)]", json!([[3]])),
        ("$.nested[?(@[*])]", json!([[1, 2], [3]])),
        ("$.nested[?(@.length() > 1)]", json!([[1, 2]])),
        ("$.empty[?(@.x == 1)]", json!([])),
        ("$..[?(@.isbn == '0-553')].title", json!(["Moby"])),
        ("$..book[?(@.isbn)].author", json!(["Melville", "Tolkien"])),
        ("$.store.bicycle[?(@.color == 'red')]", json!([{"color": "red", "price": 19.95}])),
        ("$.store.book[?(@.price == null)]", json!([])),
        ("$.store.book[?(@.isbn)][0]", json!([])),
    ];
    for (path, expected) in cases {
        assert_eq!(select(path, &store()).unwrap(), expected, "{path}");
    }
}

#[test]
fn functions_stand_at_the_end() {
    let cases = [
        ("$.n.length()", json!(3)),
        ("$.store.length()", json!(2)),
        ("$.words[0].length()", json!(1)),
        ("$.n.min()", json!(1)),
        ("$.n.max()", json!(3)),
        ("$.n.sum()", json!(6)),
        ("$.n.avg()", json!(2)),
        ("$.store.book[*].price.max()", json!(22.99)),
        ("$..isbn.length()", json!(2)),
        ("$.store.bicycle.keys()", json!(["color", "price"])),
        ("$.length()", json!(8)),
        ("$.empty.length()", json!(0)),
    ];
    for (path, expected) in cases {
        assert_eq!(select(path, &store()).unwrap(), expected, "{path}");
    }
    for path in ["$.empty.sum()", "$.expensive.length()", "$.n.keys()", "$.words.avg()"] {
        assert!(select(path, &store()).is_err(), "{path}");
    }
}

#[test]
fn faults_say_where() {
    let cases = [
        ("", 0),
        ("a", 0),
        ("@.a", 0),
        ("$.", 2),
        ("$a.", 3),
        ("$..", 3),
        ("$...a", 3),
        ("$.a.", 4),
        ("$.a b", 3),
        ("$[", 2),
        ("$[]", 2),
        ("$[a]", 2),
        ("$['a]", 2),
        ("$['a'", 5),
        ("$['a',]", 6),
        ("$[1,]", 4),
        ("$[1:2:0]", 7),
        ("$[1:2:-1]", 8),
        ("$[--1]", 2),
        ("$[99999999999999999999]", 2),
        ("$[(@.length-1)]", 2),
        ("$[?]", 3),
        ("$[?@.a]", 3),
        ("$[?()]", 4),
        ("$[?(@.a == )]", 11),
        ("$[?(@.a = 1)]", 8),
        ("$[?(@.a =~ /x/)]", 8),
        ("$[?(1)]", 5),
        ("$[?(word)]", 8),
        ("$[?(@.a == #)]", 11),
        ("$[?(@.a == 1]", 12),
        ("$[?(@.a == 01)]", 11),
        ("$[?(@.a in [1)]", 13),
        ("$.a.size()", 8),
        ("$.a.length().b", 12),
        ("$.a.length(1)", 11),
        ("$1a", 0),
        ("$.a\\", 4),
        ("$.a\u{0}", 3),
    ];
    for (path, offset) in cases {
        let fault = Path::parse(path).expect_err(path);
        assert_eq!(fault.offset, Some(offset), "{path}: {}", fault.message);
    }
}

#[test]
fn depth_length_and_work_have_limits() {
    assert!(Path::parse(&format!("${}", ".a".repeat(200))).is_err());
    let deep = format!("$[?({}@.a{})]", "(".repeat(1000), ")".repeat(1000));
    assert!(Path::parse(&deep).is_err());
    assert!(Path::parse(&format!("$[?({}@.a)]", "!".repeat(1000))).is_err());
    assert!(Path::parse(&format!("${}", "[?(@".repeat(1000))).is_err());
    let wide = Value::Array(vec![Value::Array(vec![json!(1); 100]); 100]);
    assert!(select("$..*..*", &wide).is_ok());
    let nested = (0..100).fold(wide, |value, _| json!([value, value_of(1)]));
    assert!(select("$..*..*..*", &nested).unwrap_err().cause.contains("too many"));
}

#[test]
fn filters_and_functions_have_a_limit_on_what_they_compare_and_copy() {
    let long = "x".repeat(10_000);
    let input = json!({
        "l": [1, 2, 3], "n": (0..1000).collect::<Vec<i64>>(), "o": {"m": (0..1000).collect::<Vec<i64>>()},
        "s": {"t": long, "u": long}, "k": {"s": long},
    });
    let paths = [
        "$.l[?(999 in $.n)]",
        "$.l[?(999 nin $.n)]",
        "$.l[?($.n == $.o.m)]",
        "$.l[?($.s != $.s)]",
        "$.l[?($.s.t == $.s.u)]",
        "$.l[?($.s.t < $.s.u)]",
        "$.l[?($.n.sum() > 0)]",
        "$.l[?($.s.t.length() > 0)]",
        "$.l[?($.k..s == 1)]",
        "$.l[?($.s['t', 'u'] == 1)]",
        "$.n.max()",
        "$.s.*",
    ];
    let nearly_all = MAX_WORK - 1000;
    for path in paths {
        assert!(select(path, &input).is_ok(), "{path}");
        let error = select_after(nearly_all, path, &input).expect_err(path);
        assert!(error.cause.contains("too much"), "{path}: {}", error.cause);
    }
    // What is only there or not is not copied, and what differs in kind is not gone through.
    for path in ["$.l[?($.k..s)]", "$.l[?($.s == null)]", "$.l[?($.n == $.l)]", "$.l[?(@ > 1)]"] {
        assert!(select_after(nearly_all, path, &input).is_ok(), "{path}");
    }
}

fn value_of(number: i64) -> Value {
    json!(number)
}

#[test]
fn the_context_is_found_wherever_it_hides() {
    let cases = [
        ("$$.a", true),
        ("$.a[?(@.b == $$.c)]", true),
        ("$.a[?(!($$.c))]", true),
        ("$.a", false),
        ("$a", false),
    ];
    for (path, expected) in cases {
        assert_eq!(Path::parse(path).unwrap().references_context(), expected, "{path}");
    }
}

fn fragment() -> impl Strategy<Value = String> {
    let parts = vec![
        "$", "$$", "@", ".", "..", "[", "]", "(", ")", "?", "?(", "*", "a", "'a'", "\"", "'", "\\",
        "0", "-1", ":", ",", "==", "!", "&&", "||", "in ", "é", " ", "length()", "true",
    ];
    prop::collection::vec(prop::sample::select(parts), 0..24)
        .prop_map(|parts| format!("${}", parts.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_upsets_the_parser(text in "\\PC{0,64}") {
        drop(Path::parse(&text));
    }

    #[test]
    fn whatever_parses_also_evaluates(text in fragment()) {
        if let Ok(path) = Path::parse(&text) {
            let source = path.source.to_string();
            prop_assert_eq!(source, text.clone());
            drop(select(&text, &store()));
        }
    }
}
