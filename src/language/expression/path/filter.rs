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
            Self::Exists(path) if path.function.is_none() && !path.definite => {
                looked_up(path, session)?;
                absent_is(false, path.finds(session, Some(current)))
            }
            Self::Exists(path) => {
                let found = lookup(path, session, current)?;
                Ok(found.is_some_and(|value| {
                    path.definite || value.as_array().is_none_or(|items| !items.is_empty())
                }))
            }
            Self::Compare(left, comparison, right) => {
                let left = left.value(session, current)?;
                let right = right.value(session, current)?;
                comparison.holds(session, left.as_deref(), right.as_deref())
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
    looked_up(path, session)?;
    match absent_is(None, path.resolve(session, Some(current)).map(Some)) {
        // `@.length()` of a number, say: nothing to compare, while other items may have it.
        Err(PathFailure::Unfit(_)) if path.function.is_some() && path.root == Root::Current => {
            Ok(None)
        }
        found => found,
    }
}

/// Counts that a path is followed for one item: a step costs about as much as a comparison.
fn looked_up(path: &Path, session: &Session<'_>) -> Result<(), PathFailure> {
    path.within(session.work((1 + path.segments.len()).saturating_mul(8)))
}

fn absent_is<T>(absent: T, found: Result<T, PathFailure>) -> Result<T, PathFailure> {
    match found {
        Err(PathFailure::Absent) => Ok(absent),
        found => found,
    }
}

impl Comparison {
    /// Whether it holds between two values, either of which may be absent.
    fn holds(
        self,
        session: &Session<'_>,
        left: Option<&Value>,
        right: Option<&Value>,
    ) -> Result<bool, PathFailure> {
        let is_equal = || match (left, right) {
            (Some(left), Some(right)) => equal(session, left, right),
            (None, None) => Ok(true),
            _ => Ok(false),
        };
        let order = || match (left, right) {
            (Some(left), Some(right)) => order(session, left, right),
            _ => Ok(None),
        };
        let is_in = || match (left, right) {
            (Some(left), Some(Value::Array(items))) => {
                for item in items {
                    if equal(session, left, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        };
        Ok(match self {
            Self::Equal => is_equal()?,
            Self::NotEqual => !is_equal()?,
            Self::Less => order()? == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order()?, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order()? == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order()?, Some(Ordering::Greater | Ordering::Equal)),
            Self::In => is_in()?,
            Self::NotIn => !is_in()?,
        })
    }
}

/// Whether two values are equal, numbers by value.
fn equal(session: &Session<'_>, left: &Value, right: &Value) -> Result<bool, PathFailure> {
    let is_kept = match (left, right) {
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            session.compare(left)
        }
        (Value::Object(fields), Value::Object(others)) if fields.len() == others.len() => {
            session.compare(left)
        }
        (Value::String(text), Value::String(other)) if text.len() == other.len() => {
            session.work(text_effort(text))
        }
        _ => session.work(8),
    };
    kept(is_kept)?;
    Ok(number::equal(left, right))
}

/// Bytes are compared many at once.
fn text_effort(text: &str) -> usize {
    8 + text.len() / 8
}

/// A failure unless the limit on comparisons is kept.
fn kept(is_kept: bool) -> Result<(), PathFailure> {
    if is_kept {
        return Ok(());
    }
    let cause = "A filter of a JSONPath compares too much; make the path before it more selective";
    Err(PathFailure::Unfit(cause.to_owned()))
}

/// The order of two numbers or two texts; other pairs have none.
fn order(
    session: &Session<'_>,
    left: &Value,
    right: &Value,
) -> Result<Option<Ordering>, PathFailure> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            kept(session.work(8))?;
            number::compare(left, right)
        }
        (Value::String(left), Value::String(right)) => {
            let shorter = if left.len() < right.len() { left } else { right };
            kept(session.work(text_effort(shorter)))?;
            Some(left.cmp(right))
        }
        _ => None,
    })
}
