//! Syntax faults, with the places that the parser of `jsonata-core` does not tell.

use jsonata_core::evaluator::error_code_prefix;
use jsonata_core::parser::{self, ParserError};

use super::super::scope::ExpressionFault;
use super::core::guarded;

/// The fault that a parser error stands for.
pub(super) fn describe(text: &str, error: &ParserError) -> ExpressionFault {
    let (what, offset) = match error {
        ParserError::UnexpectedEnd => ("the expression ends too early".to_owned(), text.len()),
        ParserError::UnexpectedToken(found) if found == "Eof" => {
            ("the expression ends too early".to_owned(), text.len())
        }
        ParserError::Expected { expected, found } if found == "Eof" => {
            (format!("expected {}, but the expression ends", spelled(expected)), text.len())
        }
        ParserError::Expected { .. }
        | ParserError::UnexpectedToken(_)
        | ParserError::InvalidSyntax(_) => match misfit(text, error) {
            Some((offset, token)) => (misfit_message(error, token), offset),
            None => return plain(error),
        },
        ParserError::UnclosedComment => {
            ("S0106: the comment does not end".to_owned(), text.rfind("/*").unwrap_or(text.len()))
        }
        _ => return plain(error),
    };
    let message = match code(error) {
        Some(code) => format!("this is not JSONata: {code}: {what}"),
        None => format!("this is not JSONata: {what}"),
    };
    ExpressionFault { message, offset: Some(offset) }
}

fn plain(error: &ParserError) -> ExpressionFault {
    ExpressionFault { message: format!("this is not JSONata: {error}"), offset: None }
}

fn misfit_message(error: &ParserError, token: &str) -> String {
    match error {
        ParserError::Expected { expected, .. } => {
            format!("expected {}, found '{token}'", spelled(expected))
        }
        _ => format!("'{token}' does not fit here"),
    }
}

/// Whether an error begins with one of JSONata's own codes.
pub(super) fn has_code(cause: &str) -> bool {
    error_code_prefix(cause).is_some()
}

/// JSONata's own code of an error, as `S0202`.
fn code(error: &ParserError) -> Option<String> {
    let text = error.to_string();
    let start = text.strip_prefix("Invalid syntax: ").unwrap_or(&text);
    error_code_prefix(start).map(str::to_owned)
}

/// How a token is written that the parser names.
fn spelled(token: &str) -> &str {
    match token {
        "RightParen" => "')'",
        "LeftParen" => "'('",
        "RightBracket" => "']'",
        "RightBrace" => "'}'",
        "LeftBrace" => "'{'",
        "Colon" => "':'",
        "Comma" => "','",
        "Pipe" => "'|'",
        other => other,
    }
}

/// Where the token stands that does not fit, and its text.
///
/// Looks for the shortest start of the text that fails in the same way. All longer ones do too, for
/// the parser reads on only after a token that fits; so halving finds it.
fn misfit<'t>(text: &'t str, error: &ParserError) -> Option<(usize, &'t str)> {
    let message = error.to_string();
    let fails = |start: &str| {
        guarded(|| parser::parse(start))
            .is_some_and(|parsed| parsed.is_err_and(|error| error.to_string() == message))
    };
    let ends: Vec<usize> = text.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
    let shortest = ends.partition_point(|end| !text.get(..*end).is_some_and(fails));
    let start = text.get(..*ends.get(shortest)?)?;
    let offset = last_token(start);
    Some((offset, start.get(offset..)?))
}

/// Where the last token of a text starts: a word or number, a text in quotes, or one character.
fn last_token(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
    let before_word = text.trim_end_matches(is_word).len();
    if before_word < text.len() {
        return before_word;
    }
    let Some((last, character)) = text.char_indices().next_back() else { return 0 };
    if matches!(character, '\'' | '"' | '`') {
        return text.get(..last).and_then(|before| before.rfind(character)).unwrap_or(last);
    }
    last
}
