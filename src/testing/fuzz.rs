//! The bodies of the fuzz targets in `fuzz/`: bytes from anywhere go in, and what must hold for all
//! of them is asserted. `tests/it/fuzz_bodies.rs` runs them too, without a fuzzer.

use super::generate;
use super::simulate::Simulation;
use crate::engine::Program;
use crate::language::{self, Format};
use crate::store::codec;
use crate::store::frame::Frames;

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
