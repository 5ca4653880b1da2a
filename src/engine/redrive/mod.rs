//! Where an execution that has ended goes on, and what it keeps: worked out from its history alone.
//!
//! An execution that has ended forgets its frames, so that memory does not grow. Its history still
//! says all: it is folded again up to where the step was entered that is to run again. What comes
//! after that says which parts of that step had been done.

mod parts;
mod path;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::parts::KeptParts;
use self::path::{Path, Visit};
use super::event::Event;
use super::execution::{Execution, Status};
use super::id::{ExecutionId, FrameId, Timestamp};
use super::program::Program;
use super::rejection::Rejection;
use crate::language::expression::ReferencePath;
use crate::language::{DefinitionHash, Json, StateKind, StateName};

/// What is asked of a redrive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveRequest {
    /// The step to go back to; where it ended when that is not said.
    pub from: Option<StateName>,
    /// What to write into the input of the step that runs again: paths, as `$.path.to[0]`, with
    /// values. `$` is the whole input.
    pub set: Vec<(String, Json)>,
}

/// Where an execution goes on, with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedrivePlan {
    /// The sequence of the last event of the history that this was worked out from.
    pub sequence: u64,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The version that it runs, then as now.
    pub definition: DefinitionHash,
    /// How the execution had ended.
    pub ended: Status,
    /// How often it went on after an end before.
    pub redrives: u32,
    /// The step that runs again.
    pub step: StateName,
    /// Attempts of that step so far.
    pub attempts: u32,
    /// The sequence of the event that had entered it; 0 when nothing had been entered.
    pub back_to: u64,
    /// Its input.
    pub input: Json,
    /// Whether that is another than it had before.
    pub input_changed: bool,
    /// The variables that there were.
    pub variables: Vec<(Arc<str>, Json)>,
    /// The steps that keep their results, in the order in which they were entered.
    pub kept: Vec<StateName>,
    /// Steps that had been entered after those, and are done again if the way leads to them.
    pub again: Vec<StateName>,
    /// Failures that were caught or tolerated in what is kept.
    pub total_errors: u32,
    /// Parts of the step that are not done again.
    pub parts: Option<KeptParts>,
}

/// Works out where an execution of `program` with this history, all of it, goes on.
///
/// # Errors
/// It cannot go on: it has not ended, or completed; it is the work of another execution; the step
/// that is asked for has not been entered.
pub fn plan<'h>(
    id: ExecutionId,
    history: impl IntoIterator<Item = (&'h Event, Timestamp)>,
    program: &Program,
    request: &RedriveRequest,
) -> Result<RedrivePlan, Rejection> {
    let history: Vec<(&Event, Timestamp)> = history.into_iter().collect();
    let (ended, path) = Path::of(id, &history);
    ended.permits_retry()?;
    let place = place(&path, program, request)?;
    let Some((place, visit)) = place.and_then(|place| Some((place, path.visits.get(place)?)))
    else {
        return from_the_beginning(&ended, program, request);
    };
    let upto = usize::try_from(visit.entered).unwrap_or(usize::MAX);
    let (before, after) = history.split_at_checked(upto).unwrap_or((&history, &[]));
    let entered = Execution::replay(id, before.iter().copied());
    let root = entered.frames.get(&FrameId::ROOT);
    let (input, input_changed) =
        changed(&visit.step, root.map_or_else(Json::null, |root| root.data.clone()), request)?;
    let (kept, again) = split(&path, place);
    // Not up to the next visit of the path: what was taken back in between is none of this one.
    let length = after.iter().position(|(event, _)| ends_visit(event)).unwrap_or(after.len());
    let during = after.get(..length).unwrap_or(after);
    let keeps_parts = !input_changed && !visit.undone;
    let parts = keeps_parts.then(|| parts::kept(entered.clone(), during, ended.status)).flatten();
    let variables = root.map(|root| root.variables.clone()).unwrap_or_default();
    Ok(RedrivePlan {
        back_to: visit.entered,
        variables: variables.into_iter().collect(),
        kept,
        again,
        total_errors: entered.total_errors,
        parts,
        ..bare(&ended, &visit.step, input, input_changed)
    })
}

