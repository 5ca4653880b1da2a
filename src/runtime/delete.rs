//! Deleting executions that have ended: which go together, and how each is deleted, by a running
//! engine or without one.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::builder::milliseconds;
use super::clock::Clock;
use super::committer::{Accepted, Release, Unit, Wish};
use super::error::Error;
use super::orchestrator::Orchestrator;
use super::read::{read_execution, read_whole};
use super::shard::{Reply, Shard};
use super::shards::{Note, Request};
use super::slot::Slot;
use super::summary::{Rows, Summary};
use crate::engine::{
    Command, DecisionInput, EngineLimits, Event, Execution, ExecutionId, Link, Mint, Program,
    Rejection, Status, decide,
};
use crate::language::{self, Format};
use crate::store::{Appended, Compacted, Compaction, Epoch, EventStore, Record, Transition};

/// Executions that are deleted at the same time, so that they share commits.
const AT_ONCE: usize = 64;
/// How often an execution is looked at again that changed just before it was to be deleted.
const LOOKS: u32 = 3;

/// How often executions are looked for that are older than retention keeps them.
const RETENTION_LOOK: Duration = Duration::from_hours(1);

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// Who asks, for the log.
    pub by: String,
    /// Why, for the log.
    pub reason: Option<String>,
    /// Whether executions that a Task began go too. The parts of distributed Maps always do.
    pub children: bool,
    /// Whether only to say what would be deleted.
    pub dry_run: bool,
}

/// What became of an execution that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Which was named.
    pub execution: ExecutionId,
    /// All that were deleted, or would be: those that others began before these.
    pub deleted: Vec<ExecutionId>,
    /// Executions that they began and that stay.
    pub kept: Vec<Kept>,
    /// Why nothing, or not all of it, was deleted.
    pub refusal: Option<Refused>,
}

/// An execution that stays although the one that began it was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Which.
    pub execution: ExecutionId,
    /// Where it stands.
    pub status: Status,
}

/// Why an execution was not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The stable code.
    pub code: String,
    /// In words.
    pub message: String,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string() }
    }
}

/// What goes with an execution.
#[derive(Default)]
struct Plan {
    /// Those that others began after these.
    going: Vec<ExecutionId>,
    kept: Vec<Kept>,
}

impl Plan {
    /// Finds out what goes with `root`, and whether it may go.
    async fn of(store: &dyn EventStore, root: ExecutionId, children: bool) -> Result<Self, Error> {
        let (execution, records) = read_whole(store, root).await?;
        execution.permits_delete()?;
        refuse_needed(store, &execution).await?;
        let mut plan = Self { going: vec![root], kept: Vec::new() };
        let mut open: Vec<(ExecutionId, bool)> = begun_by(&records).collect();
        while let Some((id, is_part)) = open.pop() {
            let (child, records) = match read_whole(store, id).await {
                Ok(read) => read,
                // It never began, or is gone already.
                Err(Error::NoSuchExecution { .. } | Error::Deleted { .. }) => continue,
                Err(error) => return Err(error),
            };
            if child.status.is_terminal() && (is_part || children) {
                plan.going.push(id);
                open.extend(begun_by(&records));
            } else {
                plan.kept.push(Kept { execution: id, status: child.status });
            }
        }
        plan.going.reverse();
        Ok(plan)
    }
}

/// The executions that one began, and whether they are parts of a distributed Map of it.
fn begun_by(records: &[Record]) -> impl Iterator<Item = (ExecutionId, bool)> + '_ {
    records.iter().filter_map(|record| match &*record.event {
        Event::ItemStarted(body) => Some((body.child, true)),
        Event::JobScheduled(body) => body.child.as_ref().map(|child| (child.execution, false)),
        _ => None,
    })
}

