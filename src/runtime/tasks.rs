//! The one place that spawns, so that what runs beside a request is easy to find.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Runs `task` on `runtime`.
pub(super) fn spawn<F>(runtime: &Handle, task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    runtime.spawn(task)
}
