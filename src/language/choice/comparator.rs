//! The comparators of Choice rules.

use std::cmp::Ordering;

use serde_json::Value;

use super::Pattern;
use crate::language::expression::{
    EvaluationError, Expression, ExpressionFault, Scope, compare_numbers, parse_timestamp,
};

/// The name of every comparator.
pub const COMPARATORS: &[&str] = &[
    "StringEquals",
    "StringEqualsPath",
    "StringLessThan",
    "StringLessThanPath",
    "StringGreaterThan",
    "StringGreaterThanPath",
    "StringLessThanEquals",
    "StringLessThanEqualsPath",
    "StringGreaterThanEquals",
    "StringGreaterThanEqualsPath",
    "StringMatches",
    "NumericEquals",
    "NumericEqualsPath",
    "NumericLessThan",
    "NumericLessThanPath",
    "NumericGreaterThan",
    "NumericGreaterThanPath",
    "NumericLessThanEquals",
    "NumericLessThanEqualsPath",
    "NumericGreaterThanEquals",
    "NumericGreaterThanEqualsPath",
    "BooleanEquals",
    "BooleanEqualsPath",
    "TimestampEquals",
    "TimestampEqualsPath",
    "TimestampLessThan",
    "TimestampLessThanPath",
    "TimestampGreaterThan",
    "TimestampGreaterThanPath",
    "TimestampLessThanEquals",
    "TimestampLessThanEqualsPath",
    "TimestampGreaterThanEquals",
    "TimestampGreaterThanEqualsPath",
    "IsNull",
    "IsPresent",
    "IsNumeric",
    "IsString",
    "IsBoolean",
    "IsTimestamp",
];

/// How a value is tested.
#[derive(Debug, Clone)]
pub enum Comparator {
    /// Both are of the kind, and in the relation.
    Compare {
        /// What both must be.
        kind: Kind,
        /// How the variable must stand to the operand.
        relation: Relation,
        /// What the variable is compared with.
        operand: Operand,
    },
    /// `StringMatches`
    Matches(Pattern),
    /// `IsPresent`: whether there is a value at all must be so.
    Present(bool),
    /// `IsNull`
    Null(bool),
    /// `IsNumeric`, `IsString`, `IsBoolean`, `IsTimestamp`: whether the value is of the kind must
    /// be so.
    Is(Kind, bool),
}

/// What kind of values a comparator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts, in the order of their code points.
    String,
    /// Numbers.
    Numeric,
    /// `true` and `false`.
    Boolean,
    /// Texts that are timestamps.
    Timestamp,
}

/// How two values must stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `…Equals`
    Equal,
    /// `…LessThan`
    Less,
    /// `…GreaterThan`
    Greater,
    /// `…LessThanEquals`
    LessOrEqual,
    /// `…GreaterThanEquals`
    GreaterOrEqual,
}

/// What a variable is compared with.
#[derive(Debug, Clone)]
pub enum Operand {
    /// As written; of the comparator's kind.
    Fixed(Value),
    /// `…Path`: found when the condition is evaluated.
    Path(Expression),
}

impl Comparator {
    /// Reads a comparator; see [`super::Condition::test`].
    pub(super) fn new(name: &str, operand: &Value) -> Result<Self, ExpressionFault> {
        if !COMPARATORS.contains(&name) {
            return Err(fault(format!("there is no comparator '{name}'")));
        }
        if let Some(test) = name.strip_prefix("Is") {
            return type_test(name, test, operand);
        }
        if name == "StringMatches" {
            let pattern = operand.as_str().map(Pattern::new).map(Self::Matches);
            return pattern.ok_or_else(|| fault("StringMatches must be a text".to_owned()));
        }
        let (kind, rest) = Kind::of(name)?;
        let (relation, is_path) = match rest.strip_suffix("Path") {
            Some(relation) => (relation, true),
            None => (rest, false),
        };
        let relation = Relation::named(relation)
            .ok_or_else(|| fault(format!("there is no comparator '{name}'")))?;
        let operand = if is_path {
            let path = operand.as_str().ok_or_else(|| fault(format!("{name} must be a path")))?;
            Operand::Path(Expression::path(path)?)
        } else if kind.fits(operand) {
            Operand::Fixed(operand.clone())
        } else {
            return Err(fault(format!("{name} must be {}", kind.article())));
        };
        Ok(Self::Compare { kind, relation, operand })
    }

