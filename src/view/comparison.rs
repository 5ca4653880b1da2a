//! Two executions side by side.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::card::FailureCard;
use super::sentence::{Places, sentence};
use super::step::StepCard;
use super::text::seconds;
use crate::engine::{Event, Execution, Program, Timestamp};
use crate::language::StateName;
use crate::store::Record;

/// An execution with what it takes to compare it.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'c> {
    /// What it runs.
    pub program: &'c Program,
    /// The execution, as its history leaves it.
    pub execution: &'c Execution,
    /// All of its events.
    pub history: &'c [Record],
}

/// What is not the same in two executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The one.
    pub left: Half,
    /// The other.
    pub right: Half,
    /// What is not the same, in the order of the card.
    pub differences: Vec<Unlike>,
    /// The first event that only one has, or that another kind of event stands for in the other;
    /// absent when both went the same way.
    pub parting: Option<Parting>,
}

/// One of two executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Half {
    /// Its id.
    pub id: String,
    /// Its short name.
    pub handle: String,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The execution's status.
    pub status: &'static str,
    /// How long it took, or has taken so far.
    pub duration_seconds: f64,
}

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unlike {
    /// `execution` or `step`.
    pub subject: &'static str,
    /// The step's name; absent for the execution.
    pub name: Option<String>,
    /// What of it, as `status`.
    pub field: &'static str,
    /// What it is in the one; `null` when there is none.
    pub left: Value,
    /// What it is in the other.
    pub right: Value,
}

/// Where the paths of two executions part. Reports of workers and signs of life are no part of a
/// path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parting {
    /// How many events the paths share.
    pub shared: u64,
    /// What comes next in the one; nothing when it goes no further.
    pub left: Option<PathEvent>,
    /// What comes next in the other.
    pub right: Option<PathEvent>,
}

/// An event of a path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PathEvent {
    /// Its sequence.
    pub sequence: u64,
    /// Its name.
    pub event: &'static str,
    /// The state in which it happened, where that is known.
    pub step_name: Option<StateName>,
    /// The event in words.
    pub sentence: String,
}

impl Comparison {
    /// What is not the same in two executions at `now`.
    #[must_use]
    pub fn of(left: Compared<'_>, right: Compared<'_>, now: Timestamp) -> Self {
        Self {
            left: left.half(now),
            right: right.half(now),
            differences: differences(left, right, now),
            parting: parting(left.history, right.history),
        }
    }
}

impl Compared<'_> {
    fn half(self, now: Timestamp) -> Half {
        Half {
            id: self.execution.id.to_string(),
            handle: self.execution.id.handle(),
            workflow: self.execution.workflow.clone(),
            status: self.execution.status.as_str(),
            duration_seconds: took(self.execution, now),
        }
    }

    fn fields(self, now: Timestamp) -> [(&'static str, Value); 9] {
        let execution = self.execution;
        [
            ("workflow", json!(execution.workflow)),
            ("definition", json!(execution.definition.to_string())),
            ("input", json!(execution.input)),
            ("status", json!(execution.status.as_str())),
            ("progress", json!(execution.progress)),
            ("duration_seconds", json!(took(execution, now))),
            ("total_errors", json!(execution.total_errors)),
            ("output", json!(execution.output)),
            ("failure", json!(execution.failure.as_ref().map(FailureCard::of))),
        ]
    }

    /// The fields of a step; all absent when the execution has no such step.
    fn step_fields(self, steps: &[StepCard], name: &StateName) -> [(&'static str, Value); 5] {
        let card = steps.iter().find(|step| step.name == *name);
        let result = self.execution.steps.get(name).and_then(|step| step.result.clone());
        [
            ("status", json!(card.map(|step| step.status))),
            ("attempts", json!(card.map(|step| step.attempts))),
            ("duration_seconds", json!(card.and_then(|step| step.duration_seconds))),
            ("result", json!(result)),
            ("error", json!(card.and_then(|step| step.error.clone()))),
        ]
    }
}

fn took(execution: &Execution, now: Timestamp) -> f64 {
    seconds(execution.ended_at.unwrap_or(now).ms_since(execution.started_at))
}

fn differences(left: Compared<'_>, right: Compared<'_>, now: Timestamp) -> Vec<Unlike> {
    let mut found = Vec::new();
    for ((field, one), (_, other)) in left.fields(now).into_iter().zip(right.fields(now)) {
        if one != other {
            found.push(Unlike { subject: "execution", name: None, field, left: one, right: other });
        }
    }
    let steps = |half: Compared<'_>| StepCard::all(half.program, half.execution, now);
    let (lefts, rights) = (steps(left), steps(right));
    let is_new = |step: &&StepCard| lefts.iter().all(|other| other.name != step.name);
    for step in lefts.iter().chain(rights.iter().filter(is_new)) {
        let (one, other) =
            (left.step_fields(&lefts, &step.name), right.step_fields(&rights, &step.name));
        for ((field, one), (_, other)) in one.into_iter().zip(other) {
            if one != other {
                let name = Some(step.name.to_string());
                found.push(Unlike { subject: "step", name, field, left: one, right: other });
            }
        }
    }
    found
}

/// The first place at which the kinds of events, or the states they happened in, are not the same.
fn parting(left: &[Record], right: &[Record]) -> Option<Parting> {
    let (mut left, mut right) = (path(left), path(right));
    let mut shared = 0;
    loop {
        let (one, other) = (left.next(), right.next());
        let kind = |event: &PathEvent| (event.event, event.step_name.clone());
        if one.as_ref().map(kind) != other.as_ref().map(kind) {
            return Some(Parting { shared, left: one, right: other });
        }
        one?;
        shared += 1;
    }
}

fn path(history: &[Record]) -> impl Iterator<Item = PathEvent> {
    let mut places = Places::default();
    let is_step = |record: &&Record| {
        !matches!(*record.event, Event::JobProgressed(_) | Event::JobHeartbeat(_))
    };
    history.iter().filter(is_step).map(move |record| PathEvent {
        sequence: record.sequence,
        event: record.event.name(),
        step_name: places.place(&record.event),
        sentence: sentence(&record.event),
    })
}
