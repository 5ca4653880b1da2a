//! What may be asked of an execution as it stands, and why not: the same for decisions, and for those
//! who show what can be done.

use super::child::Link;
use super::execution::{Execution, Status};
use super::id::Timestamp;
use super::pause::PauseScope;
use super::rejection::Rejection;

impl Status {
    /// In which an execution has ended so that it can go on.
    const REDRIVABLE: &[Self] =
        &[Self::Failed, Self::Cancelled, Self::TimedOut, Self::CompletedWithErrors];

    /// Whether an execution that has ended so can go on.
    #[must_use]
    pub fn can_be_redriven(self) -> bool {
        Self::REDRIVABLE.contains(&self)
    }
}

impl Execution {
    /// Refuses what is not legal now.
    pub(super) fn require(
        &self,
        command: &'static str,
        allowed: &[Status],
    ) -> Result<(), Rejection> {
        if self.deleted.is_some() {
            return Err(Rejection::Deleted { command });
        }
        if let Some(reason) = &self.set_aside {
            return Err(Rejection::SetAside { command, reason: reason.to_string() });
        }
        if allowed.contains(&self.status) {
            Ok(())
        } else {
            Err(Rejection::NotInStatus { command, status: self.status })
        }
    }

    /// The same, of what has begun: an execution without events is pending too.
    pub(super) fn require_begun(
        &self,
        command: &'static str,
        allowed: &[Status],
    ) -> Result<(), Rejection> {
        self.require(command, allowed)?;
        if self.sequence > 0 {
            return Ok(());
        }
        Err(Rejection::NotInStatus { command, status: self.status })
    }

    /// Whether it can be asked to stop.
    ///
    /// # Errors
    /// It has ended, was asked before, or was set aside.
    pub fn permits_cancel(&self) -> Result<(), Rejection> {
        if let (Status::Cancelling, None, Some(cancel)) =
            (self.status, &self.set_aside, &self.cancel)
        {
            let (since, by) = (cancel.at, cancel.by.to_string());
            return Err(Rejection::AlreadyCancelling { since, by, force_from: cancel.deadline });
        }
        self.require_begun("to cancel", &[Status::Running, Status::Pending])
    }

    /// Whether its end can be forced at the moment `now`.
    ///
    /// # Errors
    /// It has ended, was not asked to stop, has still time to, or was set aside.
    pub fn permits_force(&self, now: Timestamp) -> Result<(), Rejection> {
        self.require_begun("to cancel", &[Status::Pending, Status::Running, Status::Cancelling])?;
        let force_from = self.cancel.as_ref().map(|cancel| cancel.deadline);
        match force_from {
            Some(from) if now >= from => Ok(()),
            _ => Err(Rejection::ForceTooEarly { force_from }),
        }
    }

    /// Whether it can be paused, by itself or with its workflow.
    ///
    /// # Errors
    /// It has ended or is ending, is paused so already, or was set aside.
    pub fn permits_pause(&self, scope: PauseScope) -> Result<(), Rejection> {
        let command = "to pause";
        self.require_pausable(command)?;
        match self.pauses.of(scope) {
            None => Ok(()),
            Some(held) => Err(Rejection::Paused {
                command,
                scope: scope.as_str(),
                by: held.by.to_string(),
                since: held.at,
            }),
        }
    }

    /// Whether it can be resumed, by itself or with its workflow.
    ///
    /// # Errors
    /// It has ended or is ending, is not paused so, or was set aside.
    pub fn permits_resume(&self, scope: PauseScope) -> Result<(), Rejection> {
        self.require_pausable("to resume")?;
        match self.pauses.of(scope) {
            Some(_) => Ok(()),
            None => Err(Rejection::NotPaused { with_workflow: self.pauses.workflow.is_some() }),
        }
    }

    fn require_pausable(&self, command: &'static str) -> Result<(), Rejection> {
        self.require_begun(command, &[Status::Pending, Status::Running])?;
        if self.closing.is_some() { Err(Rejection::Ending { command }) } else { Ok(()) }
    }

    /// Whether it can go on after its end. Its history may still say that it cannot go on so as it is
    /// asked for.
    ///
    /// # Errors
    /// It has not ended, completed, was set aside or deleted, or is the work of another execution.
    pub fn permits_retry(&self) -> Result<(), Rejection> {
        let command = "to retry";
        self.require(command, Status::REDRIVABLE)?;
        match self.waiting_parent() {
            Some(parent) => Err(Rejection::PartOfAnother { command, parent }),
            None => Ok(()),
        }
    }

    /// Whether another execution can repeat it.
    ///
    /// # Errors
    /// It is a part of a distributed Map.
    pub fn permits_rerun(&self) -> Result<(), Rejection> {
        match &self.parent {
            Some(parent) if matches!(parent.link, Link::Item { .. }) => {
                Err(Rejection::PartOfAnother { command: "to rerun", parent: parent.execution })
            }
            _ => Ok(()),
        }
    }

    /// Whether it can be deleted. The execution that began it may still need it.
    ///
    /// # Errors
    /// It has not ended, or is deleted.
    pub fn permits_delete(&self) -> Result<(), Rejection> {
        // One that was set aside after its end has ended all the same.
        match self.deleted {
            None if self.status.is_terminal() => Ok(()),
            _ => self.require("to delete", &[]),
        }
    }
}
