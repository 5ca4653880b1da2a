//! Definitions and their expressions, files of items, commands, and the bytes of the log.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::taken;
use crate::engine::Program;
use crate::language::distributed::{CsvDelimiter, InputType, ReaderConfig};
use crate::language::expression::{
    EvaluationError, Expression, ReferencePath, Scope, Template, TemplateFault,
};
use crate::language::{self, Format};
use crate::store::codec;
use crate::store::frame::{Frames, Piece};
use crate::testing::generate;
use crate::testing::simulate::Simulation;
use crate::worker::files::{self, ReadLimits};

/// Bounds on cutting that an input can reach.
const CUT_LIMITS: ReadLimits = ReadLimits {
    file_bytes: 1 << 16,
    line_bytes: 1 << 10,
    items: 1 << 10,
    result_bytes: 1 << 14,
    entries: 0,
};

/// How long evaluating one template may take; an expression has a limit of one second.
const LONGEST_EVALUATION: Duration = Duration::from_secs(10);

/// The most commands of one input, so that an input ends soon.
const MOST_COMMANDS: usize = 300;

/// Bytes of the log: an event or an error, never a panic. What can be read is written and read
/// again as the same.
///
/// # Panics
/// When that does not hold.
pub fn decode_record(data: &[u8]) {
    for piece in Frames::new(data).flatten() {
        match piece {
            // Whatever the checksum says: chance does not find one.
            Piece::Record(frame) => decode_event(frame.tag, frame.schema, frame.body),
            Piece::Gap(gap, _) => assert!(gap.first <= gap.last, "{gap:?}"),
        }
    }
    if let [t0, t1, s0, s1, body @ ..] = data {
        decode_event(u16::from_le_bytes([*t0, *t1]), u16::from_le_bytes([*s0, *s1]), body);
    }
    if let Ok(execution) = codec::decode_execution(data) {
        let written = codec::encode_execution(&execution);
        let back = written.and_then(|bytes| codec::decode_execution(&bytes));
        assert_eq!(back, Ok(execution));
    }
}

fn decode_event(tag: u16, schema: u16, body: &[u8]) {
    let Ok(event) = codec::decode_body(tag, schema, body) else { return };
    taken();
    let mut bytes = Vec::new();
    let written = codec::encode_body(&event, &mut bytes);
    let back = written.and_then(|(tag, schema)| codec::decode_body(tag, schema, &bytes));
    assert_eq!(back, Ok(event));
}

/// Definitions: a workflow or diagnostics, never a panic. The canonical text of a workflow is a
/// definition with the same hash and the same states.
///
/// # Panics
/// When that does not hold.
pub fn parse_definition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let options = language::Options::default();
    for format in [Format::Json, Format::Yaml] {
        let Ok(workflow) = language::parse(text, format, &options) else { continue };
        taken();
        let again = language::parse(workflow.source.as_str(), Format::Json, &options);
        let again = again.map(|again| (again.hash, again.states.len()));
        assert_eq!(again.ok(), Some((workflow.hash, workflow.states.len())), "{text}");
    }
}

/// Commands in any order against a generated definition: the first byte chooses the definition,
/// each further byte a command. Every rule holds after every command.
///
/// # Panics
/// When one does not.
pub fn command_sequence(data: &[u8]) {
    let Some((first, commands)) = data.split_first() else { return };
    let seed = u64::from(*first);
    let text = generate::definition(seed).to_string();
    let Ok(workflow) = language::parse(&text, Format::Json, &language::Options::default()) else {
        return;
    };
    let mut simulation = Simulation::new(Program::new(workflow), seed);
    let start = simulation.start_command();
    assert_eq!(simulation.give(start), Ok(Ok(())), "{text}");
    taken();
    for (step, byte) in (0_u64..).zip(commands.iter().take(MOST_COMMANDS)) {
        simulation.steer((step << 8) | u64::from(*byte));
        let command = simulation.any_command();
        let outcome = simulation.give(command);
        assert!(outcome.is_ok(), "{outcome:?}\nof {text}");
    }
}

/// Files of items: an array of items or an error, never a panic. The first byte chooses how the file
/// is written, the rest is the file. The items of rows all have the same keys, and fewer items are
/// the beginning of more.
///
/// # Panics
/// When that does not hold.
pub fn cut_items(data: &[u8]) {
    let Some((first, content)) = data.split_first() else { return };
    let config = reader_config(*first);
    let cut = |max_items| {
        let config = ReaderConfig { max_items, ..config.clone() };
        files::cut_items(content, &config, CUT_LIMITS, &mut |_, _| true)
    };
    let Ok(all) = cut(0) else { return };
    taken();
    let value: Value = serde_json::from_str(all.as_str()).unwrap_or_default();
    let Some(items) = value.as_array() else {
        unreachable!("the items are no array: {all}");
    };
    assert!(all.len_bytes() <= CUT_LIMITS.result_bytes, "the items are over the limit");
    if config.input_type == Some(InputType::Csv) {
        let keys = |item: &Value| {
            let fields = item.as_object();
            fields.map(|fields| fields.keys().cloned().collect::<Vec<_>>())
        };
        let first = items.first().map(keys);
        assert!(items.iter().all(|item| Some(keys(item)) == first), "{all}");
    }
    let some = cut(2).map(|some| some.value());
    assert_eq!(some, Ok(items.iter().take(2).cloned().collect()));
}

