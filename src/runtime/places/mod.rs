//! Who has the places that workflows limit, and who comes next.
//!
//! All shards share this register. It is derived from executions, as everything is: those that
//! have a place say so, those that wait say since when. A place is free again once the end of its
//! execution is durable, so that no log ever shows more of them at work than there may be. Who waits
//! is a number in a list here, and no worker, task or thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::definitions::Definitions;
use crate::engine::{Execution, ExecutionId, Place, Rejection};
use crate::language::machine_fields::WhenFull;
use crate::store::{Error, EventStore, Position, Stream};

/// Holders that a refusal names; the rest are counted.
const HOLDERS_NAMED: usize = 5;

/// The register.
pub(super) struct Places {
    book: Mutex<Book>,
    definitions: Arc<Definitions>,
    /// How many may wait for one key.
    most_waiting: usize,
}

/// An execution that needs a place.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    execution: ExecutionId,
    /// Who waits for its end.
    parent: Option<ExecutionId>,
    id: PlaceId,
    /// The limit that it was started with, when nothing newer is known.
    limit: u32,
}

/// How it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// At its start: it need not begin.
    ToStart(WhenFull),
    /// It has begun, and can only wait.
    Again,
}

/// What executions share places by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PlaceId {
    workflow: Arc<str>,
    key: Arc<str>,
}

/// The places of one key, as those who wait see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceQueue {
    /// The key; empty when the workflow has one for all.
    pub key: String,
    /// How many places there are.
    pub limit: u32,
    /// Who has them.
    pub holders: Vec<ExecutionId>,
    /// How many come before.
    pub ahead: usize,
}

impl Asking {
    /// What `execution` asks for, while it waits for its place.
    pub(super) fn of(execution: &Execution) -> Option<Self> {
        let place = execution.place.as_ref().filter(|_| execution.waits_for_place())?;
        Some(Self::for_place(execution, place))
    }

    fn for_place(execution: &Execution, place: &Place) -> Self {
        Self {
            execution: execution.id,
            parent: execution.waiting_parent(),
            id: PlaceId { workflow: execution.workflow.clone(), key: place.key.clone() },
            limit: place.limit,
        }
    }
}

impl Places {
    pub(super) fn new(definitions: Arc<Definitions>, most_waiting: usize) -> Self {
        Self { book: Mutex::default(), definitions, most_waiting }
    }

    /// Asks for a place; whether it is there now. If not, the execution waits until somebody who is
    /// told by [`Places::free`] gives it its place.
    ///
    /// # Errors
    /// It asks at its start, and is not to wait.
    pub(super) fn take(&self, asking: &Asking, ask: Ask) -> Result<bool, Rejection> {
        let mut book = self.book();
        // Under the lock, so that no older limit overwrites a newer one.
        let limit = self.limit_of(&asking.id.workflow, asking.limit);
        book.take(asking, limit, ask, self.most_waiting)
    }

    /// Forgets an execution that has ended, durably, or was set aside. Gives those that have a place
    /// now.
    pub(super) fn free(&self, execution: ExecutionId) -> Vec<ExecutionId> {
        self.book().free(execution)
    }

    /// Holds the limit of a new version of a workflow. Gives those that have a place now.
    pub(super) fn limit_changed(&self, workflow: &str) -> Vec<ExecutionId> {
        let mut book = self.book();
        let limit = self.limit_of(workflow, u32::MAX);
        book.set_limit(workflow, limit)
    }

