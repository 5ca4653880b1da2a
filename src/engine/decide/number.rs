//! Numbers that a state's data may give, and what AWS says of those that do not fit: its own words
//! for each kind of field, as far as its replies were recorded.

use serde_json::Value;

use super::flow::Evaluation;
use crate::engine::event::{Failure, cut};
use crate::language::expression::Expression;
use crate::language::model::{Number, QueryLanguage};

/// The most of a value that a cause shows, in bytes.
const MAX_SHOWN: usize = 256;

/// A field that holds a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    least: u64,
    of: Of,
}

/// Whose field it is, which decides on the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Task,
    Wait,
    Map,
    Reader,
}

impl Field {
    /// A time of a Task.
    pub(super) const fn of_task(name: &'static str) -> Self {
        Self { name, least: 1, of: Of::Task }
    }

    /// The time of a Wait.
    pub(super) const fn of_wait(name: &'static str) -> Self {
        Self { name, least: 0, of: Of::Wait }
    }

    /// A limit of a Map.
    pub(super) const fn of_map(name: &'static str, least: u64) -> Self {
        Self { name, least, of: Of::Map }
    }

    /// A limit of what a Map reads.
    pub(super) const fn of_reader(name: &'static str) -> Self {
        Self { name, least: 0, of: Of::Reader }
    }
}

impl Evaluation<'_> {
    /// A whole number, fixed or computed.
    pub(super) fn whole(&self, number: &Number, field: Field) -> Result<u64, Failure> {
        let expression = match number {
            Number::Fixed(value) => return Ok(*value),
            Number::Computed(expression) => expression,
        };
        let value = self.expression(expression, self.input())?;
        let Some(whole) = whole(&value).or_else(|| self.in_text(&value)) else {
            return Err(self.no_whole_number(field, expression, &value));
        };
        let fitting = u64::try_from(whole).ok().filter(|number| *number >= field.least);
        fitting.ok_or_else(|| self.too_small(field, expression, &value))
    }

    /// A percentage, fixed or computed; it need not be whole.
    pub(super) fn percentage(
        &self,
        number: &Number<f64>,
        name: &'static str,
    ) -> Result<f64, Failure> {
        let expression = match number {
            Number::Fixed(value) => return Ok(*value),
            Number::Computed(expression) => expression,
        };
        let value = self.expression(expression, self.input())?;
        let number = value.as_f64().or_else(|| self.in_text(&value));
        match number.filter(|number| number.is_finite()) {
            None if self.language() == QueryLanguage::Jsonata => {
                Err(self.unfit(&expression.unexpected("number", &value).cause))
            }
            None => Err(self.unfit(&format!(
                "The {name}Path field refers to value \"{}\" which is not a valid float: {}",
                shown(&value),
                expression.source()
            ))),
            Some(number) if (0.0..=100.0).contains(&number) => Ok(number),
            Some(_) => Err(self.unfit(&format!("{name} must be between 0 and 100."))),
        }
    }

    /// AWS reads a number out of a text where a path leads to one: its replies to other texts say
    /// that they "cannot be parsed".
    fn in_text<T: std::str::FromStr>(&self, value: &Value) -> Option<T> {
        match self.language() {
            QueryLanguage::JsonPath => value.as_str()?.parse().ok(),
            QueryLanguage::Jsonata => None,
        }
    }

    fn no_whole_number(&self, field: Field, expression: &Expression, value: &Value) -> Failure {
        let Field { name, least, of } = field;
        if self.language() == QueryLanguage::Jsonata && !value.is_number() {
            return self.unfit(&expression.unexpected("number", value).cause);
        }
        let (path, text) = (expression.source(), shown(value));
        self.unfit(&match (self.language(), of) {
            (QueryLanguage::Jsonata, _) | (_, Of::Task) => {
                format!("{name} must be a whole number from {least}, but is {text}")
            }
            (_, Of::Wait) => format!(
                "The {name}Path parameter cannot be parsed as a long value: {path} == {text}"
            ),
            (_, Of::Map | Of::Reader) => format!(
                "The {name}Path field refers to value \"{text}\" which is not a valid integer: \
                 {path}"
            ),
        })
    }

    fn too_small(&self, field: Field, expression: &Expression, value: &Value) -> Failure {
        let Field { name, least, of } = field;
        match of {
            Of::Wait if self.language() == QueryLanguage::JsonPath => self.unfit(&format!(
                "The {name}Path parameter references a negative value: {} == {}",
                expression.source(),
                shown(value)
            )),
            Of::Map if least == 0 => self.unfit(&format!("{name} cannot be negative.")),
            // AWS finds that out when it reads.
            Of::Reader => {
                Failure::new("States.ItemReaderFailed", &format!("field {name} must be positive"))
            }
            Of::Task | Of::Wait | Of::Map => self.unfit(&format!(
                "{name} must be a whole number from {least}, but is {}",
                shown(value)
            )),
        }
    }
}

/// A value as causes of AWS show it: a text without quotes.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    cut(text, MAX_SHOWN)
}

/// The whole number that a value is. 3.0 is as whole as 3: JSONata computes with floats.
fn whole(value: &Value) -> Option<i128> {
    let integer = value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from));
    integer.or_else(|| {
        let float = value.as_f64()?;
        let whole = float.fract() == 0.0 && float.abs() <= 9e15;
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range by the line above")]
        whole.then_some(float as i128)
    })
}
