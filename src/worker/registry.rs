//! Which handler runs which job type.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BoxFuture, JobContext, JobHandler, JobOutcome, SharedHandler};
use crate::engine::Failure;
use crate::engine::event::cut;
pub use crate::engine::event::{MAX_CAUSE_BYTES, MAX_ERROR_BYTES};
pub use crate::engine::own_jobs::PREFIX as RESERVED_JOB_TYPES;
use crate::language::Json;

/// How many attempts of one job type run at once in this process, unless said otherwise: enough
/// for handlers that mostly wait, few enough not to exhaust sockets and file handles.
pub const DEFAULT_CONCURRENCY: usize = 64;

/// The error name of failures that have no name of their own.
pub const TASK_FAILED: &str = "States.TaskFailed";
/// The input does not fit the handler's type.
pub const INVALID_INPUT: &str = "Everstep.InvalidInput";
/// The result cannot be written as JSON, or is not JSON.
pub const INVALID_OUTPUT: &str = "Everstep.InvalidOutput";
/// The handler panicked.
pub const HANDLER_PANICKED: &str = "Everstep.HandlerPanicked";
/// The handler says that it stopped because it was asked to.
pub const CANCELLED: &str = "Everstep.Cancelled";

/// Handlers by job type, each with the number of attempts that may run at once.
#[derive(Clone, Default)]
pub struct Registry {
    entries: BTreeMap<Arc<str>, Entry>,
}

#[derive(Clone)]
struct Entry {
    handler: SharedHandler,
    concurrency: usize,
}

impl Registry {
    /// A registry without handlers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `handler` run the jobs of `job_type`, at most [`DEFAULT_CONCURRENCY`] at once. The
    /// input is read as `T` and the result written from `R`; where that fails, the attempt fails
    /// with [`INVALID_INPUT`] or [`INVALID_OUTPUT`]. A panic fails the attempt with
    /// [`HANDLER_PANICKED`]. A handler registered before for the same type is replaced.
    ///
    /// ```
    /// # use everstep::worker::{JobContext, JobError, Registry};
    /// let mut registry = Registry::new();
    /// registry.handle("double", |job: JobContext, number: u32| async move {
    ///     job.progress(50, Some("multiplying"));
    ///     number.checked_mul(2).ok_or_else(|| JobError::new("TooBig", "over 32 bits"))
    /// });
    /// assert!(registry.get("double").is_some());
    /// ```
    pub fn handle<T, R, F, Fut>(&mut self, job_type: impl Into<Arc<str>>, handler: F) -> &mut Self
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(JobContext, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, JobError>> + Send + 'static,
    {
        let typed = Typed { handler, read: |input: &Json| serde_json::from_str(input.as_str()) };
        self.register(job_type, Arc::new(typed), DEFAULT_CONCURRENCY)
    }

    /// Lets any handler run the jobs of `job_type`, at most `concurrency` (at least 1) at once. A
    /// handler registered before for the same type is replaced.
    pub fn register(
        &mut self,
        job_type: impl Into<Arc<str>>,
        handler: SharedHandler,
        concurrency: usize,
    ) -> &mut Self {
        let entry = Entry { handler, concurrency: concurrency.max(1) };
        self.entries.insert(job_type.into(), entry);
        self
    }

    /// Changes how many attempts of a registered type run at once; at least 1. Says whether the
    /// type is registered.
    pub fn set_concurrency(&mut self, job_type: &str, concurrency: usize) -> bool {
        self.entries.get_mut(job_type).map(|entry| entry.concurrency = concurrency.max(1)).is_some()
    }

    /// The registered job types, sorted.
    pub fn job_types(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.keys()
    }

    /// The handler of a job type.
    #[must_use]
    pub fn get(&self, job_type: &str) -> Option<SharedHandler> {
        self.entries.get(job_type).map(|entry| Arc::clone(&entry.handler))
    }

    /// How many attempts of a job type run at once in this process; `None` when the type is not
    /// registered.
    #[must_use]
    pub fn concurrency(&self, job_type: &str) -> Option<usize> {
        self.entries.get(job_type).map(|entry| entry.concurrency)
    }
}

/// Why a handler failed: a name that Retry and Catch match, and words for people.
///
/// Any [`std::error::Error`] becomes one with `?`, under the name `States.TaskFailed` and with the
/// errors that caused it in the cause. It is no `std::error::Error` itself, which is what makes
/// that possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    error: String,
    cause: String,
}

