//! Conditions of Choice rules.

use serde_json::Value;

use super::expression::{EvaluationError, Expression, ExpressionFault, Scope};

/// The comparison operators of a JSONPath rule.
pub const COMPARATORS: &[&str] = &[
    "BooleanEquals",
    "BooleanEqualsPath",
    "IsBoolean",
    "IsNull",
    "IsNumeric",
    "IsPresent",
    "IsString",
    "IsTimestamp",
    "NumericEquals",
    "NumericEqualsPath",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "NumericGreaterThanEqualsPath",
    "NumericGreaterThanPath",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericLessThanEqualsPath",
    "NumericLessThanPath",
    "StringEquals",
    "StringEqualsPath",
    "StringGreaterThan",
    "StringGreaterThanEquals",
    "StringGreaterThanEqualsPath",
    "StringGreaterThanPath",
    "StringLessThan",
    "StringLessThanEquals",
    "StringLessThanEqualsPath",
    "StringLessThanPath",
    "StringMatches",
    "TimestampEquals",
    "TimestampEqualsPath",
    "TimestampGreaterThan",
    "TimestampGreaterThanEquals",
    "TimestampGreaterThanEqualsPath",
    "TimestampGreaterThanPath",
    "TimestampLessThan",
    "TimestampLessThanEquals",
    "TimestampLessThanEqualsPath",
    "TimestampLessThanPath",
];

/// When a Choice rule holds.
#[derive(Debug, Clone)]
pub enum Condition {
    /// All hold.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison of the value at a path.
    Test {
        /// The path.
        variable: Expression,
    },
    /// A JSONata expression that gives a boolean.
    Jsonata(Expression),
}

impl Condition {
    /// Reads a comparison.
    ///
    /// # Errors
    /// The operand does not suit the operator.
    pub fn test(
        comparator_name: &str,
        variable: Expression,
        operand: &Value,
    ) -> Result<Self, ExpressionFault> {
        if comparator_name.starts_with("Is") && !operand.is_boolean() {
            return Err(ExpressionFault {
                message: format!("`{comparator_name}` needs true or false"),
                offset: None,
            });
        }
        Ok(Self::Test { variable })
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// A path that must exist does not, or a JSONata condition failed or gave no boolean.
    pub fn holds(&self, _scope: &Scope<'_>) -> Result<bool, EvaluationError> {
        Ok(false)
    }
}
