//! Stopping executions, from outside.

use std::sync::Arc;

use super::error::Error;
use super::orchestrator::Orchestrator;
use crate::engine::{Command, ExecutionId};

impl Orchestrator {
    /// Asks an execution to stop. On return the request is durable; its workers are being told.
    ///
    /// # Errors
    /// There is no such execution, or it has ended.
    pub async fn cancel(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        self.stop_execution(execution, by, reason, false).await
    }

    /// Ends an execution at once that was asked to stop before and has not in the time that its
    /// workers have. What it began and has not stopped is told to stop, and not waited for.
    ///
    /// # Errors
    /// There is no such execution, it has ended, nobody asked it to stop, or its workers still have
    /// time.
    pub async fn force_cancel(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        self.stop_execution(execution, by, reason, true).await
    }

    async fn stop_execution(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
        force: bool,
    ) -> Result<(), Error> {
        let reason = reason.map(Arc::from);
        let command = Command::CancelExecution { by: by.into(), reason, force };
        self.command(execution, command).await.map(drop)
    }
}
