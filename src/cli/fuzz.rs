//! What must hold of any line of an exported log: a body of the fuzz targets.

use super::{moment, ndjson};
use crate::testing::fuzz::taken;

/// Lines of an exported log: an event or an error, never a panic. What can be read is written
/// without its tokens, and that is read and written again as the same.
///
/// # Panics
/// When that does not hold.
pub fn log_lines(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        if let Ok(record) = ndjson::record(line) {
            taken();
            let written = ndjson::line(&record).unwrap_or_default();
            let again = ndjson::record(&written).ok();
            let twice = again.as_ref().map(|again| ndjson::line(again).unwrap_or_default());
            assert_eq!(twice.as_ref(), Some(&written), "of {line}");
        }
    }
}

/// A time span as people type it: a number of milliseconds, or none.
pub(crate) fn span(text: &str) -> Option<u64> {
    moment::span_ms(text)
}
