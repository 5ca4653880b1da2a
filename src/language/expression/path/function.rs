//! Functions at the end of a path, such as `$.prices.sum()`.

use serde_json::{Number, Value};

use super::super::number;
use super::PathFailure;

/// A function over what the path before it gave: the value of a definite path, the array of any
/// other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// The number of items, fields or characters.
    Length,
    /// The smallest number of an array.
    Min,
    /// The largest number of an array.
    Max,
    /// The mean of the numbers of an array.
    Avg,
    /// The sum of the numbers of an array.
    Sum,
    /// The names of an object's fields.
    Keys,
}

impl Function {
    pub(super) const NAMES: [&'static str; 6] = ["length", "min", "max", "avg", "sum", "keys"];

    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "length" => Some(Self::Length),
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            "avg" => Some(Self::Avg),
            "sum" => Some(Self::Sum),
            "keys" => Some(Self::Keys),
            _ => None,
        }
    }

    /// What it costs to apply it, as so many bytes that are compared.
    pub(super) fn effort(self, value: &Value) -> usize {
        match (self, value) {
            (Self::Keys, Value::Object(fields)) => fields.len().saturating_mul(64),
            (Self::Length, Value::String(text)) => text.len(),
            (Self::Min | Self::Max | Self::Avg | Self::Sum, Value::Array(items)) => {
                items.len().saturating_mul(8)
            }
            _ => 8,
        }
    }

    pub(super) fn apply(self, value: &Value, source: &str) -> Result<Value, PathFailure> {
        let result = match self {
            Self::Length => length(value).map(Value::from),
            Self::Keys => value
                .as_object()
                .map(|fields| fields.keys().map(|name| Value::from(name.as_str())).collect()),
            Self::Min | Self::Max | Self::Avg | Self::Sum => self.aggregate(value),
        };
        result.ok_or_else(|| {
            let wanted = match self {
                Self::Length => "an array, an object or a text",
                Self::Keys => "an object",
                Self::Min | Self::Max | Self::Avg | Self::Sum => "an array with numbers in it",
            };
            PathFailure::Unfit(format!(
                "The JSONPath '{source}' needs {wanted} before its function"
            ))
        })
    }

    fn aggregate(self, value: &Value) -> Option<Value> {
        let numbers: Vec<&Number> = value.as_array()?.iter().filter_map(Value::as_number).collect();
        let by_value = |left: &&&Number, right: &&&Number| {
            number::compare(left, right).unwrap_or(std::cmp::Ordering::Equal)
        };
        match self {
            Self::Min => {
                numbers.iter().min_by(by_value).map(|least| Value::Number((*least).clone()))
            }
            Self::Max => numbers.iter().max_by(by_value).map(|most| Value::Number((*most).clone())),
            Self::Sum => sum(&numbers),
            _ => {
                let count = u32::try_from(numbers.len()).ok()?;
                number::from_f64(sum(&numbers)?.as_f64()? / f64::from(count))
            }
        }
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::Object(fields) => Some(fields.len()),
        Value::String(text) => Some(text.chars().count()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Whole where all are whole and the sum fits; `None` for no numbers.
fn sum(numbers: &[&Number]) -> Option<Value> {
    if numbers.is_empty() {
        return None;
    }
    let whole = numbers.iter().try_fold(0_i64, |sum, number| sum.checked_add(number.as_i64()?));
    match whole {
        Some(sum) => Some(Value::from(sum)),
        None => number::from_f64(numbers.iter().filter_map(|number| number.as_f64()).sum()),
    }
}
