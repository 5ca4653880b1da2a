//! A workflow as indented text.

use super::outline::{Outline, Way, inner, kind, title};
use crate::language::diagnostic::printable;
use crate::language::model::{Machine, State, Workflow};

/// Shows a workflow as indented text for a terminal: one line for each state, its ways out beside
/// or below it, branches and the processors of Maps one level further in.
#[must_use]
pub fn text(workflow: &Workflow) -> String {
    let outline = Outline::new(workflow);
    let mut out = String::new();
    if let Some(title) = &workflow.title {
        out.push_str(&printable(title));
        out.push('\n');
    }
    machine(&mut out, &outline, &workflow.root, 0);
    if let Some(name) = &workflow.on_cancel {
        out.push_str(&format!("on cancel → {}\n", printable(name)));
    }
    out
}

fn machine<'w>(out: &mut String, outline: &Outline<'w>, of: &'w Machine, level: usize) {
    for state in outline.states(of) {
        let is_start = state.name == of.start_at;
        self::state(out, outline, state, (is_start, level));
    }
}

fn state<'w>(
    out: &mut String,
    outline: &Outline<'w>,
    state: &'w State,
    (is_start, level): (bool, usize),
) {
    let indent = "  ".repeat(level);
    let mark = if is_start { '▶' } else { '·' };
    let mut line = format!("{indent}{mark} {} [{}]", printable(&state.name), kind(state));
    if title(state) != state.name.as_ref() {
        line.push_str(&format!(" \"{}\"", printable(title(state))));
    }
    let ways = outline.ways(state);
    let (usual, others): (Vec<&Way<'_>>, Vec<&Way<'_>>) =
        ways.iter().partition(|way| way.label.is_empty() && !way.on_error);
    for way in usual {
        line.push_str(&format!(" → {}", target(way)));
    }
    out.push_str(&line);
    out.push('\n');
    for way in others {
        let when = if way.on_error { "on" } else { "if" };
        let label = printable(&way.label);
        let label = if label == "otherwise" { label } else { format!("{when} {label}") };
        out.push_str(&format!("{indent}    {label} → {}\n", target(way)));
    }
    for inside in inner(state) {
        out.push_str(&format!("{indent}    {}:\n", inside.label));
        machine(out, outline, inside.machine, level + 3);
    }
}

fn target(way: &Way<'_>) -> String {
    way.to.map_or_else(|| "end".to_owned(), printable)
}
