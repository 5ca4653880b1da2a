//! What happens when a state fails: its retriers, then its catchers, then the frame.

use super::Decision;
use super::flow::Evaluation;
use crate::engine::child::Ending;
use crate::engine::event::{Failure, FailureCaught, FrameFailed, RetryScheduled};
use crate::engine::id::FrameId;
use crate::language::State;
use crate::language::model::{Catcher, Retrier};

/// What nothing matches, not even its own name: AWS fails the execution with it, whatever its state
/// has in `Catch`.
const RUNTIME: &str = "States.Runtime";

/// What is not matched by `States.ALL` and `States.TaskFailed`, but by its own name; see
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>.
pub(super) const DATA_LIMIT: &str = "States.DataLimitExceeded";

/// What `States.TaskFailed` does not match, as it is no failure of the task: an expression of the
/// state failed. Measured on AWS by others.
const QUERY: &str = "States.QueryEvaluationError";

/// How the cause of a failure begins that ends an endless loop.
pub(in crate::engine) const LONG_HISTORY: &str =
    "The execution reached the maximum number of history events";

/// Errors of time, which `States.TaskFailed` does not match.
const TIMEOUTS: [&str; 2] = ["States.Timeout", "States.HeartbeatTimeout"];

impl Decision<'_> {
    /// Deals with the failure of `frame`'s state.
    pub(super) fn handle_failure(&mut self, frame: FrameId, state: &State, failure: Failure) {
        self.cancel_children(frame);
        if self.retry(frame, state, &failure) {
            return;
        }
        let catcher = state.catch.iter().position(|c| matches(&c.error_equals, &failure.error));
        if let Some(index) = catcher
            && let Some(catcher) = state.catch.get(index)
        {
            match self.catch(frame, state, index, catcher, &failure) {
                Ok(()) => return,
                Err(second) => return self.fail_frame(frame, second),
            }
        }
        self.fail_frame(frame, failure);
    }

    fn retry(&mut self, frame: FrameId, state: &State, failure: &Failure) -> bool {
        let Some(index) = state.retry.iter().position(|r| matches(&r.error_equals, &failure.error))
        else {
            return false;
        };
        let Some(retrier) = state.retry.get(index) else { return false };
        let used = self
            .execution
            .frames
            .get(&frame)
            .and_then(|frame| frame.retries.get(index).copied())
            .unwrap_or(0);
        if used >= retrier.max_attempts {
            return false;
        }
        let chance = self.draw();
        let due = self.now.plus_ms(delay_ms(retrier, used, chance));
        self.emit(RetryScheduled {
            frame,
            state: state.name.clone(),
            retrier: u32::try_from(index).unwrap_or(u32::MAX),
            count: used + 1,
            due,
            failure: failure.clone(),
        });
        true
    }

    fn catch(
        &mut self,
        frame: FrameId,
        state: &State,
        index: usize,
        catcher: &Catcher,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let output = evaluation.caught_output(catcher, failure)?;
        let assigned = evaluation.caught_assignments(catcher, failure)?;
        self.emit(FailureCaught {
            frame,
            state: state.name.clone(),
            catcher: u32::try_from(index).unwrap_or(u32::MAX),
            failure: failure.clone(),
            output,
            assigned,
            counts: catcher.counts_errors,
        });
        self.enter(frame, catcher.next.clone());
        Ok(())
    }

    /// Nothing took the failure: the whole frame fails with it.
    pub(super) fn fail_frame(&mut self, frame: FrameId, failure: Failure) {
        if frame == FrameId::ROOT {
            self.end(Ending::Failed(failure));
        } else if self.execution.cleanup_frame() == Some(frame) {
            self.fail_cleanup(failure);
        } else {
            self.emit_with_progress(FrameFailed { frame, failure, progress: 0 }.into());
        }
    }

    pub(super) fn fail_for_long_history(&mut self) {
        let limit = self.input.limits.history_events;
        let cause = format!("{LONG_HISTORY} ({limit}).");
        let failure = Failure::new("States.Runtime", &cause);
        if self.execution.cleanup.is_some() {
            self.give_up_cleanup(&failure);
            return self.go_on_ending();
        }
        self.cancel_all_frames();
        self.end(Ending::Failed(failure));
    }
}

