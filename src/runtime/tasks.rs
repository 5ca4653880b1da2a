//! The one place that spawns, so that what runs beside a request is easy to find.
//!
//! A system runs on tokio, and what writes to the store has threads of its own. A simulation gives
//! it something else to run on, where one thread takes every step in an order that a seed decides.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::Error;
use crate::store;
use crate::worker::BoxFuture;

/// How long a thread that cannot go on rests.
const REST: Duration = Duration::from_micros(200);

/// Something that runs tasks. Systems run on tokio unless they are given another one, which tests
/// do that decide themselves which task takes the next step.
pub trait Spawn: Send + Sync + 'static {
    /// Runs a task to its end, beside all others.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Where the tasks of a system run.
#[derive(Clone)]
pub(super) enum Tasks {
    Tokio(Handle),
    Given(Arc<dyn Spawn>),
}

/// The result of a task that runs; an error when it never ends. Dropping it does not stop the task.
pub(super) struct Task<T>(oneshot::Receiver<T>);

/// A task panicked, or was dropped with what ran it.
pub(super) struct Gone;

impl Tasks {
    /// Runs on what is given, or else on the tokio runtime of the caller.
    pub(super) fn on(given: Option<Arc<dyn Spawn>>) -> Self {
        given.map_or_else(|| Self::Tokio(Handle::current()), Self::Given)
    }

    /// Runs `task`.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let (done, over) = oneshot::channel();
        // Nobody need wait for it.
        let task = async move { drop(done.send(task.await)) };
        match self {
            Self::Tokio(runtime) => drop(runtime.spawn(task)),
            Self::Given(given) => given.spawn(Box::pin(task)),
        }
        Task(over)
    }

    /// Runs `task`, which writes to the store, on a thread of its own where there are threads.
    pub(super) fn spawn_writer(
        &self,
        name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Task<()>, Error> {
        let Self::Tokio(runtime) = self else { return Ok(self.spawn(task)) };
        let (runtime, (done, over)) = (runtime.clone(), oneshot::channel());
        let work = move || {
            runtime.block_on(task);
            // Nobody need wait for it.
            done.send(()).unwrap_or_default();
        };
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.spawn(work).map_err(|error| {
            let operation = "starting a thread";
            store::Error::Io { operation, message: error.to_string(), kind: error.kind() }
        })?;
        Ok(Task(over))
    }

    /// Whether a writer has a thread of its own, so that it may look for work instead of sleeping.
    pub(super) fn have_threads(&self) -> bool {
        matches!(self, Self::Tokio(_))
    }

    /// Lets others go on for a moment, in a writer's task.
    pub(super) async fn rest(&self) {
        match self {
            Self::Tokio(_) => std::thread::sleep(REST),
            Self::Given(_) => tokio::task::yield_now().await,
        }
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Gone>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|_| Gone)
    }
}
