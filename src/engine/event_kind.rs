//! What kind of event it is: of an execution or of the whole system, an end or not.

use super::event::Event;

/// The events of the catalogue, as a pattern: who has nothing to do with it need not list them.
macro_rules! of_catalogue {
    () => {
        crate::engine::Event::MachineSettled(_)
            | crate::engine::Event::MachineRemoved(_)
            | crate::engine::Event::VersionPublished(_)
            | crate::engine::Event::VersionRetired(_)
            | crate::engine::Event::AliasSettled(_)
            | crate::engine::Event::AliasRemoved(_)
            | crate::engine::Event::ActivityCreated(_)
            | crate::engine::Event::ActivityRemoved(_)
            | crate::engine::Event::TagsSettled(_)
    };
}
pub(super) use of_catalogue;

impl Event {
    /// Whether it is one of an execution; others stand in histories of their own.
    #[must_use]
    pub fn is_of_execution(&self) -> bool {
        !matches!(self, Self::DefinitionStored(_)) && !self.is_control() && !self.is_of_catalogue()
    }

    /// Whether it says what is held in the whole system; such events stand in one history.
    #[must_use]
    pub fn is_control(&self) -> bool {
        matches!(
            self,
            Self::WorkflowPaused(_)
                | Self::WorkflowResumed(_)
                | Self::JobTypePaused(_)
                | Self::JobTypeResumed(_)
        )
    }

    /// Whether it says what clients of the Step Functions API keep beside definitions; such events
    /// stand in one history.
    #[must_use]
    pub fn is_of_catalogue(&self) -> bool {
        matches!(self, of_catalogue!())
    }

    /// Whether it ends its execution.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Self::ExecutionCompleted(_)
                | Self::ExecutionFailed(_)
                | Self::ExecutionCancelled(_)
                | Self::ExecutionTimedOut(_)
        )
    }
}
