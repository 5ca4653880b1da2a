//! Traces that are told, when somebody said where to.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Link, SpanContext, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    Config, OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_SCHEDULE_DELAY,
    SpanData, SpanEvents, SpanExporter as _, SpanLinks,
};
use tokio::task::JoinHandle;

use super::collector::Collector;
use super::follow::follow;
use super::ids::{context, header, span_of_attempt, trace_of};
use super::outbox::{Outbox, Pace};
use super::request::RequestSpan;
use super::sampling::Sampling;
use super::{Incoming, SpanCounts, TraceSettings, TracesError};
use crate::engine::Timestamp;
use crate::runtime::{Orchestrator, TraceParents};
use crate::worker::AttemptId;

/// The name under which traces are shown, unless somebody says another.
const SERVICE: &str = "everstep";
/// How long the last spans may take when the process stops.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Traces: off by default, and then it costs nothing. Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Arc<Inner>>);

impl PartialEq for Traces {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Traces {}

/// What makes spans and hands them on.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) sampling: Sampling,
    pub(super) outbox: Outbox,
    scope: InstrumentationScope,
    /// What reads the log, and what empties the outbox, in the order in which they end.
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    following: Vec<JoinHandle<()>>,
    exporting: Vec<JoinHandle<()>>,
}

impl Traces {
    /// Begins to tell traces; without an endpoint nothing is told. The environment says the rest, in
    /// the variables of OpenTelemetry.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address, or what the environment says of the exporter, cannot be used. That nobody is there
    /// is no error: it is said in the log once, and spans are dropped.
    pub fn begin(settings: &TraceSettings) -> Result<Self, TracesError> {
        let Some(endpoint) = &settings.endpoint else { return Ok(Self::default()) };
        let timeout = number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", 0, 600_000);
        let timeout = match timeout {
            0 => number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, 600_000),
            said => said,
        };
        let authorities = std::env::var_os("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE")
            .or_else(|| std::env::var_os("OTEL_EXPORTER_OTLP_CERTIFICATE"))
            .map(PathBuf::from);
        let collector = Collector::new(endpoint, Duration::from_millis(timeout), authorities)?;
        let collector = Arc::new(collector);
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_shared_http_client(collector.clone())
            // The outbox tries again; the exporter would block the thread meanwhile.
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| TracesError::Settings { reason: error.to_string() })?;
        exporter.set_resource(&resource(settings.service.clone()));
        let (outbox, exporting) = Outbox::new(pace(), exporter, collector);
        let exporting = vec![tokio::spawn(exporting.run())];
        let version = env!("CARGO_PKG_VERSION");
        Ok(Self(Some(Arc::new(Inner {
            sampling: Sampling(Config::default().sampler),
            outbox,
            scope: InstrumentationScope::builder("everstep").with_version(version).build(),
            tasks: Mutex::new(Tasks { following: Vec::new(), exporting }),
        }))))
    }

    /// Tells what executions do from now on, until the engine stops: what is recorded after it was
    /// opened, that attempts were lost included.
    ///
    /// Must be called inside a tokio runtime.
    pub fn follow(&self, engine: &Orchestrator) {
        if let Some(inner) = &self.0 {
            let following = tokio::spawn(follow(inner.clone(), engine.clone()));
            inner.tasks().following.push(following);
        }
    }

    /// What a worker needs to make its spans part of the trace of the attempt: the header
    /// `traceparent`. None while traces are off.
    #[must_use]
    pub fn parent_for(&self, attempt: AttemptId) -> Option<String> {
        let is_told = self.0.as_ref()?.sampling.of_execution(attempt.execution);
        Some(header(&context(trace_of(attempt.execution), span_of_attempt(attempt), is_told)))
    }

    /// The same for workers in the process of the engine, to be asked when an attempt begins.
    #[must_use]
    pub fn parents(&self) -> Option<TraceParents> {
        self.0.as_ref()?;
        let traces = self.clone();
        Some(Arc::new(move |attempt| traces.parent_for(attempt).map(Into::into)))
    }

    /// The span of a request that has just come in.
    #[must_use]
    pub fn begin_request(&self, incoming: Incoming<'_>) -> RequestSpan {
        match &self.0 {
            Some(inner) => RequestSpan::begin(inner, incoming),
            None => RequestSpan::none(),
        }
    }

    /// How many spans were told; none while traces are off.
    #[must_use]
    pub fn counts(&self) -> Option<SpanCounts> {
        Some(self.0.as_ref()?.outbox.counts())
    }

    /// Tells what is left, after the engine and all servers have stopped; within a second, whatever
    /// the collector does.
    pub async fn stop(&self) {
        let Some(inner) = &self.0 else { return };
        let Tasks { mut following, mut exporting } = std::mem::take(&mut *inner.tasks());
        // Half of the time for each, so that a log that is long to read leaves some for what was read.
        let is_read = all_ended(&mut following).await;
        inner.outbox.close();
        if !all_ended(&mut exporting).await || !is_read {
            tracing::warn!("the last traces were not told in time");
        }
        let SpanCounts { dropped, .. } = inner.outbox.counts();
        if dropped > 0 {
            tracing::warn!(dropped, "spans were dropped");
        }
    }
}

