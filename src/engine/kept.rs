//! What a step remembers of the parts of its Parallel or Map: why parts failed, and what others gave
//! when the whole did not succeed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Failure, cut_shared};
use super::id::ExecutionId;
use crate::language::Json;

/// Failures of parts that a step remembers; the others are counted.
pub const MOST_FAILED_PARTS: usize = 100;

/// The most of the cause of a part's failure that is remembered, in bytes.
const MAX_CAUSE_BYTES: usize = 1024;

/// What is remembered of single parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptParts {
    /// The first parts that failed, at most [`MOST_FAILED_PARTS`].
    pub failed: Vec<FailedPart>,
    /// What parts gave that ended well, when the Parallel or Map did not; when it did, this is the
    /// step's result.
    pub outputs: BTreeMap<u32, Json>,
}

/// A part that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedPart {
    /// Which branch, item or batch, from 0.
    pub index: u32,
    /// Why.
    pub failure: Failure,
    /// The execution that it was, in a distributed Map.
    pub child: Option<ExecutionId>,
}

impl KeptParts {
    pub(super) fn note_failure(
        &mut self,
        index: u32,
        failure: &Failure,
        child: Option<ExecutionId>,
    ) {
        if self.failed.len() < MOST_FAILED_PARTS {
            let Failure { error, cause } = failure.clone();
            let failure = Failure { error, cause: cut_shared(cause, MAX_CAUSE_BYTES) };
            self.failed.push(FailedPart { index, failure, child });
        }
    }
}
