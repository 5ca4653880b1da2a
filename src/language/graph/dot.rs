//! A workflow as a Graphviz graph.

use std::collections::HashMap;

use super::outline::{Outline, inner, kind, title};
use crate::language::model::{Machine, State, StateKind, Workflow};

/// Shows a workflow as a Graphviz graph. States with machines inside are clusters. Names are
/// escaped, so that no name can add to or break the graph.
#[must_use]
pub fn dot(workflow: &Workflow) -> String {
    let outline = Outline::new(workflow);
    let ids = workflow.states.keys().enumerate();
    let ids = ids.map(|(index, name)| (name.as_ref(), format!("s{index}"))).collect();
    let mut graph = Graph { out: String::new(), outline, ids };
    graph.line(0, "digraph workflow {");
    graph.line(1, "compound=true;");
    graph.line(1, "node [shape=box, style=rounded, fontname=\"sans-serif\"];");
    graph.line(1, "edge [fontname=\"sans-serif\"];");
    graph.machine(&workflow.root, "root", 1);
    if let Some(name) = &workflow.on_cancel {
        let mut attributes = graph.head(name);
        attributes.extend(["style=dashed".to_owned(), "label=\"on cancel\"".to_owned()]);
        graph.edge(1, ("root_start", &graph.id(name)), &attributes);
    }
    graph.line(0, "}");
    graph.out
}

struct Graph<'w> {
    out: String,
    outline: Outline<'w>,
    ids: HashMap<&'w str, String>,
}

impl<'w> Graph<'w> {
    fn machine(&mut self, machine: &'w Machine, id: &str, level: usize) {
        self.line(level, &format!("{id}_start [shape=circle, width=0.15, label=\"\"];"));
        let start = self.id(&machine.start_at);
        self.edge(level, (&format!("{id}_start"), &start), &self.head(&machine.start_at));
        let states: Vec<&State> = self.outline.states(machine).collect();
        for state in &states {
            self.state(state, level);
        }
        let mut ends = false;
        for state in states {
            ends |= self.ways(state, id, level);
        }
        if ends {
            self.line(level, &format!("{id}_end [shape=doublecircle, width=0.15, label=\"\"];"));
        }
    }

    fn state(&mut self, state: &'w State, level: usize) {
        let id = self.id(&state.name);
        let label = escaped(&format!("{}\n{}", title(state), kind(state)));
        let machines = inner(state);
        if machines.is_empty() {
            let shape = shape(&state.kind);
            self.line(level, &format!("{id} [label=\"{label}\"{shape}];"));
            return;
        }
        self.line(level, &format!("subgraph cluster_{id} {{"));
        self.line(level + 1, &format!("label=\"{label}\";"));
        // Edges join nodes, not clusters: they are drawn to this point and cut at the border.
        self.line(level + 1, &format!("{id} [shape=point, style=invis];"));
        for (index, inside) in machines.iter().enumerate() {
            let inner_id = format!("{id}_{index}");
            self.line(level + 1, &format!("subgraph cluster_{inner_id} {{"));
            self.line(level + 2, &format!("label=\"{}\";", escaped(&inside.label)));
            self.machine(inside.machine, &inner_id, level + 2);
            self.line(level + 1, "}");
        }
        self.line(level, "}");
    }

    /// Draws the ways out of a state; whether one leads to the end of the machine.
    fn ways(&mut self, state: &'w State, machine: &str, level: usize) -> bool {
        let from = self.id(&state.name);
        let mut ends = false;
        for way in self.outline.ways(state) {
            let to = way.to.map_or_else(|| format!("{machine}_end"), |name| self.id(name));
            ends |= way.to.is_none();
            let mut attributes = way.to.map(|name| self.head(name)).unwrap_or_default();
            if !inner(state).is_empty() {
                attributes.push(format!("ltail=cluster_{from}"));
            }
            if way.on_error {
                attributes.push("style=dashed".to_owned());
            }
            if !way.label.is_empty() {
                attributes.push(format!("label=\"{}\"", escaped(&way.label)));
            }
            self.edge(level, (&from, &to), &attributes);
        }
        ends
    }

    /// What an edge needs that leads to a state.
    fn head(&self, name: &str) -> Vec<String> {
        let state = self.outline.workflow.state(name);
        let is_cluster = state.is_some_and(|state| !inner(state).is_empty());
        if is_cluster { vec![format!("lhead=cluster_{}", self.id(name))] } else { Vec::new() }
    }

    fn edge(&mut self, level: usize, (from, to): (&str, &str), attributes: &[String]) {
        let attributes = if attributes.is_empty() {
            String::new()
        } else {
            format!(" [{}]", attributes.join(", "))
        };
        self.line(level, &format!("{from} -> {to}{attributes};"));
    }

    fn id(&self, name: &str) -> String {
        self.ids.get(name).cloned().unwrap_or_default()
    }

    fn line(&mut self, level: usize, text: &str) {
        self.out.push_str(&"  ".repeat(level));
        self.out.push_str(text);
        self.out.push('\n');
    }
}

fn shape(kind: &StateKind) -> &'static str {
    match kind {
        StateKind::Choice(_) => ", shape=diamond, style=solid",
        StateKind::Wait(_) => ", style=\"rounded,dashed\"",
        StateKind::Succeed | StateKind::Fail { .. } => ", shape=ellipse, style=solid",
        _ => "",
    }
}

/// Text inside double quotes of Graphviz.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_in_names_are_only_text() {
        assert_eq!(escaped("a\"]; \\N\tb"), "a\\\"]; \\\\N b");
    }
}
