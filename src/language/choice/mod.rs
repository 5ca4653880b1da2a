//! Conditions of Choice rules.

mod comparator;
mod pattern;

use serde_json::Value;

use super::expression::{EvaluationError, Expression, ExpressionFault, Scope};

pub use comparator::{COMPARATORS, Comparator, Kind, Operand, Relation};
pub use pattern::Pattern;

/// When a Choice rule holds.
#[derive(Debug, Clone)]
pub enum Condition {
    /// All hold.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison of JSONPath.
    Test {
        /// `Variable`: the path to what is compared.
        variable: Expression,
        /// What it is compared with, and how.
        comparator: Comparator,
    },
    /// `Condition` of JSONata: gives a boolean.
    Jsonata(Expression),
}

impl Condition {
    /// Builds a comparison from the name of the comparator, one of [`COMPARATORS`], and what the
    /// definition gives it.
    ///
    /// # Errors
    /// There is no comparator of that name, or the operand is not what it needs.
    pub fn test(
        comparator_name: &str,
        variable: Expression,
        operand: &Value,
    ) -> Result<Self, ExpressionFault> {
        let comparator = Comparator::new(comparator_name, operand)?;
        Ok(Self::Test { variable, comparator })
    }

    /// Whether it holds. Values of different types never compare: the comparison is false.
    ///
    /// # Errors
    /// A path that must exist does not, or a JSONata condition failed or gave no boolean.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, EvaluationError> {
        match self {
            Self::And(parts) => {
                for part in parts {
                    if !part.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(parts) => {
                for part in parts {
                    if part.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(inner) => inner.holds(scope).map(|holds| !holds),
            Self::Test { variable, comparator } => comparator.holds(variable, scope),
            Self::Jsonata(expression) => match expression.evaluate(scope)? {
                Value::Bool(holds) => Ok(holds),
                other => Err(expression.unexpected("boolean", &other)),
            },
        }
    }

    /// Whether the outcome can depend on the context object.
    #[must_use]
    pub fn references_context(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::references_context),
            Self::Not(inner) => inner.references_context(),
            Self::Test { variable, comparator } => {
                variable.references_context() || comparator.references_context()
            }
            Self::Jsonata(expression) => expression.references_context(),
        }
    }
}

#[cfg(test)]
mod tests;
