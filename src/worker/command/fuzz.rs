//! What must hold of anything that a command writes, or that stands in the note of one: a body of
//! the fuzz targets.

use super::leftovers::Leftover;
use super::output;
use super::process::Stat;
use super::protocol::{Line, MAX_MESSAGE_BYTES, parse};
use crate::testing::fuzz::taken;
use crate::worker::registry::{MAX_CAUSE_BYTES, MAX_ERROR_BYTES};

/// Output of commands: the first byte says whether the rest is standard error, standard output, the
/// note of a command that runs, or what the system says of a process. It is understood or taken for
/// text, never a panic; what is understood is within its limits, and no text is lost.
///
/// # Panics
/// When that does not hold.
pub fn worker_output(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    match kind % 4 {
        0 => text.split('\n').for_each(line),
        1 => result(bytes),
        2 => note(&text),
        _ => {
            let _ = Stat::parse(&text);
        }
    }
}

fn line(line: &str) {
    match parse(line) {
        Line::Progress(report) => {
            taken();
            assert!(report.percent.is_none_or(|percent| percent <= 100), "{line:?}");
            let is_kept = |message: &String| {
                (1..=MAX_MESSAGE_BYTES).contains(&message.len())
                    && !message.contains(char::is_control)
            };
            assert!(report.message.as_ref().is_none_or(is_kept), "{line:?}");
            let says_something =
                report.percent.is_some() || report.message.is_some() || report.processed.is_some();
            assert!(says_something, "{line:?}");
        }
        Line::Error { name, cause } => {
            assert!((1..=MAX_ERROR_BYTES).contains(&name.len()), "{line:?}");
            assert!(!name.contains(char::is_whitespace), "{line:?}");
            assert!(line.contains(name) && line.contains(cause), "{line:?}");
        }
        Line::Heartbeat => assert!(line.starts_with("::heartbeat"), "{line:?}"),
        Line::Errors(_) => assert!(line.starts_with("::errors"), "{line:?}"),
        Line::Text(text) => assert_eq!(text, line.strip_suffix('\r').unwrap_or(line)),
    }
}

fn result(bytes: &[u8]) {
    match output::result(bytes) {
        Ok(json) => {
            let value = json.value();
            let again = serde_json::from_str::<serde_json::Value>(&value.to_string());
            assert_eq!(again.ok(), Some(value), "{json}");
        }
        Err(error) => assert!(error.cause().len() <= MAX_CAUSE_BYTES, "{}", error.cause()),
    }
}

fn note(text: &str) {
    let Ok(note) = serde_json::from_str::<Leftover>(text) else { return };
    taken();
    let written = serde_json::to_string(&note).unwrap_or_default();
    assert_eq!(serde_json::from_str(&written).ok(), Some(note), "{text}");
}
