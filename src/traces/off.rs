//! Traces of a program that was built without them: there are none.

use super::{Incoming, SpanCounts, TraceSettings, TracesError};
use crate::engine::ExecutionId;
use crate::runtime::{Orchestrator, TraceParents};
use crate::worker::AttemptId;

/// Traces that are always off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces;

impl Traces {
    /// Says that there are none.
    ///
    /// # Errors
    /// The settings want some.
    pub fn begin(settings: &TraceSettings) -> Result<Self, TracesError> {
        match settings.endpoint.clone() {
            None => Ok(Self),
            Some(endpoint) => Err(TracesError::NotBuilt { endpoint }),
        }
    }

    /// Does nothing.
    pub fn follow(&self, _: &Orchestrator) {}

    /// None.
    #[must_use]
    pub fn parent_for(&self, _: AttemptId) -> Option<String> {
        None
    }

    /// None.
    #[must_use]
    pub fn parents(&self) -> Option<TraceParents> {
        None
    }

    /// Begins nothing.
    #[must_use]
    pub fn begin_request(&self, _: Incoming<'_>) -> RequestSpan {
        RequestSpan
    }

    /// None.
    #[must_use]
    pub fn counts(&self) -> Option<SpanCounts> {
        None
    }

    /// Returns at once.
    pub fn stop(&self) -> std::future::Ready<()> {
        std::future::ready(())
    }
}

/// The span of a request, which is none.
#[derive(Debug)]
pub struct RequestSpan;

impl RequestSpan {
    /// What a handler can say of its request.
    #[must_use]
    pub fn note(&self) -> RequestNote {
        RequestNote
    }

    /// Does nothing.
    pub fn answered(self, _: u16, _: Option<&str>) {}
}

/// What a handler says of its request, which nobody hears.
#[derive(Debug, Clone, Default)]
pub struct RequestNote;

impl RequestNote {
    /// Does nothing.
    pub fn began(&self, _: ExecutionId) {}
}
