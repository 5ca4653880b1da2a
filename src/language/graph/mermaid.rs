//! A workflow as a Mermaid flowchart.

use std::collections::HashMap;

use super::outline::{Outline, inner, kind, title};
use crate::language::model::{Machine, State, StateKind, Workflow};

/// Shows a workflow as a Mermaid flowchart. States with machines inside are subgraphs. Names are
/// escaped, so that no name can add to or break the chart.
#[must_use]
pub fn mermaid(workflow: &Workflow) -> String {
    let outline = Outline::new(workflow);
    let ids = workflow.states.keys().enumerate();
    let ids = ids.map(|(index, name)| (name.as_ref(), format!("s{index}"))).collect();
    let mut chart = Chart { out: String::from("flowchart TD\n"), outline, ids };
    chart.machine(&workflow.root, "root", 1);
    if let Some(name) = &workflow.on_cancel {
        chart.line(1, &format!("root_start -.->|\"on cancel\"| {}", chart.id(name)));
    }
    chart.out
}

struct Chart<'w> {
    out: String,
    outline: Outline<'w>,
    ids: HashMap<&'w str, String>,
}

impl<'w> Chart<'w> {
    fn machine(&mut self, machine: &'w Machine, id: &str, level: usize) {
        self.line(level, &format!("{id}_start(( ))"));
        let start = self.id(&machine.start_at);
        self.line(level, &format!("{id}_start --> {start}"));
        let states: Vec<&State> = self.outline.states(machine).collect();
        for state in &states {
            self.state(state, level);
        }
        let mut ends = false;
        for state in states {
            ends |= self.ways(state, id, level);
        }
        if ends {
            self.line(level, &format!("{id}_end((( )))"));
        }
    }

    fn state(&mut self, state: &'w State, level: usize) {
        let id = self.id(&state.name);
        let label = escaped(&format!("{}\n{}", title(state), kind(state)));
        let machines = inner(state);
        if machines.is_empty() {
            let (open, close) = shape(&state.kind);
            self.line(level, &format!("{id}{open}\"{label}\"{close}"));
            return;
        }
        self.line(level, &format!("subgraph {id}[\"{label}\"]"));
        for (index, inside) in machines.iter().enumerate() {
            let inner_id = format!("{id}_{index}");
            let label = escaped(&inside.label);
            self.line(level + 1, &format!("subgraph {inner_id}[\"{label}\"]"));
            self.machine(inside.machine, &inner_id, level + 2);
            self.line(level + 1, "end");
        }
        self.line(level, "end");
    }

    /// Draws the ways out of a state; whether one leads to the end of the machine.
    fn ways(&mut self, state: &'w State, machine: &str, level: usize) -> bool {
        let from = self.id(&state.name);
        let mut ends = false;
        for way in self.outline.ways(state) {
            let to = way.to.map_or_else(|| format!("{machine}_end"), |name| self.id(name));
            ends |= way.to.is_none();
            let arrow = if way.on_error { "-.->" } else { "-->" };
            let label = if way.label.is_empty() {
                String::new()
            } else {
                format!("|\"{}\"|", escaped(&way.label))
            };
            self.line(level, &format!("{from} {arrow}{label} {to}"));
        }
        ends
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

fn shape(kind: &StateKind) -> (&'static str, &'static str) {
    match kind {
        StateKind::Choice(_) => ("{", "}"),
        StateKind::Wait(_) => ("([", "])"),
        StateKind::Succeed | StateKind::Fail { .. } => ("([", "])"),
        _ => ("[", "]"),
    }
}

/// Text inside double quotes of Mermaid: everything that could be markup becomes an entity.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br/>"),
            c if c.is_control() => out.push(' '),
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | '|' | ';' | '*' | '_' | '[' | ']' | '{'
            | '}' => out.push_str(&format!("#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_is_only_text() {
        assert_eq!(escaped("a\"]; b<x>#"), "a#34;#93;#59; b#60;x#62;#35;");
        assert_eq!(escaped("plain – ä"), "plain – ä");
    }
}
