//! From text to path.

use std::sync::Arc;

use super::super::cursor::Cursor;
use super::super::scope::ExpressionFault;
use super::function::Function;
use super::text::quoted;
use super::{Path, Root, Segment, filter};

/// How many segments one path may have.
const MAX_SEGMENTS: usize = 128;

/// How many names or indexes one union may list.
const MAX_UNION: usize = 256;

/// Reads a path; `inside_filter` allows `@` at its start.
pub(super) fn path(cursor: &mut Cursor<'_>, inside_filter: bool) -> Result<Path, ExpressionFault> {
    let start = cursor.at();
    let root = root(cursor, inside_filter)?;
    let mut segments = Vec::new();
    let mut function = None;
    loop {
        if segments.len() >= MAX_SEGMENTS {
            return Err(cursor.fault(format!("the path has more than {MAX_SEGMENTS} segments")));
        }
        if cursor.eat("..") {
            segments.push(Segment::Descend);
            segments.push(match cursor.peek() {
                Some('[') => bracket(cursor)?,
                _ => after_dot(cursor)?,
            });
        } else if cursor.eat(".") {
            if cursor.peek() == Some('[') {
                segments.push(bracket(cursor)?);
                continue;
            }
            let segment = after_dot(cursor)?;
            if let Segment::Name(name) = &segment
                && cursor.sees("(")
            {
                function = Some(call(cursor, name)?);
                break;
            }
            segments.push(segment);
        } else if cursor.peek() == Some('[') {
            segments.push(bracket(cursor)?);
        } else {
            break;
        }
    }
    let definite = is_definite(&segments);
    Ok(Path { source: Arc::from(cursor.since(start)), root, segments, function, definite })
}

fn is_definite(segments: &[Segment]) -> bool {
    let last = segments.len().saturating_sub(1);
    segments.iter().enumerate().all(|(index, segment)| match segment {
        Segment::Name(_) | Segment::Index(_) => true,
        // At the end, several names together give one object.
        Segment::Names(_) => index == last,
        _ => false,
    })
}

fn root(cursor: &mut Cursor<'_>, inside_filter: bool) -> Result<Root, ExpressionFault> {
    if inside_filter && cursor.eat("@") {
        return Ok(Root::Current);
    }
    let start = cursor.at();
    if !cursor.eat("$") {
        return Err(cursor.unexpected("a path that starts with '$'"));
    }
    if cursor.eat("$") {
        return Ok(Root::Context);
    }
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_');
    if name.is_empty() {
        return Ok(Root::Input);
    }
    if name.starts_with(|c: char| c.is_numeric()) {
        return Err(ExpressionFault::new("a variable's name must not start with a digit", start));
    }
    Ok(Root::Variable(Arc::from(name)))
}

/// Characters that end a name written without quotes.
fn ends_name(c: char) -> bool {
    c.is_whitespace() || c.is_control() || ".[](),?*'\"=<>!&|{}".contains(c)
}

fn after_dot(cursor: &mut Cursor<'_>) -> Result<Segment, ExpressionFault> {
    if cursor.eat("*") {
        return Ok(Segment::Wildcard);
    }
    let mut name = String::new();
    while let Some(next) = cursor.peek() {
        // In filters `&&` and `||` stand between names; one of either may stand in a name.
        let joins = cursor.sees("&&") || cursor.sees("||");
        if joins || (ends_name(next) && !matches!(next, '&' | '|')) {
            break;
        }
        cursor.bump();
        if next != '\\' {
            name.push(next);
            continue;
        }
        match cursor.bump() {
            Some(escaped) => name.push(escaped),
            None => return Err(cursor.unexpected("a character after the backslash")),
        }
    }
    if name.is_empty() {
        return Err(cursor.unexpected("a name; names with special characters go into ['…']"));
    }
    Ok(Segment::Name(name))
}

