//! The log page by page, so that memory does not grow with it.

use super::super::fault::Fault;
use super::super::source::Source;
use crate::store::Record;

/// Events read at once.
const READ: usize = 4096;

/// Part of the whole log, read from its first event to its last.
pub(super) struct Pages<'s> {
    source: &'s Source,
    next: u64,
    last: u64,
}

impl<'s> Pages<'s> {
    /// The events from position `from` to `to`, or to what is the end now: what a running engine
    /// adds meanwhile is not waited for.
    pub(super) async fn of(
        source: &'s Source,
        from: u64,
        to: Option<u64>,
    ) -> Result<Self, Box<Fault>> {
        let end = source.last_position().await?;
        Ok(Self { source, next: from.max(1), last: to.map_or(end, |to| to.min(end)) })
    }

    /// The next events, at least one; nothing after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Record>>, Box<Fault>> {
        if self.next > self.last {
            return Ok(None);
        }
        let mut records = self.source.log(self.next, READ).await?;
        let Some(newest) = records.last().map(|record| record.position) else { return Ok(None) };
        self.next = newest.saturating_add(1);
        records.retain(|record| record.position <= self.last);
        Ok((!records.is_empty()).then_some(records))
    }
}
