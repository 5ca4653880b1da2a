//! What kind of event it is: of an execution or of the whole system, an end or not.

use super::event::Event;

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
        matches!(
            self,
            Self::MachineSettled(_)
                | Self::MachineRemoved(_)
                | Self::VersionPublished(_)
                | Self::VersionRetired(_)
                | Self::AliasSettled(_)
                | Self::AliasRemoved(_)
                | Self::ActivityCreated(_)
                | Self::ActivityRemoved(_)
                | Self::TagsSettled(_)
        )
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
