//! Steps that were skipped because a choice led past them, and why.

use std::sync::Arc;

use crate::engine::{Execution, Program, StepStatus};
use crate::language::model::Choice;
use crate::language::{State, StateKind, StateName};

/// A step that a choice led past.
pub(super) struct Skip<'p> {
    /// The step.
    pub(super) name: &'p StateName,
    /// The `Comment` of the rule that was taken.
    pub(super) reason: Option<Arc<str>>,
}

/// The steps of `execution` that a choice led past, in the order of the text. Hidden ones are left
/// out.
pub(super) fn all<'p>(
    program: &'p Program,
    execution: &'p Execution,
) -> impl Iterator<Item = Skip<'p>> {
    let machine = program.machine(execution.map());
    let names = machine.into_iter().flat_map(|machine| &machine.states);
    names
        .filter(|name| program.state(name).is_some_and(|state| state.weight > 0.0))
        .filter_map(|name| of(program, execution, name))
}

/// Whether a choice led past the step called `name`: the last that could have led to it.
pub(super) fn of<'p>(
    program: &'p Program,
    execution: &Execution,
    name: &'p StateName,
) -> Option<Skip<'p>> {
    // What a redrive took back was not entered.
    let was_entered = |state: &StateName| {
        execution.steps.get(state).is_some_and(|step| step.status != StepStatus::Pending)
    };
    if was_entered(name) {
        return None;
    }
    let entered = execution.steps.keys().rev().filter(|entered| was_entered(entered));
    let entered = entered.filter_map(|entered| program.state(entered));
    let leads_to = |state: &StateName| {
        state == name
            || program.outlook(state).is_some_and(|outlook| outlook.reachable.contains(name))
    };
    let mut choices = entered.filter_map(|state| Some((state, choice(state)?)));
    let (_, choice) = choices.find(|(state, _)| leads_to(&state.name))?;
    let is_past = |next: &StateName| was_entered(next) && !leads_to(next);
    if let Some(rule) = choice.rules.iter().find(|rule| is_past(&rule.next)) {
        return Some(Skip { name, reason: rule.comment.clone() });
    }
    let default = choice.default.as_ref()?;
    is_past(default).then_some(Skip { name, reason: None })
}

fn choice(state: &State) -> Option<&Choice> {
    match &state.kind {
        StateKind::Choice(choice) => Some(choice),
        StateKind::Pass { .. }
        | StateKind::Task(_)
        | StateKind::Wait(_)
        | StateKind::Succeed
        | StateKind::Fail { .. }
        | StateKind::Parallel { .. }
        | StateKind::Map(_) => None,
    }
}
