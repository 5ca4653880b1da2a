//! Every code, with its exact place in JSON and in YAML; and the rules behind the codes.

use super::{both, check_json, expect, list, unmarked};
use crate::language::diagnostic::codes;
use crate::language::{Format, Options, check};

/// A definition with the one state `A`, whose fields are given.
pub(super) fn one(fields: &str) -> String {
    format!("{{\"StartAt\":\"A\",\"States\":{{\"A\":{{{fields}}}}}}}")
}

/// The same in JSONata.
pub(super) fn one_jsonata(fields: &str) -> String {
    format!("{{\"QueryLanguage\":\"JSONata\",\"StartAt\":\"A\",\"States\":{{\"A\":{{{fields}}}}}}}")
}

/// Checks faults of one state, each at its mark.
fn states(code: &str, cases: &[&str]) {
    for case in cases {
        expect(&one(case), Format::Json, code);
    }
}

fn states_jsonata(code: &str, cases: &[&str]) {
    for case in cases {
        expect(&one_jsonata(case), Format::Json, code);
    }
}

#[test]
fn syntax() {
    expect("{\n  \"StartAt\": ¦}", Format::Json, codes::SYNTAX);
    expect("StartAt: A\nStates: A¦: b\n", Format::Yaml, codes::SYNTAX);
}

#[test]
fn duplicate_key() {
    let json =
        "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\",\n ¦\"Type\":\"Fail\"}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Succeed\n    ¦Type: Fail\n";
    let found = both(codes::DUPLICATE_KEY, "/States/A/Type", json, yaml);
    assert_eq!(found.hint.unwrap(), "the first one is in line 1; remove one of them");
}

#[test]
fn limit() {
    for (text, format) in [("{}", Format::Json), ("a: 1", Format::Yaml)] {
        let options = Options { max_bytes: 1, ..Options::default() };
        let found = &check(text, format, &options).diagnostics[0];
        assert_eq!((found.code, found.line, found.column), (codes::LIMIT, 1, 1));
    }
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"},\n¦\"B\":{\"Type\":\"Succeed\"}}}";
    let yaml = "StartAt: A\nStates:\n  A: {Type: Succeed}\n  ¦B: {Type: Succeed}\n";
    for (text, format) in [(json, Format::Json), (yaml, Format::Yaml)] {
        let (text, line, column) = unmarked(text);
        let options = Options { max_states: 1, ..Options::default() };
        let found = check(&text, format, &options).diagnostics;
        assert_eq!((found[0].code, found[0].line, found[0].column), (codes::LIMIT, line, column));
    }
    let long = format!("{{¦\"{}\":1}}", "k".repeat(1025));
    expect(&long, Format::Json, codes::LIMIT);
    expect(&format!("? ¦{}\n: 1", "k".repeat(1025)), Format::Yaml, codes::LIMIT);
}

#[test]
fn what_is_kept_is_never_larger_than_what_can_be_read_back() {
    let text = "StartAt: A\nStates:\n  A: {Type: Pass, Result: [&a xxxxxxxxxxxxxxxx, *a, *a, *a], End: true}\n";
    let kept = check(text, Format::Yaml, &Options::default()).workflow.unwrap().source;
    let options = |max_bytes| Options { max_bytes, ..Options::default() };
    assert!(text.len() < kept.len_bytes() - 1);
    assert!(check(text, Format::Yaml, &options(kept.len_bytes())).workflow.is_some());
    let refused = check(text, Format::Yaml, &options(kept.len_bytes() - 1)).diagnostics;
    assert_eq!((refused[0].code, refused[0].line, refused[0].column), (codes::LIMIT, 1, 1));
}

#[test]
fn yaml_feature() {
    expect("StartAt: A\nStates:\n  A:\n    ¦<<: {Type: Fail}\n", Format::Yaml, codes::YAML_FEATURE);
    expect("StartAt: ¦.nan\n", Format::Yaml, codes::YAML_FEATURE);
    let json = "{¦\"<<\":{},\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}";
    expect(json, Format::Json, codes::UNKNOWN_FIELD);
}

