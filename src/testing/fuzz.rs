//! The bodies of the fuzz targets in `fuzz/`: bytes from anywhere go in, and what must hold for all
//! of them is asserted. `tests/it/fuzz_bodies.rs` runs them too, without a fuzzer.

use super::generate;
use super::simulate::Simulation;
use crate::engine::Program;
use crate::language::distributed::{CsvDelimiter, InputType, ReaderConfig};
use crate::language::{self, Format};
use crate::store::codec;
use crate::store::frame::Frames;
use crate::worker::files::{self, ReadLimits};

/// Bounds on cutting that an input can reach.
const CUT_LIMITS: ReadLimits = ReadLimits {
    file_bytes: 1 << 16,
    line_bytes: 1 << 10,
    items: 1 << 10,
    result_bytes: 1 << 14,
    entries: 0,
};

/// The most commands of one input, so that an input ends soon.
const MOST_COMMANDS: usize = 300;

/// Bytes of the log: an event or an error, never a panic. What can be read is written and read
/// again as the same.
///
/// # Panics
/// When that does not hold.
pub fn decode_record(data: &[u8]) {
    for frame in Frames::new(data).flatten() {
        if frame.matches(frame.body) {
            decode_event(frame.tag, frame.schema, frame.body);
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
    let value: serde_json::Value = serde_json::from_str(all.as_str()).unwrap_or_default();
    let Some(items) = value.as_array() else {
        unreachable!("the items are no array: {all}");
    };
    assert!(all.len_bytes() <= CUT_LIMITS.result_bytes, "the items are over the limit");
    if config.input_type == Some(InputType::Csv) {
        let keys = |item: &serde_json::Value| {
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
