//! The doors of the shards: which shard owns an execution, and the two lanes into it.

use std::sync::Arc;

use async_channel::{Receiver, Sender};
use tokio::sync::oneshot;

use super::children::ChildOrder;
use super::committer::Accepted;
use super::dispatch::Offer;
use super::ended::RowsInPart;
use super::error::Error;
use super::figures::Unfinished;
use super::page::Filter;
use super::summary::Summary;
use super::totals::InMemory;
use crate::engine::{Command, Execution, ExecutionId, JobId, Program, Token};

/// A request from outside. Its lane is bounded: callers wait when a shard is behind.
pub(super) enum Request {
    /// Begin an execution.
    Start {
        execution: ExecutionId,
        program: Arc<Program>,
        command: Command,
        reply: oneshot::Sender<Result<Accepted, Error>>,
    },
    /// Go on with an execution that has ended, as its history leaves it.
    Redrive {
        ended: Box<Execution>,
        program: Arc<Program>,
        command: Command,
        reply: oneshot::Sender<Result<Accepted, Error>>,
    },
    /// Decide on a command, if the last event of the execution is the expected one.
    Command {
        execution: ExecutionId,
        expected: Option<u64>,
        command: Command,
        reply: oneshot::Sender<Result<Accepted, Error>>,
    },
    /// Delete an execution that has ended, if it still is as it is given.
    Delete {
        execution: Box<Execution>,
        command: Command,
        reply: oneshot::Sender<Result<Accepted, Error>>,
    },
    /// Show an execution as it is on disk, if it is in memory.
    Show { execution: ExecutionId, reply: oneshot::Sender<Option<Box<Execution>>> },
    /// Show an execution once it has ended, if it is in memory.
    ShowEnded { execution: ExecutionId, reply: oneshot::Sender<Option<Box<Execution>>> },
    /// Bring the executions of a workflow in line with whether it is paused; without one only answer
    /// once everything decided before is durable. Says how many changed.
    Align { workflow: Option<Arc<str>>, by: Arc<str>, reply: oneshot::Sender<u64> },
    /// Show all executions in memory, and those that ended since the last checkpoint.
    List { reply: oneshot::Sender<Vec<Summary>> },
    /// Show the newest of these that fit, and one more.
    Page {
        filter: Arc<Filter>,
        before: Option<ExecutionId>,
        limit: usize,
        reply: oneshot::Sender<Vec<Summary>>,
    },
    /// Show the rows of these, as far as they are in memory.
    Rows { ids: Vec<ExecutionId>, reply: oneshot::Sender<Vec<Summary>> },
    /// Count those that fit, in memory.
    Total { filter: Arc<Filter>, reply: oneshot::Sender<InMemory> },
    /// Count the executions that have not ended.
    Count { reply: oneshot::Sender<Unfinished> },
}

/// A note from inside. Its lane has no bound of its own, so that nobody inside ever waits for a
/// shard; what is in it is bounded by worker slots, timers, executions that wait for others, and the
/// number of rounds.
pub(super) enum Note {
    /// A slot is reserved for an attempt that queued: start it.
    StartReserved(Offer),
    /// A worker reported or finished.
    Reported { execution: ExecutionId, command: Command },
    /// See that an execution begins for another one.
    RunChild(Box<ChildOrder>),
    /// An execution that was ordered before a crash never began.
    OrderAgain(Box<ChildOrder>),
    /// See that an execution stops, which another one began.
    StopChild { parent: ExecutionId, child: ExecutionId },
    /// An execution that recovery found asks whether the one that waits for it is still there.
    AskParent { parent: ExecutionId, child: ExecutionId },
    /// The end of an execution is durable.
    Ended(ExecutionId),
    /// An execution has got the place that it waited for.
    Admit(ExecutionId),
    /// That an execution was set aside is durable: its place is free.
    FreePlace(ExecutionId),
    /// The tombstone of an execution is durable.
    Deleted(ExecutionId),
    /// Take part in this round of a checkpoint.
    Checkpoint(u64),
    /// Rows of executions that have ended were written, or could not be.
    RowsArrived { sent: RowsInPart, written: bool },
    /// A worker of another process was silent for too long with this attempt; or, which is no
    /// fault of the job, has never got it.
    LoseAttempt { execution: ExecutionId, job: JobId, token: Token, stopped: bool },
    /// The process stops: running attempts of its own workers are lost, in order.
    Stop,
}

/// Both lanes of every shard.
#[derive(Clone)]
pub(super) struct Shards(Arc<[Door]>);

struct Door {
    requests: Sender<Request>,
    notes: Sender<Note>,
}

/// The inner ends of one shard's lanes.
pub(super) struct Lanes {
    pub(super) requests: Receiver<Request>,
    pub(super) notes: Receiver<Note>,
}

impl Shards {
    /// Makes the lanes of `count` shards.
    pub(super) fn new(count: usize, queue: usize) -> (Self, Vec<Lanes>) {
        let (doors, lanes) = (0..count.max(1))
            .map(|_| {
                let (requests, requests_out) = async_channel::bounded(queue.max(1));
                let (notes, notes_out) = async_channel::unbounded();
                let lanes = Lanes { requests: requests_out, notes: notes_out };
                (Door { requests, notes }, lanes)
            })
            .unzip::<_, _, Vec<_>, Vec<_>>();
        (Self(doors.into()), lanes)
    }

    /// How many shards there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Which shard owns an execution.
    pub(super) fn index_of(&self, execution: ExecutionId) -> usize {
        // The low half of a version 7 id is random, so its remainder spreads evenly.
        let random = execution.0.as_u64_pair().1;
        usize::try_from(random % self.0.len() as u64).unwrap_or(0)
    }

    /// Leaves a note for the shard of an execution. Lost only when the process stops.
    pub(super) fn note(&self, execution: ExecutionId, note: Note) {
        if let Some(door) = self.0.get(self.index_of(execution)) {
            drop(door.notes.try_send(note));
        }
    }

    /// Leaves a note for every shard.
    pub(super) fn note_all(&self, note: impl Fn() -> Note) {
        for door in self.0.iter() {
            drop(door.notes.try_send(note()));
        }
    }

    /// Sends a request to the shard of an execution; waits while its lane is full.
    pub(super) async fn request(
        &self,
        execution: ExecutionId,
        request: Request,
    ) -> Result<(), Error> {
        self.request_at(self.index_of(execution), request).await
    }

    /// Sends a request to a shard by number.
    pub(super) async fn request_at(&self, index: usize, request: Request) -> Result<(), Error> {
        let door = self.0.get(index).ok_or(Error::Stopping)?;
        door.requests.send(request).await.map_err(|_| Error::Stopping)
    }

    /// Takes no more requests and lets the shards end.
    pub(super) fn close(&self) {
        for door in self.0.iter() {
            door.requests.close();
            door.notes.close();
        }
    }
}