#[test]
fn wrong_type() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"End\":¦\"yes\"}}}";
    let yaml = "StartAt: A\nStates:\n  A: {Type: Pass, End: ¦yes}\n";
    let found = both(codes::TYPE, "/States/A/End", json, yaml);
    assert_eq!(found.message, "`End` must be true, but it is a text");
    both(codes::TYPE, "", "¦[]", "¦[]");
    states(
        codes::TYPE,
        &[
            r#""Type":¦1"#,
            r#""Type":"Pass","End":true,"Comment":¦1"#,
            r#""Type":"Pass","End":true,"Weight":¦"2""#,
            r#""Type":"Pass","End":true,"Parameters":¦"$.a""#,
            r#""Type":"Pass","End":true,"InputPath":¦{}"#,
            r#""Type":"Pass","End":true,"ResultPath":¦1"#,
            r#""Type":"Pass","End":true,"Assign":¦[]"#,
            r#""Type":"Task","End":true,"Resource":¦1"#,
            r#""Type":"Task","End":true,"Resource":"r","TimeoutSeconds":¦1.5"#,
            r#""Type":"Task","End":true,"Resource":"r","TimeoutSeconds":¦"1""#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":¦{}"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[¦1]"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":¦"E"}]"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":[¦1]}]"#,
            r#""Type":"Parallel","End":true,"Branches":¦{}"#,
            r#""Type":"Parallel","End":true,"Branches":[¦1]"#,
            r#""Type":"Map","End":true,"ItemProcessor":¦[]"#,
            r#""Type":"Fail","Error":¦1"#,
        ],
    );
    states_jsonata(
        codes::TYPE,
        &[
            r#""Type":"Wait","End":true,"Seconds":¦"12""#,
            r#""Type":"Map","End":true,"Items":¦"$.a","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}"#,
        ],
    );
}

#[test]
fn missing_field() {
    let json = "{\"StartAt\":\"A\",\"States\":{\n  ¦\"A\":{\"Type\":\"Pass\"}}}";
    let yaml = "StartAt: A\nStates:\n  ¦A: {Type: Pass}\n";
    let found = both(codes::MISSING_FIELD, "/States/A", json, yaml);
    assert_eq!(found.message, "`A` has no `Next` or `End`");
    expect("¦{\"States\":{\"A\":{\"Type\":\"Succeed\"}}}", Format::Json, codes::MISSING_FIELD);
    expect("¦{\"StartAt\":\"A\"}", Format::Json, codes::MISSING_FIELD);
    for fields in [
        r#"¦"A":{}"#,
        r#"¦"A":{"Type":"Task","End":true}"#,
        r#"¦"A":{"Type":"Wait","End":true}"#,
        r#"¦"A":{"Type":"Parallel","End":true}"#,
        r#"¦"A":{"Type":"Map","End":true}"#,
        r#""A":{"Type":"Task","Resource":"r","End":true,"Retry":[¦{}]}"#,
        r#""A":{"Type":"Task","Resource":"r","End":true,"Catch":[¦{"ErrorEquals":["E"]}]}"#,
        r#""A":{"Type":"Parallel","End":true,"Branches":[¦{"States":{"B":{"Type":"Succeed"}}}]}"#,
        r#""A":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}},¦"ItemBatcher":{}}"#,
        r#""A":{"Type":"Choice","Default":"B","Choices":[¦{"Variable":"$.a","Next":"B"}]},"B":{"Type":"Succeed"}"#,
        r#""A":{"Type":"Choice","Default":"B","Choices":[¦{"IsNull":true,"Next":"B"}]},"B":{"Type":"Succeed"}"#,
        r#""A":{"Type":"Choice","Default":"B","Choices":[¦{"Variable":"$.a","IsNull":true}]},"B":{"Type":"Succeed"}"#,
    ] {
        let text = format!("{{\"StartAt\":\"A\",\"States\":{{{fields}}}}}");
        expect(&text, Format::Json, codes::MISSING_FIELD);
    }
}

