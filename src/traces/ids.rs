//! Ids of traces and spans. Those of executions follow from what they are of, so that they are the
//! same after a restart, and anybody who knows an execution can name its trace.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use sha2::{Digest, Sha256};

use crate::engine::ExecutionId;
use crate::worker::AttemptId;

/// The trace of an execution: its id, without the dashes.
pub(super) fn trace_of(execution: ExecutionId) -> TraceId {
    TraceId::from_bytes(*execution.0.as_bytes())
}

/// The span of an execution from its beginning, or from a redrive, to its end.
pub(super) fn span_of_run(execution: ExecutionId, redrives: u32) -> SpanId {
    digest(b"run", execution, redrives, 0)
}

/// The span of an attempt of a job.
pub(super) fn span_of_attempt(AttemptId { execution, job, attempt }: AttemptId) -> SpanId {
    digest(b"job", execution, job.0, attempt)
}

/// Eight bytes that nothing else gives. Of a random id they would be half, and the half of an
/// execution's id is not random enough to begin with.
fn digest(what: &[u8; 3], execution: ExecutionId, number: u32, attempt: u32) -> SpanId {
    let digest = Sha256::new()
        .chain_update(b"everstep span ")
        .chain_update(what)
        .chain_update(execution.0.as_bytes())
        .chain_update(number.to_be_bytes())
        .chain_update(attempt.to_be_bytes())
        .finalize();
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    // No span has an id of zeros.
    SpanId::from(u64::from_be_bytes(bytes).max(1))
}

/// A place in a trace.
pub(super) fn context(trace: TraceId, span: SpanId, is_sampled: bool) -> SpanContext {
    let flags = TraceFlags::default().with_sampled(is_sampled);
    SpanContext::new(trace, span, flags, false, TraceState::default())
}

/// A place in a trace, as the header `traceparent` has it.
pub(super) fn header(context: &SpanContext) -> String {
    let flags = u8::from(context.is_sampled());
    format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::JobId;

    #[test]
    fn the_ids_of_an_attempt_never_change() {
        let execution: ExecutionId = "0192f0c1-2a3b-7c4d-8e5f-001122334455".parse().unwrap();
        let attempt = AttemptId { execution, job: JobId(7), attempt: 2 };
        let context = context(trace_of(execution), span_of_attempt(attempt), true);
        let expected = "00-0192f0c12a3b7c4d8e5f001122334455-";
        assert!(header(&context).starts_with(expected), "{}", header(&context));
        assert_eq!(header(&context).len(), 55);
        assert_eq!(span_of_attempt(attempt), span_of_attempt(attempt));
        let other = AttemptId { attempt: 3, ..attempt };
        assert_ne!(span_of_attempt(attempt), span_of_attempt(other));
        assert_ne!(span_of_run(execution, 7), span_of_run(execution, 8));
    }
}
