//! Reasons that limits are: a place that others have, slots that are all taken.

use std::collections::BTreeMap;

use super::{Reason, ReasonKind, Seen};
use crate::engine::{ExecutionId, JobId};

/// What a running engine knows about what an execution queues for; nothing when none runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queues {
    /// The place that it waits for.
    pub place: Option<PlaceQueue>,
    /// Its jobs that wait for a slot.
    pub jobs: BTreeMap<JobId, SlotQueue>,
}

/// A place that an execution waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceQueue {
    /// How many places there are.
    pub limit: u32,
    /// Who has them.
    pub holders: Vec<ExecutionId>,
    /// How many come before.
    pub ahead: usize,
}

/// A slot that a job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotQueue {
    /// Whether it is the process that is full, and not the job's type.
    pub of_process: bool,
    /// How many slots there are.
    pub limit: usize,
    /// How many come before.
    pub ahead: usize,
}

impl Seen<'_> {
    /// The place that the execution waits for.
    pub(super) fn of_place(&self) -> Option<Reason> {
        let execution = self.execution;
        let place = execution.place.as_ref().filter(|_| execution.waits_for_place())?;
        let queue = self.around.queues.place.as_ref();
        let holders = queue.map_or(&[][..], |queue| queue.holders.as_slice());
        Some(Reason {
            since: self.facts.time_of(execution.asked_for_place),
            place: Some(place.key_words(&execution.workflow)),
            limit: Some(queue.map_or(place.limit, |queue| queue.limit).into()),
            held_by: holders.iter().map(ExecutionId::short).collect(),
            ahead: queue.map(|queue| queue.ahead),
            ..Reason::new(ReasonKind::Place)
        })
    }

    /// Says for which slots a job queues, when its workers are busy.
    pub(super) fn with_slot(&self, id: JobId, reason: Reason) -> Reason {
        let queue = self.around.queues.jobs.get(&id);
        let Some(queue) = queue.filter(|_| reason.kind == ReasonKind::WorkersBusy) else {
            return reason;
        };
        Reason {
            kind: if queue.of_process { ReasonKind::ProcessBusy } else { reason.kind },
            // Of workers of other processes nobody knows how many there could be.
            limit: u64::try_from(queue.limit).ok().filter(|limit| *limit > 0),
            ahead: Some(queue.ahead),
            ..reason
        }
    }
}
