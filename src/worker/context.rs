//! What a worker is given with a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::watch;

use super::AttemptId;
use crate::language::Json;

/// One attempt of one job, in the hands of its worker.
#[derive(Clone)]
pub struct JobContext {
    id: AttemptId,
    job_type: Arc<str>,
    input: Json,
    cancel: CancelToken,
    progress: Arc<dyn ProgressSink>,
    errors: Errors,
    traceparent: Option<Arc<str>>,
}

/// How many things failed in an attempt that goes on all the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Errors(Arc<AtomicU32>);

impl Errors {
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A report of progress. What is missing stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgressReport {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// Words for people.
    pub message: Option<String>,
    /// How many things are done.
    pub processed: Option<u64>,
    /// How many things there are.
    pub total: Option<u64>,
}

impl ProgressReport {
    /// Takes in a later report: what it says counts, what it leaves out stays.
    pub(crate) fn merge(&mut self, later: Self) {
        self.percent = later.percent.map(|percent| percent.min(100)).or(self.percent);
        self.message = later.message.or(self.message.take());
        self.processed = later.processed.or(self.processed);
        self.total = later.total.or(self.total);
    }
}

/// Where reports and heartbeats go. Neither waits nor fails: a report may be merged with later
/// ones.
pub trait ProgressSink: Send + Sync + 'static {
    /// Takes a report.
    fn report(&self, attempt: AttemptId, report: ProgressReport);
    /// Takes a sign of life.
    fn heartbeat(&self, attempt: AttemptId);
}

impl JobContext {
    /// Puts a context together; for the runtime, and for tests of handlers.
    #[must_use]
    pub fn new(
        id: AttemptId,
        job_type: Arc<str>,
        input: Json,
        cancel: CancelToken,
        progress: Arc<dyn ProgressSink>,
    ) -> Self {
        let errors = Errors::default();
        Self { id, job_type, input, cancel, progress, errors, traceparent: None }
    }

    /// Says of which trace the attempt is part.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: Option<Arc<str>>) -> Self {
        self.traceparent = traceparent;
        self
    }

    /// Of which trace the attempt is part, as the header `traceparent` has it: what the worker's own
    /// spans, and requests that it makes, are to name. None where nothing is traced.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// Counts things that failed although the attempt goes on. Should it succeed, they count in the
    /// execution's `summary.total_errors`, and it ends as `completed_with_errors`.
    pub fn count_errors(&self, count: u32) {
        self.errors.0.fetch_add(count, Ordering::SeqCst);
    }

    pub(super) fn errors(&self) -> Errors {
        self.errors.clone()
    }

    /// Which attempt this is.
    #[must_use]
    pub fn id(&self) -> AttemptId {
        self.id
    }

    /// The job type.
    #[must_use]
    pub fn job_type(&self) -> &str {
        &self.job_type
    }

    /// The attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.id.attempt
    }

    /// The input.
    #[must_use]
    pub fn input(&self) -> &Json {
        &self.input
    }

    /// Says how far the job is: `percent` from 0 to 100, or none to leave it; a message, or none
    /// to leave it. Counts as a heartbeat. Reports are merged: at most one per 500 ms or whole
    /// percent becomes an event.
    pub fn progress(&self, percent: impl Into<Option<u8>>, message: Option<&str>) {
        self.report(ProgressReport {
            percent: percent.into(),
            message: message.map(str::to_owned),
            ..ProgressReport::default()
        });
    }

    /// As [`JobContext::progress`], with counters.
    pub fn report(&self, report: ProgressReport) {
        self.progress.report(self.id, report);
    }

    /// Says that the worker is alive, for jobs with `HeartbeatSeconds`.
    pub fn heartbeat(&self) {
        self.progress.heartbeat(self.id);
    }

    /// Fires when the attempt should stop: it was cancelled, or timed out, or the process stops.
    #[must_use]
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }
}

/// Tells a worker to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CancelToken(watch::Receiver<bool>);

impl CancelToken {
    /// A token, and the sender that fires it by sending `true`.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it has fired.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it fires. Never returns when it cannot fire any more.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|fired| *fired).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