#[test]
fn unknown_field() {
    let json =
        "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",¦\"Ende\":1,\"End\":true}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    ¦Ende: 1\n    End: true\n";
    let found = both(codes::UNKNOWN_FIELD, "/States/A/Ende", json, yaml);
    assert_eq!(found.hint.unwrap(), "did you mean `End`?");
    states(
        codes::UNKNOWN_FIELD,
        &[
            r#""Type":"Succeed",¦"Cleanups":"ignore""#,
            r#""Type":"Succeed",¦"OnCancel":"A""#,
            r#""Type":"Succeed",¦"":1"#,
            r#""Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":["E"],¦"Interval":1}]"#,
            r#""Type":"Task","Resource":"r","End":true,"Catch":[{"ErrorEquals":["E"],"Next":"A",¦"x":1}]"#,
            r#""Type":"Map","End":true,"ItemProcessor":{"StartAt":"B",¦"Name":1,"States":{"B":{"Type":"Succeed"}}}"#,
            r#""Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{¦"Modus":1},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}"#,
        ],
    );
    let choice = r#"{"StartAt":"A","States":{"A":{"Type":"Choice","Default":"B","Choices":[{"Variable":"$.a","IsNull":true,¦"StringEqual":"x","Next":"B"}]},"B":{"Type":"Succeed"}}}"#;
    let found = expect(choice, Format::Json, codes::UNKNOWN_FIELD);
    assert_eq!(found.hint.unwrap(), "did you mean `StringEquals`?");
}

#[test]
fn field_not_allowed() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\",¦\"Retry\":[]}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Succeed\n    ¦Retry: []\n";
    let found = both(codes::FIELD_NOT_ALLOWED, "/States/A/Retry", json, yaml);
    assert_eq!(found.hint.unwrap(), "it belongs to Task, Parallel and Map states");
    states(
        codes::FIELD_NOT_ALLOWED,
        &[
            r#""Type":"Succeed",¦"End":true"#,
            r#""Type":"Succeed",¦"Next":"A""#,
            r#""Type":"Succeed",¦"Assign":{}"#,
            r#""Type":"Fail",¦"InputPath":"$""#,
            r#""Type":"Fail",¦"Assign":{}"#,
            r#""Type":"Pass","End":true,¦"Catch":[]"#,
            r#""Type":"Pass","End":true,¦"Resource":"r""#,
            r#""Type":"Pass","End":true,¦"ResultSelector":{}"#,
            r#""Type":"Wait","Seconds":1,"End":true,¦"ResultPath":"$.a""#,
            r#""Type":"Wait","Seconds":1,"End":true,¦"Parameters":{}"#,
            r#""Type":"Task","Resource":"r","End":true,¦"Branches":[]"#,
        ],
    );
    let inner = r#""Type":"Parallel","End":true,"Branches":[{¦"QueryLanguage":"JSONata","StartAt":"B","States":{"B":{"Type":"Succeed"}}}]"#;
    states(codes::FIELD_NOT_ALLOWED, &[inner]);
    let nested = r#"{"StartAt":"A","States":{"A":{"Type":"Choice","Default":"B","Choices":[{"Not":{"Variable":"$.a","IsNull":true,¦"Next":"B"},"Next":"B"}]},"B":{"Type":"Succeed"}}}"#;
    expect(nested, Format::Json, codes::FIELD_NOT_ALLOWED);
}

