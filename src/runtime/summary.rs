//! What lists show of an execution.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::span::Span;
use crate::engine::catalogue::StartedAs;
use crate::engine::child::{Link, Parent};
use crate::engine::{Execution, ExecutionId, Failure, FrameId, Pauses, Place, Status, Timestamp};
use crate::language::DefinitionHash;
use crate::store::{self, EventStore, Finished, Mishap, NameKey};

/// A row of a list: small, so that rows of ended executions can be kept by the million on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Which execution.
    pub id: ExecutionId,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The version it runs. Rows of older programs have none.
    pub definition: Option<DefinitionHash>,
    /// The place that it needs to run.
    pub place: Option<Place>,
    /// The caller's own name for it.
    pub name: Option<Arc<str>>,
    /// The execution that began it.
    pub parent: Option<Parent>,
    /// Where it stands.
    pub status: Status,
    /// Percent.
    pub progress: u8,
    /// How long it may still take, where there is something to go by.
    #[serde(default)]
    pub seconds_left: Option<u64>,
    /// Failures that were caught or tolerated.
    pub total_errors: u32,
    /// The step it is in.
    pub step: Option<Arc<str>>,
    /// Newest words of a worker.
    pub message: Option<Arc<str>>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Set when it was put aside.
    pub set_aside: Option<Arc<str>>,
    /// The published version and the alias by which it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_as: Option<StartedAs>,
    /// How often it was redriven, and when last. Rows of older programs have none.
    #[serde(default)]
    pub redriven: Option<(u32, Option<Timestamp>)>,
    /// What holds it.
    #[serde(default, skip_serializing_if = "Pauses::is_none")]
    pub pauses: Pauses,
}

/// The key of the name of an execution, if it has one that counts.
pub(super) fn name_key(execution: &Execution) -> Option<NameKey> {
    key_of(&execution.workflow, execution.name.as_deref(), execution.parent.is_some())
}

fn key_of(workflow: &str, name: Option<&str>, has_parent: bool) -> Option<NameKey> {
    // Names that executions give to those they begin may be given again.
    let name = name.filter(|_| !has_parent)?;
    Some(NameKey::of(workflow, name))
}

impl Summary {
    /// The row of `execution`.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        let root = execution.frames.get(&FrameId::ROOT);
        Self {
            id: execution.id,
            workflow: execution.workflow.clone(),
            definition: Some(execution.definition),
            place: execution.place.clone(),
            name: execution.name.clone(),
            parent: execution.parent.clone(),
            status: execution.status,
            progress: execution.progress,
            seconds_left: execution.seconds_left(),
            total_errors: execution.total_errors,
            step: root.and_then(|root| root.state.clone()),
            message: execution.message.clone(),
            failure: execution.failure.clone(),
            started_at: execution.started_at,
            ended_at: execution.ended_at,
            set_aside: execution.set_aside.clone(),
            started_as: execution.started_as.clone(),
            redriven: Some((execution.redrives, execution.redriven_at)),
            pauses: execution.pauses.clone(),
        }
    }

    /// The key of its name, if it has one that counts.
    pub(super) fn name_key(&self) -> Option<NameKey> {
        key_of(&self.workflow, self.name.as_deref(), self.parent.is_some())
    }

    /// As a store keeps it.
    pub(super) fn finished(&self) -> Finished {
        let row = serde_json::to_vec(self).unwrap_or_default();
        Finished { execution: self.id, mishap: Mishap::of(self.status), row }
    }

    /// Back from what a store kept; nothing when that is not a row.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Which executions a list is to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rows {
    /// All but the parts of distributed Maps, of which there may be many thousands.
    #[default]
    Own,
    /// Those that people started, and no other execution.
    Started,
    /// Those that this one began.
    BegunBy(ExecutionId),
    /// Every one.
    All,
}

impl Rows {
    /// The executions that people may mean by a handle.
    pub(super) fn that_may_be(text: &str) -> Self {
        // The newest is the one that was started last, and not what it began.
        if text == "@" { Self::Started } else { Self::All }
    }

    /// Whether a list of them has this row.
    #[must_use]
    pub fn has(self, row: &Summary) -> bool {
        self.has_child_of(row.parent.as_ref())
    }

    /// Whether a list of them has an execution that this one began, or nobody.
    pub(super) fn has_child_of(self, parent: Option<&Parent>) -> bool {
        match (self, parent) {
            (Self::All, _) | (Self::Own | Self::Started, None) => true,
            (Self::Own, Some(parent)) => !matches!(parent.link, Link::Item { .. }),
            (Self::BegunBy(_), None) | (Self::Started, Some(_)) => false,
            (Self::BegunBy(wanted), Some(parent)) => parent.execution == wanted,
        }
    }
}

/// Rows read from the store at once, where not all are wanted.
const PAGE: usize = 1000;

/// Adds the rows that the store keeps to those in memory: the newest first, each execution once, at
/// most `limit`.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn with_finished(
    mut rows: Vec<Summary>,
    store: &dyn EventStore,
    wanted: Rows,
    limit: usize,
) -> Result<Vec<Summary>, store::Error> {
    let span = Span::of_rows(wanted, &rows, store).await?;
    rows.retain(|row| wanted.has(row));
    let (mut kept, mut before) = (0, span.begin(None));
    while kept < limit {
        let page = store.list_finished(before, limit.clamp(1, PAGE)).await?;
        let Some(last) = page.last().map(|finished| finished.execution) else { break };
        before = Some(last);
        let read = page.iter().filter_map(|finished| Summary::from_bytes(&finished.row));
        let fitting: Vec<Summary> = read.filter(|row| wanted.has(row)).collect();
        kept += fitting.len();
        rows.extend(fitting);
        if span.ends_before(last) {
            break;
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    rows.dedup_by(|a, b| a.id == b.id);
    // What is under way is not crowded out by what has ended since.
    let live = rows.iter().filter(|row| row.ended_at.is_none()).count();
    let mut room = limit.saturating_sub(live);
    rows.retain(|row| {
        let stays = row.ended_at.is_none() || room > 0;
        room -= usize::from(stays && row.ended_at.is_some());
        stays
    });
    rows.truncate(limit);
    Ok(rows)
}