    /// Takes over what recovery found: those that have places, then those that wait, in the order in
    /// which they asked. Who gets a place with that finds it when it asks again.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) async fn restore(
        &self,
        live: impl Iterator<Item = &Execution>,
        asked: &HashMap<Stream, Position>,
        store: &dyn EventStore,
    ) -> Result<(), Error> {
        let (mut held, mut waiting) = (Vec::new(), Vec::new());
        for execution in live {
            if let Some(place) = execution.held_place() {
                held.push(Asking::for_place(execution, place));
            } else if let Some(asking) = Asking::of(execution)
                && self.definitions.program(execution.definition).is_some()
            {
                waiting.push((execution, asking));
            }
        }
        // The oldest first, whatever the map says: what is read then hangs on the log alone.
        waiting.sort_unstable_by_key(|(execution, _)| execution.id);
        let mut numbered = Vec::with_capacity(waiting.len());
        for (execution, asking) in waiting {
            numbered.push((asked_at(execution, asked, store).await?, asking));
        }
        numbered.sort_by_key(|(position, asking)| (*position, asking.execution));
        let mut book = self.book();
        for asking in held {
            let limit = self.limit_of(&asking.id.workflow, asking.limit);
            book.hold(&asking, limit);
        }
        for (_, asking) in numbered {
            let limit = self.limit_of(&asking.id.workflow, asking.limit);
            // One that has begun is never refused.
            drop(book.take(&asking, limit, Ask::Again, usize::MAX));
        }
        Ok(())
    }

    /// Where an execution stands that waits for its place; nothing when it does not.
    pub(super) fn queue_of(&self, execution: ExecutionId) -> Option<PlaceQueue> {
        self.book().queue_of(execution)
    }

    /// What the newest version of a workflow says; without `Concurrency` there is no limit.
    fn limit_of(&self, workflow: &str, otherwise: u32) -> u32 {
        match self.definitions.newest(workflow) {
            None => otherwise,
            Some((_, program)) => {
                program.workflow.concurrency.as_ref().map_or(u32::MAX, |own| own.limit)
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The register's pages.
#[derive(Debug, Default)]
struct Book {
    queues: HashMap<PlaceId, Queue>,
    /// Where every execution stands that has a place or waits for one; who waits has a number.
    known: HashMap<ExecutionId, (PlaceId, Option<u64>)>,
    /// The last number that was given.
    last: u64,
}

/// The places of one key.
#[derive(Debug, Default)]
struct Queue {
    limit: u32,
    holders: BTreeSet<ExecutionId>,
    /// By number: first come, first served.
    waiting: BTreeMap<u64, Waiting>,
}

/// One that waits for a place.
#[derive(Debug)]
struct Waiting {
    execution: ExecutionId,
    /// Who waits for its end.
    parent: Option<ExecutionId>,
}

impl Queue {
    fn has_room(&self) -> bool {
        u32::try_from(self.holders.len()).is_ok_and(|held| held < self.limit)
    }
}

impl Book {
    fn take(
        &mut self,
        asking: &Asking,
        limit: u32,
        ask: Ask,
        most_waiting: usize,
    ) -> Result<bool, Rejection> {
        if let Some((_, number)) = self.known.get(&asking.execution) {
            return Ok(number.is_none());
        }
        let queue = self.queues.entry(asking.id.clone()).or_default();
        queue.limit = limit;
        let is_free = queue.has_room() && queue.waiting.is_empty();
        if !is_free {
            check(queue, asking, ask, most_waiting)?;
        }
        let number = if is_free {
            queue.holders.insert(asking.execution);
            None
        } else {
            self.last += 1;
            let Asking { execution, parent, .. } = *asking;
            queue.waiting.insert(self.last, Waiting { execution, parent });
            Some(self.last)
        };
        self.known.insert(asking.execution, (asking.id.clone(), number));
        Ok(is_free)
    }

    /// Notes one that has its place, whatever the limit is by now.
    fn hold(&mut self, asking: &Asking, limit: u32) {
        let queue = self.queues.entry(asking.id.clone()).or_default();
        queue.limit = limit;
        queue.holders.insert(asking.execution);
        self.known.insert(asking.execution, (asking.id.clone(), None));
    }

    fn free(&mut self, execution: ExecutionId) -> Vec<ExecutionId> {
        let Some((id, number)) = self.known.remove(&execution) else { return Vec::new() };
        let Some(queue) = self.queues.get_mut(&id) else { return Vec::new() };
        match number {
            Some(number) => drop(queue.waiting.remove(&number)),
            None => drop(queue.holders.remove(&execution)),
        }
        self.fill(&id)
    }

    fn set_limit(&mut self, workflow: &str, limit: u32) -> Vec<ExecutionId> {
        let of_it = self.queues.iter_mut().filter(|(id, _)| *id.workflow == *workflow);
        let ids: Vec<PlaceId> = of_it
            .map(|(id, queue)| {
                queue.limit = limit;
                id.clone()
            })
            .collect();
        ids.iter().flat_map(|id| self.fill(id)).collect()
    }

    /// Gives free places to those that wait, in order.
    fn fill(&mut self, id: &PlaceId) -> Vec<ExecutionId> {
        let Some(queue) = self.queues.get_mut(id) else { return Vec::new() };
        let mut next = Vec::new();
        while queue.has_room()
            && let Some((_, Waiting { execution, .. })) = queue.waiting.pop_first()
        {
            queue.holders.insert(execution);
            if let Some((_, number)) = self.known.get_mut(&execution) {
                *number = None;
            }
            next.push(execution);
        }
        if queue.holders.is_empty() && queue.waiting.is_empty() {
            self.queues.remove(id);
        }
        next
    }

    fn queue_of(&self, execution: ExecutionId) -> Option<PlaceQueue> {
        let (id, number) = self.known.get(&execution)?;
        let (queue, number) = (self.queues.get(id)?, (*number)?);
        Some(PlaceQueue {
            key: id.key.to_string(),
            limit: queue.limit,
            holders: queue.holders.iter().copied().collect(),
            ahead: queue.waiting.range(..number).count(),
        })
    }
}

/// Where in the log an execution asked for the place that it needs. Of nearly all of them recovery
/// has read it, or an index tells it: to read a million histories would take a minute.
async fn asked_at(
    execution: &Execution,
    asked: &HashMap<Stream, Position>,
    store: &dyn EventStore,
) -> Result<Position, Error> {
    let (stream, sequence) = (execution.stream(), execution.asked_for_place);
    if let Some(position) = asked.get(&stream) {
        return Ok(*position);
    }
    if let Some(position) = store.position_of(stream, sequence)? {
        return Ok(position);
    }
    let records = store.read_history(stream, sequence..sequence + 1).await?;
    Ok(records.first().map_or(Position::MAX, |record| record.position))
}

/// Whether one that finds no place may wait.
fn check(queue: &Queue, asking: &Asking, ask: Ask, most_waiting: usize) -> Result<(), Rejection> {
    let Ask::ToStart(when_full) = ask else { return Ok(()) };
    if let Some(holder) = asking.parent.filter(|parent| closes_ring(queue, *parent)) {
        return Err(Rejection::PlaceHeldByParent { holder });
    }
    if when_full == WhenFull::Refuse {
        return Err(Rejection::PlaceTaken {
            key: asking.id.key.to_string(),
            limit: queue.limit,
            holders: queue.holders.iter().take(HOLDERS_NAMED).copied().collect(),
            more: queue.holders.len().saturating_sub(HOLDERS_NAMED),
        });
    }
    if queue.waiting.len() >= most_waiting {
        return Err(Rejection::PlaceQueueFull { limit: most_waiting });
    }
    Ok(())
}

/// Whether, if an execution waited that `parent` waits for, everybody with a place would wait for
/// somebody without one: then no place would ever be free.
fn closes_ring(queue: &Queue, parent: ExecutionId) -> bool {
    if !queue.holders.contains(&parent) {
        return false;
    }
    let parents = queue.waiting.values().filter_map(|waiting| waiting.parent);
    let waited_for: BTreeSet<ExecutionId> = parents.chain([parent]).collect();
    queue.holders.is_subset(&waited_for)
}

#[cfg(test)]
mod tests;