#[test]
fn field_language() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\",¦\"Output\":{}}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Succeed\n    ¦Output: {}\n";
    both(codes::FIELD_LANGUAGE, "/States/A/Output", json, yaml);
    states(codes::FIELD_LANGUAGE, &[r#""Type":"Task","Resource":"r","End":true,¦"Arguments":{}"#]);
    states_jsonata(
        codes::FIELD_LANGUAGE,
        &[
            r#""Type":"Pass","End":true,¦"Result":1"#,
            r#""Type":"Pass","End":true,¦"InputPath":"$""#,
            r#""Type":"Pass","End":true,¦"Parameters":{}"#,
            r#""Type":"Task","Resource":"r","End":true,¦"ResultPath":null"#,
            r#""Type":"Task","Resource":"r","End":true,¦"TimeoutSecondsPath":"$.a""#,
            r#""Type":"Task","Resource":"r","End":true,"Catch":[{"ErrorEquals":["E"],"Next":"A",¦"ResultPath":"$"}]"#,
            r#""Type":"Fail",¦"ErrorPath":"$.e""#,
        ],
    );
    let choice = r#"{"StartAt":"A","States":{"A":{"Type":"Choice","Default":"B","Choices":[{"Variable":"$.a","IsNull":true,¦"Condition":true,"Next":"B"}]},"B":{"Type":"Succeed"}}}"#;
    expect(choice, Format::Json, codes::FIELD_LANGUAGE);
}

#[test]
fn not_supported() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,"Resource":"r",¦"ManifestType":"S3_INVENTORY"}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Task\n    End: true\n    Resource: r\n    ¦ManifestType: S3_INVENTORY\n";
    both(codes::NOT_SUPPORTED, "/States/A/ManifestType", json, yaml);
}

#[test]
fn value() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":¦\"Sucseed\"}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: ¦Sucseed\n";
    let found = both(codes::VALUE, "/States/A/Type", json, yaml);
    assert_eq!(found.hint.unwrap(), "did you mean `Succeed`?");
    states(
        codes::VALUE,
        &[
            r#""Type":"Pass","End":¦false"#,
            r#""Type":"Pass","End":true,"QueryLanguage":¦"JSONPATH""#,
            r#""Type":"Wait","End":true,"Timestamp":¦"tomorrow""#,
            r#""Type":"Task","End":true,"Resource":"r","Catch":[{"ErrorEquals":["E"],"Next":"A","CountErrors":¦"no"}]"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":["E"],"JitterStrategy":¦"full"}]"#,
        ],
    );
    let version = format!("{{\"Version\":¦\"2.0\",{}", &one(r#""Type":"Succeed""#)[1..]);
    expect(&version, Format::Json, codes::VALUE);
}

#[test]
fn range() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,"Resource":"r","TimeoutSeconds":10,"HeartbeatSeconds":¦10}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Task\n    End: true\n    Resource: r\n    TimeoutSeconds: 10\n    HeartbeatSeconds: ¦10\n";
    both(codes::RANGE, "/States/A/HeartbeatSeconds", json, yaml);
    states(
        codes::RANGE,
        &[
            r#""Type":"Pass","End":true,"Weight":¦-1"#,
            r#""Type":"Wait","End":true,"Seconds":¦-1"#,
            r#""Type":"Wait","End":true,"Seconds":¦100000000"#,
            r#""Type":"Task","End":true,"Resource":"r","TimeoutSeconds":¦0"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":["E"],"IntervalSeconds":¦0}]"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":["E"],"BackoffRate":¦0.9}]"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":["E"],"MaxAttempts":¦-1}]"#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":["E"],"IntervalSeconds":5,"MaxDelaySeconds":¦5}]"#,
            r#""Type":"Map","End":true,"ToleratedFailurePercentage":¦101,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}"#,
        ],
    );
    let machine = format!("{{\"TimeoutSeconds\":¦0,{}", &one(r#""Type":"Succeed""#)[1..]);
    expect(&machine, Format::Json, codes::RANGE);
}

#[test]
fn empty() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Parallel\",\"End\":true,\"Branches\":¦[]}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Parallel\n    End: true\n    Branches: ¦[]\n";
    both(codes::EMPTY, "/States/A/Branches", json, yaml);
    expect("{\"StartAt\":\"A\",\"States\":¦{}}", Format::Json, codes::EMPTY);
    states(
        codes::EMPTY,
        &[
            r#""Type":"Choice","Default":"A","Choices":¦[]"#,
            r#""Type":"Choice","Default":"A","Choices":[{"And":¦[],"Next":"A"}]"#,
            r#""Type":"Pass","End":true,"Title":¦" ""#,
            r#""Type":"Task","End":true,"Resource":¦"""#,
            r#""Type":"Task","End":true,"Resource":"r","Retry":[{"ErrorEquals":¦[]}]"#,
        ],
    );
}

