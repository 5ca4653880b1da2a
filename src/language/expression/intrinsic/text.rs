//! Texts of intrinsic functions: escapes, `States.Format`, `States.StringSplit`.

use serde_json::Value;

use super::super::session::MAX_RESULT_BYTES;

/// Resolves `\'`, `\{`, `\}` and `\\`.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(next) = rest.next() {
        text.push(if next == '\\' { rest.next().unwrap_or('\\') } else { next });
    }
    text
}

/// Puts `values` in the places `{}` of a template, whose escapes it resolves.
pub(super) fn format(template: &str, values: &[Value]) -> Result<String, String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template.chars().peekable();
    let mut places = 0_usize;
    while let Some(next) = rest.next() {
        match next {
            '\\' => match rest.next_if(|c| matches!(c, '\'' | '{' | '}' | '\\')) {
                Some(escaped) => text.push(escaped),
                None => text.push('\\'),
            },
            '{' if rest.next_if_eq(&'}').is_some() => {
                if let Some(value) = values.get(places) {
                    push_value(&mut text, value);
                }
                places += 1;
            }
            other => text.push(other),
        }
        if text.len() > MAX_RESULT_BYTES {
            return Err(format!("the text would be longer than {MAX_RESULT_BYTES} bytes"));
        }
    }
    if places == values.len() {
        return Ok(text);
    }
    let given = values.len();
    Err(format!("the template has {places} place(s) '{{}}' for {given} value(s)"))
}

/// Writes a value as AWS does: arrays and objects as Java has them, `[1, 2]` and `{a=1, b=2}`.
fn push_value(text: &mut String, value: &Value) {
    match value {
        Value::String(inner) => text.push_str(inner),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                push_value(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                text.push_str(name);
                text.push('=');
                push_value(text, field);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

/// Reads JSON as AWS does: an empty text is null, and -0 is 0.
pub(super) fn to_json(source: &str) -> Result<Value, String> {
    if source.trim().is_empty() {
        return Ok(Value::Null);
    }
    if source.trim() == "-0" {
        return Ok(Value::from(0));
    }
    serde_json::from_str(source).map_err(|error| format!("the text is not JSON: {error}"))
}

/// Splits at any of the characters of `delimiters`; empty parts are dropped, as AWS does.
pub(super) fn split(text: &str, delimiters: &str) -> Value {
    let parts = text.split(|c| delimiters.contains(c)).filter(|part| !part.is_empty());
    parts.map(Value::from).collect()
}
