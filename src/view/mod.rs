//! What people and other programs see of executions: read models, folded from events.
//!
//! Nothing here waits or reads a clock; the time comes in. The command line prints these, and
//! the HTTP interface serves the same: the names of serialized fields are a promise.

pub mod aws;
mod card;
mod catalogued;
mod cleanup;
mod comparison;
mod difference;
mod event;
mod export;
mod limits;
mod log_stats;
mod marks;
mod moment;
mod only;
mod rehearsed;
mod result;
mod retry;
mod sentence;
mod skipped;
mod step;
mod text;
mod timeline;
mod verify;
mod waiting;
mod why;

pub use card::{CancelCard, Card, FailureCard, JobCard, PauseCard, job_label};
pub use cleanup::{CleanupCard, CleanupOutcome, ForcedCard};
pub use comparison::{Compared, Comparison, Half, Parting, PathEvent, Unlike};
pub use difference::{Change, Difference, Moment};
pub use event::{EventDocument, Following, Told};
pub use export::{ExportedEvent, ExportedFields, export_line};
pub use limits::PlaceCard;
pub use log_stats::{Count, LogCounter, LogStats, Spread};
pub use marks::Mark;
pub use moment::Moments;
pub use only::Only;
pub use rehearsed::{FieldPair, Rehearsed, Turn, TurnEvent};
pub use result::{BatchResult, ResultCard, ResultSummary, StepResult};
pub use retry::{RetriedParts, RetryCard};
pub use sentence::{Places, sentence};
pub use step::StepCard;
pub use text::{about, counted, duration, one_line, pace};
pub use timeline::{AttemptSpan, StepSpan, Timeline};
pub use verify::{Fault, Report, Verification, Verifier};
pub use waiting::{Waiting, WaitingFor};
pub use why::{
    Around, End, FailurePoint, LOOK_DEPTH, PlaceQueue, Queues, Reason, ReasonKind, SlotQueue, Why,
    WhyState, Workers,
};

#[cfg(test)]
mod ending_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod why_tests;
