//! What the server counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of requests.
#[derive(Debug, Default)]
pub(in crate::server) struct Counts {
    /// By the first digit of their status, from 1.
    by_class: [AtomicU64; 5],
    /// Connections that were turned away because there were too many.
    pub(super) turned_away: AtomicU64,
    /// Connections that are open.
    pub(super) connections: AtomicU64,
}

impl Counts {
    pub(super) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(count) = self.by_class.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests by class, as `2xx`.
    pub(super) fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        names.into_iter().zip(self.by_class.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}
