//! Why something failed, in words that have a limit.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why something failed: the name that Retry and Catch match, and words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error name, as `States.Timeout`.
    pub error: Arc<str>,
    /// What happened.
    pub cause: Arc<str>,
}

/// The most of an error name that is kept, in bytes: the limit of Amazon States Language.
pub const MAX_ERROR_BYTES: usize = 256;

/// The most of a cause that is kept, in bytes: the limit of Amazon States Language.
pub const MAX_CAUSE_BYTES: usize = 32_768;

impl Failure {
    /// The same, with a name and a cause that are not too long. What is told of an execution's
    /// failure is told again in that of its parent, and would grow without end.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            error: cut_shared(self.error, MAX_ERROR_BYTES),
            cause: cut_shared(self.cause, MAX_CAUSE_BYTES),
        }
    }
}

/// Cuts a text that is longer than `limit` bytes, and marks that.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    const MARK: &str = "…";
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub(MARK.len())));
        text.push_str(MARK);
    }
    text
}

/// The same for a text that is shared, and is not copied unless it is cut.
pub(crate) fn cut_shared(text: Arc<str>, limit: usize) -> Arc<str> {
    if text.len() <= limit { text } else { cut(text.to_string(), limit).into() }
}
