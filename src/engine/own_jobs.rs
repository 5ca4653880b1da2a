//! Job types that are ours: work that decide wants done, and that the shell does.

pub use crate::language::model::RESERVED_JOB_TYPES as PREFIX;

/// Reads the items of a distributed Map from files.
pub const READ_ITEMS: &str = "everstep:read-items";
/// Writes the results of a distributed Map into files.
pub const WRITE_RESULTS: &str = "everstep:write-results";