#[test]
fn conflict() {
    let json =
        "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Next\":\"A\",¦\"End\":true}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    Next: A\n    ¦End: true\n";
    both(codes::CONFLICT, "/States/A/End", json, yaml);
    states(
        codes::CONFLICT,
        &[
            r#""Type":"Wait","End":true,"Seconds":1,¦"Timestamp":"2030-01-01T00:00:00Z""#,
            r#""Type":"Wait","End":true,"Seconds":1,¦"SecondsPath":"$.a""#,
            r#""Type":"Task","End":true,"Resource":"r","TimeoutSeconds":1,¦"TimeoutSecondsPath":"$.a""#,
            r#""Type":"Fail","Error":"E",¦"ErrorPath":"$.e""#,
            r#""Type":"Pass","End":true,"Assign":{"x":1,¦"x.$":"$.a"}"#,
            r#""Type":"Map","End":true,¦"Iterator":{},"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}"#,
            r#""Type":"Map","End":true,¦"Parameters":{},"ItemSelector":{},"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}"#,
        ],
    );
    let choice = r#"{"StartAt":"A","States":{"A":{"Type":"Choice","Default":"B","Choices":[{"Variable":"$.a","IsNull":true,¦"IsString":true,"Next":"B"}]},"B":{"Type":"Succeed"}}}"#;
    expect(choice, Format::Json, codes::CONFLICT);
}

#[test]
fn unknown_state() {
    let json = "{\"StartAt\":\"Fetch\",\"States\":{\"Fetch\":{\"Type\":\"Pass\",\"Next\":¦\"Indx\"},\n\"Index\":{\"Type\":\"Succeed\"}}}";
    let yaml = "StartAt: Fetch\nStates:\n  Fetch:\n    Type: Pass\n    Next: ¦Indx\n  Index: {Type: Succeed}\n";
    let found = both(codes::UNKNOWN_STATE, "/States/Fetch/Next", json, yaml);
    assert_eq!(found.hint.unwrap(), "did you mean `Index`?");
    expect(
        "{\"StartAt\":¦\"B\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}",
        Format::Json,
        codes::UNKNOWN_STATE,
    );
    states(
        codes::UNKNOWN_STATE,
        &[
            r#""Type":"Choice","Default":¦"Nowhere","Choices":[{"Variable":"$.a","IsNull":true,"Next":"A"}]"#,
            r#""Type":"Task","End":true,"Resource":"r","Catch":[{"ErrorEquals":["E"],"Next":¦"Nowhere"}]"#,
            // Out of a branch, and into one.
            r#""Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Next":¦"A"}}}]"#,
            r#""Type":"Parallel","Next":¦"B","Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}]"#,
        ],
    );
}

#[test]
fn duplicate_state() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Parallel\",\"End\":true,\"Branches\":[\n{\"StartAt\":\"A\",\"States\":{¦\"A\":{\"Type\":\"Succeed\"}}}]}}}";
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Parallel\n    End: true\n    Branches:\n    - StartAt: A\n      States:\n        ¦A: {Type: Succeed}\n";
    both(codes::DUPLICATE_STATE, "/States/A/Branches/0/States/A", json, yaml);
}