/// Whether an `ErrorEquals` list names the error.
pub(in crate::engine) fn matches(names: &[String], error: &str) -> bool {
    if error == RUNTIME {
        return false;
    }
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => error != DATA_LIMIT,
        "States.TaskFailed" => error != DATA_LIMIT && error != QUERY && !TIMEOUTS.contains(&error),
        // A heartbeat that stays out is also a timeout.
        "States.Timeout" => TIMEOUTS.contains(&error),
        name => name == error,
    })
}

/// How long to wait before the retry after `used` earlier ones.
fn delay_ms(retrier: &Retrier, used: u32, chance: u64) -> u64 {
    let base = seconds_to_ms(retrier.interval_seconds);
    let exponent = i32::try_from(used).unwrap_or(i32::MAX);
    let grown = base * retrier.backoff_rate.powi(exponent);
    let longest = retrier.max_delay_seconds.map_or(f64::MAX, seconds_to_ms);
    let delay = whole(grown.min(longest));
    if retrier.full_jitter && delay > 0 { chance % (delay + 1) } else { delay }
}

#[expect(clippy::cast_precision_loss, reason = "definitions hold seconds far below 2^53")]
fn seconds_to_ms(seconds: u64) -> f64 {
    seconds as f64 * 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a century of milliseconds just here"
)]
fn whole(ms: f64) -> u64 {
    const CENTURY_MS: f64 = 3.2e12;
    ms.clamp(0.0, CENTURY_MS).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier() -> Retrier {
        Retrier {
            error_equals: vec!["States.ALL".into()],
            interval_seconds: 2,
            max_attempts: 3,
            backoff_rate: 2.0,
            max_delay_seconds: Some(5),
            full_jitter: false,
        }
    }

    #[test]
    fn the_delay_doubles_up_to_its_limit() {
        let delays: Vec<u64> = (0..4).map(|used| delay_ms(&retrier(), used, 0)).collect();
        assert_eq!(delays, [2000, 4000, 5000, 5000]);
    }

    #[test]
    fn full_jitter_stays_between_nothing_and_the_delay() {
        let jittery = Retrier { full_jitter: true, ..retrier() };
        for chance in [0, 1, 1999, 2000, 2001, u64::MAX] {
            assert!(delay_ms(&jittery, 0, chance) <= 2000);
        }
    }

    #[test]
    fn a_thousand_retries_do_not_overflow() {
        let endless = Retrier { max_delay_seconds: None, backoff_rate: 1e6, ..retrier() };
        assert!(delay_ms(&endless, 100_000, 0) <= 3_200_000_000_000);
    }

    #[test]
    fn all_matches_everything_but_what_cannot_be_helped() {
        let names = ["States.ALL".to_owned()];
        assert!(matches(&names, "Mine"));
        assert!(matches(&names, "States.Timeout"));
        assert!(matches(&names, "States.QueryEvaluationError"));
        assert!(matches(&names, "States.ExceedToleratedFailureThreshold"));
        assert!(!matches(&names, "States.Runtime"));
        assert!(!matches(&["States.Runtime".to_owned()], "States.Runtime"));
        assert!(!matches(&names, "States.DataLimitExceeded"));
        assert!(matches(&["States.DataLimitExceeded".to_owned()], "States.DataLimitExceeded"));
        let failed = ["States.TaskFailed".to_owned()];
        assert!(!matches(&failed, "States.Timeout"));
        assert!(!matches(&failed, "States.HeartbeatTimeout"));
        assert!(!matches(&failed, "States.QueryEvaluationError"));
        assert!(matches(&failed, "Mine"));
    }
}
