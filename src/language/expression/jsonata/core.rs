//! JSONata by the crate `jsonata-core`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use indexmap::IndexMap;
use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::Value;

use super::super::scope::ExpressionFault;
use super::super::session::Session;
use super::check::{self, Top, Uses};
use super::convert::{from_jsonata, to_jsonata};
use super::{Engine, Limits, context, fault, function};

/// The engine. The crate's values are not `Send`, so they live within one call; its syntax trees
/// are, and are kept.
pub(super) struct Core;

impl Engine for Core {
    type Parsed = AstNode;

    fn parse(text: &str, top: Top) -> Result<(AstNode, Uses), ExpressionFault> {
        let parsed = guarded(|| parser::parse(text)).ok_or_else(|| ExpressionFault {
            message: "the JSONata parser gave up on this expression".to_owned(),
            offset: None,
        })?;
        match parsed {
            Ok(mut tree) => {
                let uses = check::check(&tree, top)?;
                context::complete(&mut tree);
                Ok((tree, uses))
            }
            Err(error) => Err(fault::describe(text, &error)),
        }
    }

    fn evaluate(
        tree: &AstNode,
        uses: &Uses,
        data: Option<&Value>,
        session: &Session<'_>,
        limits: Limits,
    ) -> Result<Option<Value>, String> {
        let options = EvaluatorOptions {
            timeout_ms: Some(u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX)),
            max_stack_depth: Some(limits.depth),
            max_sequence_length: Some(limits.items),
            ..EvaluatorOptions::default()
        };
        let context = bind(uses, session)?;
        let data = data.map_or(Ok(JValue::Undefined), to_jsonata)?;
        let run = || {
            let mut evaluator = Evaluator::with_options(context, options);
            function::register(&mut evaluator, session)?;
            let result = evaluator.evaluate(tree, &data)?;
            from_jsonata(&result).map_err(EvaluatorError::EvaluationError)
        };
        match guarded(run) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(error.message().to_owned()),
            None => Err("the JSONata engine broke down on this expression".to_owned()),
        }
    }
}

/// Runs foreign code; `None` when it panicked. Nothing that it touched is used afterwards.
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

/// `$states` and variables, as far as the expression uses them.
fn bind(uses: &Uses, session: &Session<'_>) -> Result<Context, String> {
    let scope = &session.scope;
    let mut context = Context::new();
    for name in &uses.variables {
        if let Some(value) = scope.variables.get(name) {
            context.bind(name.clone(), session.cache.get(format!("${name}"), value)?);
        }
    }
    let fields = [
        ("input", Some(scope.input)),
        ("result", scope.result),
        ("errorOutput", scope.error_output),
        ("context", Some(scope.context)),
    ];
    let mut states = IndexMap::new();
    for (name, value) in fields {
        if let Some(value) = value.filter(|_| uses.state(name)) {
            states.insert(name.to_owned(), session.cache.get(format!("states.{name}"), value)?);
        }
    }
    context.bind("states".to_owned(), JValue::object(states));
    Ok(context)
}
