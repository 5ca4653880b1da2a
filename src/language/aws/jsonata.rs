//! JSONata expressions that AWS cannot read: it has version 2.0.6 of the language, and the
//! operators `??` and `?:` came with the next.

use serde_json::{Map, Value};

use crate::language::diagnostic::codes;
use crate::language::expression::Expression;
use crate::language::source::{Content, Fault, Faults, Member, Node, Place, escaped};

/// The value of `QueryLanguage` that makes expressions of texts.
const JSONATA: &str = "JSONata";

/// Fields of a state that hold no expressions of its own: notes, and machines with states that have
/// a query language of their own.
const OTHERS: &[&str] = &["Comment", "Title", "Branches", "ItemProcessor", "Iterator"];

/// What to write in place of the operators.
const HINT: &str = "write it with a condition, as `$exists($x) ? $x : 0`";

/// Reports the expressions of a state that AWS cannot read.
pub(super) fn check(state: &Node, place: &Place<'_>, faults: &mut Faults<'_>) {
    let Content::Object(members) = &state.content else { return };
    for Member { key, node, .. } in members {
        if !OTHERS.contains(&key.as_str()) {
            check_below(node, &place.key(key), faults);
        }
    }
}

fn check_below(node: &Node, place: &Place<'_>, faults: &mut Faults<'_>) {
    match &node.content {
        Content::Text(text) => {
            if let Some(operator) = newer_operator(text) {
                let fault = Fault::new(codes::AWS_JSONATA, node.span, message(operator)).hint(HINT);
                faults.report(place, fault);
            }
        }
        Content::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_below(item, &place.index(index), faults);
            }
        }
        Content::Object(members) => {
            for Member { key, node, .. } in members {
                check_below(node, &place.key(key), faults);
            }
        }
        _ => {}
    }
}

/// The same in a definition that is exported: shows each expression's pointer, and what about it.
pub(super) fn find(
    state: &Map<String, Value>,
    pointer: &str,
    see: &mut impl FnMut(String, String),
) {
    for (key, value) in state {
        if !OTHERS.contains(&key.as_str()) {
            find_below(value, format!("{pointer}/{}", escaped(key)), see);
        }
    }
}

fn find_below(value: &Value, pointer: String, see: &mut impl FnMut(String, String)) {
    match value {
        Value::String(text) => {
            if let Some(operator) = newer_operator(text) {
                see(pointer, format!("kept, but {}; {HINT}", message(operator)));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_below(item, format!("{pointer}/{index}"), see);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                find_below(value, format!("{pointer}/{}", escaped(key)), see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a state is in JSONata: by its own field, or else by that of the whole definition.
pub(super) fn is_jsonata(own: Option<&str>, of_all: Option<&str>) -> bool {
    own.or(of_all) == Some(JSONATA)
}

fn message(operator: &str) -> String {
    format!("AWS has JSONata 2.0.6, which has no `{operator}`")
}

fn newer_operator(text: &str) -> Option<&'static str> {
    let is_candidate = text.starts_with("{%") && (text.contains("??") || text.contains("?:"));
    // The texts alone do not say: a `?:` may stand in a text or a regular expression.
    is_candidate.then(|| Expression::jsonata(text).ok()).flatten()?.newer_operator()
}
