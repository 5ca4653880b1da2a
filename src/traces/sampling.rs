//! Which traces are told. The environment says it (`OTEL_TRACES_SAMPLER`), and the SDK reads it.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt, TraceId};
use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample};

use super::ids::span_of_run;
use crate::engine::ExecutionId;

/// Decides which traces are told.
#[derive(Debug)]
pub(super) struct Sampling(pub(super) Box<dyn ShouldSample>);

impl Sampling {
    /// Whether the trace of an execution is told: the same for all of it, in every process.
    pub(super) fn of_execution(&self, execution: ExecutionId) -> bool {
        // Samplers by ratio look at the upper bits of the lower half. In ids of executions two of
        // those are always the same, and ids made in one millisecond follow on each other.
        let spread = u64::from_be_bytes(span_of_run(execution, 0).to_bytes());
        let spread = (u128::from(spread) << 64) | u128::from(spread);
        self.asks(&Context::new(), TraceId::from(spread), &SpanKind::Internal)
    }

    /// Whether the span of a request is told.
    pub(super) fn of_request(&self, parent: &SpanContext, trace: TraceId) -> bool {
        let context = match parent.is_valid() {
            true => Context::new().with_remote_span_context(parent.clone()),
            false => Context::new(),
        };
        self.asks(&context, trace, &SpanKind::Server)
    }

    fn asks(&self, parent: &Context, trace: TraceId, kind: &SpanKind) -> bool {
        let sampled = self.0.should_sample(Some(parent), trace, "", kind, &[], &[]);
        sampled.decision == SamplingDecision::RecordAndSample
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::Sampler;

    use super::*;
    use crate::runtime::{Clock, IdSource, RandomIds, SystemClock};

    #[test]
    fn a_ratio_of_the_executions_is_told_and_not_all_or_none() {
        let sampling = Sampling(Box::new(Sampler::TraceIdRatioBased(0.25)));
        let (ids, now) = (RandomIds::default(), SystemClock.now());
        let told = (0..2000).filter(|_| sampling.of_execution(ids.execution_id(now))).count();
        assert!((300..700).contains(&told), "{told} of 2000");
    }
}