fn reader_config(choice: u8) -> ReaderConfig {
    let input_type = match choice % 4 {
        0 => InputType::Json,
        1 => InputType::Jsonl,
        _ => InputType::Csv,
    };
    let csv_delimiter = match (choice >> 2) % 8 {
        0 => CsvDelimiter::Pipe,
        1 => CsvDelimiter::Semicolon,
        2 => CsvDelimiter::Space,
        3 => CsvDelimiter::Tab,
        _ => CsvDelimiter::Comma,
    };
    let headers = vec!["a".to_owned(), "b".to_owned(), String::new()];
    ReaderConfig {
        input_type: Some(input_type),
        csv_headers: (choice % 4 == 3).then_some(headers),
        csv_delimiter,
        items_pointer: (choice >= 128).then(|| "/a/0".to_owned()),
        max_items: 0,
    }
}

/// JSONPath: a path or a fault, then a value or an error, twice the same; never a panic.
///
/// # Panics
/// When that does not hold.
pub fn json_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(path) = Expression::path(text) {
        evaluate_twice(text, |scope| path.evaluate(scope));
    }
}

/// Intrinsic functions: a call or a fault, then a value or an error, twice the same; never a panic.
///
/// # Panics
/// When that does not hold.
pub fn intrinsic_call(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(call) = Expression::path_or_intrinsic(text) {
        evaluate_twice(text, |scope| call.evaluate(scope));
    }
    evaluate_template(&json!({"deep": [{"call.$": text}], "text": text}), Template::json_path);
}

/// JSONata: a template, or the text of one expression, is refused or evaluated within its limits of
/// time, depth and size; never a panic.
///
/// # Panics
/// When that does not hold.
pub fn jsonata_template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let template = serde_json::from_str(text)
        .unwrap_or_else(|_| json!({"deep": [format!("{{%{text}%}}")], "text": text}));
    evaluate_template(&template, Template::jsonata);
}

/// Reference paths: the first line is the path, the rest the document. What is written there can be
/// read there; a document that the path does not fit stays as it was.
///
/// # Panics
/// When that does not hold.
pub fn reference_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, document) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(path) = ReferencePath::parse(text) else { return };
    let Ok(before) = serde_json::from_str::<Value>(document) else { return };
    let written = json!({"written": [1]});
    let mut after = before.clone();
    match path.write(&mut after, written.clone()) {
        Ok(()) => {
            taken();
            let read = Expression::path(text).map(|path| with_scope(&after, |s| path.evaluate(s)));
            assert_eq!(read, Ok(Ok(written)), "{text}");
            let again = serde_json::from_str::<Value>(&after.to_string());
            assert_eq!(again.ok(), Some(after), "{text}");
        }
        Err(_) => assert_eq!(after, before, "{text}"),
    }
}

fn evaluate_template(template: &Value, read: fn(&Value) -> Result<Template, Vec<TemplateFault>>) {
    let Ok(template) = read(template) else { return };
    let template = template.in_field("Output");
    #[expect(clippy::disallowed_methods, reason = "what takes too long is a fault")]
    let begun = Instant::now();
    evaluate_twice("a template", |scope| template.evaluate(scope));
    assert!(begun.elapsed() < LONGEST_EVALUATION, "it took {:?}", begun.elapsed());
}

/// Evaluates something twice on a fixed document. A value can be written and read back.
fn evaluate_twice(text: &str, evaluate: impl Fn(&Scope<'_>) -> Result<Value, EvaluationError>) {
    let input = json!({
        "a": {"b": [1, 2.5, -3, null], "c d": "x y", "e": {"f": true}},
        "items": [{"n": 1, "tag": "u"}, {"n": 2, "tag": "v"}, {"n": 3}],
        "text": "ü,b,c", "json": "{\"k\": [1]}", "zero": 0, "none": null
    });
    let first = with_scope(&input, &evaluate);
    let second = with_scope(&input, &evaluate);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            taken();
            assert_eq!(first, second, "{text} gives two values");
            let again = serde_json::from_str::<Value>(&first.to_string());
            assert_eq!(again.ok(), Some(first), "{text} gives what cannot be read back");
        }
        // One of two slow evaluations may run out of time.
        (Err(error), _) | (_, Err(error)) => assert!(!error.cause.is_empty(), "{text}"),
    }
}

fn with_scope<T>(input: &Value, ask: impl FnOnce(&Scope<'_>) -> T) -> T {
    let context = json!({"Execution": {"Id": "e"}, "Map": {"Item": {"Index": 0}}});
    let (result, error) = (json!({"ok": [1, 2]}), json!({"Error": "E", "Cause": "c"}));
    let mut variables = Map::new();
    variables.insert("v".to_owned(), json!({"x": [1, 2, 3]}));
    ask(&Scope {
        input,
        context: &context,
        variables: &variables,
        result: Some(&result),
        error_output: Some(&error),
        now_ms: 1_457_920_740_007,
        seed: 7,
    })
}
