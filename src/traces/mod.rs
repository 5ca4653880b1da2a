//! Traces: what requests and executions did, told to a collector that speaks OTLP.
//!
//! ```text
//!  log ─▶ follow (reads at its own pace) ─▶ runs (spans of what has ended) ─┐
//!                                                                           ├─▶ outbox ─▶ collector
//!  requests ─▶ request (a span each) ───────────────────────────────────────┘
//! ```
//!
//! Spans of executions are made from the log, after their events are durable, and not where the work
//! is done: nothing of the engine waits for them or knows of them. Their ids follow from the ids of
//! executions, jobs and attempts, so that all attempts of an execution are one trace, whatever crashed
//! in between. What cannot be told in time is dropped and counted.
//!
//! Without the feature `otel` there is a [`Traces`] too, which is always off, so that nobody else need
//! ask.

mod error;
mod settings;

#[cfg(feature = "otel")]
mod collector;
#[cfg(feature = "otel")]
mod follow;
#[cfg(feature = "otel")]
mod ids;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod on;
#[cfg(feature = "otel")]
mod outbox;
#[cfg(feature = "otel")]
mod request;
#[cfg(feature = "otel")]
mod runs;
#[cfg(feature = "otel")]
mod sampling;

pub use error::TracesError;
#[cfg(not(feature = "otel"))]
pub use off::{RequestNote, RequestSpan, Traces};
#[cfg(feature = "otel")]
pub use on::Traces;
#[cfg(feature = "otel")]
pub use request::{RequestNote, RequestSpan};
pub use settings::{
    ENDPOINT_VARIABLE, ENDPOINT_VARIABLE_OF_TRACES, SERVICE_VARIABLE, TraceSettings,
};

/// What is said of a request when it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'r> {
    /// Its method.
    pub method: &'r str,
    /// The path of the route that it takes, with names instead of values; none when there is nothing
    /// at its path.
    pub route: Option<&'static str>,
    /// What is asked, as `start_execution`.
    pub operation: &'static str,
    /// The header `traceparent`, when there is one.
    pub traceparent: Option<&'r str>,
    /// The header `tracestate`, when there is one.
    pub tracestate: Option<&'r str>,
}

/// How many spans were told, and how many were not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// Spans that the collector took.
    pub exported: u64,
    /// Spans that were dropped: there was no room, or the collector did not take them.
    pub dropped: u64,
}