#[test]
fn name() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"End\":true,\"Assign\":{¦\"states\":1}}}}";
    let yaml =
        "StartAt: A\nStates:\n  A:\n    Type: Pass\n    End: true\n    Assign:\n      ¦states: 1\n";
    both(codes::NAME, "/States/A/Assign/states", json, yaml);
    let long = "ä".repeat(81);
    expect(
        &format!("{{\"StartAt\":\"{long}\",\"States\":{{¦\"{long}\":{{\"Type\":\"Succeed\"}}}}}}"),
        Format::Json,
        codes::NAME,
    );
    let most = "ä".repeat(80);
    let good =
        format!("{{\"StartAt\":\"{most}\",\"States\":{{\"{most}\":{{\"Type\":\"Succeed\"}}}}}}");
    assert!(check_json(&good).diagnostics.is_empty());
    states(
        codes::NAME,
        &[
            r#""Type":"Pass","End":true,"Assign":{¦"a-b":1}"#,
            r#""Type":"Pass","End":true,"Assign":{¦"1a.$":"$.x"}"#,
            r#""Type":"Pass","End":true,"Assign":{¦"":1}"#,
        ],
    );
}

#[test]
fn unreachable() {
    let json = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"},\n  ¦\"Index\":{\"Type\":\"Pass\",\"Next\":\"A\"}}}";
    let yaml =
        "StartAt: A\nStates:\n  A: {Type: Succeed}\n  ¦Index:\n    Type: Pass\n    Next: A\n";
    both(codes::UNREACHABLE, "/States/Index", json, yaml);
}

#[test]
fn no_end() {
    let json = "{¦\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Next\":\"B\"},\"B\":{\"Type\":\"Pass\",\"Next\":\"A\"}}}";
    let yaml = "¦StartAt: A\nStates:\n  A: {Type: Pass, Next: B}\n  B: {Type: Pass, Next: A}\n";
    both(codes::NO_END, "/StartAt", json, yaml);
    states(
        codes::NO_END,
        &[
            r#""Type":"Parallel","End":true,"Branches":[{¦"StartAt":"B","States":{"B":{"Type":"Pass","Next":"B"}}}]"#,
        ],
    );
}

#[test]
fn ways_are_judged_although_other_parts_of_the_states_are_faulty() {
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"a b","Next":"A"},"B":{"Type":"Task","Resource":"b c","End":true}}}"#;
    let found = check_json(text).diagnostics;
    let found: Vec<_> = found.iter().map(|d| d.code).collect();
    assert_eq!(found, [codes::NO_END, codes::RESOURCE, codes::UNREACHABLE, codes::RESOURCE]);
}

#[test]
fn ways_are_not_judged_when_some_are_not_known() {
    for a in [
        r#"{"Type":"Tsk","Next":"B"}"#,
        r#"[]"#,
        r#"{"Type":"Choice","Default":"A","Choices":{}}"#,
        r#"{"Type":"Choice","Default":"A","Choices":[{"Variable":"$.a","IsNull":true}]}"#,
        r#"{"Type":"Pass","Next":"C"}"#,
        r#"{"Type":"Pass","End":false}"#,
        r#"{"Type":"Task","Resource":"r","Next":"A","Catch":{}}"#,
    ] {
        let text = format!(r#"{{"StartAt":"A","States":{{"A":{a},"B":{{"Type":"Succeed"}}}}}}"#);
        let found = check_json(&text).diagnostics;
        assert_eq!(found.len(), 1, "{a}: {}", list(&found));
        assert!(![codes::UNREACHABLE, codes::NO_END].contains(&found[0].code), "{a}");
    }
}

#[test]
fn expression() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Choice","Default":"B","Choices":[{"Variable":"$.a","IsNull":¦"x","Next":"B"}]},"B":{"Type":"Succeed"}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Choice\n    Default: B\n    Choices:\n    - Variable: $.a\n      IsNull: ¦x\n      Next: B\n  B: {Type: Succeed}\n";
    both(codes::EXPRESSION, "/States/A/Choices/0/IsNull", json, yaml);
}

