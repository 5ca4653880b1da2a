//! Conditions of Choice rules.

use super::expression::{EvaluationError, Scope};

/// When a Choice rule holds.
#[derive(Debug, Clone)]
pub enum Condition {
    /// All hold.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Whether it holds.
    ///
    /// # Errors
    /// A path that must exist does not, or a JSONata condition failed or gave no boolean.
    pub fn holds(&self, _scope: &Scope<'_>) -> Result<bool, EvaluationError> {
        Ok(false)
    }
}
