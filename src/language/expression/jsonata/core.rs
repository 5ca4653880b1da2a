//! JSONata by the crate `jsonata-core`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use indexmap::IndexMap;
use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::parser::{self, ParserError};
use jsonata_core::value::JValue;
use serde_json::Value;

use super::super::scope::ExpressionFault;
use super::super::session::Session;
use super::check::{self, Uses};
use super::convert::{from_jsonata, to_jsonata};
use super::{Engine, Limits, function};

/// The engine. The crate's values are not `Send`, so they live within one call; its syntax trees
/// are, and are kept.
pub(super) struct Core;

impl Engine for Core {
    type Parsed = AstNode;

    fn parse(text: &str) -> Result<(AstNode, Uses), ExpressionFault> {
        let parsed = guarded(|| parser::parse(text)).ok_or_else(|| ExpressionFault {
            message: "the JSONata parser gave up on this expression".to_owned(),
            offset: None,
        })?;
        match parsed {
            Ok(tree) => check::check(&tree).map(|uses| (tree, uses)),
            Err(error) => Err(ExpressionFault {
                message: format!("this is not JSONata: {error}"),
                offset: offset(text, &error),
            }),
        }
    }

    fn evaluate(
        tree: &AstNode,
        uses: &Uses,
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
        let run = || {
            let mut evaluator = Evaluator::with_options(context, options);
            function::register(&mut evaluator, session)?;
            let result = evaluator.evaluate(tree, &JValue::Undefined)?;
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
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

/// `$states` and variables, as far as the expression uses them.
fn bind(uses: &Uses, session: &Session<'_>) -> Result<Context, String> {
    let scope = &session.scope;
    let mut context = Context::new();
    for name in &uses.variables {
        if let Some(value) = scope.variables.get(name) {
            context.bind(name.clone(), to_jsonata(value)?);
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
            states.insert(name.to_owned(), to_jsonata(value)?);
        }
    }
    context.bind("states".to_owned(), JValue::object(states));
    Ok(context)
}

/// Where the parser stopped. The crate does not say, so this looks for the shortest start of the
/// text that fails in the same way: all longer ones fail so too, for the parser reads on only
/// after a token that fits.
fn offset(text: &str, error: &ParserError) -> Option<usize> {
    match error {
        ParserError::UnexpectedEnd => return Some(text.len()),
        ParserError::UnexpectedToken(_) | ParserError::Expected { .. } => {}
        _ => return None,
    }
    let message = error.to_string();
    let fails = |start: &str| {
        guarded(|| parser::parse(start))
            .is_some_and(|parsed| parsed.is_err_and(|error| error.to_string() == message))
    };
    let ends: Vec<usize> = text.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
    let shortest = ends.partition_point(|end| !text.get(..*end).is_some_and(fails));
    let end = ends.get(shortest).copied()?;
    // The end of the token that does not fit; words are longer than one character.
    let token = text.get(..end)?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = token.trim_end_matches(is_word);
    Some(if word.len() < token.len() {
        word.len()
    } else {
        token.char_indices().next_back().map_or(0, |(at, _)| at)
    })
}
