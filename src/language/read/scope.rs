//! What expressions can see, and which variables a machine may assign.

use std::collections::HashMap;
use std::sync::Arc;

use super::Reader;
use super::object::At;
use super::reachability::Ways;
use crate::language::diagnostic::codes;
use crate::language::expression::{Expression, Template};
use crate::language::model::QueryLanguage;
use crate::language::source::{Content, Fault, Span};

/// State types whose work gives a result.
const WORKING: &[&str] = &["Task", "Parallel", "Map"];

/// Which fields `$states` has besides `input` and `context`. AWS says at
/// <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html> that it refuses a
/// definition that reads others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sees {
    /// `result`, in `Output` and `Assign` of states that work.
    result: bool,
    /// `errorOutput`, in those of a catcher.
    error_output: bool,
}

impl Sees {
    /// In `Output` and `Assign` of a state.
    pub(super) fn of_state(type_name: &str) -> Self {
        Self { result: WORKING.contains(&type_name), error_output: false }
    }

    /// In `Output` and `Assign` of a catcher.
    pub(super) const OF_CATCHER: Self = Self { result: false, error_output: true };
}

/// A variable where it is assigned.
#[derive(Debug)]
pub(super) struct Assigned {
    name: Arc<str>,
    pointer: String,
    span: Span,
    /// Whether it was found to be assigned in a scope around too.
    reported: bool,
}

impl Reader<'_, '_> {
    /// Reads where `$states` has what `sees` says.
    pub(super) fn seeing<T>(&mut self, sees: Sees, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.sees, sees);
        let result = read(self);
        self.sees = before;
        result
    }

    /// Reports the expressions of a template that read a field of `$states` that is not there.
    pub(super) fn check_states_fields(&mut self, at: &At<'_>, template: &Template) {
        if at.language == QueryLanguage::Jsonata {
            template
                .visit(&mut |pointer, expression| self.check_fields_of(at, pointer, expression));
        }
    }

    /// The same for the expression at `pointer` from `at`.
    pub(super) fn check_fields_of(&mut self, at: &At<'_>, pointer: &str, expression: &Expression) {
        for field in expression.states_fields() {
            let (message, hint) = match field {
                "input" | "context" => continue,
                "result" if self.sees.result => continue,
                "errorOutput" if self.sees.error_output => continue,
                "result" => (
                    "there is no `$states.result` here".to_owned(),
                    "it is there in `Output` and `Assign` of Task, Parallel and Map states",
                ),
                "errorOutput" => (
                    "there is no `$states.errorOutput` here".to_owned(),
                    "it is there in `Output` and `Assign` of a catcher",
                ),
                other => (
                    format!("`$states` has no field `{other}`"),
                    "it has `input` and `context`, and where there is one `result` or `errorOutput`",
                ),
            };
            let node = at.node.find(pointer).unwrap_or(at.node);
            let span = match &node.content {
                Content::Text(text) => match text.find(&format!("$states.{field}")) {
                    Some(offset) => self.inside(node.span, text, offset),
                    None => node.span,
                },
                _ => node.span,
            };
            let fault = Fault::new(codes::STATES_FIELD, span, message).below(pointer).hint(hint);
            self.faults.report(&at.place, fault);
        }
    }

    /// Notes that a variable is assigned at `at`.
    pub(super) fn note_assigned(&mut self, at: &At<'_>, name: &str) {
        self.assigned.push(Assigned {
            name: Arc::from(name),
            pointer: at.place.pointer(),
            span: at.key_span,
            reported: false,
        });
    }

    /// Reports variables that a machine inside a state assigns although the machine around has
    /// assigned them on a way to that state. AWS refuses that, so that nobody takes the one for the
    /// other; who assigns the outer one only later is not refused.
    pub(super) fn check_scopes(&mut self, ways: &Ways<'_>, reached: &[bool]) {
        let mut targets: HashMap<&str, Vec<usize>> = HashMap::new();
        for (_, edge) in ways.edges().filter(|(from, _)| reached.get(*from) == Some(&true)) {
            for name in &*edge.assigns {
                targets.entry(name).or_default().push(edge.target);
            }
        }
        if targets.is_empty() {
            return;
        }
        let mut after: HashMap<&str, Vec<bool>> = HashMap::new();
        for (state, range) in ways.nested() {
            for assigned in self.assigned.get_mut(range.clone()).into_iter().flatten() {
                let Some((name, targets)) = targets.get_key_value(&*assigned.name) else {
                    continue;
                };
                let after =
                    after.entry(name).or_insert_with(|| ways.reached(targets.iter().copied()));
                if assigned.reported || after.get(state) != Some(&true) {
                    continue;
                }
                assigned.reported = true;
                let message = format!(
                    "the variable `{name}` is also assigned around this machine, before it"
                );
                let fault = Fault::new(codes::VARIABLE_SCOPE, assigned.span, message)
                    .hint("give it another name; what is inside can read the outer one");
                self.faults.report_at(assigned.pointer.clone(), fault);
            }
        }
    }
}
