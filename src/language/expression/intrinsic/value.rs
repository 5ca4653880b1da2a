//! Arrays, objects and numbers of intrinsic functions, shared with the functions that AWS adds to
//! JSONata.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::number::{self, equal};
use super::super::path::excerpt;

/// How many items `States.ArrayRange` may give, as on AWS.
const MAX_RANGE: usize = 1000;

/// Splits an array into arrays of at most `size` items.
pub(in super::super) fn partition(items: &[Value], size: i64) -> Result<Value, String> {
    let size = usize::try_from(size).ok().filter(|size| *size > 0);
    let Some(size) = size else { return Err("the size of a part must be at least 1".to_owned()) };
    Ok(items.chunks(size).map(|part| Value::Array(part.to_vec())).collect())
}

/// The numbers from `first` to `last`, both included, in steps of `step`.
pub(in super::super) fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("the step must not be 0".to_owned());
    }
    let mut items = Vec::new();
    let mut next = Some(first);
    while let Some(number) = next {
        if (step > 0 && number > last) || (step < 0 && number < last) {
            break;
        }
        if items.len() >= MAX_RANGE {
            return Err(format!("the range has more than {MAX_RANGE} numbers"));
        }
        items.push(Value::from(number));
        next = number.checked_add(step);
    }
    Ok(Value::Array(items))
}

pub(super) fn contains(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| equal(item, wanted))
}

/// The items without repetitions, in the order of their first places.
pub(super) fn unique(items: Vec<Value>) -> Value {
    let mut seen = HashSet::new();
    items.into_iter().filter(|item| seen.insert(canonical(item))).collect()
}

/// A text that two values share exactly if they are equal.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    push_canonical(&mut text, value);
    text
}

fn push_canonical(text: &mut String, value: &Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().and_then(number::whole);
            match whole.filter(|_| number.is_f64()) {
                Some(whole) => text.push_str(&whole.to_string()),
                None => text.push_str(&number.to_string()),
            }
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                push_canonical(text, item);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in sorted {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                push_canonical(text, value);
                text.push(',');
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// The fields of both objects; where both have one, the second's.
pub(super) fn merge(first: Map<String, Value>, second: Map<String, Value>) -> Value {
    let mut merged = first;
    merged.extend(second);
    Value::Object(merged)
}

/// An argument that must be an array.
pub(super) fn array(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(mismatch(&other, "an array")),
    }
}

pub(super) fn object(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => Err(mismatch(&other, "an object")),
    }
}

pub(super) fn string(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(mismatch(&other, "a text")),
    }
}

/// An argument that must be a number; one that is not whole is rounded, as AWS does.
pub(super) fn integer(value: &Value) -> Result<i64, String> {
    let rounded = value.as_number().and_then(number::rounded);
    rounded.ok_or_else(|| mismatch(value, "a whole number"))
}

fn mismatch(value: &Value, wanted: &str) -> String {
    format!("'{}' is not {wanted}", excerpt(value))
}