    /// Whether it holds for the value at `variable`.
    pub(super) fn holds(
        &self,
        variable: &Expression,
        scope: &Scope<'_>,
    ) -> Result<bool, EvaluationError> {
        let found = variable.peek(scope)?;
        if let Self::Present(wanted) = self {
            return Ok(found.is_some() == *wanted);
        }
        let Some(value) = found else { return Err(absent(variable)) };
        Ok(match self {
            Self::Present(wanted) => *wanted,
            Self::Null(wanted) => value.is_null() == *wanted,
            Self::Is(kind, wanted) => kind.fits(&value) == *wanted,
            Self::Matches(pattern) => value.as_str().is_some_and(|text| pattern.matches(text)),
            Self::Compare { kind, relation, operand } => match operand {
                Operand::Fixed(operand) => relation.holds(kind.order(&value, operand)),
                Operand::Path(path) => {
                    let operand = path.peek(scope)?.ok_or_else(|| absent(path))?;
                    relation.holds(kind.order(&value, &operand))
                }
            },
        })
    }

    pub(super) fn references_context(&self) -> bool {
        match self {
            Self::Compare { operand: Operand::Path(path), .. } => path.references_context(),
            _ => false,
        }
    }
}

fn type_test(name: &str, test: &str, operand: &Value) -> Result<Comparator, ExpressionFault> {
    let Some(wanted) = operand.as_bool() else {
        return Err(fault(format!("{name} must be true or false")));
    };
    match test {
        "Present" => Ok(Comparator::Present(wanted)),
        "Null" => Ok(Comparator::Null(wanted)),
        _ => Kind::of(test).map(|(kind, _)| Comparator::Is(kind, wanted)),
    }
}

fn fault(message: String) -> ExpressionFault {
    ExpressionFault { message, offset: None }
}

fn absent(path: &Expression) -> EvaluationError {
    EvaluationError::path(format!(
        "Invalid path '{}': The choice state's condition path references an invalid value.",
        path.source()
    ))
}

impl Kind {
    /// The kind that a comparator's name starts with, and the rest of the name.
    fn of(name: &str) -> Result<(Self, &str), ExpressionFault> {
        let kinds = [
            ("String", Self::String),
            ("Numeric", Self::Numeric),
            ("Boolean", Self::Boolean),
            ("Timestamp", Self::Timestamp),
        ];
        let found =
            kinds.into_iter().find_map(|(prefix, kind)| Some((kind, name.strip_prefix(prefix)?)));
        found.ok_or_else(|| fault(format!("there is no comparator '{name}'")))
    }

    fn article(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Numeric => "a number",
            Self::Boolean => "true or false",
            Self::Timestamp => "a timestamp as 2026-11-23T08:00:00Z",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Numeric => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => value.as_str().and_then(parse_timestamp).is_some(),
        }
    }

    /// How `left` stands to `right`; `None` unless both are of the kind.
    fn order(self, left: &Value, right: &Value) -> Option<Ordering> {
        match self {
            Self::String => Some(left.as_str()?.cmp(right.as_str()?)),
            Self::Numeric => compare_numbers(left.as_number()?, right.as_number()?),
            Self::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
            Self::Timestamp => {
                Some(parse_timestamp(left.as_str()?)?.cmp(&parse_timestamp(right.as_str()?)?))
            }
        }
    }
}

impl Relation {
    fn named(name: &str) -> Option<Self> {
        match name {
            "Equals" => Some(Self::Equal),
            "LessThan" => Some(Self::Less),
            "GreaterThan" => Some(Self::Greater),
            "LessThanEquals" => Some(Self::LessOrEqual),
            "GreaterThanEquals" => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    fn holds(self, order: Option<Ordering>) -> bool {
        let Some(order) = order else { return false };
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::Greater => order.is_gt(),
            Self::LessOrEqual => order.is_le(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}
