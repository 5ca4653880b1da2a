//! What changed in an execution from one moment to another.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::card::{Card, FailureCard};
use super::cleanup::CleanupOutcome;
use super::step::StepCard;
use crate::engine::{Execution, FrameId, Program};
use crate::language::StateName;

/// What changed in an execution between two of its events, and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The execution's id.
    pub id: String,
    /// Its short name.
    pub handle: String,
    /// The earlier or later moment from which is compared.
    pub from: Moment,
    /// The moment with which is compared.
    pub to: Moment,
    /// What is not the same, in the order of the card.
    pub changes: Vec<Change>,
}

/// The moment right after an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The event's sequence.
    pub sequence: u64,
    /// When, as RFC 3339.
    pub time: String,
}

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// `execution`, `step`, `variable` or `job`.
    pub subject: &'static str,
    /// The step's or variable's name, or the job's id; absent for the execution. Variables of a
    /// branch or iteration have its number before their name.
    pub name: Option<String>,
    /// What of it, as `status`.
    pub field: &'static str,
    /// What it was; `null` when there was none.
    pub before: Value,
    /// What it is then; `null` when there is none any more.
    pub after: Value,
}

/// Subject, name and field of something that can change.
type Key = (&'static str, Option<String>, &'static str);

impl Difference {
    /// What changed from one moment of an execution of `program` to another.
    #[must_use]
    pub fn of(program: &Program, from: &Execution, to: &Execution) -> Self {
        let (mut before, mut after) = (state(program, from), state(program, to));
        let keys: Vec<Key> = before.keys().chain(after.keys()).cloned().collect();
        let mut changes = Vec::new();
        for key in keys {
            // A key that both have comes twice; the second time there is nothing left of it.
            let was = before.shift_remove(&key).unwrap_or_default();
            let is = after.shift_remove(&key).unwrap_or_default();
            if was != is {
                let (subject, name, field) = key;
                changes.push(Change { subject, name, field, before: was, after: is });
            }
        }
        // A job that began in between has its place behind those that were there before.
        changes.sort_by_key(|change| rank(change.subject));
        let moment = |execution: &Execution| Moment {
            sequence: execution.sequence,
            time: execution.updated_at.to_string(),
        };
        Self {
            id: to.id.to_string(),
            handle: to.id.handle(),
            from: moment(from),
            to: moment(to),
            changes,
        }
    }
}

fn rank(subject: &str) -> usize {
    ["execution", "step", "variable", "job"].iter().position(|s| *s == subject).unwrap_or(4)
}

/// Everything of an execution in which a change is worth telling.
fn state(program: &Program, execution: &Execution) -> IndexMap<Key, Value> {
    let card = Card::of(program, execution, execution.updated_at);
    let mut state = IndexMap::new();
    let mut add = |field, value: Value| drop(state.insert(("execution", None, field), value));
    add("status", json!(card.status));
    add("progress", json!(card.progress));
    add("message", json!(card.message));
    add("waiting", json!(card.waiting));
    add("total_errors", json!(card.total_errors));
    add("output", json!(execution.output));
    add("failure", json!(card.failure));
    add("summary", json!(card.summary));
    add("summary_error", json!(card.summary_error));
    add("cancel", json!(card.cancel));
    add("paused", json!(card.paused));
    let outcomes = card.cleanup.iter().flat_map(|cleanup| &cleanup.outcomes);
    let outcome = |one: &CleanupOutcome| match (&one.step, one.status) {
        (Some(step), status) => format!("{step} by {} {status}", one.state),
        (None, status) => format!("{} {status}", one.state),
    };
    add("cleanup", json!(outcomes.map(outcome).collect::<Vec<String>>()));
    add("set_aside", json!(card.set_aside));
    add("redrives", json!(card.redrives));
    for step in &card.steps {
        of_step(step, execution, &mut state);
    }
    // Hidden steps stand in no card.
    let is_hidden = |name: &StateName| card.steps.iter().all(|step| step.name != *name);
    for (name, step) in execution.steps.iter().filter(|(name, _)| is_hidden(name)) {
        let mut add = |field, value: Value| {
            state.insert(("step", Some(name.to_string()), field), value);
        };
        add("status", json!(step.status.as_str()));
        add("attempts", json!(step.attempts));
        add("result", json!(step.result));
        add("error", json!(step.failure.as_ref().map(FailureCard::of)));
    }
    of_variables(execution, &mut state);
    of_jobs(&card, &mut state);
    state
}

fn of_step(step: &StepCard, execution: &Execution, state: &mut IndexMap<Key, Value>) {
    let mut add = |field, value: Value| {
        state.insert(("step", Some(step.name.to_string()), field), value);
    };
    let result = execution.steps.get(&step.name).and_then(|step| step.result.clone());
    add("status", json!(step.status));
    add("progress", json!(step.progress));
    add("attempts", json!(step.attempts));
    add("parts_completed", json!(step.parts_completed));
    add("parts_failed", json!(step.parts_failed));
    add("result", json!(result));
    add("error", json!(step.error));
}

fn of_variables(execution: &Execution, state: &mut IndexMap<Key, Value>) {
    for (id, frame) in &execution.frames {
        for (name, value) in &frame.variables {
            let name = match *id {
                FrameId::ROOT => name.to_string(),
                id => format!("{id}:{name}"),
            };
            state.insert(("variable", Some(name), "value"), json!(value));
        }
    }
}

fn of_jobs(card: &Card, state: &mut IndexMap<Key, Value>) {
    for job in &card.active_sub_jobs {
        let mut add = |field, value: Value| {
            state.insert(("job", Some(job.id.clone()), field), value);
        };
        add("status", json!(job.status));
        add("type", json!(job.job_type));
        add("attempt", json!(job.attempt));
        add("progress", json!(job.progress));
        add("worker", json!(job.worker));
        add("execution", json!(job.execution));
        add("message", json!(job.message));
    }
}
