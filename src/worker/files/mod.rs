//! Files of distributed Maps: where their items come from, and where their results go.
//!
//! ```text
//!   ItemReader    {"Bucket": "incoming", "Key": "day1/items.csv"} ─▶ Buckets ─▶ file ─▶ items
//!   ResultWriter  {"Bucket": "results", "Prefix": "day1"}         ─▶ Buckets ─▶ <folder>/day1/<run>/
//! ```
//!
//! A definition never contains an address. It names buckets and keys, in the words of AWS, and the
//! operator binds each bucket to a folder; see docs/decisions/0007-buckets.md. What the definition
//! says can lead nowhere but into these folders.

use super::registry::JobError;
use crate::engine::EngineLimits;

mod buckets;
mod csv;
mod cut;
mod handler;
mod json;
mod list;
mod results;
mod source;
#[cfg(test)]
mod tests;
mod transform;
mod write;

pub use buckets::{Access, Buckets, MAX_KEY_BYTES};
pub use cut::cut_items;
pub use handler::ReadItems;
pub use results::{ChildResult, ChildStatus};
pub use transform::Transformed;
pub use write::{ResultFiles, check_destination};

/// A Map could not read its items.
pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
/// A Map could not write its results.
pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";

/// The largest file of results, in bytes, unless said otherwise: 1 GiB. A longer list goes on in the
/// next file. AWS cuts at 5 GB; this is what common tools still open.
pub const RESULT_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// How many items are read between two reports of progress, and two looks whether to stop.
const ITEMS_BETWEEN_REPORTS: u64 = 1024;

/// Bounds on reading items, so that no file can use up the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes read of one file. A JSON file is held in memory as a whole; the others are read in
    /// pieces, but what is read has to become one result. Default 64 MiB.
    pub file_bytes: u64,
    /// Bytes of one line of JSONL or one row of CSV, so that a missing line end or quotation mark
    /// is noticed early. Default 1 MiB.
    pub line_bytes: usize,
    /// Items of one Map. Default 1,000,000, as for every Map.
    pub items: u64,
    /// Bytes of all items together, as JSON: they are the result of one job, and in the log. Default
    /// 64 MiB.
    pub result_bytes: usize,
    /// Names of files and folders looked at for one list: with a `Prefix`, more may be looked at
    /// than are listed. Default 1,000,000.
    pub entries: u64,
}

impl ReadLimits {
    /// The defaults, with the limits of the engine on items.
    #[must_use]
    pub fn of(engine: &EngineLimits) -> Self {
        Self {
            file_bytes: 64 * 1024 * 1024,
            line_bytes: 1024 * 1024,
            items: engine.map_items.into(),
            result_bytes: engine.items_bytes,
            entries: 1_000_000,
        }
    }
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self::of(&EngineLimits::default())
    }
}

/// A failure to read, with its cause.
fn unread(cause: impl Into<String>) -> JobError {
    JobError::new(ITEM_READER_FAILED, cause)
}

/// A failure to write, with its cause.
fn unwritten(cause: impl Into<String>) -> JobError {
    JobError::new(RESULT_WRITER_FAILED, cause)
}
