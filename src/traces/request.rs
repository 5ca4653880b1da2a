//! The span of a request: from when it came in until it was answered, or until its client hung up.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tokio::time::Instant;

use super::Incoming;
use super::ids::{context, span_of_run, trace_of};
use super::on::{Inner, Span, moment};
use crate::engine::ExecutionId;
use crate::runtime::{Clock, SystemClock};

/// The longest `tracestate` that is handed on: as long as everybody has to bear.
const MOST_STATE: usize = 512;
/// Methods that have a name; others could be anything.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/// The span of a request. It ends when it is dropped, also without an answer.
#[derive(Debug)]
pub struct RequestSpan(Option<Open>);

#[derive(Debug)]
struct Open {
    inner: Arc<Inner>,
    parent: SpanContext,
    context: SpanContext,
    method: &'static str,
    route: Option<&'static str>,
    operation: &'static str,
    came_in: SystemTime,
    since: Instant,
    answer: Option<(u16, Option<String>)>,
    began: RequestNote,
}

/// What a handler says of its request. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RequestNote(Option<Arc<OnceLock<ExecutionId>>>);

impl RequestNote {
    /// Says that the request began an execution, or found the one that it had begun before. Only the
    /// first call has an effect.
    pub fn began(&self, execution: ExecutionId) {
        if let Some(began) = &self.0 {
            began.get_or_init(|| execution);
        }
    }
}

impl RequestSpan {
    /// No span.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The span of a request that has just come in.
    pub(super) fn begin(inner: &Arc<Inner>, incoming: Incoming<'_>) -> Self {
        let headers = TraceContextPropagator::new().extract_with_context(
            &opentelemetry::Context::new(),
            &Headers { parent: incoming.traceparent, state: incoming.tracestate },
        );
        let parent = headers.span().span_context().clone();
        let ids = RandomIdGenerator::default();
        let trace = if parent.is_valid() { parent.trace_id() } else { ids.new_trace_id() };
        if !inner.sampling.of_request(&parent, trace) {
            return Self::none();
        }
        let state = parent.trace_state().clone();
        let flags = context(trace, ids.new_span_id(), true);
        let (span, flags) = (flags.span_id(), flags.trace_flags());
        let method = METHODS.iter().find(|method| **method == incoming.method);
        Self(Some(Open {
            inner: inner.clone(),
            parent,
            context: SpanContext::new(trace, span, flags, false, state),
            method: method.copied().unwrap_or("_OTHER"),
            route: incoming.route,
            operation: incoming.operation,
            came_in: moment(SystemClock.now()),
            since: Instant::now(),
            answer: None,
            began: RequestNote(Some(Arc::default())),
        }))
    }

    /// What a handler can say of its request.
    #[must_use]
    pub fn note(&self) -> RequestNote {
        self.0.as_ref().map(|open| open.began.clone()).unwrap_or_default()
    }

    /// Says how it was answered, and with which code when it was refused.
    pub fn answered(mut self, status: u16, code: Option<&str>) {
        if let Some(open) = &mut self.0 {
            open.answer = Some((status, code.map(str::to_owned)));
        }
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            open.end();
        }
    }
}

impl Open {
    fn end(self) {
        let ended_at = self.came_in + self.since.elapsed();
        let mut attributes = vec![
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("everstep.operation", self.operation),
        ];
        attributes.extend(self.route.map(|route| KeyValue::new("http.route", route)));
        let mut status = Status::Unset;
        match self.answer {
            Some((answer, code)) => {
                attributes.push(KeyValue::new("http.response.status_code", i64::from(answer)));
                if answer >= 500 {
                    let kind = code.clone().unwrap_or_else(|| answer.to_string());
                    attributes.push(KeyValue::new("error.type", kind));
                    status = Status::error("");
                }
                attributes.extend(code.map(|code| KeyValue::new("everstep.problem", code)));
            }
            None => attributes.push(KeyValue::new("error.type", "client_hung_up")),
        }
        let mut links = Vec::new();
        if let Some(execution) = self.began.0.as_ref().and_then(|began| began.get()) {
            attributes.push(KeyValue::new("everstep.execution.id", execution.to_string()));
            let is_told = self.inner.sampling.of_execution(*execution);
            let run = context(trace_of(*execution), span_of_run(*execution, 0), is_told);
            links.push(Link::with_context(run));
        }
        let name = match self.route {
            Some(route) => Cow::from(format!("{} {route}", self.method)),
            None => Cow::from("HTTP"),
        };
        let span = Span {
            context: self.context,
            parent: self.parent,
            kind: SpanKind::Server,
            name,
            times: (self.came_in, ended_at),
            attributes,
            links,
            status,
        };
        self.inner.outbox.leave(self.inner.data(span));
    }
}

/// The headers that say of which trace a request is part.
struct Headers<'r> {
    parent: Option<&'r str>,
    state: Option<&'r str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.parent,
            "tracestate" => self.state.filter(|state| state.len() <= MOST_STATE),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}