/// Refuses an execution that the one that began it may still look at.
async fn refuse_needed(store: &dyn EventStore, execution: &Execution) -> Result<(), Error> {
    let Some(parent) = &execution.parent else { return Ok(()) };
    let above = match read_execution(store, parent.execution).await {
        Ok(above) => above,
        Err(Error::NoSuchExecution { .. } | Error::Deleted { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let id = execution.id;
    let is_needed = match &parent.link {
        // Its results are read again from it.
        Link::Item { .. } => true,
        Link::Job(_) | Link::Begun(_) => {
            let is_child = |child: &crate::engine::Child| child.execution == id;
            above.jobs.values().any(|job| job.child.as_ref().is_some_and(is_child))
                || above.leaving.contains_key(&id)
        }
    };
    if is_needed {
        return Err(Error::NeededByParent { execution: id, parent: above.id });
    }
    Ok(())
}

/// A program for a decision that looks at none: an execution can be deleted whose definition is lost.
fn any_program() -> Option<Arc<Program>> {
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#;
    let workflow = language::parse(text, Format::Json, &language::Options::default()).ok()?;
    Some(Arc::new(Program::new(workflow)))
}

impl Orchestrator {
    /// Deletes an execution that has ended, with the parts of its distributed Maps. On return that is
    /// durable; the bytes are given back in the background.
    ///
    /// # Errors
    /// There is no such execution, it has not ended, or the one that began it still needs it.
    pub async fn delete(&self, execution: ExecutionId, wish: &Delete) -> Result<Deleted, Error> {
        let plan = Plan::of(self.store(), execution, wish.children).await?;
        let mut deleted =
            Deleted { execution, deleted: Vec::new(), kept: plan.kept, refusal: None };
        if wish.dry_run {
            deleted.deleted = plan.going;
            return Ok(deleted);
        }
        // The one that was named is the last: what it began is never left without it.
        for some in chunks(&plan.going) {
            let deleting: Vec<_> = some
                .iter()
                .map(|id| {
                    let (this, wish, id) = (self.clone(), wish.clone(), *id);
                    self.tools()
                        .tasks
                        .spawn(async move { this.delete_one(id, &wish).await.map(|()| id) })
                })
                .collect();
            for one in deleting {
                match one.await.map_err(|_| Error::Stopping)? {
                    Ok(id) => deleted.deleted.push(id),
                    // Somebody else deleted one of those that it began.
                    Err(Error::Deleted { execution: id, .. }) if id != execution => {}
                    Err(Error::Rejected(Rejection::Deleted { .. })) if some != [execution] => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.compact_later().await;
        Ok(deleted)
    }

    async fn delete_one(&self, id: ExecutionId, wish: &Delete) -> Result<(), Error> {
        let mut last = Error::Stopping;
        for _ in 0..LOOKS {
            let execution = Box::new(read_execution(self.store(), id).await?);
            self.check_expected(&execution)?;
            execution.permits_delete()?;
            let command = command(wish);
            let ask = |reply| Request::Delete { execution, command, reply };
            match self.ask(id, ask).await? {
                Ok(_) => return Ok(()),
                Err(error @ Error::Changed { .. }) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Deletes several, each as [`Orchestrator::delete`] does; what is refused does not keep the
    /// others.
    pub async fn delete_all(&self, executions: &[ExecutionId], wish: &Delete) -> Vec<Deleted> {
        let mut all = Vec::with_capacity(executions.len());
        for some in executions.chunks(AT_ONCE) {
            let deleting: Vec<_> = some
                .iter()
                .map(|id| {
                    let (this, wish, id) = (self.clone(), wish.clone(), *id);
                    let delete = async move { this.delete(id, &wish).await };
                    (id, self.tools().tasks.spawn(delete))
                })
                .collect();
            for (id, one) in deleting {
                let deleted = one.await.unwrap_or(Err(Error::Stopping));
                all.push(deleted.unwrap_or_else(|error| refused(id, error)));
            }
        }
        all
    }

    /// Takes away all that is deleted, and tombstones from before a moment; waits for the end.
    ///
    /// # Errors
    /// The log is damaged there, or cannot be written.
    pub async fn compact(&self, compaction: Compaction) -> Result<Compacted, Error> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.wish(Wish { compaction, reply: Some(reply) }).await?;
        self.answer(answer).await?
    }

    /// Has what was deleted taken away when nothing else is to be written.
    async fn compact_later(&self) {
        // Whoever stops meanwhile does it at the next start.
        drop(self.wish(Wish { compaction: Compaction::default(), reply: None }).await);
    }

    async fn wish(&self, wish: Wish) -> Result<(), Error> {
        let unit = Unit { transition: None, releases: vec![Release::Compact(wish)] };
        self.send(unit).await
    }
}

impl Orchestrator {
    /// Sees to it, while the system is held, that executions are deleted so long after their end.
    pub(super) fn keep_no_longer_than(&self, retention: Option<Duration>) {
        let Some(retention_ms) = retention.map(milliseconds) else { return };
        let (inner, clock) = (self.downgrade(), self.clock());
        let keep = async move {
            loop {
                let Some(system) = Self::upgrade(&inner) else { return };
                if let Err(error) = system.delete_old(retention_ms).await {
                    tracing::warn!(code = error.code(), %error, "old executions are not deleted");
                }
                drop(system);
                clock.sleep(RETENTION_LOOK).await;
            }
        };
        drop(self.tools().tasks.spawn(keep));
    }

    async fn delete_old(&self, retention_ms: u64) -> Result<(), Error> {
        let before = self.clock().now().0.saturating_sub(retention_ms);
        let rows = self.list_rows(Rows::Own, usize::MAX).await?;
        let is_old = |row: &&Summary| row.ended_at.is_some_and(|ended| ended.0 < before);
        let old: Vec<ExecutionId> = rows.iter().filter(is_old).map(|row| row.id).collect();
        if old.is_empty() {
            return Ok(());
        }
        let reason = Some("it ended longer ago than retention keeps it".to_owned());
        let wish = Delete { by: "retention".to_owned(), reason, ..Delete::default() };
        let outcomes = self.delete_all(&old, &wish).await;
        let deleted: usize = outcomes.iter().map(|outcome| outcome.deleted.len()).sum();
        tracing::info!(deleted, "deleted old executions");
        Ok(())
    }
}

/// Groups of executions that are deleted at the same time; the last stands alone.
fn chunks(going: &[ExecutionId]) -> impl Iterator<Item = &[ExecutionId]> {
    let (last, rest) = match going.split_last() {
        Some((last, rest)) => (std::slice::from_ref(last), rest),
        None => (&[][..], &[][..]),
    };
    rest.chunks(AT_ONCE).chain(std::iter::once(last))
}

fn command(wish: &Delete) -> Command {
    let (by, reason) = (wish.by.as_str().into(), wish.reason.as_deref().map(Arc::from));
    Command::DeleteExecution { by, reason }
}

fn refused(execution: ExecutionId, error: Error) -> Deleted {
    let refusal = Some(error.into());
    Deleted { execution, deleted: Vec::new(), kept: Vec::new(), refusal }
}

impl Shard {
    /// Deletes an execution that is no longer in memory, as `execution` says that it stands.
    pub(super) fn delete(&mut self, execution: Box<Execution>, command: Command, reply: Reply) {
        let id = execution.id;
        if let Err(error) = self.may_delete(&execution) {
            return drop(reply.send(Err(error)));
        }
        let program = self.tools.definitions.program(execution.definition).or_else(any_program);
        let mut slot = Slot::new(*execution, program);
        let first_sequence = slot.execution.sequence + 1;
        let events = match slot.decide(&self.tools, self.tools.clock.now(), command) {
            Ok(Some(events)) => events,
            Ok(None) => return drop(reply.send(Err(Error::Changed { execution: id }))),
            Err(rejection) => return drop(reply.send(Err(rejection.into()))),
        };
        let accepted = Accepted { execution: id, sequence: slot.execution.sequence };
        // Until the tombstone is durable, the slot shows others that it is on its way.
        self.slots.insert(id, slot);
        let releases =
            vec![Release::Accepted(reply, accepted), Release::Note(id, Note::Deleted(id))];
        self.hand_on_events(id, first_sequence, events, releases);
    }

    fn may_delete(&self, execution: &Execution) -> Result<(), Error> {
        let id = execution.id;
        if let Some(slot) = self.slots.get(&id) {
            let command = "to delete";
            if slot.execution.deleted.is_some() {
                return Err(Rejection::Deleted { command }.into());
            }
            slot.execution.permits_delete()?;
            return Err(Error::Changed { execution: id });
        }
        // Of what is not in memory all events are durable, so the store knows its end.
        if self.tools.store.last_sequence(id.0)? != execution.sequence {
            return Err(Error::Changed { execution: id });
        }
        Ok(())
    }
}

/// A log that no engine runs on, and whose only writer this is: nothing goes on in it but what is
/// asked for.
pub struct Janitor {
    store: Arc<dyn EventStore>,
    epoch: Epoch,
    clock: Arc<dyn Clock>,
}

impl Janitor {
    /// Takes the log over.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn open(store: Arc<dyn EventStore>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let epoch = store.acquire().await?;
        Ok(Self { store, epoch, clock })
    }

    /// Deletes several executions, as [`Orchestrator::delete_all`] does.
    pub async fn delete_all(&self, executions: &[ExecutionId], wish: &Delete) -> Vec<Deleted> {
        let mut all = Vec::with_capacity(executions.len());
        for id in executions {
            let deleted = self.delete(*id, wish).await;
            all.push(deleted.unwrap_or_else(|error| refused(*id, error)));
        }
        all
    }

    async fn delete(&self, execution: ExecutionId, wish: &Delete) -> Result<Deleted, Error> {
        let plan = Plan::of(&*self.store, execution, wish.children).await?;
        if !wish.dry_run {
            for some in chunks(&plan.going) {
                self.delete_some(some, wish).await?;
            }
        }
        Ok(Deleted { execution, deleted: plan.going, kept: plan.kept, refusal: None })
    }

    /// Deletes some in one commit.
    async fn delete_some(&self, some: &[ExecutionId], wish: &Delete) -> Result<(), Error> {
        let mut batch = Vec::with_capacity(some.len());
        let program = any_program().ok_or(Error::Stopping)?;
        for id in some {
            let mut execution = read_execution(&*self.store, *id).await?;
            let input = DecisionInput {
                program: &program,
                now: self.clock.now(),
                seed: 0,
                limits: &EngineLimits::default(),
                mint: &Mint::new([0; 32]),
            };
            let first_sequence = execution.sequence + 1;
            let events = decide(input, &mut execution, command(wish))?;
            let time = execution.updated_at;
            batch.push(Transition { stream: id.0, first_sequence, time, events });
        }
        let appended = self.store.append(self.epoch, batch).await?;
        for (id, appended) in some.iter().zip(appended) {
            if let Appended::Conflict { .. } = appended {
                return Err(Error::Changed { execution: *id });
            }
        }
        Ok(())
    }

    /// Takes away all that is deleted, and tombstones from before a moment.
    ///
    /// # Errors
    /// The log is damaged there, or cannot be written.
    pub async fn compact(&self, compaction: Compaction) -> Result<Compacted, Error> {
        let mut all = Compacted::default();
        while !all.is_done {
            all.add(self.store.compact(self.epoch, compaction).await?);
        }
        Ok(all)
    }
}
