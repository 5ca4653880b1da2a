//! A workflow with what the engine works out about it once, before it runs.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::language::model::{Machine, State, StateKind, StateName, Transition, Workflow};

/// A workflow, ready for decide.
#[derive(Debug)]
pub struct Program {
    /// The definition.
    pub workflow: Workflow,
    outlook: HashMap<StateName, Outlook>,
}

/// What may still come after a state, inside its own machine.
#[derive(Debug, Default)]
pub struct Outlook {
    /// The states that can be reached from it, itself not counted unless a loop leads back.
    pub reachable: IndexSet<StateName>,
    /// The weight of those states, itself left out.
    pub weight_ahead: f64,
    /// The weight of all states of its machine.
    pub machine_weight: f64,
}

impl Program {
    /// Works out what the engine needs to know about `workflow`.
    #[must_use]
    pub fn new(workflow: Workflow) -> Self {
        let mut outlook = HashMap::with_capacity(workflow.states.len());
        add_machine(&workflow, &workflow.root, &mut outlook);
        Self { workflow, outlook }
    }

    /// What may come after the state called `name`.
    #[must_use]
    pub fn outlook(&self, name: &str) -> Option<&Outlook> {
        self.outlook.get(name)
    }

    /// The processor of the Map called `map`, or the outermost machine: what an execution runs, by
    /// [`Execution::map`](super::Execution::map).
    #[must_use]
    pub fn machine(&self, map: Option<&StateName>) -> Option<&Machine> {
        let Some(map) = map else { return Some(&self.workflow.root) };
        match &self.state(map)?.kind {
            StateKind::Map(map) => Some(&map.processor),
            StateKind::Pass { .. }
            | StateKind::Task(_)
            | StateKind::Choice(_)
            | StateKind::Wait(_)
            | StateKind::Succeed
            | StateKind::Fail { .. }
            | StateKind::Parallel { .. } => None,
        }
    }

    /// The state called `name`.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&State> {
        self.workflow.state(name)
    }
}

fn add_machine(workflow: &Workflow, machine: &Machine, outlook: &mut HashMap<StateName, Outlook>) {
    let weight_of = |name: &StateName| workflow.state(name).map_or(0.0, |state| state.weight);
    let machine_weight = machine.states.iter().map(weight_of).sum();
    for name in &machine.states {
        let reachable = reachable_from(workflow, name);
        let ahead = reachable.iter().filter(|other| *other != name).map(weight_of).sum();
        let entry = Outlook { reachable, weight_ahead: ahead, machine_weight };
        outlook.insert(name.clone(), entry);
        for inner in workflow.state(name).into_iter().flat_map(machines_of) {
            add_machine(workflow, inner, outlook);
        }
    }
}

fn reachable_from(workflow: &Workflow, start: &StateName) -> IndexSet<StateName> {
    let mut reachable = IndexSet::new();
    let mut open: Vec<StateName> = workflow.state(start).map(targets).unwrap_or_default();
    while let Some(name) = open.pop() {
        if reachable.insert(name.clone()) {
            open.extend(workflow.state(&name).map(targets).unwrap_or_default());
        }
    }
    reachable
}

/// The machines inside a state: a Parallel's branches, a Map's processor.
#[must_use]
pub fn machines_of(state: &State) -> Vec<&Machine> {
    match &state.kind {
        StateKind::Parallel { branches } => branches.iter().collect(),
        StateKind::Map(map) => vec![&map.processor],
        StateKind::Pass { .. }
        | StateKind::Task(_)
        | StateKind::Choice(_)
        | StateKind::Wait(_)
        | StateKind::Succeed
        | StateKind::Fail { .. } => Vec::new(),
    }
}

/// Where a state can lead: its `Next`, its rules, its catchers.
fn targets(state: &State) -> Vec<StateName> {
    let mut targets: Vec<StateName> = Vec::new();
    if let Transition::Next(next) = &state.transition {
        targets.push(next.clone());
    }
    if let StateKind::Choice(choice) = &state.kind {
        targets.extend(choice.rules.iter().map(|rule| rule.next.clone()));
        targets.extend(choice.default.clone());
    }
    targets.extend(state.catch.iter().map(|catcher| catcher.next.clone()));
    targets
}
