//! One execution out of a whole log.

use crate::engine::{Event, Execution, ExecutionId};
use crate::language::DefinitionHash;
use crate::store::Record;

/// One execution, and what it cannot be read without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Only {
    id: ExecutionId,
    definition: DefinitionHash,
}

impl Only {
    /// This one, and the definition that it runs.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        Self { id: execution.id, definition: execution.definition }
    }

    /// Whether a record is of it.
    #[must_use]
    pub fn has(&self, record: &Record) -> bool {
        match &*record.event {
            Event::DefinitionStored(body) => body.hash == self.definition,
            _ => record.stream == self.id.0,
        }
    }
}
