//! Workers in other processes: the same handlers and commands, for a server reached over HTTP.
//!
//! A [`RemoteWorker`] asks the server for jobs as long as it has places for them, runs them with the
//! handlers of a [`Registry`], and tells what became of them. It keeps a result until the server
//! has answered it, however long the server is away; the server takes each once, by the token of the
//! attempt, so that telling it twice changes nothing.
//!
//! ```no_run
//! # use everstep::worker::{JobContext, JobError, Registry, remote::{RemoteError, RemoteWorker}};
//! # async fn work() -> Result<(), RemoteError> {
//! let mut registry = Registry::new();
//! registry.handle("double", |_: JobContext, number: u32| async move { Ok(number * 2) });
//! let stop = async { drop(tokio::signal::ctrl_c().await) };
//! RemoteWorker::builder("http://127.0.0.1:7979").registry(registry).build()?.run(stop).await?;
//! # Ok(())
//! # }
//! ```

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use self::http::Server;
use self::lane::Lane;
use self::live::Running;
use self::outbox::Outbox;
use self::plan::Plan;
use self::work::{Shutdown, Why, Work};
use super::{AttemptId, BoxFuture, Registry};

mod address;
mod backoff;
mod builder;
mod error;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
mod http;
mod lane;
mod live;
mod outbox;
mod plan;
mod requests;
mod retry;
#[cfg(test)]
mod tests;
mod tls;
mod wire;
mod work;

#[cfg(feature = "otel")]
pub(crate) use address::Address;
pub use builder::RemoteBuilder;
pub use error::RemoteError;
#[cfg(feature = "otel")]
pub(crate) use tls::Tls;

/// Requests with results that may be on their way at once: while the server makes those of one
/// durable, the next are gathered and sent. What is told of one job goes through one lane, so that its
/// end overtakes nothing.
const LANES: u64 = 2;

/// A worker of a server that it reaches over HTTP.
pub struct RemoteWorker {
    shared: Arc<Shared>,
    plan: Plan,
    grace: Duration,
    seed: u64,
}

/// What the parts of a worker share.
struct Shared {
    server: Arc<Server>,
    name: String,
    registry: Registry,
    running: Running,
    /// One for each lane.
    outboxes: Vec<Arc<Outbox>>,
    wait: Duration,
    lease: Duration,
}

impl Shared {
    /// Where it is told what becomes of a job.
    fn outbox(&self, job: AttemptId) -> Option<&Arc<Outbox>> {
        let (execution, number) = job.execution.0.as_u64_pair();
        let spread = execution ^ number ^ u64::from(job.job.0);
        self.outboxes.get(usize::try_from(spread % LANES).unwrap_or_default())
    }

    /// How many ends the server has not answered.
    fn unanswered(&self) -> usize {
        self.outboxes.iter().map(|outbox| outbox.unanswered()).sum()
    }
}

/// How a worker ended that somebody asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether it was an operator of the server who asked.
    pub is_drained: bool,
    /// Jobs whose handlers did not end in time. The server gives them to others when their leases
    /// are over.
    pub unfinished: usize,
    /// Results that the server has not answered in time. Their jobs run again, too.
    pub undelivered: usize,
}

impl RemoteWorker {
    /// A worker of the server at `url`, as `http://127.0.0.1:7979` or `https://example.org`.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> RemoteBuilder {
        RemoteBuilder::new(url.into())
    }

    /// The name by which the server knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Works until `shutdown` is ready or an operator of the server drains this worker. Then it asks
    /// for no more jobs, lets those end that run, and tells their results.
    ///
    /// After `shutdown`, jobs have the grace period to end; then they are asked to stop, and
    /// have five seconds more. Results that the server does not answer within another grace period
    /// are given up.
    ///
    /// Every result that was told is durable in the server's log. Dropping the future ends all jobs
    /// at once; the server gives them to others when their leases are over.
    ///
    /// # Errors
    /// The server refuses the first request for jobs. That it is away is no error: the worker
    /// waits for it.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<Ended, RemoteError> {
        let Self { shared, plan, grace, seed } = self;
        let mut shutdown: Shutdown<'_> = pin!(shutdown);
        let mut lanes = JoinSet::new();
        for (outbox, lane) in shared.outboxes.iter().zip(1..) {
            let seed = seed.rotate_left(16).wrapping_add(lane);
            lanes.spawn(Lane::new(shared.clone(), outbox.clone(), seed).run());
        }
        let mut pulse = JoinSet::new();
        let pulsing = shared.clone();
        pulse.spawn(async move { pulsing.running.pulse(&*pulsing.server.clock).await });
        let mut work = Work::new(shared.clone(), plan, seed);
        let why = work.until_told(&mut shutdown).await?;
        let clock = shared.server.clock.clone();
        let late: BoxFuture<'_, ()> = match why {
            Why::Asked => clock.sleep(grace),
            // Its jobs have all the time they need, until somebody here wants an end.
            Why::Drained => Box::pin(async {
                shutdown.as_mut().await;
                clock.sleep(grace).await;
            }),
        };
        let unfinished = work.drain(late).await;
        shared.outboxes.iter().for_each(|outbox| outbox.close());
        tokio::select! {
            () = async { while lanes.join_next().await.is_some() {} } => {}
            () = clock.sleep(grace) => {}
        }
        let undelivered = shared.unanswered();
        Ok(Ended { is_drained: why == Why::Drained, unfinished, undelivered })
    }
}
