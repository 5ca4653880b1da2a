//! How fast work goes and how long it may still take, estimated from events alone: the same live, in
//! the past, and after a crash.
//!
//! What is done took some time; what is left takes as long for its share:
//!
//! ```text
//!   rate = done / spent          left = spent * (1 - done) / done
//! ```
//!
//! The time that is spent ends with the last report, and not now: an estimate changes when something
//! is recorded, and not by waiting. Of an execution, the time in which nothing was at work does not
//! count.

use serde::{Deserialize, Serialize};

use super::execution::{Execution, Fork, Frame, Job, JobStatus, Status};
use super::id::Timestamp;

/// What took less than this tells nothing about the rest, in milliseconds.
const SHORTEST_MS: u64 = 1000;

/// The longest time that is worth telling, in seconds: 30 days. A longer one is a guess.
const LONGEST_SECONDS: f64 = 30.0 * 86_400.0;

/// The time that an execution took. A redrive begins a new one, together with progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// When this attempt of the execution began.
    pub since: Timestamp,
    /// The progress that it began with, in percent.
    pub from: u8,
    /// How long nothing was at work since, in milliseconds.
    pub waited_ms: u64,
    /// How long something was, up to when progress rose last.
    pub worked_ms: u64,
}

/// What is expected of work under way; nothing where there is nothing to go by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// Things done in a second.
    pub rate_per_second: Option<f64>,
    /// How long it takes from its last report on.
    pub seconds_left: Option<u64>,
}

impl Pace {
    /// The pace of an execution, or of a new attempt of it, that begins.
    #[must_use]
    pub fn starting(at: Timestamp, from: u8) -> Self {
        Self { since: at, from, waited_ms: 0, worked_ms: 0 }
    }
}

impl Execution {
    /// Counts the time since the last event as waiting, if nothing was at work; `at` is the time of
    /// the next event.
    pub(super) fn keep_pace(&mut self, at: Timestamp) {
        let span = at.ms_since(self.updated_at);
        // Events of one decision share their time, so this is looked at once for all of them.
        if span > 0 && self.sequence > 0 && !is_at_work(self) {
            self.pace.waited_ms = self.pace.waited_ms.saturating_add(span);
        }
    }

    /// Progress never falls.
    pub(super) fn raise_progress(&mut self, percent: u8) {
        if percent > self.progress {
            self.progress = percent;
            let spent = self.updated_at.ms_since(self.pace.since);
            self.pace.worked_ms = spent.saturating_sub(self.pace.waited_ms);
        }
    }

    /// How long the execution may still take. Nothing while it waits for a time, a worker or a
    /// callback, or is about to end otherwise.
    #[must_use]
    pub fn seconds_left(&self) -> Option<u64> {
        if !goes_on(self) {
            return None;
        }
        let from = self.pace.from.min(99);
        let done = f64::from(self.progress.saturating_sub(from)) / f64::from(100 - from);
        left(done, self.pace.worked_ms)
    }
}

/// Whether the end comes nearer.
fn goes_on(execution: &Execution) -> bool {
    execution.status == Status::Running
        && execution.closing.is_none()
        && execution.set_aside.is_none()
        && !execution.is_paused()
        && is_at_work(execution)
}

/// Whether a worker or another execution works for it, or the engine is about to go on.
fn is_at_work(execution: &Execution) -> bool {
    let works = |job: &Job| matches!(job.status, JobStatus::Running | JobStatus::Cancelling);
    let runs = |frame: &Frame| frame.map_run().is_some_and(|run| !run.children.is_empty());
    !execution.ready.is_empty()
        || !execution.leaving.is_empty()
        || execution.jobs.values().any(works)
        || execution.frames.values().any(runs)
}

impl Job {
    /// How much of it is done, 0 to 1: the percent that was told, else what was counted.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        match self.percent {
            Some(percent) => f64::from(percent.min(100)) / 100.0,
            None => self.counted().map_or(0.0, |share| share.min(1.0)),
        }
    }

    /// What was counted of what there is to count.
    fn counted(&self) -> Option<f64> {
        let (processed, total) = (self.processed?, self.total.filter(|total| *total > 0)?);
        Some(number(processed) / number(total))
    }

    /// How fast it goes, from the beginning of its attempt to its last report.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let (Some(began), Some(told)) = (self.started_at, self.reported_at) else {
            return Estimate::default();
        };
        let spent = told.ms_since(began);
        if self.status != JobStatus::Running || spent < SHORTEST_MS {
            return Estimate::default();
        }
        let rate = self.processed.filter(|processed| *processed > 0);
        Estimate {
            rate_per_second: rate.map(|processed| per_second(number(processed), spent)),
            // Counters say more than whole percents.
            seconds_left: left(self.counted().unwrap_or_else(|| self.fraction()), spent),
        }
    }
}

impl Fork {
    /// How fast its parts go, of which `done` is done, 0 to 1.
    #[must_use]
    pub fn estimate(&self, execution: &Execution, done: f64) -> Estimate {
        let spent = execution.updated_at.ms_since(self.opened_at);
        if !goes_on(execution) || spent < SHORTEST_MS {
            return Estimate::default();
        }
        let finished = f64::from(self.finished());
        Estimate {
            rate_per_second: (finished > 0.0).then(|| per_second(finished, spent)),
            seconds_left: left(done, spent),
        }
    }
}

fn per_second(count: f64, spent_ms: u64) -> f64 {
    // Three digits after the point are more than it is worth.
    (count * 1_000_000.0 / number(spent_ms)).round() / 1000.0
}

/// How many seconds are left of work of which `done` is done, 0 to 1, in `spent_ms`.
fn left(done: f64, spent_ms: u64) -> Option<u64> {
    if done <= 0.0 || spent_ms < SHORTEST_MS {
        return None;
    }
    let seconds = number(spent_ms) / 1000.0 * (1.0 - done.min(1.0)) / done;
    (seconds <= LONGEST_SECONDS).then(|| whole(seconds))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 53 bits")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 30 days of seconds"
)]
fn whole(seconds: f64) -> u64 {
    seconds.clamp(0.0, LONGEST_SECONDS).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_for_its_share() {
        assert_eq!(left(0.25, 60_000), Some(180));
        assert_eq!(left(0.99, 60_000), Some(1));
        assert_eq!(left(1.0, 60_000), Some(0));
        assert_eq!(left(2.0, 60_000), Some(0), "never negative");
    }

    #[test]
    fn there_must_be_something_to_go_by() {
        assert_eq!(left(0.0, 60_000), None, "nothing is done");
        assert_eq!(left(0.5, 999), None, "it has only begun");
        assert_eq!(left(0.01, 26_000 * 1000), Some(2_574_000));
        assert_eq!(left(0.01, 27_000 * 1000), None, "over thirty days are a guess");
    }
}
