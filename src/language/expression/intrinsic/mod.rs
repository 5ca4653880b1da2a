//! Intrinsic functions: `States.Format('Order {}', $.id)`.
//!
//! Names and numbers of arguments are checked when a definition is read. Values are only known
//! when the function runs; what does not fit then is an error of kind `Intrinsic`.

mod function;
mod hash;
mod parse;
mod text;
mod value;

use serde_json::Value;

use super::path::Path;
use super::scope::{EvaluationError, EvaluationErrorKind};
use super::session::Session;
use function::Function;

pub(super) use hash::digest;
pub(super) use parse::parse;
pub(super) use value::{partition, range};

/// A call of a function.
#[derive(Debug)]
pub(super) struct Call {
    function: Function,
    arguments: Vec<Argument>,
}

/// An argument of a call.
#[derive(Debug)]
enum Argument {
    /// A number, boolean or null.
    Literal(Value),
    /// A text in quotes. `raw` still has its escapes, which `States.Format` reads by itself.
    Text {
        raw: String,
        value: Value,
    },
    Path(Path),
    Call(Call),
}

impl Call {
    /// Runs the function on the values of its arguments.
    pub(super) fn evaluate(&self, session: &Session<'_>) -> Result<Value, EvaluationError> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for (index, argument) in self.arguments.iter().enumerate() {
            let template = index == 0 && self.function == Function::Format;
            values.push(argument.evaluate(session, template)?);
        }
        let result = self.function.run(values, session).map_err(|cause| {
            let name = self.function.name();
            EvaluationError::intrinsic(format!("The function '{name}' failed: {cause}"))
        })?;
        session.charge(&result, EvaluationErrorKind::Intrinsic)?;
        Ok(result)
    }

    pub(super) fn references_context(&self) -> bool {
        self.arguments.iter().any(|argument| match argument {
            Argument::Literal(_) | Argument::Text { .. } => false,
            Argument::Path(path) => path.references_context(),
            Argument::Call(call) => call.references_context(),
        })
    }
}

impl Argument {
    fn evaluate(&self, session: &Session<'_>, template: bool) -> Result<Value, EvaluationError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Text { raw, .. } if template => Ok(Value::String(raw.clone())),
            Self::Text { value, .. } => Ok(value.clone()),
            Self::Path(path) => {
                let found = path.select_argument(session)?;
                session.charge(&found, EvaluationErrorKind::Path)?;
                Ok(found.into_owned())
            }
            Self::Call(call) => call.evaluate(session),
        }
    }
}

#[cfg(test)]
mod tests;
