//! What all pictures show: the ways out of a state, and the machines inside it.

use std::collections::HashMap;

use serde_json::Value;

use crate::language::model::{Machine, Pattern, State, StateKind, Transition, Workflow};

/// Levels of conditions that are put into words.
const MOST_LEVELS: usize = 3;
/// Characters of a condition that are shown.
const LONGEST_CONDITION: usize = 60;

/// A way out of a state.
pub(super) struct Way<'w> {
    /// Where it leads; `None`: to the end of the machine.
    pub(super) to: Option<&'w str>,
    /// When it is taken; empty for the usual way.
    pub(super) label: String,
    /// It is taken after an error, or to undo the state.
    pub(super) on_error: bool,
}

/// A machine inside a state.
pub(super) struct Inner<'w> {
    /// What it is to the state.
    pub(super) label: String,
    pub(super) machine: &'w Machine,
}

/// A workflow with the words of its conditions.
pub(super) struct Outline<'w> {
    pub(super) workflow: &'w Workflow,
    /// For each Choice state the words of its rules.
    conditions: HashMap<String, Vec<String>>,
}

impl<'w> Outline<'w> {
    pub(super) fn new(workflow: &'w Workflow) -> Self {
        let mut conditions = HashMap::new();
        gather(&workflow.source.value(), &mut conditions);
        Self { workflow, conditions }
    }

