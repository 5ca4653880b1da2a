//! Lists page by page: the newest first, whatever is under way or has ended, each execution on one
//! page only.
//!
//! Ids begin with the time at which they were made, so "older than this id" is a place in the list
//! that stays where it is while executions come and end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::error::Error;
use super::orchestrator::{Deployed, Orchestrator, Start, check_name};
use super::shards::Request;
use super::span::Span;
use super::summary::{Rows, Summary};
use crate::engine::{Execution, ExecutionId, Status, Timestamp};
use crate::language::{self, Format};
use crate::store::NameKey;

/// Rows read from the store at once.
const READ: usize = 1000;
/// Rows of the store that one page looks at: a filter that hardly anything fits gives short pages,
/// and not a request that takes minutes.
const MOST_READ: usize = 50_000;
/// The most rows of a page.
pub const MOST_ROWS: usize = 1000;

/// Which executions are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// By who began them.
    pub rows: Rows,
    /// In one of these statuses; any when there is none.
    pub statuses: Vec<Status>,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// With this text in the name, handle, id, workflow, step, message or error, whatever the case.
    pub text: Option<String>,
    /// Begun at this moment or later.
    pub since: Option<Timestamp>,
}

impl Filter {
    /// Whether a list of them has this row.
    #[must_use]
    pub fn has(&self, row: &Summary) -> bool {
        self.rows.has(row)
            && (self.statuses.is_empty() || self.statuses.contains(&row.status))
            && self.workflow.as_deref().is_none_or(|workflow| workflow == &*row.workflow)
            && self.since.is_none_or(|since| row.started_at >= since)
            && self.text.as_deref().is_none_or(|text| says(row, &text.to_lowercase()))
    }

    /// Whether it may have executions that have ended: rows of those alone are on disk.
    pub(super) fn has_ended(&self) -> bool {
        self.statuses.is_empty() || self.statuses.iter().any(|status| status.is_terminal())
    }

    /// What [`Filter::has`] says, of an execution that goes on. Its row, which is much to make, is
    /// made only if there is a text to look for.
    pub(super) fn has_live(&self, execution: &Execution) -> bool {
        self.rows.has_child_of(execution.parent.as_ref())
            && (self.statuses.is_empty() || self.statuses.contains(&execution.status))
            && self.workflow.as_deref().is_none_or(|workflow| workflow == &*execution.workflow)
            && self.since.is_none_or(|since| execution.started_at >= since)
            && (self.text.is_none() || self.has(&Summary::of(execution)))
    }
}

/// Whether `text`, in small letters, stands in what people see of the row.
fn says(row: &Summary, text: &str) -> bool {
    let has = |part: &str| part.to_lowercase().contains(text);
    let has_some = |part: &Option<Arc<str>>| part.as_deref().is_some_and(has);
    has(&row.workflow)
        || has_some(&row.name)
        || has_some(&row.step)
        || has_some(&row.message)
        || row.failure.as_ref().is_some_and(|failure| has(&failure.error) || has(&failure.cause))
        || row.id.handle().starts_with(text)
        || row.id.to_string().starts_with(text)
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows, the newest first.
    pub rows: Vec<Summary>,
    /// What follows is older than this one; nothing when this is the end. A page may be short, even
    /// empty, and not the last.
    pub next: Option<ExecutionId>,
}

