//! One step of an execution, as people see it.

use std::sync::Arc;

use serde::Serialize;

use super::card::{FailureCard, job_label};
use super::limits::counters;
use super::skipped;
use super::text::seconds;
use crate::engine::execution::Fork;
use crate::engine::pace::Estimate;
use crate::engine::{
    Execution, FrameId, Job, Program, Status, Step, StepStatus, Timestamp, progress,
};
use crate::language::{State, StateName};

/// A state of the outermost machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepCard {
    /// Its place among the steps, from 1.
    pub number: usize,
    /// The state's name.
    pub name: StateName,
    /// Its name for people: `Title`, else the state's name.
    pub title: String,
    /// The state's type, as `Task`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `pending`, `running`, `waiting`, `completed`, `completed_with_errors`, `failed`, `skipped`,
    /// `cancelling` or `cancelled`.
    pub status: &'static str,
    /// Its share of the whole, relative to the other steps.
    pub weight: f64,
    /// How far it is, in percent.
    pub progress: u8,
    /// Attempts so far, also those that a crash cut off.
    pub attempts: u32,
    /// Newest words of its worker; of a step that was skipped, why.
    pub message: Option<Arc<str>>,
    /// What its open job counts, in words: `4 / 6 scenes`.
    pub counted: Option<String>,
    /// Branches, items or batches of a Parallel or Map; 0 for all other states.
    pub parts: u32,
    /// Parts that ended well.
    pub parts_completed: u32,
    /// Parts that failed.
    pub parts_failed: u32,
    /// Things that failed in jobs which succeeded all the same.
    pub errors: u32,
    /// How many things its job has done, when it counts.
    pub processed: Option<u64>,
    /// How many things there are.
    pub total: Option<u64>,
    /// The open map run, when it is a distributed Map.
    pub map_run: Option<MapRunCard>,
    /// Things or parts done in a second, where they are counted and it is under way.
    pub rate_per_second: Option<f64>,
    /// How long it may still take, as of its last event; absent where there is nothing to go by.
    pub seconds_left: Option<u64>,
    /// Its newest job.
    pub job_id: Option<String>,
    /// The execution that did that job's work, when no worker did.
    pub execution: Option<String>,
    /// When it was first entered, as RFC 3339.
    pub started_at: Option<String>,
    /// When it was left last, as RFC 3339.
    pub ended_at: Option<String>,
    /// How long it took, or has taken so far.
    pub duration_seconds: Option<f64>,
    /// Why it failed last.
    pub error: Option<FailureCard>,
}

/// A distributed Map that is open: each of its parts is an execution of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MapRunCard {
    /// Its id.
    pub id: String,
    /// How many parts there are.
    pub total: u32,
    /// Parts that have not begun.
    pub pending: u32,
    /// Parts under way.
    pub running: u32,
    /// Parts that ended well.
    pub succeeded: u32,
    /// Parts that failed.
    pub failed: u32,
    /// How many may fail.
    pub tolerated_failures: u32,
    /// How many may run at once.
    pub concurrency: u32,
}

impl MapRunCard {
    fn of(fork: &Fork) -> Option<Self> {
        let run = fork.run.as_ref()?;
        Some(Self {
            id: run.id.to_string(),
            total: fork.total,
            pending: fork.total - fork.started,
            running: fork.under_way(),
            succeeded: run.succeeded,
            failed: fork.failed,
            tolerated_failures: fork.tolerated_failures,
            concurrency: fork.concurrency,
        })
    }
}

impl StepCard {
    /// The steps of `execution`: the states of the outermost machine that have a weight, in the
    /// order of the text, entered or not.
    pub(super) fn all(program: &Program, execution: &Execution, now: Timestamp) -> Vec<Self> {
        let machine = program.machine(execution.map());
        let names = machine.into_iter().flat_map(|machine| &machine.states);
        names
            .filter_map(|name| program.state(name))
            .filter(|state| state.weight > 0.0)
            .zip(1..)
            .map(|(state, number)| one(program, execution, now, (number, state)))
            .collect()
    }
}

