//! Trying again while the server is away.

use std::sync::Arc;

use super::backoff::Backoff;
use super::http::Trouble;
use crate::worker::{BoxFuture, Clock};

/// Tries again, later and later, and tells people when the server goes and comes.
pub(super) struct Retry {
    backoff: Backoff,
    clock: Arc<dyn Clock>,
    /// What cannot be done meanwhile.
    what: &'static str,
}

impl Retry {
    pub(super) fn new(clock: Arc<dyn Clock>, seed: u64, what: &'static str) -> Self {
        Self { backoff: Backoff::new(seed), clock, what }
    }

    /// When to try again after this.
    pub(super) fn after(&mut self, trouble: &Trouble) -> BoxFuture<'static, ()> {
        let (what, is_first) = (self.what, self.backoff.failures() == 0);
        let wait = self.backoff.failed();
        if is_first {
            tracing::warn!(%trouble, ?wait, "the server is away: {what} later, until it answers");
        } else {
            tracing::debug!(%trouble, ?wait, "the server is still away: {what} later");
        }
        self.clock.sleep(wait)
    }

    /// It answered.
    pub(super) fn answered(&mut self) {
        if self.backoff.failures() > 0 {
            tracing::info!(tries = self.backoff.failures(), "the server is back");
        }
        self.backoff.succeeded();
    }
}
