//! Job types that are ours: work that decide wants done, and that the shell does.

/// What the names of our job types begin with. No definition may name such a one.
pub const PREFIX: &str = "everstep:";
/// Reads the items of a distributed Map from files.
pub const READ_ITEMS: &str = "everstep:read-items";
/// Writes the results of a distributed Map into files.
pub const WRITE_RESULTS: &str = "everstep:write-results";
