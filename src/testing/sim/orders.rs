//! Every order of a small life, not a sample of them: who takes the next step is told instead of
//! drawn, and so is where the process ends.
//!
//! Usually all who are ready take turns. An order says where that is deviated from; with few
//! deviations there are few enough orders to live all of them, and two are enough for most of what
//! goes wrong when one task overtakes another ("delay bounding", Emmi, Qadeer and Rakamarić 2011).

use std::collections::BTreeSet;

use serde::Serialize;

use super::life::Outcome;
use super::plan::{Faults, Plan, System};
use super::report::live_safely;
use super::scheduler::TaskId;

/// In which order steps are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Order {
    /// At which steps somebody else takes the turn, and how many places behind the one whose turn it
    /// is, by step.
    pub deviations: Vec<(u64, usize)>,
    /// At which step the first process ends, and whether in order.
    pub end: Option<(u64, bool)>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    order: Order,
    last: TaskId,
    /// How many were ready at each step.
    pub(super) widths: Vec<usize>,
}

impl Turns {
    pub(super) fn new(order: Order) -> Self {
        Self { order, last: 0, widths: Vec::new() }
    }

    /// Who of those that are ready takes this step.
    pub(super) fn choose(&mut self, ready: &BTreeSet<TaskId>) -> Option<TaskId> {
        let step = u64::try_from(self.widths.len()).unwrap_or(u64::MAX);
        let behind = self.order.deviations.iter().find(|(at, _)| *at == step);
        let behind = behind.map_or(0, |(_, behind)| *behind);
        let in_turn = ready.range(self.last + 1..).chain(ready.range(..=self.last));
        let chosen = in_turn.copied().nth(behind);
        self.widths.push(ready.len());
        self.last = chosen.unwrap_or(self.last);
        chosen
    }
}

/// A life with a few actions of `seed`, in which nothing goes wrong by itself.
#[must_use]
pub fn small(seed: u64, actions: usize) -> Plan {
    let mut plan = Plan::of(seed);
    plan.faults = Faults::default();
    plan.actions.truncate(actions);
    for (client, action) in plan.actions.iter_mut().enumerate() {
        (action.client, action.wait) = (client, 0);
    }
    // Small queues, two shards and checkpoints soon: as much as can be meets in few steps.
    plan.system = System {
        shards: 2,
        shard_queue: 2,
        commit_queue: 1,
        group_units: 2,
        checkpoint_events: 6,
        ..plan.system
    };
    plan.order = Some(Order::default());
    plan
}

/// How much was searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Searched {
    /// Lives.
    pub lives: u64,
    /// Steps before peace of the life without deviations.
    pub steps: u64,
}

/// Lives all orders of `plan` with at most so many deviations, each also with an end of the first
/// process at every step when it has fewer. Stops at the first that breaks a promise.
///
/// # Errors
/// That order, and what is wrong.
pub fn search(plan: &Plan, deviations: usize) -> Result<Searched, Box<(Order, Outcome)>> {
    let mut searched = Searched::default();
    let first = live_in(plan, &Order::default())?;
    searched.steps = u64::try_from(first.widths.len()).unwrap_or(0);
    let mut todo = vec![(Order::default(), first.widths)];
    while let Some((order, widths)) = todo.pop() {
        for order in further(&order, &widths) {
            let outcome = live_in(plan, &order)?;
            searched.lives += 1;
            if order.end.is_none() && order.deviations.len() < deviations {
                todo.push((order, outcome.widths));
            }
        }
    }
    Ok(searched)
}

/// Orders with one deviation more than `order`, after its last, or with an end.
fn further(order: &Order, widths: &[usize]) -> Vec<Order> {
    let after = order.deviations.last().map_or(0, |(step, _)| step + 1);
    let steps = (0u64..).zip(widths).filter(|(step, _)| *step >= after);
    let mut next = Vec::new();
    for (step, width) in steps {
        for behind in 1..*width {
            let mut other = order.clone();
            other.deviations.push((step, behind));
            next.push(other);
        }
        let ends = [false, true].map(|stops| Order { end: Some((step, stops)), ..order.clone() });
        next.extend(ends);
    }
    next
}

fn live_in(plan: &Plan, order: &Order) -> Result<Outcome, Box<(Order, Outcome)>> {
    let outcome = live_safely(&Plan { order: Some(order.clone()), ..plan.clone() });
    if outcome.fault.is_some() { Err(Box::new((order.clone(), outcome))) } else { Ok(outcome) }
}