impl JobError {
    /// An error of the workflow author's own name, at most [`MAX_ERROR_BYTES`] long; what is longer
    /// is cut, as is a cause over [`MAX_CAUSE_BYTES`].
    #[must_use]
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            error: cut(error.into(), MAX_ERROR_BYTES),
            cause: cut(cause.into(), MAX_CAUSE_BYTES),
        }
    }

    /// A failure without a name of its own.
    #[must_use]
    pub fn failed(cause: impl Into<String>) -> Self {
        Self::new(TASK_FAILED, cause)
    }

    /// The handler stopped because its cancel token fired. Where it has not fired, this is a
    /// failure named [`CANCELLED`].
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(CANCELLED, "the handler stopped because it was asked to")
    }

    /// The name that Retry and Catch match.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// What happened.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl<E: std::error::Error> From<E> for JobError {
    fn from(error: E) -> Self {
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source.filter(|_| cause.len() < MAX_CAUSE_BYTES) {
            let _ = write!(cause, ": {inner}");
            source = inner.source();
        }
        Self::failed(cause)
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self { error: Arc::from(error.error), cause: Arc::from(error.cause) }
    }
}

/// A handler made of a function, and of how its input is read (which also names the input's type).
struct Typed<F, T> {
    handler: F,
    read: fn(&Json) -> serde_json::Result<T>,
}

impl<T, R, F, Fut> JobHandler for Typed<F, T>
where
    T: Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(JobContext, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, JobError>> + Send + 'static,
{
    fn run(&self, job: JobContext) -> BoxFuture<'_, JobOutcome> {
        Box::pin(async move {
            let cancel = job.cancel_token().clone();
            let errors = job.errors();
            // Reading, running and writing all call code of the handler's author.
            let attempt = Box::pin(async move {
                let input = (self.read)(job.input()).map_err(|error| {
                    JobError::new(INVALID_INPUT, format!("the input does not fit: {error}"))
                })?;
                let result = (self.handler)(job, input).await?;
                Json::from_serialize(&result).map_err(|error| {
                    JobError::new(INVALID_OUTPUT, format!("the result is no JSON: {error}"))
                })
            });
            match caught(attempt).await.unwrap_or_else(Err) {
                Ok(output) => JobOutcome::Succeeded { output, errors: errors.count() },
                Err(error) if error.error == CANCELLED && cancel.is_cancelled() => {
                    JobOutcome::Cancelled
                }
                Err(error) => JobOutcome::Failed(error.into()),
            }
        })
    }
}

