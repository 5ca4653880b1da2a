//! Reads the log, at its own pace, and tells what has ended.

use std::sync::Arc;

use super::on::Inner;
use super::runs::Runs;
use crate::engine::ExecutionId;
use crate::runtime::{Error, Orchestrator};

/// Goes on until the engine has stopped and all that it recorded was read.
pub(super) async fn follow(inner: Arc<Inner>, engine: Orchestrator) {
    // What recovery itself recorded comes after what it had read.
    let from = engine.recovery_report().events.saturating_add(1);
    let mut events = engine.events(from, None);
    let mut runs = Runs::default();
    loop {
        let record = match events.next().await {
            Ok(record) => record,
            Err(Error::Stopping) => return,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "no more traces: the log cannot be read");
                return;
            }
        };
        let execution = ExecutionId(record.stream);
        if !record.event.is_of_execution() || !inner.sampling.of_execution(execution) {
            continue;
        }
        if runs.lacks(&record) {
            // It began before this process did.
            let before = engine.execution_at(execution, record.sequence.saturating_sub(1)).await;
            runs.enter(execution, before.ok().as_ref());
        }
        for span in runs.take(&record) {
            inner.outbox.leave_patiently(inner.data(span)).await;
        }
    }
}
