//! A workflow as nodes and edges, for programs that draw it themselves.

use serde::Serialize;

use super::outline::{Outline, inner, kind, title};
use crate::language::model::{Machine, StateName, Workflow};

/// A workflow as nodes and edges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    /// The state at which it starts.
    pub start_at: StateName,
    /// Every state, in the order of the text.
    pub nodes: Vec<Node>,
    /// The ways between them, in the order in which they are tried.
    pub edges: Vec<Edge>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name.
    pub id: StateName,
    /// Its name for people.
    pub title: String,
    /// Its type, as `Task`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it does, in a word or two.
    pub does: String,
    /// The state in whose machine it stands, when it is not in the outermost one.
    pub inside: Option<StateName>,
    /// Which machine of that state, as `branch 2`.
    pub machine: Option<String>,
    /// Whether its machine starts with it.
    pub is_start: bool,
}

/// A way out of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The state.
    pub from: StateName,
    /// Where it leads; nothing: to the end of the machine.
    pub to: Option<String>,
    /// When it is taken; empty for the usual way.
    pub label: String,
    /// Whether it is taken after an error.
    pub on_error: bool,
}

/// Shows a workflow as nodes and edges.
#[must_use]
pub fn document(workflow: &Workflow) -> Document {
    let outline = Outline::new(workflow);
    let start_at = workflow.root.start_at.clone();
    let mut document = Document { start_at, nodes: Vec::new(), edges: Vec::new() };
    machine(&mut document, &outline, &workflow.root, None);
    document
}

fn machine<'w>(
    into: &mut Document,
    outline: &Outline<'w>,
    of: &'w Machine,
    inside: Option<(&StateName, &str)>,
) {
    for state in outline.states(of) {
        into.nodes.push(Node {
            id: state.name.clone(),
            title: title(state).to_owned(),
            kind: state.kind.type_name(),
            does: kind(state),
            inside: inside.map(|(name, _)| name.clone()),
            machine: inside.map(|(_, machine)| machine.to_owned()),
            is_start: state.name == of.start_at,
        });
        into.edges.extend(outline.ways(state).into_iter().map(|way| Edge {
            from: state.name.clone(),
            to: way.to.map(str::to_owned),
            label: way.label,
            on_error: way.on_error,
        }));
        for part in inner(state) {
            machine(into, outline, part.machine, Some((&state.name, &part.label)));
        }
    }
}