impl Orchestrator {
    /// A page of the executions that are wanted: those that began before `before`, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be read, or the system has stopped.
    pub async fn page(
        &self,
        filter: Filter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = limit.clamp(1, MOST_ROWS);
        let filter = Arc::new(filter);
        let span = self.span(&filter).await?;
        // What is in memory first: what ends meanwhile is then seen twice, and never missed.
        let ask = |reply| Request::Page { filter: filter.clone(), before, limit, reply };
        let mut rows = self.ask_all(ask).await?.concat();
        let before = span.begin(before);
        let stopped_at = self.add_finished((&filter, &span), before, limit, &mut rows).await?;
        // An execution that ended meanwhile is last as it ended.
        rows.sort_by_key(|row| (std::cmp::Reverse(row.id), row.ended_at.is_none()));
        rows.dedup_by(|a, b| a.id == b.id);
        if let Some(last) = stopped_at {
            rows.retain(|row| row.id >= last);
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|row| row.id) } else { stopped_at };
        Ok(Page { rows, next })
    }

    /// Where in the store those can be that are wanted.
    pub(super) async fn span(&self, filter: &Filter) -> Result<Span, Error> {
        let parent = match filter.rows {
            Rows::BegunBy(parent) => self.rows(&[parent]).await?.pop(),
            Rows::Own | Rows::Started | Rows::All => None,
        };
        Ok(Span::of(filter, parent.as_ref()))
    }

    /// Adds rows of the store; the last one that was looked at, if there may be more to find.
    async fn add_finished(
        &self,
        (filter, span): (&Filter, &Span),
        mut before: Option<ExecutionId>,
        limit: usize,
        rows: &mut Vec<Summary>,
    ) -> Result<Option<ExecutionId>, Error> {
        if !filter.has_ended() {
            return Ok(None);
        }
        let (mut found, mut read) = (0, 0);
        loop {
            // Most often all are wanted, and there is one more than the page has: that is all then.
            let at_once = if read == 0 { limit + 1 } else { READ };
            let page = span.read(&*self.inner.tools.store, before, at_once).await?;
            let Some(last) = page.last().map(|finished| finished.execution) else {
                return Ok(None);
            };
            read += page.len();
            let read_rows = page.iter().filter_map(|finished| Summary::from_bytes(&finished.row));
            let fitting: Vec<Summary> = read_rows.filter(|row| filter.has(row)).collect();
            found += fitting.len();
            rows.extend(fitting);
            if span.ends_before(last) {
                return Ok(None);
            }
            if found > limit || read >= MOST_READ {
                return Ok(Some(last));
            }
            before = Some(last);
        }
    }

    /// Rows of these executions as they stand; those that are not there have none.
    ///
    /// # Errors
    /// As [`Orchestrator::page`].
    pub async fn rows(&self, ids: &[ExecutionId]) -> Result<Vec<Summary>, Error> {
        let mut wanted: BTreeMap<usize, Vec<ExecutionId>> = BTreeMap::new();
        for id in ids {
            wanted.entry(self.inner.tools.shards.index_of(*id)).or_default().push(*id);
        }
        let owners: Vec<usize> = wanted.keys().copied().collect();
        let ask = |shard, reply| {
            let ids = wanted.remove(&shard).unwrap_or_default();
            Request::Rows { ids, reply }
        };
        let mut rows = self.ask_shards(owners, ask).await?.concat();
        let known: HashSet<ExecutionId> = rows.iter().map(|row| row.id).collect();
        for id in ids.iter().filter(|id| !known.contains(id)) {
            let finished = self.inner.tools.store.find_finished(*id).await?;
            rows.extend(finished.and_then(|finished| Summary::from_bytes(&finished.row)));
        }
        Ok(rows)
    }

    /// What deploying a definition would give as things are now.
    ///
    /// # Errors
    /// The faults of the definition, or of the name.
    pub fn would_deploy(&self, name: &str, text: &str, format: Format) -> Result<Deployed, Error> {
        check_name(name)?;
        let workflow = language::parse(text, format, &language::Options::default())
            .map_err(|faults| Error::InvalidDefinition { faults })?;
        let versions = self.versions(name);
        let known = u64::try_from(versions.len()).unwrap_or(u64::MAX);
        let is_new = versions.last() != Some(&workflow.hash);
        let version = known + u64::from(is_new);
        Ok(Deployed { definition: workflow.hash, version, is_new })
    }

    /// The execution of a workflow that was started under a name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find_named(
        &self,
        workflow: &str,
        name: &str,
    ) -> Result<Option<ExecutionId>, Error> {
        self.named(NameKey::of(workflow, name)).await
    }

    /// Whether a start would be taken as things are now.
    ///
    /// # Errors
    /// As [`Orchestrator::start_with`].
    pub async fn can_start(&self, start: &Start) -> Result<(), Error> {
        self.check_open()?;
        if let Some(name) = &start.name {
            check_name(name)?;
            let known = self.named(NameKey::of(&start.workflow, name)).await?;
            if let Some(known) = known {
                match self.stand_in(known, start, name.clone()).await {
                    // It has just gone, so its name is free.
                    Err(Error::Deleted { .. }) => {}
                    stand_in => return stand_in.map(drop),
                }
            }
        }
        self.newest(&start.workflow).map(drop)
    }
}

/// An execution of which a row may be wanted.
pub(super) enum Candidate<'c> {
    /// One that a shard has.
    Live(&'c Execution),
    /// One that has ended, of which the row is left.
    Ended(&'c Summary),
}

impl Candidate<'_> {
    fn id(&self) -> ExecutionId {
        match self {
            Self::Live(execution) => execution.id,
            Self::Ended(row) => row.id,
        }
    }

    fn is_wanted(&self, filter: &Filter) -> bool {
        match self {
            Self::Live(execution) => filter.has_live(execution),
            Self::Ended(row) => filter.has(row),
        }
    }

    fn row(&self) -> Summary {
        match self {
            Self::Live(execution) => Summary::of(execution),
            Self::Ended(row) => (*row).clone(),
        }
    }
}

/// The newest `limit` rows that are wanted, and one more so that it is known whether there are more.
pub(super) fn newest<'c>(
    candidates: impl Iterator<Item = Candidate<'c>>,
    filter: &Filter,
    before: Option<ExecutionId>,
    limit: usize,
) -> Vec<Summary> {
    let mut kept: BTreeMap<ExecutionId, Summary> = BTreeMap::new();
    for candidate in candidates.filter(|one| before.is_none_or(|before| one.id() < before)) {
        // The id alone rules most of many out, and the filter others, before their rows are made.
        let oldest = kept.first_key_value().map(|(oldest, _)| *oldest);
        if kept.len() > limit && oldest.is_some_and(|oldest| candidate.id() < oldest) {
            continue;
        }
        if candidate.is_wanted(filter) {
            kept.insert(candidate.id(), candidate.row());
        }
        if kept.len() > limit + 1 {
            kept.pop_first();
        }
    }
    kept.into_values().rev().collect()
}
