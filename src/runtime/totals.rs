//! How many executions there are of those that a list shows, by workflow and status.
//!
//! Those in memory are all counted. Of those that have ended and are on disk only the newest are
//! read, so that a count never takes longer than that: where there are more, it says so.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::ended::EndedRows;
use super::error::Error;
use super::orchestrator::Orchestrator;
use super::page::Filter;
use super::shards::Request;
use super::span::Span;
use super::summary::{Rows, Summary};
use crate::engine::{Execution, ExecutionId, Status, Timestamp};
use crate::store::{self, EventStore};

/// Rows read from the store at once.
const READ: usize = 1000;
/// Rows of the store that one count looks at.
const MOST_READ: usize = 10_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How many executions there are of each status.
pub type ByStatus = BTreeMap<&'static str, u64>;

/// How many executions there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// By workflow, and of each by status; what there is none of is not in it.
    pub workflows: BTreeMap<Arc<str>, ByStatus>,
    /// Whether these are all. If not there are at least so many, the newest; of those that have not
    /// ended these are all in any case.
    pub is_exact: bool,
    /// How long those that completed took, in milliseconds: the middle one, by workflow.
    pub middle_ms: BTreeMap<Arc<str>, u64>,
}

impl Totals {
    /// All workflows together.
    #[must_use]
    pub fn by_status(&self) -> ByStatus {
        let mut all = ByStatus::new();
        for (status, count) in self.workflows.values().flatten() {
            *all.entry(status).or_default() += count;
        }
        all
    }
}

/// What a shard has in memory of them.
#[derive(Debug, Default)]
pub(super) struct InMemory {
    workflows: BTreeMap<Arc<str>, ByStatus>,
    /// How long those that completed took, by workflow.
    took_ms: BTreeMap<Arc<str>, Vec<u64>>,
    /// Those of which the store may have a row as well: it is older, or the same.
    also_stored: HashSet<ExecutionId>,
}

impl InMemory {
    /// Counts what a shard has: executions, and rows of those that ended.
    pub(super) fn count<'s>(
        live: impl Iterator<Item = &'s Execution>,
        ended: &EndedRows,
        filter: &Filter,
    ) -> Self {
        let mut counted = Self::default();
        let mut also_live = HashSet::new();
        for execution in live {
            if execution.redrives > 0 || execution.deleted.is_some() {
                also_live.insert(execution.id);
            }
            if execution.deleted.is_none() && filter.has_live(execution) {
                counted.add(&execution.workflow, execution.status);
            }
        }
        for row in ended.all() {
            if !also_live.contains(&row.id) && filter.has(row) {
                counted.add_ended(row);
            }
            counted.also_stored.insert(row.id);
        }
        counted.also_stored.extend(also_live);
        counted
    }

    fn add(&mut self, workflow: &Arc<str>, status: Status) {
        let of_workflow = match self.workflows.get_mut(workflow) {
            Some(known) => known,
            None => self.workflows.entry(workflow.clone()).or_default(),
        };
        *of_workflow.entry(status.as_str()).or_default() += 1;
    }

    fn add_ended(&mut self, row: &Summary) {
        self.add(&row.workflow, row.status);
        let is_completed = matches!(row.status, Status::Completed | Status::CompletedWithErrors);
        if let Some(ended) = row.ended_at.filter(|_| is_completed) {
            let took = ended.ms_since(row.started_at);
            self.took_ms.entry(row.workflow.clone()).or_default().push(took);
        }
    }

    fn merge(&mut self, other: Self) {
        for (workflow, counts) in other.workflows {
            let of_workflow = self.workflows.entry(workflow).or_default();
            for (status, count) in counts {
                *of_workflow.entry(status).or_default() += count;
            }
        }
        for (workflow, took) in other.took_ms {
            self.took_ms.entry(workflow).or_default().extend(took);
        }
        self.also_stored.extend(other.also_stored);
    }

    fn totals(self, is_exact: bool) -> Totals {
        let middle = |(workflow, took)| Some((workflow, middle(took)?));
        let middle_ms = self.took_ms.into_iter().filter_map(middle).collect();
        Totals { workflows: self.workflows, is_exact, middle_ms }
    }

    /// Counts rows of the store, too; whether these were all.
    async fn add_finished(
        &mut self,
        store: &dyn EventStore,
        (filter, span): (&Filter, &Span),
        asked_at: Timestamp,
    ) -> Result<bool, store::Error> {
        if !filter.has_ended() {
            return Ok(true);
        }
        let (mut before, mut read) = (span.begin(None), 0);
        loop {
            let page = span.read(store, before, READ).await?;
            let Some(last) = page.last().map(|finished| finished.execution) else {
                return Ok(true);
            };
            if read >= MOST_READ {
                return Ok(false);
            }
            let rows = page.iter().filter_map(|finished| Summary::from_bytes(&finished.row));
            for row in rows.filter(|row| filter.has(row)) {
                // What ended meanwhile was counted as what it was before.
                let is_counted = row.ended_at.is_some_and(|ended| ended > asked_at);
                if !is_counted && !self.also_stored.contains(&row.id) {
                    self.add_ended(&row);
                }
            }
            if span.ends_before(last) {
                return Ok(true);
            }
            read += page.len();
            before = Some(last);
        }
    }
}

