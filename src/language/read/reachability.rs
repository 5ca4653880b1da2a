//! Which states of a machine can be reached, and whether it can end.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::Reader;
use super::nearest::nearest;
use super::object::{At, Object};
use crate::language::diagnostic::{codes, quoted};
use crate::language::expression::Template;
use crate::language::model::StateName;
use crate::language::source::Fault;

/// A way from one state to another.
pub(super) struct Edge {
    pub(super) target: usize,
    /// The variables that are assigned on it.
    pub(super) assigns: Arc<[Arc<str>]>,
}

/// The states of one machine and the ways between them, gathered while they are read.
pub(super) struct Ways<'a> {
    names: Vec<&'a str>,
    indexes: HashMap<&'a str, usize>,
    /// The ways from each state.
    edges: Vec<Vec<Edge>>,
    /// What the machines inside each state assign, as ranges of the reader's list.
    nested: Vec<(usize, Range<usize>)>,
    /// Whether a state can end the machine.
    ends: Vec<bool>,
    /// States that undo others, with the one that each undoes.
    cleanups: Vec<(usize, usize)>,
    current: usize,
    /// A way could not be read: what would follow from its absence is not reported.
    broken: bool,
}

impl<'a> Ways<'a> {
    pub(super) fn new(names: Vec<&'a str>) -> Self {
        let indexes = names.iter().enumerate().map(|(index, name)| (*name, index)).collect();
        let edges = names.iter().map(|_| Vec::new()).collect();
        let ends = vec![false; names.len()];
        Self {
            names,
            indexes,
            edges,
            nested: Vec::new(),
            ends,
            cleanups: Vec::new(),
            current: 0,
            broken: false,
        }
    }

    /// Says which state the next ways start from.
    pub(super) fn enter(&mut self, index: usize) {
        self.current = index;
    }

    /// The current state can end the machine.
    pub(super) fn end(&mut self) {
        if let Some(ends) = self.ends.get_mut(self.current) {
            *ends = true;
        }
    }

    /// A way out of the current state is not known.
    pub(super) fn break_off(&mut self) {
        self.broken = true;
    }

    /// The machines inside the current state assign what these ranges hold.
    pub(super) fn nest(&mut self, ranges: Vec<Range<usize>>) {
        self.nested.extend(ranges.into_iter().map(|range| (self.current, range)));
    }

    /// What the machines inside each state assign.
    pub(super) fn nested(&self) -> impl Iterator<Item = (usize, &Range<usize>)> {
        self.nested.iter().map(|(state, range)| (*state, range))
    }

    /// All ways, each with where it starts.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, &Edge)> {
        let all = self.edges.iter().enumerate();
        all.flat_map(|(from, edges)| edges.iter().map(move |edge| (from, edge)))
    }

    /// The current state is undone by the one called `name`.
    pub(super) fn clean_up_with(&mut self, name: &str) {
        let target = self.index(name);
        self.cleanups.extend(target.map(|target| (self.current, target)));
    }

    /// Every state that is undone, with the one that undoes it.
    pub(super) fn cleanups(&self) -> &[(usize, usize)] {
        &self.cleanups
    }

    /// The place of the state called `name`.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.indexes.get(name).copied()
    }

    /// The name of a state.
    pub(super) fn name(&self, index: usize) -> &'a str {
        self.names.get(index).copied().unwrap_or_default()
    }

    /// Whether one of these states can end the machine.
    pub(super) fn can_end(&self, reached: &[bool]) -> bool {
        reached.iter().zip(&self.ends).any(|(reached, ends)| *reached && *ends)
    }

    fn lead_to(&mut self, target: usize, assigns: Arc<[Arc<str>]>) {
        if let Some(edges) = self.edges.get_mut(self.current) {
            edges.push(Edge { target, assigns });
        }
    }

    /// The state that `StartAt` names, where all ways are known.
    pub(super) fn start(&self, start: &At<'_>) -> Option<usize> {
        let first = start.as_text().and_then(|name| self.indexes.get(name).copied());
        first.filter(|_| !self.broken)
    }

    /// For each state whether a way from one of `starts` leads there, or it is one of them.
    pub(super) fn reached(&self, starts: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut reached = vec![false; self.names.len()];
        let mut open: Vec<usize> = starts.into_iter().collect();
        while let Some(index) = open.pop() {
            let Some(seen) = reached.get_mut(index).filter(|seen| !**seen) else { continue };
            *seen = true;
            open.extend(self.edges.get(index).into_iter().flatten().map(|edge| edge.target));
        }
        reached
    }
}

impl Reader<'_, '_> {
    /// The state that the current state's field `at` leads to, assigning variables on the way.
    pub(super) fn target(
        &mut self,
        at: &At<'_>,
        ways: &mut Ways<'_>,
        assign: &[(Arc<str>, Template)],
    ) -> Option<StateName> {
        let found = self.state_named(at, ways);
        match found.and_then(|name| ways.indexes.get(name).copied()) {
            Some(index) => {
                ways.lead_to(index, assign.iter().map(|(name, _)| name.clone()).collect());
            }
            None => ways.break_off(),
        }
        found.map(StateName::from)
    }

    /// The name in `at`, if it is the name of a state of the machine.
    pub(super) fn state_named<'s>(&mut self, at: &At<'s>, ways: &Ways<'_>) -> Option<&'s str> {
        let name = self.text(at)?;
        if ways.indexes.contains_key(name) {
            return Some(name);
        }
        let known = ways.names.iter().copied();
        let meant = if self.faults.is_full() { None } else { nearest(name, known) };
        let hint = match meant {
            Some(meant) => format!("did you mean {}?", quoted(meant)),
            None => "name a state that stands in the same `States`".to_owned(),
        };
        let message =
            format!("{} names {}, which is no state of this machine", at.label(), quoted(name));
        let fault = Fault::new(codes::UNKNOWN_STATE, at.node.span, message).hint(hint);
        self.faults.report(&at.place, fault);
        None
    }

    /// Reports states that cannot be reached, and a machine that cannot end. `normal` are those that
    /// a way from the start leads to, `reached` also those that only clean up.
    pub(super) fn check_ways(
        &mut self,
        start: &At<'_>,
        states: &Object<'_>,
        ways: &Ways<'_>,
        (normal, reached): (&[bool], &[bool]),
    ) {
        for (at, reached) in states.fields().zip(reached) {
            if !reached {
                let message = format!("state {} can never be reached", at.label());
                let fault = Fault::new(codes::UNREACHABLE, at.key_span, message)
                    .hint("lead another state's `Next` to it, or remove it");
                self.faults.report(&at.place, fault);
            }
        }
        if !ways.can_end(normal) {
            let message = "this machine can never end: no way from `StartAt` leads to an end";
            let fault = Fault::new(codes::NO_END, start.key_span, message)
                .hint("give a state `End: true`, or lead to a Succeed or Fail state");
            self.faults.report(&start.place, fault);
        }
    }
}
