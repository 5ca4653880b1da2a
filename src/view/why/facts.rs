//! What a history says that its fold forgets: when delays began, and which event failed.

use std::collections::HashMap;

use crate::engine::event::RetryScheduled;
use crate::engine::{Event, Failure, FrameId, JobId, Timestamp};
use crate::store::Record;
use crate::view::FailureCard;

pub(super) struct Facts<'h> {
    pub(super) history: &'h [Record],
    /// The newest retry of each frame.
    retries: HashMap<FrameId, (&'h Record, &'h RetryScheduled)>,
    /// When each job began to wait for its callback.
    callbacks: HashMap<JobId, Timestamp>,
}

impl<'h> Facts<'h> {
    pub(super) fn of(history: &'h [Record]) -> Self {
        let mut facts = Self { history, retries: HashMap::new(), callbacks: HashMap::new() };
        for record in history {
            match &*record.event {
                Event::RetryScheduled(body) => {
                    facts.retries.insert(body.frame, (record, body));
                }
                Event::CallbackAwaited(body) => {
                    facts.callbacks.insert(body.job, record.time);
                }
                _ => {}
            }
        }
        facts
    }

    pub(super) fn retry(&self, frame: FrameId) -> Option<(&'h Record, &'h RetryScheduled)> {
        self.retries.get(&frame).copied()
    }

    pub(super) fn callback(&self, job: JobId) -> Option<Timestamp> {
        self.callbacks.get(&job).copied()
    }

    /// When the event with this sequence happened.
    pub(super) fn time_of(&self, sequence: u64) -> Option<Timestamp> {
        let found = self.history.binary_search_by_key(&sequence, |record| record.sequence).ok()?;
        self.history.get(found).map(|record| record.time)
    }

    /// The event before `before` that failed so, the newest.
    pub(super) fn failed(&self, failure: &FailureCard, before: u64) -> Option<u64> {
        let earlier = self.history.iter().rev().filter(|record| record.sequence < before);
        let failed = |event: &Event| failure_of(event).as_ref().map(FailureCard::of);
        let mut failed = earlier.filter(|record| failed(&record.event).as_ref() == Some(failure));
        failed.next().map(|record| record.sequence)
    }
}

/// The failure that an event tells of; not that of one that merely deals with it.
pub(super) fn failure_of(event: &Event) -> Option<Failure> {
    match event {
        Event::JobFailed(body) => Some(body.failure.clone()),
        Event::JobTimedOut(body) => Some(Failure::timeout(body.heartbeat)),
        Event::ItemFailed(body) => Some(body.failure.clone()),
        Event::FrameFailed(body) => Some(body.failure.clone()),
        Event::RetryScheduled(body) => Some(body.failure.clone()),
        Event::FailureCaught(body) => Some(body.failure.clone()),
        Event::ExecutionFailed(body) => Some(body.failure.clone()),
        Event::ExecutionTimedOut(_) => Some(Failure::timeout(false)),
        Event::ExecutionClosing(body) => body.ending.failure(),
        _ => None,
    }
}
