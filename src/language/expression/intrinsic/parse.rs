//! From text to call.

use serde_json::Value;

use super::super::cursor::Cursor;
use super::super::path::Path;
use super::super::scope::ExpressionFault;
use super::function::Function;
use super::{Argument, Call, text};

/// How deep calls may nest.
const MAX_DEPTH: usize = 10;

/// How many arguments one call may have.
const MAX_ARGUMENTS: usize = 1000;

/// Parses the whole text as one call.
pub(in super::super) fn parse(text: &str) -> Result<Call, ExpressionFault> {
    let mut cursor = Cursor::new(text);
    if !cursor.sees("States.") {
        return Err(cursor.unexpected("a path ('$…') or an intrinsic function ('States.…')"));
    }
    let call = call(&mut cursor, 1)?;
    cursor.skip_space();
    cursor.expect_end()?;
    Ok(call)
}

fn call(cursor: &mut Cursor<'_>, depth: usize) -> Result<Call, ExpressionFault> {
    let start = cursor.at();
    if depth > MAX_DEPTH {
        return Err(cursor.fault(format!("functions are nested deeper than {MAX_DEPTH} levels")));
    }
    let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '_'));
    let Some(function) = Function::named(name) else {
        return Err(ExpressionFault::new(
            format!("there is no intrinsic function '{name}'"),
            start,
        ));
    };
    cursor.skip_space();
    cursor.expect("(")?;
    let arguments = arguments(cursor, depth)?;
    let (least, most) = function.arity();
    if arguments.len() < least || arguments.len() > most {
        let wanted = match (least, most) {
            (least, most) if least == most => least.to_string(),
            (least, MAX_ARGUMENTS..) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        let found = arguments.len();
        return Err(ExpressionFault::new(
            format!("'{name}' takes {wanted} argument(s), not {found}"),
            start,
        ));
    }
    Ok(Call { function, arguments })
}

fn arguments(cursor: &mut Cursor<'_>, depth: usize) -> Result<Vec<Argument>, ExpressionFault> {
    let mut arguments = Vec::new();
    cursor.skip_space();
    if cursor.eat(")") {
        return Ok(arguments);
    }
    loop {
        if arguments.len() >= MAX_ARGUMENTS {
            return Err(cursor.fault(format!("more than {MAX_ARGUMENTS} arguments")));
        }
        cursor.skip_space();
        arguments.push(argument(cursor, depth)?);
        cursor.skip_space();
        if cursor.eat(")") {
            return Ok(arguments);
        }
        if !cursor.eat(",") {
            return Err(cursor.unexpected("',' or ')'"));
        }
    }
}

fn argument(cursor: &mut Cursor<'_>, depth: usize) -> Result<Argument, ExpressionFault> {
    match cursor.peek() {
        Some('\'') => text_argument(cursor),
        Some('$') => Path::read(cursor).map(Argument::Path),
        Some(c) if c == '-' || c.is_ascii_digit() => cursor.number().map(Argument::Literal),
        _ if cursor.sees("States.") => call(cursor, depth + 1).map(Argument::Call),
        _ => match cursor.keyword() {
            Some(value) => Ok(Argument::Literal(value)),
            None => Err(cursor.unexpected(
                "an argument: a path, a text in single quotes, a number, true, false, null or a \
                 function",
            )),
        },
    }
}

fn text_argument(cursor: &mut Cursor<'_>) -> Result<Argument, ExpressionFault> {
    let start = cursor.at();
    cursor.expect("'")?;
    let content = cursor.at();
    loop {
        let before = cursor.at();
        match cursor.bump() {
            None => return Err(ExpressionFault::new("the quote is not closed", start)),
            Some('\'') => {
                let closed = cursor.since(content);
                let raw = closed.strip_suffix('\'').unwrap_or(closed).to_owned();
                let value = Value::String(text::unescape(&raw));
                return Ok(Argument::Text { raw, value });
            }
            Some('\\') => match cursor.bump() {
                Some('\'' | '{' | '}' | '\\') => {}
                _ => {
                    let message = "a backslash must be followed by ', {, } or another backslash";
                    return Err(ExpressionFault::new(message, before));
                }
            },
            Some(_) => {}
        }
    }
}
