//! `Cleanup`, `OnCancel` and `Summary`: what runs, and what is told, when an execution is over.
//!
//! The states that clean up stand among the others, in a flow of their own: nothing but `Cleanup`
//! and `OnCancel` leads into it, and nothing leads out of it.

use super::Reader;
use super::object::{At, Object};
use super::reachability::Ways;
use crate::language::diagnostic::{codes, quoted};
use crate::language::expression::Template;
use crate::language::model::StateName;
use crate::language::source::{Content, Fault};

impl Reader<'_, '_> {
    /// Reads the states of a machine, which may have `Cleanup` when they are those of a whole
    /// execution.
    pub(super) fn undoing<T>(&mut self, undoes: bool, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.undoes, undoes);
        let result = read(self);
        self.undoes = before;
        result
    }

    /// `Summary`: an object with expressions in it, or one expression that gives an object.
    pub(super) fn summary(&mut self, object: &Object<'_>) -> Option<Template> {
        let at = object.get("Summary")?;
        if matches!(at.node.content, Content::Object(_)) || at.is_jsonata() {
            return self.template(&at);
        }
        self.wrong_type(&at, "an object, or in JSONata an expression that gives one");
        None
    }

    /// `Cleanup` of a state.
    pub(super) fn cleanup(
        &mut self,
        object: &Object<'_>,
        ways: &mut Ways<'_>,
    ) -> Option<StateName> {
        let at = object.get("Cleanup")?;
        if !self.undoes {
            let message = "`Cleanup` cannot stand inside a branch or an inline Map, which is no \
                           execution of its own";
            let hint = "give it to the Parallel or Map state around, or make the Map distributed";
            self.not_allowed(&at, message.to_owned(), hint);
            return None;
        }
        let found = self.state_named(&at, ways);
        match found {
            Some(name) => ways.clean_up_with(name),
            None => ways.break_off(),
        }
        found.map(StateName::from)
    }

    /// `OnCancel`, once the states are known.
    pub(super) fn on_cancel(&mut self, at: &At<'_>, ways: &mut Ways<'_>) {
        if self.state_named(at, ways).is_none() {
            ways.break_off();
        }
    }

    /// Holds the flow of clean-up apart from the normal one. Gives the states that are reached in
    /// either, of which `normal` are those that a way from the start leads to.
    pub(super) fn check_cleanup(
        &mut self,
        states: &Object<'_>,
        ways: &Ways<'_>,
        normal: &[bool],
        on_cancel: Option<&At<'_>>,
    ) -> Vec<bool> {
        let mut reached = normal.to_vec();
        let undone = ways.cleanups();
        for (from, target) in undone {
            if let Some(state) = states.fields().nth(*from).and_then(|at| self.object(&at))
                && let Some(at) = state.get("Cleanup")
            {
                self.check_cleanup_flow(&at, *target, ways, normal, &mut reached);
            }
        }
        if let Some(at) = on_cancel
            && let Some(target) = at.as_text().and_then(|name| ways.index(name))
        {
            self.check_cleanup_flow(at, target, ways, normal, &mut reached);
        }
        let cleans_up = |index: usize| !is(normal, index) && is(&reached, index);
        for (from, _) in undone.iter().filter(|(from, _)| cleans_up(*from)) {
            let message =
                format!("{} cleans up, and is not undone itself", quoted(ways.name(*from)));
            if let Some(state) = states.fields().nth(*from).and_then(|at| self.object(&at))
                && let Some(at) = state.get("Cleanup")
            {
                let hint = "remove it; a clean-up that fails is recorded, and the next one runs";
                self.not_allowed(&at, message, hint);
            }
        }
        for (_, state) in &mut self.states {
            if ways.index(&state.name).is_some_and(cleans_up) {
                state.cleans_up = true;
                // It is no step of the work.
                state.weight = 0.0;
            }
        }
        reached
    }

    /// Holds what begins with the state that `at` names apart from the normal flow.
    fn check_cleanup_flow(
        &mut self,
        at: &At<'_>,
        target: usize,
        ways: &Ways<'_>,
        normal: &[bool],
        reached: &mut [bool],
    ) {
        let name = quoted(ways.name(target));
        let flow = ways.reached([target]);
        let shared = (0..flow.len()).find(|index| is(&flow, *index) && is(normal, *index));
        reached.iter_mut().zip(&flow).for_each(|(reached, new)| *reached |= new);
        let fault = if is(normal, target) {
            let message = format!(
                "{name} is a part of the normal flow, so it cannot be what {} names",
                at.label()
            );
            Fault::new(codes::CLEANUP_FLOW, at.node.span, message)
                .hint("name a state that nothing but `Cleanup` or `OnCancel` leads to")
        } else if let Some(shared) = shared {
            let other = quoted(ways.name(shared));
            let message = format!(
                "the clean-up that begins with {name} leads to {other}, which is a part of the \
                 normal flow"
            );
            Fault::new(codes::CLEANUP_FLOW, at.node.span, message)
                .hint("let it lead to states of its own, or end it with `End: true`")
        } else if ways.can_end(&flow) {
            return;
        } else {
            let message = format!("the clean-up that begins with {name} can never end");
            Fault::new(codes::NO_END, at.node.span, message)
                .hint("give a state of it `End: true`, or lead to a Succeed or Fail state")
        };
        self.faults.report(&at.place, fault);
    }
}

fn is(states: &[bool], index: usize) -> bool {
    states.get(index).copied().unwrap_or(false)
}
