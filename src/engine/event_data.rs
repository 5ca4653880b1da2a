//! Data that events record.

use std::sync::Arc;

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

/// A change of an open run of a distributed Map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRunChange {
    /// How many of its executions may be at work at once; what is at work beyond that goes on.
    pub concurrency: u32,
    /// How many of its items may fail; what has failed before is not judged again.
    pub tolerated_failures: u32,
    /// What was asked for.
    pub wish: MapRunWish,
    /// Who asked.
    pub by: Arc<str>,
}

/// What somebody wants to be otherwise in an open run of a distributed Map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MapRunWish {
    /// How many of its executions may be at work at once; 0 is as many as is usual.
    pub concurrency: Option<u32>,
    /// How many of its items may fail. A tolerance that is given takes the place of both.
    pub tolerated_count: Option<u32>,
    /// How many of them, in thousandths of a percent.
    pub tolerated_thousandths: Option<u32>,
}
