//! Clean-up and forced ends in words.

use super::progress::ms;
use crate::view::{CleanupOutcome, ForcedCard, counted, duration, one_line};

/// `Undo A undoes step A: failed after 3s, Mine: as told`.
pub(super) fn told_outcome(outcome: &CleanupOutcome) -> String {
    let state = one_line(&outcome.state, 60);
    let of = match &outcome.step {
        Some(step) => format!("clean-up of step \"{}\" by \"{state}\"", one_line(step, 60)),
        None => format!("OnCancel \"{state}\""),
    };
    let took = outcome.duration_seconds.map(|seconds| duration(ms(seconds)));
    let how = match (outcome.status, took) {
        ("running", Some(took)) => format!("running for {took}"),
        (status, Some(took)) => format!("{status} after {took}"),
        (_, None) => "never began".to_owned(),
    };
    let error = outcome.error.as_ref();
    let error = error.map(|error| format!(": {}: {}", error.error, error.cause));
    one_line(&format!("{of} {how}{}", error.unwrap_or_default()), 300)
}

/// Who forced the end, and what was left behind.
pub(super) fn told_force(forced: &ForcedCard) -> String {
    let by = one_line(&forced.by, 80);
    let why = forced.reason.as_deref().map(|why| format!(": {}", one_line(why, 200)));
    let left = match u64::try_from(forced.abandoned.len()).unwrap_or(u64::MAX) {
        0 => String::new(),
        left => format!("; {} had not stopped", counted(left, "execution")),
    };
    format!("{by} forced its end at {}{}{left}", forced.at, why.unwrap_or_default())
}
