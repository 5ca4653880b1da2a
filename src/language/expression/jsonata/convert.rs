//! Values between the engine of this crate and that of JSONata.

use std::cell::RefCell;
use std::collections::HashMap;

use indexmap::IndexMap;
use jsonata_core::value::{JArray, JValue};
use serde_json::{Map, Value};

use super::super::number;
use super::super::session::MAX_RESULT_BYTES;

/// Values already converted in one evaluation, by the name that expressions have for them.
/// JSONata's values are cheap to clone.
#[derive(Default)]
pub(in super::super) struct Cache(RefCell<HashMap<String, JValue>>);

impl Cache {
    /// The value called `name`, converted now if it was not before.
    pub(super) fn get(&self, name: String, value: &Value) -> Result<JValue, String> {
        if let Some(converted) = self.0.borrow().get(&name) {
            return Ok(converted.clone());
        }
        let converted = to_jsonata(value)?;
        self.0.borrow_mut().insert(name, converted.clone());
        Ok(converted)
    }
}

/// The error for what JSON has not.
pub(super) const UNSUPPORTED: &str = "the result holds a function or a regular expression";

/// How deep a value may nest; JSON that is read again may be 127 deep.
const MAX_DEPTH: usize = 127;

/// What a value counts besides its texts, in bytes. It takes more in memory; but values of two bytes
/// of JSON each, as many as fit a payload of 8 MiB, must not be too many.
const EACH: usize = 16;

/// Converts a value for JSONata, whose numbers are all doubles.
pub(super) fn to_jsonata(value: &Value) -> Result<JValue, String> {
    inward(value, 0)
}

fn inward(value: &Value, depth: usize) -> Result<JValue, String> {
    check_depth(depth)?;
    Ok(match value {
        Value::Null => JValue::Null,
        Value::Bool(value) => JValue::Bool(*value),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => JValue::string(text.as_str()),
        Value::Array(items) => {
            let flat = !items.iter().any(Value::is_array);
            let items: Result<_, _> = items.iter().map(|item| inward(item, depth + 1)).collect();
            JValue::Array(JArray::new_flat(items?, flat))
        }
        Value::Object(fields) => {
            let mut object = IndexMap::with_capacity(fields.len());
            for (name, value) in fields {
                object.insert(name.clone(), inward(value, depth + 1)?);
            }
            JValue::object(object)
        }
    })
}

/// Converts a result; `None` is JSONata's undefined.
pub(super) fn from_jsonata(value: &JValue) -> Result<Option<Value>, String> {
    let mut room = MAX_RESULT_BYTES;
    outward(value, 0, &mut room)
}

/// `room` is how many bytes there may still be. JSONata shares what stands in several places, JSON
/// has it as often as it stands: a value that doubles forty times is small there and too large here.
fn outward(value: &JValue, depth: usize, room: &mut usize) -> Result<Option<Value>, String> {
    check_depth(depth)?;
    let own = match value {
        JValue::String(text) => text.len(),
        JValue::Object(fields) => fields.keys().map(String::len).sum(),
        _ => 0,
    };
    *room = room
        .checked_sub(own + EACH)
        .ok_or_else(|| format!("the result is larger than {MAX_RESULT_BYTES} bytes"))?;
    Ok(Some(match value {
        JValue::Undefined => return Ok(None),
        JValue::Null => Value::Null,
        JValue::Bool(value) => Value::Bool(*value),
        // JSON has no such number; AWS gives its name.
        JValue::Number(number) if number.is_infinite() => {
            Value::from(if *number > 0.0 { "Infinity" } else { "-Infinity" })
        }
        JValue::Number(number) => {
            number::from_f64(*number).ok_or("the result has a number that JSON cannot write")?
        }
        JValue::String(text) => Value::from(&**text),
        JValue::Array(items) => {
            let mut array = Vec::with_capacity(items.len());
            for item in items.iter() {
                array.extend(outward(item, depth + 1, room)?);
            }
            Value::Array(array)
        }
        JValue::Object(fields) => {
            let mut object = Map::with_capacity(fields.len());
            for (name, value) in fields.iter() {
                if let Some(value) = outward(value, depth + 1, room)? {
                    object.insert(name.clone(), value);
                }
            }
            Value::Object(object)
        }
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
            return Err(UNSUPPORTED.to_owned());
        }
    }))
}

fn check_depth(depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("a value is nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(())
}
