//! How far an execution is, in percent.
//!
//! The sum of weight times fraction over the steps that were entered or can still be reached; a
//! choice not taken drops its weight. Decide puts the number into events, and the fold keeps the
//! greatest, so that it never falls, and is the same at any past event whatever changes here later.

use super::execution::{Activity, Execution, Fork, Frame, MapRun, StepStatus};
use super::id::FrameId;
use super::program::Program;
use crate::language::StateKind;

/// What is shown until an execution has completed.
const UNFINISHED_MAX: f64 = 99.0;

/// Progress of `execution` as it stands: 0 to 99.
#[must_use]
pub fn percent(program: &Program, execution: &Execution) -> u8 {
    if execution.cleanup.is_some() {
        // To undo is no progress.
        return execution.progress;
    }
    let Some(root) = execution.frames.get(&FrameId::ROOT) else { return execution.progress };
    let Some(current) = root.state.as_deref() else { return 0 };
    let Some(outlook) = program.outlook(current) else { return execution.progress };
    let weight_of = |name: &str| program.state(name).map_or(0.0, |state| state.weight);
    let is_entered = |name: &str| {
        execution.steps.get(name).is_some_and(|step| step.status != StepStatus::Pending)
    };
    let entered: f64 = execution
        .steps
        .iter()
        .filter(|(name, step)| ***name != *current && step.status != StepStatus::Pending)
        .map(|(name, _)| weight_of(name))
        .sum();
    let ahead: f64 = outlook
        .reachable
        .iter()
        .filter(|name| ***name != *current && !is_entered(name))
        .map(|name| weight_of(name))
        .sum();
    let own = weight_of(current);
    let done = entered + own * fraction(program, execution, root);
    whole_percent(done, entered + own + ahead)
}

fn whole_percent(done: f64, total: f64) -> u8 {
    if total <= 0.0 {
        return 0;
    }
    // A hundredth of a millionth of slack, so that 3 tenths of 10 are 3 and not 2.999….
    let percent = (100.0 * done / total + 1e-8).floor().clamp(0.0, UNFINISHED_MAX);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=99 just above"
    )]
    {
        percent as u8
    }
}

/// How much of its state a frame has done, 0 to 1.
#[must_use]
pub fn fraction(program: &Program, execution: &Execution, frame: &Frame) -> f64 {
    match &frame.activity {
        Activity::Forked(fork) => fork_fraction(program, execution, fork),
        Activity::Job => match frame.job.and_then(|job| execution.jobs.get(&job)) {
            // Reading comes before a Map's parts, and writing after them: neither is the work.
            Some(job) if job.is_own() => f64::from(u8::from(frame.joined)),
            Some(job) => job.fraction(),
            None => 0.0,
        },
        // A Map that has a result before its parts has its items.
        Activity::Ready => f64::from(u8::from(
            frame.joined || (frame.result.is_some() && !stands_in_map(program, frame)),
        )),
        Activity::Waiting(_) | Activity::BackingOff(_) => 0.0,
    }
}

fn stands_in_map(program: &Program, frame: &Frame) -> bool {
    let state = frame.state.as_deref().and_then(|name| program.state(name));
    state.is_some_and(|state| matches!(state.kind, StateKind::Map(_)))
}

fn fork_fraction(program: &Program, execution: &Execution, fork: &Fork) -> f64 {
    if fork.total == 0 {
        return 1.0;
    }
    let running: f64 = fork
        .running
        .iter()
        .filter_map(|id| execution.frames.get(id))
        .map(|frame| machine_fraction(program, execution, frame))
        .sum();
    let told = fork.run.as_ref().map_or(0.0, parts_told);
    (f64::from(fork.finished()) + running + told) / f64::from(fork.total)
}

/// What the executions of a distributed Map that are under way have done of it, in parts.
fn parts_told(run: &MapRun) -> f64 {
    run.children.values().map(|part| f64::from(part.percent.min(100)) / 100.0).sum()
}

/// How much of its whole machine a frame has done, 0 to 1. What was skipped counts as done.
fn machine_fraction(program: &Program, execution: &Execution, frame: &Frame) -> f64 {
    let Some(state) = frame.state.as_deref().and_then(|name| program.state(name)) else {
        return 0.0;
    };
    let Some(outlook) = program.outlook(&state.name) else { return 0.0 };
    if outlook.machine_weight <= 0.0 {
        return 0.0;
    }
    let own_left = state.weight * (1.0 - fraction(program, execution, frame));
    let left = own_left + outlook.weight_ahead;
    (1.0 - left / outlook.machine_weight).clamp(0.0, 1.0)
}