#[test]
fn a_fault_inside_an_expression_is_pointed_at_where_it_is() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"Parameters":{"a/b":[{"c.$":"States.Format('é', $.x¦"}]}}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    End: true\n    Parameters:\n      a/b:\n      - c.$: \"States.Format('é', $.x¦\"\n";
    both(codes::EXPRESSION, "/States/A/Parameters/a~1b/0/c.$", json, yaml);
    states(
        codes::EXPRESSION,
        &[
            r#""Type":"Pass","End":true,"InputPath":"$.a[¦""#,
            r#""Type":"Pass","End":true,"InputPath":"¦a""#,
            r#""Type":"Pass","End":true,"ResultPath":¦"$..a""#,
            // Escapes: columns of the value are not columns of the text.
            r#""Type":"Pass","End":true,"InputPath":¦"$.\u0061[""#,
            r#""Type":"Pass","End":true,"Assign":{"a":{"b.$":¦1}}"#,
            r#""Type":"Wait","End":true,"SecondsPath":"¦seconds""#,
            r#""Type":"Fail","ErrorPath":"¦States.Nope()""#,
            r#""Type":"Map","End":true,"ItemsPath":"¦items","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}"#,
        ],
    );
    states_jsonata(
        codes::EXPRESSION,
        &[
            r#""Type":"Pass","End":true,"Output":[{"a":"{% $x + ¦%}"}]"#,
            r#""Type":"Pass","End":true,"Assign":{"a":¦"{% foo %}"}"#,
            r#""Type":"Fail","Cause":¦"{% foo %}""#,
            r#""Type":"Task","Resource":"r","End":true,"Arguments":{"a":¦"{% 10 %"}"#,
            r#""Type":"Pass","End":true,"Output":¦"is {% 10 %}""#,
        ],
    );
}

#[test]
fn resource() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,"Resource":¦"arn:aws:sqs:eu-west-1:123456789012:resize"}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Task\n    End: true\n    Resource: ¦arn:aws:sqs:eu-west-1:123456789012:resize\n";
    let found = both(codes::RESOURCE, "/States/A/Resource", json, yaml);
    assert!(found.hint.unwrap().contains("`resize`"));
    states(
        codes::RESOURCE,
        &[
            r#""Type":"Task","End":true,"Resource":¦"child.sync:2""#,
            r#""Type":"Task","End":true,"Resource":¦"everstep:read""#,
            r#""Type":"Task","End":true,"Resource":¦"${Function}""#,
            r#""Type":"Task","End":true,"Resource":¦"rm -rf x""#,
            r#""Type":"Task","End":true,"Resource":¦"http://host/x""#,
        ],
    );
}

#[test]
fn states_all() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":["E",¦"States.ALL"]}]}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Task\n    Resource: r\n    End: true\n    Retry:\n    - ErrorEquals:\n      - E\n      - ¦States.ALL\n";
    both(codes::STATES_ALL, "/States/A/Retry/0/ErrorEquals/1", json, yaml);
    states(
        codes::STATES_ALL,
        &[
            r#""Type":"Task","Resource":"r","End":true,"Catch":[{"ErrorEquals":[¦"States.ALL"],"Next":"A"},{"ErrorEquals":["E"],"Next":"A"}]"#,
        ],
    );
}

#[test]
fn query_language() {
    let json = r#"{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Succeed","QueryLanguage":¦"JSONPath"}}}"#;
    let yaml = "QueryLanguage: JSONata\nStartAt: A\nStates:\n  A:\n    Type: Succeed\n    QueryLanguage: ¦JSONPath\n";
    both(codes::QUERY_LANGUAGE, "/States/A/QueryLanguage", json, yaml);
}

#[test]
fn too_many() {
    for (text, format) in [
        (
            "{\"a\":1,\"b\":1,\"c\":1,\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}",
            Format::Json,
        ),
        ("a: 1\nb: 1\nc: 1\nStartAt: A\nStates:\n  A: {Type: Succeed}\n", Format::Yaml),
    ] {
        let options = Options { max_diagnostics: 1, ..Options::default() };
        let checked = check(text, format, &options);
        let last = checked.diagnostics.last().unwrap();
        assert_eq!((last.code, last.line, last.column), (codes::TOO_MANY, 1, 1));
        assert_eq!(last.message, "2 more faults are not shown");
        assert!(checked.workflow.is_none());
    }
}