fn one(
    program: &Program,
    execution: &Execution,
    now: Timestamp,
    (number, state): (usize, &State),
) -> StepCard {
    let known = execution.steps.get(&state.name);
    // Of one that a redrive took back only the attempts are still of interest.
    let step = known.filter(|step| step.status != StepStatus::Pending);
    let ended_at = step.and_then(|step| step.ended_at);
    let Estimate { rate_per_second, seconds_left } = estimate(program, execution, &state.name);
    StepCard {
        number,
        name: state.name.clone(),
        title: state.title.clone().unwrap_or_else(|| state.name.to_string()),
        kind: state.kind.type_name(),
        status: status(program, execution, state, step),
        weight: state.weight,
        progress: step.map_or(0, |step| percent(program, execution, &state.name, step)),
        attempts: known.map_or(0, |step| step.attempts),
        message: match step {
            Some(step) => step.message.clone(),
            None => skipped::of(program, execution, &state.name).and_then(|skip| skip.reason),
        },
        counted: counted(program, execution, &state.name),
        parts: step.map_or(0, |step| step.parts),
        parts_completed: step.map_or(0, |step| step.parts_completed),
        parts_failed: step.map_or(0, |step| step.parts_failed),
        errors: step.map_or(0, |step| step.errors),
        processed: step.and_then(|step| step.processed),
        total: step.and_then(|step| step.total),
        map_run: open_fork(execution, &state.name).and_then(MapRunCard::of),
        rate_per_second,
        seconds_left,
        job_id: step.and_then(|step| step.job).map(|job| job_label(execution.id, job)),
        execution: step.and_then(|step| step.child).map(|child| child.to_string()),
        started_at: step.map(|step| step.entered_at.to_string()),
        ended_at: ended_at.map(|at| at.to_string()),
        duration_seconds: step.map(|step| took(step, now)),
        error: step.and_then(|step| step.failure.as_ref()).map(FailureCard::of),
    }
}

/// What the open job of a step counts.
fn counted(program: &Program, execution: &Execution, name: &StateName) -> Option<String> {
    let root = execution.frames.get(&FrameId::ROOT);
    let root = root.filter(|root| root.state.as_ref() == Some(name))?;
    let job = execution.jobs.get(&root.job?)?;
    let words = program.workflow.job_type_words.get(&job.job_type);
    counters(words, job.processed, job.total)
}

/// The fork that is open in a step.
pub(super) fn open_fork<'e>(execution: &'e Execution, name: &StateName) -> Option<&'e Fork> {
    execution.frames.get(&FrameId::ROOT).filter(|root| root.state.as_ref() == Some(name))?.fork()
}

/// How fast the step goes that the execution is in.
fn estimate(program: &Program, execution: &Execution, name: &StateName) -> Estimate {
    let root = execution.frames.get(&FrameId::ROOT);
    let Some(root) = root.filter(|root| root.state.as_ref() == Some(name)) else {
        return Estimate::default();
    };
    match root.fork() {
        Some(fork) => fork.estimate(execution, progress::fraction(program, execution, root)),
        None => {
            let job = root.job.and_then(|job| execution.jobs.get(&job));
            job.filter(|job| !job.is_own()).map_or_else(Estimate::default, Job::estimate)
        }
    }
}

/// How long a step took, or has taken so far, in seconds.
pub(super) fn took(step: &Step, now: Timestamp) -> f64 {
    seconds(step.ended_at.unwrap_or(now).ms_since(step.entered_at))
}

fn status(
    program: &Program,
    execution: &Execution,
    state: &State,
    step: Option<&Step>,
) -> &'static str {
    match step {
        None if can_still_come(program, execution, &state.name) => StepStatus::Pending.as_str(),
        None => "skipped",
        Some(step) if step.ended_at.is_none() && execution.status == Status::Cancelling => {
            Status::Cancelling.as_str()
        }
        Some(step) => step.status.as_str(),
    }
}

/// Whether a state that was not entered may still be.
fn can_still_come(program: &Program, execution: &Execution, name: &StateName) -> bool {
    if execution.status.is_terminal() || execution.cleanup.is_some() {
        return false;
    }
    let current = execution.frames.get(&FrameId::ROOT).and_then(|root| root.state.as_deref());
    current
        .and_then(|current| program.outlook(current))
        .is_none_or(|outlook| outlook.reachable.contains(name))
}

/// How far a step is that was entered, in percent; 100 only when it is done.
fn percent(program: &Program, execution: &Execution, name: &StateName, step: &Step) -> u8 {
    if matches!(step.status, StepStatus::Completed | StepStatus::CompletedWithErrors) {
        return 100;
    }
    let root = execution.frames.get(&FrameId::ROOT);
    if let Some(root) = root.filter(|root| root.state.as_ref() == Some(name)) {
        return whole(progress::fraction(program, execution, root), 99.0);
    }
    // It ended without success: what is left of its progress are the parts that were done.
    match step.parts {
        0 => 0,
        parts => whole(f64::from(step.parts_completed) / f64::from(parts), 99.0),
    }
}

/// A fraction in whole percent, at most `most`, which is at most 100.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=100 just before"
)]
pub(super) fn whole(fraction: f64, most: f64) -> u8 {
    (fraction * 100.0 + 1e-8).floor().clamp(0.0, most) as u8
}