/// The one in the middle; of two the later.
fn middle(mut times: Vec<u64>) -> Option<u64> {
    let place = times.len() / 2;
    (place < times.len()).then(|| *times.select_nth_unstable(place).1)
}

impl Orchestrator {
    /// How many executions there are of those that fit. Reads at most 10,000 rows from disk, the
    /// newest: see [`Totals::is_exact`].
    ///
    /// # Errors
    /// The store cannot be read, or the system has stopped.
    pub async fn totals(&self, filter: Filter) -> Result<Totals, Error> {
        let filter = Arc::new(filter);
        let span = self.span(&filter).await?;
        let asked_at = self.inner.tools.clock.now();
        let mut counted = InMemory::default();
        let ask = |reply| Request::Total { filter: filter.clone(), reply };
        for of_shard in self.ask_all(ask).await? {
            counted.merge(of_shard);
        }
        let store = &*self.inner.tools.store;
        let is_exact = counted.add_finished(store, (&filter, &span), asked_at).await?;
        Ok(counted.totals(is_exact))
    }

    /// How many executions that no other began have begun in the last 24 hours.
    ///
    /// # Errors
    /// As [`Orchestrator::totals`].
    pub async fn totals_of_last_day(&self) -> Result<Totals, Error> {
        let now = self.inner.tools.clock.now();
        let since = Some(Timestamp(now.0.saturating_sub(DAY_MS)));
        self.totals(Filter { rows: Rows::Started, since, ..Filter::default() }).await
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::{Checkpoint, Finished, MemoryStore};

    fn finished(number: usize, status: Status, ended_at: u64) -> Finished {
        let mut execution = Execution::new(ExecutionId(Uuid::from_u128(number as u128)));
        execution.workflow = "many".into();
        execution.status = status;
        execution.ended_at = Some(Timestamp(ended_at));
        Summary::of(&execution).finished()
    }

    async fn store_with(finished: Vec<Finished>) -> MemoryStore {
        let store = MemoryStore::new();
        store.acquire().await.unwrap();
        let checkpoint = Checkpoint { finished, ..Checkpoint::default() };
        store.write_checkpoint(checkpoint).await.unwrap();
        store
    }

    #[tokio::test]
    async fn of_what_has_ended_the_newest_ten_thousand_are_counted_and_more_are_told_as_more() {
        let any = Filter::default();
        for (there, counted, is_exact) in [(10_000, 10_000, true), (10_001, 10_000, false)] {
            let rows = (0..there).map(|number| finished(number, Status::Failed, 5)).collect();
            let store = store_with(rows).await;
            let mut all = InMemory::default();
            let was_exact = all.add_finished(&store, (&any, &Span::default()), Timestamp(9)).await;
            assert_eq!(was_exact.unwrap(), is_exact, "{there}");
            assert_eq!(all.workflows["many"], ByStatus::from([("failed", counted)]));
        }
    }

    #[tokio::test]
    async fn of_those_that_completed_the_middle_time_is_told_and_what_goes_on_needs_no_disk() {
        let any = Filter::default();
        let rows = [(1, 30), (2, 10), (3, 20)].map(|(id, at)| finished(id, Status::Completed, at));
        let failed = finished(4, Status::Failed, 900);
        let store = store_with(rows.into_iter().chain([failed]).collect()).await;
        let mut all = InMemory::default();
        assert!(all.add_finished(&store, (&any, &Span::default()), Timestamp(999)).await.unwrap());
        assert_eq!(all.totals(true).middle_ms["many"], 20);
        let running = Filter { statuses: vec![Status::Running], ..Filter::default() };
        let mut none = InMemory::default();
        assert!(
            none.add_finished(&store, (&running, &Span::default()), Timestamp(999)).await.unwrap()
        );
        assert!(none.also_stored.is_empty() && none.workflows.is_empty());
    }

    #[tokio::test]
    async fn what_a_shard_has_counted_is_not_counted_again_from_the_store() {
        let any = Filter::default();
        let rows = [(1, 5), (2, 5), (3, 10)].map(|(id, at)| finished(id, Status::Cancelled, at));
        let store = store_with(rows.to_vec()).await;
        // One that goes on again, and one that ended after it was counted as it was.
        let mut redriven = Execution::new(ExecutionId(Uuid::from_u128(2)));
        redriven.workflow = "many".into();
        redriven.redrives = 1;
        redriven.status = Status::Running;
        let mut all = InMemory::count([&redriven].into_iter(), &EndedRows::default(), &any);
        assert!(all.add_finished(&store, (&any, &Span::default()), Timestamp(9)).await.unwrap());
        assert_eq!(all.workflows["many"], ByStatus::from([("cancelled", 1), ("running", 1)]));
    }
}
