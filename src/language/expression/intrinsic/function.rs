//! The functions themselves.

use serde_json::Value;

use super::super::number::rounded;
use super::super::path::item;
use super::super::session::{Random, Session};
use super::value::{self, array, integer, object, string};
use super::{hash, text};

/// An intrinsic function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

/// Every function with its name and its least and greatest number of arguments.
const FUNCTIONS: [(Function, &str, usize, usize); 18] = [
    (Function::Format, "States.Format", 1, usize::MAX),
    (Function::StringToJson, "States.StringToJson", 1, 1),
    (Function::JsonToString, "States.JsonToString", 1, 1),
    (Function::Array, "States.Array", 0, usize::MAX),
    (Function::ArrayPartition, "States.ArrayPartition", 2, 2),
    (Function::ArrayContains, "States.ArrayContains", 2, 2),
    (Function::ArrayRange, "States.ArrayRange", 3, 3),
    (Function::ArrayGetItem, "States.ArrayGetItem", 2, 2),
    (Function::ArrayLength, "States.ArrayLength", 1, 1),
    (Function::ArrayUnique, "States.ArrayUnique", 1, 1),
    (Function::Base64Encode, "States.Base64Encode", 1, 1),
    (Function::Base64Decode, "States.Base64Decode", 1, 1),
    (Function::Hash, "States.Hash", 2, 2),
    (Function::JsonMerge, "States.JsonMerge", 3, 3),
    (Function::MathRandom, "States.MathRandom", 2, 3),
    (Function::MathAdd, "States.MathAdd", 2, 2),
    (Function::StringSplit, "States.StringSplit", 2, 2),
    (Function::Uuid, "States.UUID", 0, 0),
];

impl Function {
    pub(super) fn named(wanted: &str) -> Option<Self> {
        let found = FUNCTIONS.iter().find(|(_, name, ..)| *name == wanted);
        found.map(|(function, ..)| *function)
    }

    pub(super) fn name(self) -> &'static str {
        self.row().map_or("States", |(_, name, ..)| *name)
    }

    /// The least and greatest number of arguments.
    pub(super) fn arity(self) -> (usize, usize) {
        self.row().map_or((0, usize::MAX), |(_, _, least, most)| (*least, *most))
    }

    fn row(self) -> Option<&'static (Self, &'static str, usize, usize)> {
        FUNCTIONS.iter().find(|(function, ..)| *function == self)
    }

    /// Runs it; the error is a part of a sentence.
    pub(super) fn run(self, values: Vec<Value>, session: &Session<'_>) -> Result<Value, String> {
        let mut values = Values(values.into_iter());
        match self {
            Self::Format => {
                let template = string(values.next())?;
                text::format(&template, values.0.as_slice()).map(Value::String)
            }
            Self::StringToJson => text::to_json(&string(values.next())?),
            Self::JsonToString => Ok(Value::String(values.next().to_string())),
            Self::Array => Ok(values.0.collect()),
            Self::ArrayPartition => {
                let items = array(values.next())?;
                value::partition(&items, integer(&values.next())?)
            }
            Self::ArrayContains => {
                let items = array(values.next())?;
                Ok(Value::Bool(value::contains(&items, &values.next())))
            }
            Self::ArrayRange => {
                let (first, last) = (integer(&values.next())?, integer(&values.next())?);
                value::range(first, last, integer(&values.next())?)
            }
            Self::ArrayGetItem => get_item(&mut values),
            Self::ArrayLength => array(values.next()).map(|items| Value::from(items.len())),
            Self::ArrayUnique => array(values.next()).map(value::unique),
            Self::Base64Encode => string(values.next()).map(|text| hash::encode(&text).into()),
            Self::Base64Decode => hash::decode(&string(values.next())?).map(Value::String),
            Self::Hash => {
                let data = match values.next() {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                hash::digest(&data, &string(values.next())?).map(Value::String)
            }
            Self::JsonMerge => merge(&mut values),
            Self::MathRandom => random(values, session),
            Self::MathAdd => {
                let (left, right) = (integer(&values.next())?, integer(&values.next())?);
                let sum = left.checked_add(right).map(Value::from);
                sum.ok_or_else(|| "the sum is too large".to_owned())
            }
            Self::StringSplit => {
                let source = string(values.next())?;
                Ok(text::split(&source, &string(values.next())?))
            }
            Self::Uuid => Ok(Value::String(session.random.uuid())),
        }
    }
}

/// The values of a call's arguments, in order. How many there are was checked by the parser.
struct Values(std::vec::IntoIter<Value>);

impl Values {
    fn next(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Null)
    }
}

fn get_item(values: &mut Values) -> Result<Value, String> {
    let items = array(values.next())?;
    let index = integer(&values.next())?;
    let found = item(&items, index).filter(|_| index >= 0).cloned();
    found.ok_or_else(|| {
        let length = items.len();
        format!("there is no index {index} in an array of {length} item(s)")
    })
}

fn merge(values: &mut Values) -> Result<Value, String> {
    let (first, second) = (object(values.next())?, object(values.next())?);
    match values.next() {
        Value::Bool(false) => Ok(value::merge(first, second)),
        Value::Bool(true) => {
            Err("deep merging is not supported; the third argument must be false".to_owned())
        }
        _ => Err("the third argument must be false".to_owned()),
    }
}

/// A whole number from the first argument up to but not including the second.
fn random(mut values: Values, session: &Session<'_>) -> Result<Value, String> {
    let (start, end) = (integer(&values.next())?, integer(&values.next())?);
    let width = end.checked_sub(start).and_then(|width| u64::try_from(width).ok());
    let Some(width) = width.filter(|width| *width > 0) else {
        return Err(format!("the end {end} must be greater than the start {start}"));
    };
    let drawn = match values.0.next() {
        None => session.random.below(width),
        Some(seed) => {
            let seed = seed.as_number().and_then(rounded).ok_or("the seed must be a number")?;
            Random::new(u64::from_ne_bytes(seed.to_ne_bytes())).below(width)
        }
    };
    Ok(Value::from(start.saturating_add_unsigned(drawn)))
}