fn call(cursor: &mut Cursor<'_>, name: &str) -> Result<Function, ExpressionFault> {
    let Some(function) = Function::named(name) else {
        let known = Function::NAMES.join("(), ");
        return Err(cursor.fault(format!("paths have no function '{name}()'; there are {known}()")));
    };
    cursor.expect("(")?;
    cursor.skip_space();
    cursor.expect(")")?;
    if matches!(cursor.peek(), Some('.' | '[')) {
        return Err(cursor.fault(format!("'{name}()' must stand at the end of the path")));
    }
    Ok(function)
}

fn bracket(cursor: &mut Cursor<'_>) -> Result<Segment, ExpressionFault> {
    cursor.nested(|cursor| {
        cursor.expect("[")?;
        cursor.skip_space();
        let segment = match cursor.peek() {
            Some('*') => {
                cursor.bump();
                Segment::Wildcard
            }
            Some('?') => {
                cursor.bump();
                Segment::Filter(filter::parse(cursor)?)
            }
            Some('\'' | '"') => names(cursor)?,
            Some(c) if c == '-' || c == ':' || c.is_ascii_digit() => indexes(cursor)?,
            Some('(') => return Err(cursor.fault("scripts '[(…)]' are not supported")),
            _ => return Err(cursor.unexpected("a quoted name, an index, '*' or '?(…)'")),
        };
        cursor.skip_space();
        cursor.expect("]")?;
        Ok(segment)
    })
}

fn names(cursor: &mut Cursor<'_>) -> Result<Segment, ExpressionFault> {
    let first = quoted(cursor)?;
    cursor.skip_space();
    if cursor.peek() != Some(',') {
        return Ok(Segment::Name(first));
    }
    let mut names = vec![first];
    while cursor.eat(",") {
        cursor.skip_space();
        if !matches!(cursor.peek(), Some('\'' | '"')) {
            return Err(cursor.unexpected("a quoted name"));
        }
        check_union(cursor, names.len())?;
        names.push(quoted(cursor)?);
        cursor.skip_space();
    }
    Ok(Segment::Names(names))
}

fn check_union(cursor: &Cursor<'_>, length: usize) -> Result<(), ExpressionFault> {
    if length >= MAX_UNION {
        return Err(cursor.fault(format!("more than {MAX_UNION} entries in one pair of brackets")));
    }
    Ok(())
}

fn indexes(cursor: &mut Cursor<'_>) -> Result<Segment, ExpressionFault> {
    let first = optional_integer(cursor)?;
    cursor.skip_space();
    if cursor.eat(":") {
        return slice(cursor, first);
    }
    let Some(first) = first else { return Err(cursor.unexpected("an index")) };
    if cursor.peek() != Some(',') {
        return Ok(Segment::Index(first));
    }
    let mut indexes = vec![first];
    while cursor.eat(",") {
        cursor.skip_space();
        check_union(cursor, indexes.len())?;
        let Some(index) = optional_integer(cursor)? else {
            return Err(cursor.unexpected("an index"));
        };
        indexes.push(index);
        cursor.skip_space();
    }
    Ok(Segment::Indexes(indexes))
}

fn slice(cursor: &mut Cursor<'_>, start: Option<i64>) -> Result<Segment, ExpressionFault> {
    cursor.skip_space();
    let end = optional_integer(cursor)?;
    cursor.skip_space();
    let mut step = 1;
    if cursor.eat(":") {
        cursor.skip_space();
        step = optional_integer(cursor)?.unwrap_or(1);
        if step < 1 {
            return Err(cursor.fault("the step of a slice must be at least 1"));
        }
    }
    Ok(Segment::Slice { start, end, step })
}

fn optional_integer(cursor: &mut Cursor<'_>) -> Result<Option<i64>, ExpressionFault> {
    let start = cursor.at();
    let text = cursor.take_while(|c| c == '-' || c.is_ascii_digit());
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(ExpressionFault::new(format!("'{text}' is not an index"), start)),
    }
}