    /// The states of a machine, in the order of the text.
    pub(super) fn states(&self, machine: &'w Machine) -> impl Iterator<Item = &'w State> {
        let workflow = self.workflow;
        machine.states.iter().filter_map(move |name| workflow.state(name))
    }

    /// The ways out of a state, in the order in which they are tried.
    pub(super) fn ways(&self, state: &'w State) -> Vec<Way<'w>> {
        let mut ways = Vec::new();
        match (&state.kind, &state.transition) {
            (StateKind::Choice(choice), _) => {
                let words = self.conditions.get(state.name.as_ref());
                for (index, rule) in choice.rules.iter().enumerate() {
                    let label = words.and_then(|words| words.get(index)).cloned();
                    let label = label.unwrap_or_else(|| format!("rule {}", index + 1));
                    ways.push(Way { to: Some(&rule.next), label, on_error: false });
                }
                let default = choice.default.iter();
                ways.extend(default.map(|next| Way {
                    to: Some(next),
                    label: "otherwise".to_owned(),
                    on_error: false,
                }));
            }
            (StateKind::Succeed | StateKind::Fail { .. }, _) => {}
            (_, Transition::Next(next)) => {
                ways.push(Way { to: Some(next), label: String::new(), on_error: false });
            }
            (_, Transition::End) => {
                ways.push(Way { to: None, label: String::new(), on_error: false });
            }
        }
        ways.extend(state.catch.iter().map(|catcher| Way {
            to: Some(&catcher.next),
            label: errors(&catcher.error_equals),
            on_error: true,
        }));
        ways.extend(state.cleanup.iter().map(|undo| Way {
            to: Some(undo),
            label: "clean-up".to_owned(),
            on_error: true,
        }));
        ways
    }
}

/// The machines inside a state.
pub(super) fn inner(state: &State) -> Vec<Inner<'_>> {
    match &state.kind {
        StateKind::Parallel { branches } => {
            let label = |index| format!("branch {}", index + 1);
            let branches = branches.iter().enumerate();
            branches.map(|(index, machine)| Inner { label: label(index), machine }).collect()
        }
        StateKind::Map(map) => {
            let part = if map.batcher.is_some() { "batch" } else { "item" };
            let label = match map.distributed {
                Some(_) => format!("an execution for each {part}"),
                None => format!("for each {part}"),
            };
            vec![Inner { label, machine: &map.processor }]
        }
        _ => Vec::new(),
    }
}

/// What a state does, in a word or two.
pub(super) fn kind(state: &State) -> String {
    match &state.kind {
        StateKind::Task(task) => {
            let waits = match task.resource.pattern {
                Pattern::Response => "",
                Pattern::Callback => " (waits for its token)",
                Pattern::SyncText | Pattern::SyncJson => " (waits for its end)",
            };
            format!("Task {}{waits}", task.resource.service.name())
        }
        StateKind::Map(map) if map.distributed.is_some() => "Map (distributed)".to_owned(),
        other => other.type_name().to_owned(),
    }
}

/// The name that people know a state by.
pub(super) fn title(state: &State) -> &str {
    state.title.as_deref().unwrap_or(&state.name)
}

fn errors(names: &[String]) -> String {
    if names.iter().any(|name| name == "States.ALL") {
        "any error".to_owned()
    } else {
        short(&names.join(", "))
    }
}

/// Puts the rules of every Choice state into words, from the definition's own spelling.
fn gather(value: &Value, found: &mut HashMap<String, Vec<String>>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Object(states)) = fields.get("States") {
                for (name, state) in states {
                    if let Some(Value::Array(rules)) = state.get("Choices") {
                        let words = rules.iter().map(|rule| short(&words(rule, 0)));
                        found.insert(name.clone(), words.collect());
                    }
                }
            }
            fields.values().for_each(|field| gather(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => {}
    }
}

fn words(rule: &Value, level: usize) -> String {
    if level > MOST_LEVELS {
        return "…".to_owned();
    }
    let Some(fields) = rule.as_object() else { return String::new() };
    if let Some(condition) = fields.get("Condition") {
        let text = condition.as_str().map_or_else(|| condition.to_string(), str::to_owned);
        let inside = text.strip_prefix("{%").and_then(|text| text.strip_suffix("%}"));
        return inside.unwrap_or(&text).trim().to_owned();
    }
    let joined = |rules: &Value, by: &str| {
        let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
        let words: Vec<String> = rules.iter().map(|rule| words(rule, level + 1)).collect();
        if level > 0 && words.len() > 1 { format!("({})", words.join(by)) } else { words.join(by) }
    };
    if let Some(all) = fields.get("And") {
        return joined(all, " and ");
    }
    if let Some(any) = fields.get("Or") {
        return joined(any, " or ");
    }
    if let Some(inner) = fields.get("Not") {
        return format!("not ({})", words(inner, level + 1));
    }
    let variable = fields.get("Variable").and_then(Value::as_str).unwrap_or_default();
    let not_test = ["Variable", "Next", "Comment", "Assign", "Output"];
    let test = fields.iter().find(|(name, _)| !not_test.contains(&name.as_str()));
    test.map(|(name, operand)| comparison(variable, name, operand)).unwrap_or_default()
}

/// One comparison, as people would write it.
fn comparison(variable: &str, name: &str, operand: &Value) -> String {
    let name = name.strip_suffix("Path").unwrap_or(name);
    let operand_text = match operand {
        Value::String(text) if text.starts_with('$') => text.clone(),
        other => other.to_string(),
    };
    if let Some(kind) = name.strip_prefix("Is") {
        let not = if operand == &Value::Bool(false) { "not " } else { "" };
        return format!("{variable} is {not}{}", kind.to_lowercase());
    }
    let operators = [
        ("GreaterThanEquals", "≥"),
        ("LessThanEquals", "≤"),
        ("GreaterThan", ">"),
        ("LessThan", "<"),
        ("Equals", "="),
        ("Matches", "matches"),
    ];
    let sign = operators.iter().find(|(end, _)| name.ends_with(end)).map_or(name, |(_, sign)| sign);
    format!("{variable} {sign} {operand_text}")
}

/// One line, cut when long.
fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().nth(LONGEST_CONDITION).is_none() {
        return line;
    }
    let mut cut: String = line.chars().take(LONGEST_CONDITION - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_put_into_words() {
        for (rule, expected) in [
            (json!({"Variable": "$.n", "NumericGreaterThanEquals": 3, "Next": "X"}), "$.n ≥ 3"),
            (json!({"Next": "X", "Variable": "$.s", "StringEqualsPath": "$.t"}), "$.s = $.t"),
            (json!({"Variable": "$.s", "StringMatches": "a*"}), "$.s matches \"a*\""),
            (json!({"Variable": "$.p", "IsPresent": false}), "$.p is not present"),
            (json!({"Not": {"Variable": "$.b", "BooleanEquals": true}}), "not ($.b = true)"),
            (
                json!({"And": [
                    {"Variable": "$.a", "IsNull": true},
                    {"Or": [{"Variable": "$.b", "NumericLessThan": 1}, {"Variable": "$.c", "IsString": true}]}
                ]}),
                "$.a is null and ($.b < 1 or $.c is string)",
            ),
            (json!({"Condition": "{% $states.input.n > 3 %}"}), "$states.input.n > 3"),
            (json!({"Condition": true}), "true"),
        ] {
            assert_eq!(words(&rule, 0), expected);
        }
    }

    #[test]
    fn a_long_condition_is_cut() {
        assert_eq!(short(&"x".repeat(61)).chars().count(), 60);
        assert_eq!(short("a\n  b"), "a b");
    }
}
