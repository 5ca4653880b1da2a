//! Cleaning up: what runs between the end of the work and the end of the execution.
//!
//! An execution that fails, times out or is cancelled undoes its steps before it ends, the one that
//! was entered last first. Each undoing runs in a frame of its own, which belongs to nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Failure;
use super::execution::{Execution, Status};
use super::id::{ExecutionId, FrameId, Timestamp};
use crate::language::{Json, StateName};

/// The error of a clean-up that a forced cancel gave up.
pub const CANCEL_FORCED: &str = "Everstep.CancelForced";

/// How far the clean-up of an execution is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// When it began.
    pub since: Timestamp,
    /// When all of it must be done.
    pub deadline: Timestamp,
    /// How many events counted against the limit on a history when it began; it has a limit of its
    /// own.
    pub events_before: u64,
    /// What runs.
    pub running: Option<Undoing>,
    /// What has run, or was given up, in that order.
    pub done: Vec<Undone>,
}

/// A clean-up that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoing {
    /// Its frame.
    pub frame: FrameId,
    /// The step that is undone; none for `OnCancel`.
    pub of: Option<StateName>,
    /// The state it began with.
    pub state: StateName,
    /// When it began.
    pub since: Timestamp,
}

/// A clean-up that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// The step that was undone; none for `OnCancel`.
    pub of: Option<StateName>,
    /// The state it began with.
    pub state: StateName,
    /// When it began; none when it never did.
    pub since: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Timestamp,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// A request to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Who asked.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
    /// Until when workers may take their time; then somebody may force the end.
    pub deadline: Timestamp,
    /// Set when somebody did.
    pub forced: Option<Forced>,
}

/// The end of an execution that somebody forced, although not all had stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forced {
    /// Who.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
    /// Executions that it began and that had not stopped; they were told to.
    pub abandoned: Vec<ExecutionId>,
}

/// What the definition's `Summary` gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndSummary {
    /// An object.
    Made(Json),
    /// It could not be evaluated; the execution ends all the same.
    Failed(Failure),
}

impl Cleanup {
    /// One that begins now.
    #[must_use]
    pub fn new(since: Timestamp, deadline: Timestamp, events_before: u64) -> Self {
        Self { since, deadline, events_before, running: None, done: Vec::new() }
    }
}

impl Execution {
    /// Whether decide may move this frame now: any of an execution at work; when that is over, those
    /// of the clean-up that runs. Frames are numbered in the order of their beginning, and a clean-up
    /// begins when nothing else is open.
    #[must_use]
    pub fn moves(&self, frame: FrameId) -> bool {
        self.is_open(frame) && !self.is_paused()
    }

    /// Whether this frame belongs to what goes on: it may be paused.
    #[must_use]
    pub fn is_open(&self, frame: FrameId) -> bool {
        match &self.cleanup {
            None => self.status == Status::Running && self.closing.is_none(),
            Some(cleanup) => {
                let runs = cleanup.running.as_ref().is_some_and(|running| frame >= running.frame);
                runs && !self.status.is_terminal()
            }
        }
    }

    /// How many of its events count against the limit on a history.
    #[must_use]
    pub fn counted_events(&self) -> u64 {
        self.sequence - self.uncounted_events
    }

    /// The frame of the clean-up that runs.
    #[must_use]
    pub fn cleanup_frame(&self) -> Option<FrameId> {
        self.cleanup.as_ref()?.running.as_ref().map(|running| running.frame)
    }
}