/// Waits for tasks, half of the time that there is, and then ends them; whether they ended themselves.
async fn all_ended(tasks: &mut [JoinHandle<()>]) -> bool {
    let all = async {
        for task in tasks.iter_mut() {
            drop(task.await);
        }
    };
    let in_time = tokio::time::timeout(STOP_GRACE / 2, all).await.is_ok();
    tasks.iter().for_each(JoinHandle::abort);
    in_time
}

/// A span that is over.
pub(super) struct Span {
    pub(super) context: SpanContext,
    pub(super) parent: SpanContext,
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    pub(super) times: (SystemTime, SystemTime),
    pub(super) attributes: Vec<KeyValue>,
    pub(super) links: Vec<Link>,
    pub(super) status: Status,
}

impl Inner {
    /// A span as exporters take it.
    pub(super) fn data(&self, span: Span) -> SpanData {
        let mut links = SpanLinks::default();
        links.links = span.links;
        SpanData {
            parent_span_id: span.parent.span_id(),
            parent_span_is_remote: span.parent.is_remote(),
            span_context: span.context,
            span_kind: span.kind,
            name: span.name,
            start_time: span.times.0,
            // A clock that was set back makes no span that ends before it begins.
            end_time: span.times.1.max(span.times.0),
            attributes: span.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: span.status,
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment as spans have it.
pub(super) fn moment(at: Timestamp) -> SystemTime {
    let since = Duration::from_millis(at.0);
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Who tells. The SDK reads `OTEL_RESOURCE_ATTRIBUTES`, which may hold a name, too.
fn resource(service: Option<String>) -> Resource {
    let said = std::env::var("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let has_name = said.split(',').any(|pair| pair.trim().starts_with("service.name="));
    let service = service.or_else(|| (!has_name).then(|| SERVICE.to_owned()));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let mut resource = Resource::builder().with_attribute(version);
    if let Some(service) = service {
        resource = resource.with_service_name(service);
    }
    resource.build()
}

fn pace() -> Pace {
    let number =
        |name, usual, most| usize::try_from(number(name, usual, most)).unwrap_or(usize::MAX).max(1);
    let queue = number(OTEL_BSP_MAX_QUEUE_SIZE, 2048, 1_000_000);
    Pace {
        queue,
        batch: number(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, 512, 10_000).min(queue),
        delay: Duration::from_millis(self::number(OTEL_BSP_SCHEDULE_DELAY, 5000, 600_000)),
    }
}

/// A number that the environment says, at most `most`; the usual one when it says none.
fn number(name: &str, usual: u64, most: u64) -> u64 {
    let said = std::env::var(name).ok().and_then(|text| u64::from_str(text.trim()).ok());
    said.unwrap_or(usual).min(most)
}
