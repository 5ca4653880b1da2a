//! Where in the store rows can stand that a list wants, so that no others are read.
//!
//! Rows are in the order of their ids, and an id begins with the time at which it was made.

use super::page::Filter;
use super::summary::{Rows, Summary};
use crate::engine::{ExecutionId, Timestamp};
use crate::store::{self, EventStore, Finished, Mishap};

/// How long after its id was made an execution begins at the latest, in milliseconds.
const SHORTLY_MS: u64 = 60_000;

/// A part of the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// All ids in it are lower.
    before: Option<ExecutionId>,
    /// All ids in it were made at this moment or later.
    from: Option<Timestamp>,
    /// All in it ended in one of these ways, if there are any here.
    mishaps: Option<Vec<Mishap>>,
}

impl Span {
    /// Where those can be that an execution with this row began.
    ///
    /// The id of such a one is made by a decision of its parent, with the time that its parent's
    /// history has then. That never runs backward, whatever the clock does: so it is not before the
    /// history's first event, nor after its last. The parent's own id is no such bound, as it was
    /// made with the clock alone, which may have been set back before the first event.
    fn of_children(parent: &Summary) -> Self {
        let before = parent.ended_at.map(|ended| ExecutionId::lowest_of(ended.plus_ms(1)));
        Self { before, from: Some(parent.started_at), mishaps: None }
    }

    /// Where those can be that `filter` wants; `parent` has the row of the execution that is to have
    /// begun them, if there is one.
    pub(super) fn of(filter: &Filter, parent: Option<&Summary>) -> Self {
        let children = parent.map(Self::of_children).unwrap_or_default();
        let since = filter.since.map(|since| Timestamp(since.0.saturating_sub(SHORTLY_MS)));
        let ended = filter.statuses.iter().filter(|status| status.is_terminal());
        let mishaps: Option<Vec<Mishap>> = ended.map(|status| Mishap::of(*status)).collect();
        // No status at all means any.
        let mishaps = mishaps.filter(|_| !filter.statuses.is_empty());
        Self { from: children.from.max(since), mishaps, ..children }
    }

    /// Where those can be that `wanted` wants; rows that are not in the store are in `rows`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn of_rows(
        wanted: Rows,
        rows: &[Summary],
        store: &dyn EventStore,
    ) -> Result<Self, store::Error> {
        let Rows::BegunBy(parent) = wanted else { return Ok(Self::default()) };
        if let Some(row) = rows.iter().find(|row| row.id == parent) {
            return Ok(Self::of_children(row));
        }
        let stored = store.find_finished(parent).await?;
        let row = stored.and_then(|finished| Summary::from_bytes(&finished.row));
        Ok(row.as_ref().map(Self::of_children).unwrap_or_default())
    }

    /// Its rows, the newest first, of those older than `before`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn read(
        &self,
        store: &dyn EventStore,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, store::Error> {
        match &self.mishaps {
            None => store.list_finished(before, limit).await,
            Some(mishaps) => store.list_mishaps(mishaps, before, limit).await,
        }
    }

    /// Before which id to begin, of what is older than `before`.
    pub(super) fn begin(&self, before: Option<ExecutionId>) -> Option<ExecutionId> {
        match (self.before, before) {
            (Some(own), Some(before)) => Some(own.min(before)),
            (own, before) => own.or(before),
        }
    }

    /// Whether it has nothing from this id on.
    pub(super) fn ends_before(&self, id: ExecutionId) -> bool {
        self.from.is_some_and(|from| id.made_at().is_some_and(|made| made < from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Execution, Status};

    fn id(ms: u64, random: u8) -> ExecutionId {
        ExecutionId(uuid::Builder::from_unix_timestamp_millis(ms, &[random; 10]).into_uuid())
    }

    fn parent(started: u64, ended: Option<u64>) -> Summary {
        let mut execution = Execution::new(id(9000, 1));
        execution.started_at = Timestamp(started);
        execution.ended_at = ended.map(Timestamp);
        Summary::of(&execution)
    }

    #[test]
    fn children_are_from_their_parent_s_first_event_to_its_last_and_not_from_its_id() {
        let span = Span::of_children(&parent(5000, Some(7000)));
        assert!(!span.ends_before(id(5000, 0)) && span.ends_before(id(4999, 255)));
        let begin = span.begin(None).unwrap();
        assert!(id(7000, 255) < begin && begin < id(7001, 0));
        assert_eq!(span.begin(Some(id(6000, 1))), Some(id(6000, 1)));
        assert_eq!(span.begin(Some(id(8000, 1))), Some(begin));
        let goes_on = Span::of_children(&parent(5000, None));
        assert_eq!((goes_on.begin(None), goes_on.begin(Some(id(9, 1)))), (None, Some(id(9, 1))));
    }

    #[test]
    fn the_later_of_two_bounds_counts() {
        let since = |ms| Filter { since: Some(Timestamp(ms)), ..Filter::default() };
        let from = |filter: &Filter, parent: Option<&Summary>| Span::of(filter, parent).from;
        let parent = parent(100_000, None);
        assert_eq!(from(&since(90_000), None), Some(Timestamp(30_000)));
        assert_eq!(from(&since(90_000), Some(&parent)), Some(Timestamp(100_000)));
        assert_eq!(from(&since(170_000), Some(&parent)), Some(Timestamp(110_000)));
        assert_eq!(from(&Filter::default(), None), None);
    }

    #[test]
    fn only_where_no_plain_completion_is_wanted_are_mishaps_alone_read() {
        let mishaps = |statuses: &[Status]| {
            let filter = Filter { statuses: statuses.to_vec(), ..Filter::default() };
            Span::of(&filter, None).mishaps
        };
        let failed = vec![Mishap::Failed];
        assert_eq!(mishaps(&[Status::Running, Status::Failed]), Some(failed));
        assert_eq!(mishaps(&[Status::Completed, Status::Failed]), None);
        assert_eq!(mishaps(&[]), None);
    }
}
