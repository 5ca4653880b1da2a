//! Forgetting an execution that has ended.

use std::sync::Arc;

use super::Decision;
use crate::engine::event::{ExecutionDeleted, MAX_CAUSE_BYTES, cut_shared};
use crate::engine::rejection::Rejection;

impl Decision<'_> {
    pub(super) fn delete_execution(
        &mut self,
        by: Arc<str>,
        reason: Option<Arc<str>>,
    ) -> Result<(), Rejection> {
        self.execution.permits_delete()?;
        let by = cut_shared(by, MAX_CAUSE_BYTES);
        let reason = reason.map(|reason| cut_shared(reason, MAX_CAUSE_BYTES));
        self.emit(ExecutionDeleted { by, reason });
        Ok(())
    }
}
