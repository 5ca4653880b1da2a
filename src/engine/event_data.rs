//! Data that events record.

use serde::{Deserialize, Serialize};

use crate::language::Json;

/// Data that an event records. What the fold already holds is not written again, so a large input
/// that passes through ten states costs its bytes once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// What the frame holds: of an entered state the last state's output, else the state's input.
    Kept,
    /// The result that the state's job, branches or items gave.
    Result,
    /// New data.
    New(Json),
}

/// A part of a Parallel or Map that is not done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPart {
    /// Which branch, item or batch, from 0.
    pub index: u32,
    /// Its output: `Kept` stays with the execution that was this part.
    pub output: Data,
    /// Failures that were caught or tolerated in it.
    pub errors: u32,
}
