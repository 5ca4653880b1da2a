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

fn push_value(text: &mut String, value: &Value) {
    match value {
        Value::String(inner) => text.push_str(inner),
        other => text.push_str(&other.to_string()),
    }
}

/// Splits at any of the characters of `delimiters`; empty parts are dropped, as AWS does.
pub(super) fn split(text: &str, delimiters: &str) -> Value {
    let parts = text.split(|c| delimiters.contains(c)).filter(|part| !part.is_empty());
    parts.map(Value::from).collect()
}
