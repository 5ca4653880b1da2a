//! What is held, by whom and why.
//!
//! An execution can be paused itself, and with its whole workflow; it goes on once neither holds.
//! While it is paused nothing in it begins. What is under way goes on, and what it gives is recorded.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::cut_shared;
use super::execution::{Execution, Status};
use super::id::Timestamp;

/// The most of a name of whoever pauses or resumes that is kept, in bytes.
const MAX_BY_BYTES: usize = 256;
/// The most of a reason that is kept, in bytes.
const MAX_REASON_BYTES: usize = 4096;

/// What was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PauseScope {
    /// The execution alone.
    Execution,
    /// Its whole workflow.
    Workflow,
}

impl PauseScope {
    /// The word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::Workflow => "workflow",
        }
    }
}

/// Who asks for a pause, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseWish {
    /// Who.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
}

impl PauseWish {
    /// The same, with words that are not too long.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { by: bounded_by(self.by), reason: self.reason.map(bounded_reason) }
    }
}

/// A name of whoever pauses or resumes, of no more than its limit.
#[must_use]
pub fn bounded_by(by: Arc<str>) -> Arc<str> {
    cut_shared(by, MAX_BY_BYTES)
}

fn bounded_reason(reason: Arc<str>) -> Arc<str> {
    cut_shared(reason, MAX_REASON_BYTES)
}

/// A pause that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who asked for it.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// Since when.
    pub at: Timestamp,
}

impl Pause {
    /// The same as a wish: what has to be asked for again where it does not hold yet.
    #[must_use]
    pub fn wish(&self) -> PauseWish {
        PauseWish { by: self.by.clone(), reason: self.reason.clone() }
    }
}

/// The pauses of an execution that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Of the execution alone.
    pub execution: Option<Pause>,
    /// Of its whole workflow.
    pub workflow: Option<Pause>,
}

impl Pauses {
    /// Whether any holds.
    #[must_use]
    pub fn any(&self) -> bool {
        self.execution.is_some() || self.workflow.is_some()
    }

    /// Whether none holds.
    #[must_use]
    pub fn is_none(&self) -> bool {
        !self.any()
    }

    /// The one of this scope.
    #[must_use]
    pub fn of(&self, scope: PauseScope) -> Option<&Pause> {
        match scope {
            PauseScope::Execution => self.execution.as_ref(),
            PauseScope::Workflow => self.workflow.as_ref(),
        }
    }

    pub(super) fn of_mut(&mut self, scope: PauseScope) -> &mut Option<Pause> {
        match scope {
            PauseScope::Execution => &mut self.execution,
            PauseScope::Workflow => &mut self.workflow,
        }
    }

    /// Those that hold, the execution's own first.
    pub fn all(&self) -> impl Iterator<Item = (PauseScope, &Pause)> {
        let own = self.execution.iter().map(|pause| (PauseScope::Execution, pause));
        own.chain(self.workflow.iter().map(|pause| (PauseScope::Workflow, pause)))
    }
}

impl Execution {
    /// Whether nothing in it begins.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.pauses.any()
    }

    /// Whether a pause would hold anything: it has begun, and neither ends nor has ended.
    #[must_use]
    pub fn can_be_paused(&self) -> bool {
        let goes_on = matches!(self.status, Status::Pending | Status::Running);
        self.sequence > 0 && goes_on && self.closing.is_none() && self.set_aside.is_none()
    }
}
