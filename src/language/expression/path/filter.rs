//! Filters: `[?(@.price < 10 && @.isbn)]`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::super::cursor::Cursor;
use super::super::number;
use super::super::scope::ExpressionFault;
use super::super::session::Session;
use super::text::quoted;
use super::{Path, PathFailure, Root, parser};

/// How many values one list in a filter may hold.
const MAX_LIST: usize = 1000;

/// A condition on an item of an array.
#[derive(Debug, Clone)]
pub(in super::super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// The path leads somewhere.
    Exists(Path),
    Compare(Operand, Comparison, Operand),
}

#[derive(Debug, Clone)]
pub(in super::super) enum Operand {
    Path(Path),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// Reads `(…)` after the `?`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Filter, ExpressionFault> {
    cursor.skip_space();
    cursor.expect("(")?;
    let filter = any(cursor)?;
    cursor.skip_space();
    cursor.expect(")")?;
    Ok(filter)
}

fn any(cursor: &mut Cursor<'_>) -> Result<Filter, ExpressionFault> {
    cursor.nested(|cursor| {
        let mut parts = vec![all(cursor)?];
        loop {
            cursor.skip_space();
            if !cursor.eat("||") {
                break;
            }
            parts.push(all(cursor)?);
        }
        Ok(single_or(parts, Filter::Or))
    })
}

fn all(cursor: &mut Cursor<'_>) -> Result<Filter, ExpressionFault> {
    let mut parts = vec![term(cursor)?];
    loop {
        cursor.skip_space();
        if !cursor.eat("&&") {
            break;
        }
        parts.push(term(cursor)?);
    }
    Ok(single_or(parts, Filter::And))
}

fn single_or(mut parts: Vec<Filter>, join: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            join(parts)
        }
    }
}

fn term(cursor: &mut Cursor<'_>) -> Result<Filter, ExpressionFault> {
    cursor.skip_space();
    if cursor.eat("!") {
        let inner = cursor.nested(term)?;
        return Ok(Filter::Not(Box::new(inner)));
    }
    if cursor.eat("(") {
        let inner = any(cursor)?;
        cursor.skip_space();
        cursor.expect(")")?;
        return Ok(inner);
    }
    let left = operand(cursor)?;
    cursor.skip_space();
    let Some(comparison) = comparison(cursor)? else {
        return match left {
            Operand::Path(path) => Ok(Filter::Exists(path)),
            Operand::Literal(_) => Err(cursor.unexpected("a comparison")),
        };
    };
    cursor.skip_space();
    let right = operand(cursor)?;
    Ok(Filter::Compare(left, comparison, right))
}