#[test]
fn warnings() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Map","End":true,¦"Iterator":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Map\n    End: true\n    ¦Iterator:\n      StartAt: B\n      States: {B: {Type: Succeed}}\n";
    both(codes::OLD_NAME, "/States/A/Iterator", json, yaml);
    let json = r#"{"StartAt":"A","States":{¦"A":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"B"}]},"B":{"Type":"Succeed"}}}"#;
    let yaml = "StartAt: A\nStates:\n  ¦A:\n    Type: Choice\n    Choices:\n    - {Variable: $.a, IsNull: true, Next: B}\n  B: {Type: Succeed}\n";
    both(codes::NO_DEFAULT, "/States/A", json, yaml);
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":[¦"States.Timout"]}]}}}"#;
    let yaml = "StartAt: A\nStates:\n  A: {Type: Task, Resource: r, End: true, Retry: [{ErrorEquals: [¦States.Timout]}]}\n";
    let found = both(codes::UNKNOWN_ERROR, "/States/A/Retry/0/ErrorEquals/0", json, yaml);
    assert_eq!(found.hint.unwrap(), "did you mean `States.Timeout`?");
    states(
        codes::UNKNOWN_ERROR,
        &[
            r#""Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":[¦"States.ParameterPathFailure"]}]"#,
            r#""Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":["States.ReferencePathConflict",¦"States.ResultPathMatchFailure"]}]"#,
            r#""Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":["States.Runtime",¦"States.IntrinsicFailure"]}]"#,
        ],
    );
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true,"Parameters":{"a":[¦"{% 1 %}"]}}}}"#;
    let yaml = "StartAt: A\nStates:\n  A: {Type: Task, Resource: r, End: true, Parameters: {a: [¦'{% 1 %}']}}\n";
    both(codes::LANGUAGE_MIX, "/States/A/Parameters/a/0", json, yaml);
    states_jsonata(
        codes::LANGUAGE_MIX,
        &[r#""Type":"Task","Resource":"r","End":true,"Arguments":{¦"a.$":"$.a"}"#],
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let text = r#"{
  "StartAt": "A", "Timeout": 3,
  "States": {
    "A": {"Type": "Task", "Resource": "a b", "Retry": [{"ErrorEquals": [], "MaxAttempts": -1}], "Next": "C"},
    "B": {"Type": "Wait", "Seconds": 1, "Timestamp": "x", "End": true}
  }
}"#;
    let checked = check_json(text);
    let found: Vec<_> = checked.diagnostics.iter().map(|d| d.code).collect();
    let expected = [
        codes::UNKNOWN_FIELD,
        codes::RESOURCE,
        codes::EMPTY,
        codes::RANGE,
        codes::UNKNOWN_STATE,
        codes::CONFLICT,
    ];
    assert_eq!(found, expected, "{}", list(&checked.diagnostics));
}

#[test]
fn every_code_is_tested_here_and_explained_in_the_documentation() {
    let tests = concat!(
        include_str!("faults.rs"),
        include_str!("cleanup.rs"),
        include_str!("distributed.rs"),
        include_str!("scope.rs"),
        include_str!("../../aws/tests.rs")
    );
    let documentation = include_str!("../../../../docs/LANGUAGE.md");
    let names = include_str!("../../diagnostic.rs");
    for code in codes::ALL {
        assert!(documentation.contains(&format!("| `{code}` |")), "{code} is not explained");
        let constant = code.split_once('_').unwrap().1;
        assert!(names.contains(&format!("pub const {constant}: &str = \"{code}\"")), "{code}");
        assert!(tests.contains(&format!("codes::{constant}")), "{code} is not tested");
    }
}