/// Whether an event comes after what happened in a step that had been entered before.
fn ends_visit(event: &Event) -> bool {
    match event {
        Event::StateEntered(body) => body.frame == FrameId::ROOT,
        event => matches!(event, Event::ExecutionRedriven(_)),
    }
}

/// The visit to go back to, by its place; none when nothing has been entered.
fn place(
    path: &Path,
    program: &Program,
    request: &RedriveRequest,
) -> Result<Option<usize>, Rejection> {
    let wanted = match &request.from {
        Some(step) => {
            let found = path.visits.iter().rposition(|visit| visit.step == *step);
            let entered = || path.visits.iter().map(|visit| visit.step.clone());
            Some(found.ok_or_else(|| Rejection::StepNotEntered {
                step: step.clone(),
                entered: distinct(entered()),
            })?)
        }
        None => where_it_ended(path, program),
    };
    // What was undone is not kept, and nothing that came after it.
    let undone = path.visits.iter().position(|visit| visit.undone);
    Ok(match (wanted, undone) {
        (Some(wanted), Some(undone)) => Some(wanted.min(undone)),
        (wanted, undone) => wanted.or(undone),
    })
}

/// The visit that did not end well: of an execution that completed, the first with an error, else
/// the last.
fn where_it_ended(path: &Path, program: &Program) -> Option<usize> {
    if path.completed {
        return path.visits.iter().position(|visit| visit.has_errors).or(path.last());
    }
    let last = path.last()?;
    let fails = |visit: &Visit| {
        let state = program.state(&visit.step);
        state.is_some_and(|state| matches!(state.kind, StateKind::Fail { .. }))
    };
    // A Fail state would only fail again: what led to it is what a catcher took.
    if path.visits.get(last).is_some_and(fails) {
        let caught = path.visits.iter().rposition(|visit| visit.was_caught);
        return caught.or(Some(last));
    }
    Some(last)
}

/// The steps that are kept, and those that are done again.
fn split(path: &Path, place: usize) -> (Vec<StateName>, Vec<StateName>) {
    let (before, after) = path.visits.split_at_checked(place).unwrap_or((&path.visits, &[]));
    let again = distinct(after.iter().map(|visit| visit.step.clone()));
    // In a loop a step can have been entered before and after: what it gave first is gone.
    let kept = before.iter().map(|visit| visit.step.clone());
    (distinct(kept.filter(|step| !again.contains(step))), again)
}

fn distinct(steps: impl Iterator<Item = StateName>) -> Vec<StateName> {
    let mut seen = BTreeSet::new();
    steps.filter(|step| seen.insert(step.clone())).collect()
}

/// The plan for an execution that ended before it entered anything.
fn from_the_beginning(
    ended: &Execution,
    program: &Program,
    request: &RedriveRequest,
) -> Result<RedrivePlan, Rejection> {
    let start = &program.workflow.root.start_at;
    let (input, input_changed) = changed(start, ended.input.clone(), request)?;
    Ok(bare(ended, start, input, input_changed))
}

/// A plan that keeps nothing.
fn bare(ended: &Execution, step: &StateName, input: Json, input_changed: bool) -> RedrivePlan {
    RedrivePlan {
        sequence: ended.sequence,
        workflow: ended.workflow.clone(),
        definition: ended.definition,
        ended: ended.status,
        redrives: ended.redrives,
        step: step.clone(),
        attempts: ended.steps.get(step).map_or(0, |step| step.attempts),
        back_to: 0,
        input,
        input_changed,
        variables: Vec::new(),
        kept: Vec::new(),
        again: vec![step.clone()],
        total_errors: 0,
        parts: None,
    }
}

/// The input of the step as it is asked for, and whether that changes it.
fn changed(
    step: &StateName,
    before: Json,
    request: &RedriveRequest,
) -> Result<(Json, bool), Rejection> {
    if request.set.is_empty() {
        return Ok((before, false));
    }
    let bad = |reason: String| Rejection::BadChange { step: step.clone(), reason };
    let mut value = before.value();
    for (path, new) in &request.set {
        let place = ReferencePath::parse(path)
            .map_err(|fault| bad(format!("{path}: {}", fault.message)))?;
        place.write(&mut value, new.value()).map_err(|error| bad(error.cause))?;
    }
    Ok((Json::from_value(&value), true))
}