fn comparison(cursor: &mut Cursor<'_>) -> Result<Option<Comparison>, ExpressionFault> {
    let symbols = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    for (symbol, comparison) in symbols {
        if cursor.eat(symbol) {
            return Ok(Some(comparison));
        }
    }
    if cursor.sees("=~") {
        return Err(cursor.fault("regular expressions ('=~') are not supported in filters"));
    }
    if cursor.sees("=") {
        return Err(cursor.fault("equality is written '=='"));
    }
    if cursor.eat_word("in") {
        return Ok(Some(Comparison::In));
    }
    Ok(cursor.eat_word("nin").then_some(Comparison::NotIn))
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, ExpressionFault> {
    match cursor.peek() {
        Some('@' | '$') => Ok(Operand::Path(cursor.nested(|cursor| parser::path(cursor, true))?)),
        Some('[') => list(cursor),
        _ => literal(cursor).map(Operand::Literal),
    }
}

fn literal(cursor: &mut Cursor<'_>) -> Result<Value, ExpressionFault> {
    match cursor.peek() {
        Some('\'' | '"') => quoted(cursor).map(Value::String),
        Some(c) if c == '-' || c.is_ascii_digit() => cursor.number(),
        _ => match cursor.keyword() {
            Some(value) => Ok(value),
            None => bare_word(cursor),
        },
    }
}

/// A text without quotes, as `@.Name == Receipt`: AWS takes it, and real definitions have it.
fn bare_word(cursor: &mut Cursor<'_>) -> Result<Value, ExpressionFault> {
    if !cursor.peek().is_some_and(char::is_alphabetic) {
        return Err(cursor.unexpected("a path ('@.…', '$.…') or a literal"));
    }
    let word = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    Ok(Value::from(word))
}

fn list(cursor: &mut Cursor<'_>) -> Result<Operand, ExpressionFault> {
    cursor.expect("[")?;
    let mut items = Vec::new();
    loop {
        cursor.skip_space();
        if items.is_empty() && cursor.eat("]") {
            break;
        }
        if items.len() >= MAX_LIST {
            return Err(cursor.fault(format!("the list has more than {MAX_LIST} values")));
        }
        items.push(literal(cursor)?);
        cursor.skip_space();
        if cursor.eat("]") {
            break;
        }
        cursor.expect(",")?;
    }
    Ok(Operand::Literal(Value::Array(items)))
}

impl Filter {
    /// Whether it holds for `current`.
    pub(super) fn holds<'a>(
        &self,
        session: &Session<'a>,
        current: &'a Value,
    ) -> Result<bool, PathFailure> {
        match self {
            Self::And(parts) => {
                for part in parts {
                    if !part.holds(session, current)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(parts) => {
                for part in parts {
                    if part.holds(session, current)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(inner) => inner.holds(session, current).map(|holds| !holds),
            Self::Exists(path) => {
                let found = lookup(path, session, current)?;
                Ok(found.is_some_and(|value| {
                    path.definite || value.as_array().is_none_or(|items| !items.is_empty())
                }))
            }
            Self::Compare(left, comparison, right) => {
                let left = left.value(session, current)?;
                let right = right.value(session, current)?;
                Ok(comparison.holds(left.as_deref(), right.as_deref()))
            }
        }
    }

    pub(super) fn references_context(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::references_context),
            Self::Not(inner) => inner.references_context(),
            Self::Exists(path) => path.references_context(),
            Self::Compare(left, _, right) => {
                [left, right].into_iter().any(|operand| match operand {
                    Operand::Path(path) => path.references_context(),
                    Operand::Literal(_) => false,
                })
            }
        }
    }
}

impl Operand {
    fn value<'v, 'a: 'v>(
        &'v self,
        session: &Session<'a>,
        current: &'a Value,
    ) -> Result<Option<Cow<'v, Value>>, PathFailure> {
        match self {
            Self::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Self::Path(path) => lookup(path, session, current),
        }
    }
}

/// The value at a path inside a filter, where absence is no failure.
fn lookup<'a>(
    path: &Path,
    session: &Session<'a>,
    current: &'a Value,
) -> Result<Option<Cow<'a, Value>>, PathFailure> {
    match path.resolve(session, Some(current)) {
        Ok(value) => Ok(Some(value)),
        Err(PathFailure::Absent) => Ok(None),
        // `@.length()` of a number, say: nothing to compare, while other items may have it.
        Err(PathFailure::Unfit(_)) if path.function.is_some() && path.root == Root::Current => {
            Ok(None)
        }
        Err(unfit @ PathFailure::Unfit(_)) => Err(unfit),
    }
}

impl Comparison {
    /// Whether it holds between two values, either of which may be absent.
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let is_equal = || match (left, right) {
            (Some(left), Some(right)) => number::equal(left, right),
            (None, None) => true,
            _ => false,
        };
        let order = || order(left?, right?);
        let is_in = || match (left, right) {
            (Some(left), Some(Value::Array(items))) => {
                items.iter().any(|item| number::equal(left, item))
            }
            _ => false,
        };
        match self {
            Self::Equal => is_equal(),
            Self::NotEqual => !is_equal(),
            Self::Less => order() == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order() == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
            Self::In => is_in(),
            Self::NotIn => !is_in(),
        }
    }
}

/// The order of two numbers or two texts; other pairs have none.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number::compare(left, right),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
