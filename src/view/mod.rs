//! What people and other programs see of executions: read models, folded from events.
//!
//! Nothing here waits or reads a clock; the time comes in. The command line prints these today, and
//! an HTTP interface can serve the same: the names of serialized fields are a promise.

mod card;
mod comparison;
mod difference;
mod log_stats;
mod moment;
mod rehearsed;
mod result;
mod sentence;
mod step;
mod text;
mod verify;
mod waiting;
mod why;

pub use card::{CancelCard, Card, FailureCard, JobCard, job_label};
pub use comparison::{Compared, Comparison, Half, Parting, PathEvent, Unlike};
pub use difference::{Change, Difference, Moment};
pub use log_stats::{Count, LogCounter, LogStats, Spread};
pub use moment::Moments;
pub use rehearsed::{FieldPair, Rehearsed, Turn, TurnEvent};
pub use result::{BatchResult, ResultCard, ResultSummary, StepResult};
pub use sentence::{Places, sentence};
pub use step::StepCard;
pub use text::{about, counted, duration, one_line, pace};
pub use verify::{Fault, Report, Verifier};
pub use waiting::{Waiting, WaitingFor};
pub use why::{End, FailurePoint, Reason, ReasonKind, Why, WhyState, Workers};

#[cfg(test)]
mod tests;