/// Runs a future to its end, or to its panic. The future is not polled again after one.
async fn caught<T>(mut future: BoxFuture<'_, T>) -> Result<T, JobError> {
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panicked(panic.as_ref()))),
        }
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> JobError {
    let message = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    JobError::new(HANDLER_PANICKED, format!("the handler panicked: {message}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;
    use crate::worker::command::testing::{context, outcome_of};

    #[derive(Deserialize)]
    struct Order {
        amount: u32,
    }

    async fn run(registry: &Registry, job_type: &str, input: &str) -> JobOutcome {
        let (job, _fire, _sink) = context(input);
        registry.get(job_type).unwrap().run(job).await
    }

    fn failure(outcome: JobOutcome) -> (String, String) {
        let failure = outcome_of(outcome).unwrap_err();
        (failure.error.to_string(), failure.cause.to_string())
    }

    fn boom() -> Result<u32, JobError> {
        panic!("the {} is loose", "cog")
    }

    #[tokio::test]
    async fn a_typed_handler_gets_its_input_and_gives_its_result() {
        let mut registry = Registry::new();
        registry.handle("double", |job: JobContext, order: Order| async move {
            assert_eq!(job.attempt(), 1);
            Ok(HashMap::from([("amount", order.amount * 2)]))
        });
        let outcome = run(&registry, "double", r#"{"amount": 21}"#).await;
        assert_eq!(outcome_of(outcome).unwrap().as_str(), r#"{"amount":42}"#);
    }

    #[tokio::test]
    async fn an_input_that_does_not_fit_names_the_field() {
        let mut registry = Registry::new();
        registry.handle("double", |_, order: Order| async move { Ok(order.amount) });
        let (error, cause) = failure(run(&registry, "double", r#"{"amount": "x"}"#).await);
        assert_eq!(error, INVALID_INPUT);
        assert!(cause.contains("invalid type: string \"x\", expected u32"), "{cause}");
    }

    #[tokio::test]
    async fn a_result_that_is_no_json_fails_the_attempt() {
        let mut registry = Registry::new();
        registry.handle("odd", |_, (): ()| async move { Ok(HashMap::from([(vec![1], 1)])) });
        let (error, cause) = failure(run(&registry, "odd", "null").await);
        assert_eq!(error, INVALID_OUTPUT);
        assert!(cause.contains("key must be a string"), "{cause}");
    }

    #[tokio::test]
    async fn errors_keep_their_names_and_their_sources() {
        let mut registry = Registry::new();
        registry.handle("named", |_, (): ()| async move {
            Err::<(), _>(JobError::new("Shop.SoldOut", "no cogs left"))
        });
        registry.handle("plain", |_, text: String| async move { Ok(text.parse::<u8>()?) });
        let named = failure(run(&registry, "named", "null").await);
        assert_eq!(named, ("Shop.SoldOut".into(), "no cogs left".into()));
        let (error, cause) = failure(run(&registry, "plain", r#""12x""#).await);
        assert_eq!(
            (error.as_str(), cause.as_str()),
            (TASK_FAILED, "invalid digit found in string")
        );
    }

    #[tokio::test]
    async fn a_panic_becomes_a_failure_with_its_message() {
        let mut registry = Registry::new();
        registry.handle("later", |_, (): ()| async move {
            tokio::task::yield_now().await;
            boom()
        });
        registry.handle("at_once", |_, (): ()| std::future::ready(boom()));
        for job_type in ["later", "at_once"] {
            let (error, cause) = failure(run(&registry, job_type, "null").await);
            assert_eq!(error, HANDLER_PANICKED);
            assert_eq!(cause, "the handler panicked: the cog is loose");
        }
    }

    #[tokio::test]
    async fn a_handler_that_stops_when_asked_is_cancelled() {
        let mut registry = Registry::new();
        registry.handle("wait", |job: JobContext, (): ()| async move {
            job.cancel_token().cancelled().await;
            Err::<(), _>(JobError::cancelled())
        });
        registry.handle("lie", |_, (): ()| async move { Err::<(), _>(JobError::cancelled()) });
        let (job, fire, _sink) = context("null");
        fire.send(true).unwrap();
        assert_eq!(registry.get("wait").unwrap().run(job).await, JobOutcome::Cancelled);
        assert_eq!(failure(run(&registry, "lie", "null").await).0, CANCELLED);
    }

    #[test]
    fn limits_of_concurrency_are_kept_per_type() {
        let mut registry = Registry::new();
        registry.handle("b", |_, (): ()| async { Ok(()) });
        registry.handle("a", |_, (): ()| async { Ok(()) });
        assert!(registry.set_concurrency("a", 0));
        assert!(!registry.set_concurrency("c", 3));
        assert_eq!(registry.job_types().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b"]);
        assert_eq!(registry.concurrency("a"), Some(1));
        assert_eq!(registry.concurrency("b"), Some(DEFAULT_CONCURRENCY));
        assert_eq!(registry.concurrency("c"), None);
    }

    #[test]
    fn long_names_and_causes_are_cut_between_letters() {
        let error = JobError::new("é".repeat(200), "x".repeat(40_000));
        assert!(error.error().len() <= MAX_ERROR_BYTES && error.error().ends_with("é…"));
        assert_eq!(error.cause().len(), MAX_CAUSE_BYTES);
    }
}
