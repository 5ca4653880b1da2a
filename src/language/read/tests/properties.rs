//! What holds for every text.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::language::diagnostic::codes;
use crate::language::{Format, Options, aws, check, graph, parse, render};

/// A definition as YAML, in block style, with texts in JSON's quotes.
fn to_yaml(value: &Value, level: usize, out: &mut String) {
    let indent = "  ".repeat(level);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                out.push_str(&format!("\n{indent}{}:", Value::String(key.clone())));
                to_yaml(field, level + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{indent}-"));
                to_yaml(item, level + 1, out);
            }
        }
        other => out.push_str(&format!(" {other}")),
    }
}

fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~äß€]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zä ]{1,8}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A sound definition: Pass and Wait states in a row.
fn definition() -> impl Strategy<Value = Value> {
    prop::collection::vec(payload(), 1..6).prop_map(|payloads| {
        let count = payloads.len();
        let mut states = Map::new();
        for (index, payload) in payloads.into_iter().enumerate() {
            let mut state = json!({"Type": "Pass", "Comment": "# x: y", "Result": payload});
            if index + 1 == count {
                state["End"] = true.into();
            } else {
                state["Next"] = format!("S {}", index + 1).into();
            }
            states.insert(format!("S {index}"), state);
        }
        json!({"StartAt": "S 0", "States": states})
    })
}

/// Text that looks like a definition, more or less.
fn nearly() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\n",
        " ",
        "  ",
        "- ",
        "&a ",
        "*a",
        "!t ",
        "|",
        ">",
        "'",
        "#",
        "\\",
        "\\u00",
        "StartAt",
        "States",
        "Type",
        "Map",
        "Choice",
        "Choices",
        "Retry",
        "ErrorEquals",
        "ItemProcessor",
        "Iterator",
        "Branches",
        "Assign",
        "Condition",
        "Variable",
        "And",
        "{% $x %}",
        "$.a",
        "1",
        "-1e9",
        "null",
        "true",
        "é",
        "\u{feff}",
        "\r",
        "\t",
        "? ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "<<",
        "~",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..80).prop_map(|w| w.concat())
}

/// A sound definition that has something of everything.
fn seed() -> Value {
    json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "r", "TimeoutSeconds": 9, "Retry": [{"ErrorEquals": ["E"]}],
              "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}], "Assign": {"x.$": "$.a"}, "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$.a", "IsNull": true}], "Next": "C"}], "Default": "C"},
        "C": {"Type": "Map", "ItemsPath": "$.a", "ItemBatcher": {"MaxItemsPerBatch": 1},
              "ItemProcessor": {"StartAt": "D", "States": {"D": {"Type": "Wait", "Seconds": 1, "End": true}}}, "Next": "E"},
        "E": {"Type": "Map", "Label": "l", "Next": "G",
              "ItemReader": {"Resource": "s3:getObject", "Parameters": {"Bucket": "b", "Key.$": "$.k"},
                  "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["h"], "MaxItems": 1}},
              "ResultWriter": {"Resource": "s3:putObject", "Parameters": {"Bucket": "b"}, "WriterConfig": {"OutputType": "JSONL"}},
              "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "F", "States": {"F": {"Type": "Succeed"}}}},
        "G": {"Type": "Task", "Resource": "states:startExecution.sync:2", "Parameters": {"StateMachineArn": "m"}, "End": true}
    }})
}

/// Any change of any value of a sound definition.
fn mutated() -> impl Strategy<Value = String> {
    let seed = seed();
    (any::<prop::sample::Index>(), payload()).prop_map(move |(index, value)| {
        let mut pointers = Vec::new();
        collect(&seed, String::new(), &mut pointers);
        let mut changed = seed.clone();
        if let Some(place) = changed.pointer_mut(index.get(&pointers).as_str()) {
            *place = value;
        }
        changed.to_string()
    })
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                collect(field, format!("{pointer}/{key}"), pointers);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}

/// Everything that can be done with a text is done; places must lie in the text.
fn exercise(text: &str, format: Format) {
    let checked = check(text, format, &Options::default());
    let lines = text.split('\n').count();
    let of_aws = aws::check(text, format, &Options::default());
    for found in checked.diagnostics.iter().chain(&of_aws) {
        assert!(found.line >= 1 && found.line <= lines, "{found} in {text:?}");
        assert!(found.column >= 1 && found.length >= 1, "{found} in {text:?}");
    }
    assert!(render(&checked.diagnostics, text, "file").contains("error"));
    let any_error = checked.diagnostics.iter().any(|d| d.code.starts_with('E'));
    assert_eq!(checked.workflow.is_none(), any_error);
    if let Some(workflow) = checked.workflow {
        assert!(!graph::text(&workflow).is_empty());
        assert!(graph::mermaid(&workflow).starts_with("flowchart"));
        assert!(graph::dot(&workflow).starts_with("digraph"));
        let again = parse(workflow.source.as_str(), Format::Json, &Options::default()).unwrap();
        assert_eq!(again.hash, workflow.hash);
        let exported = aws::export(&workflow, &aws::Account::default()).definition.to_string();
        let mut left = aws::check(&exported, Format::Json, &Options::default());
        // Expressions are left to people.
        left.retain(|found| found.code != codes::AWS_JSONATA);
        assert!(left.is_empty(), "{exported}: {left:#?}");
    }
}

#[test]
fn what_is_changed_is_sound_before() {
    assert!(check(&seed().to_string(), Format::Json, &Options::default()).workflow.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        exercise(&text, Format::Json);
        exercise(&text, Format::Yaml);
    }

    #[test]
    fn text_that_is_nearly_a_definition_never_panics(text in nearly()) {
        exercise(&text, Format::Json);
        exercise(&text, Format::Yaml);
    }

    #[test]
    fn a_definition_with_any_value_changed_never_panics(text in mutated()) {
        exercise(&text, Format::Json);
        exercise(&text, Format::Yaml);
    }

    #[test]
    fn both_spellings_of_a_definition_have_the_same_hash(value in definition()) {
        let options = Options::default();
        let json = serde_json::to_string_pretty(&value).unwrap();
        let mut yaml = String::new();
        to_yaml(&value, 0, &mut yaml);
        let from_json = parse(&json, Format::Json, &options).unwrap();
        let from_block = parse(&yaml, Format::Yaml, &options).unwrap();
        prop_assert_eq!(from_json.hash, from_block.hash, "{}", yaml);
        // JSON is YAML too.
        let from_flow = parse(&json, Format::Yaml, &options).unwrap();
        prop_assert_eq!(from_json.hash, from_flow.hash, "{}", json);
    }
}
