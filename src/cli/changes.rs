//! Two values side by side, in words.

use serde_json::Value;

use super::ui::Ui;
use crate::view::one_line;

/// How much of a value is shown, in characters.
const SHOWN: usize = 80;

/// `running → completed`.
pub(super) fn changed(ui: &Ui, before: &Value, after: &Value) -> String {
    changed_words(ui, &short(before), &short(after))
}

/// The same, of words.
pub(super) fn changed_words(ui: &Ui, before: &str, after: &str) -> String {
    let arrow = if ui.is_ascii { "->" } else { "→" };
    format!("{before} {arrow} {after}")
}

/// A value in a few words.
pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => one_line(text, SHOWN),
        Value::Object(fields) => match (fields.get("error"), fields.get("cause")) {
            (Some(Value::String(error)), Some(Value::String(cause))) => {
                one_line(&format!("{error}: {cause}"), SHOWN)
            }
            _ => named_reason(fields).unwrap_or_else(|| one_line(&value.to_string(), SHOWN)),
        },
        value => one_line(&value.to_string(), SHOWN),
    }
}

/// What is waited for, by its reason alone.
fn named_reason(fields: &serde_json::Map<String, Value>) -> Option<String> {
    let reason = fields.get("reason")?.as_str()?;
    fields.contains_key("step_name").then(|| one_line(reason, SHOWN))
}
