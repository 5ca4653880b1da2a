//! Quoted texts inside paths, and excerpts of data for messages.

use std::io;

use serde_json::Value;

use super::super::cursor::Cursor;
use super::super::scope::ExpressionFault;

/// The longest excerpt of data in a message, in characters.
const MAX_EXCERPT: usize = 256;

/// The start of a value's text, for a message.
pub(in super::super) fn excerpt(value: &Value) -> String {
    let mut start = Start { bytes: Vec::new() };
    // The writer refuses more than it keeps, which ends a long value early.
    let whole = serde_json::to_writer(&mut start, value).is_ok();
    let text = String::from_utf8_lossy(&start.bytes);
    let mut short: String = text.chars().take(MAX_EXCERPT).collect();
    if !whole || short.len() < text.len() {
        short.push('…');
    }
    short
}

struct Start {
    bytes: Vec<u8>,
}

impl io::Write for Start {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() > MAX_EXCERPT * 4 {
            return Err(io::Error::other("enough"));
        }
        self.bytes.extend(more.iter().take(MAX_EXCERPT * 8));
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a text in single or double quotes, with the escapes of JSON and `\'`.
pub(super) fn quoted(cursor: &mut Cursor<'_>) -> Result<String, ExpressionFault> {
    let start = cursor.at();
    let quote = cursor.bump();
    let mut text = String::new();
    loop {
        match cursor.bump() {
            None => return Err(ExpressionFault::new("the quote is not closed", start)),
            found if found == quote => return Ok(text),
            Some('\\') => text.push(escape(cursor)?),
            Some(other) => text.push(other),
        }
    }
}

fn escape(cursor: &mut Cursor<'_>) -> Result<char, ExpressionFault> {
    let start = cursor.at();
    match cursor.bump() {
        Some(same @ ('\'' | '"' | '\\' | '/')) => Ok(same),
        Some('b') => Ok('\u{8}'),
        Some('f') => Ok('\u{c}'),
        Some('n') => Ok('\n'),
        Some('r') => Ok('\r'),
        Some('t') => Ok('\t'),
        Some('u') => {
            let high = code_unit(cursor)?;
            if (0xD800..0xDC00).contains(&high) && cursor.eat("\\u") {
                let low = code_unit(cursor)?;
                let pair = char::decode_utf16([high, low]).next();
                return pair.and_then(Result::ok).ok_or_else(|| {
                    ExpressionFault::new("the two \\u escapes are not a character", start)
                });
            }
            char::from_u32(u32::from(high))
                .ok_or_else(|| ExpressionFault::new("the \\u escape is not a character", start))
        }
        Some(other) => Err(ExpressionFault::new(format!("'\\{other}' is not an escape"), start)),
        None => Err(ExpressionFault::new("the text ends inside an escape", start)),
    }
}

fn code_unit(cursor: &mut Cursor<'_>) -> Result<u16, ExpressionFault> {
    let start = cursor.at();
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = cursor.bump().and_then(|c| c.to_digit(16)).and_then(|d| u16::try_from(d).ok());
        let Some(digit) = digit else {
            return Err(ExpressionFault::new("'\\u' needs four hexadecimal digits", start));
        };
        unit = unit.wrapping_mul(16).wrapping_add(digit);
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_excerpt_is_short_and_whole_where_it_can_be() {
        assert_eq!(excerpt(&json!({"a": 1})), r#"{"a":1}"#);
        let long = excerpt(&json!({"a": "é".repeat(10_000)}));
        assert_eq!(long.chars().count(), MAX_EXCERPT + 1);
        assert!(long.ends_with('…'));
        let wide = excerpt(&Value::Array(vec![json!(1); 100_000]));
        assert_eq!(wide.chars().count(), MAX_EXCERPT + 1);
    }

    #[test]
    fn escapes_are_read() {
        let cases = [
            (r"'a\'b'", Some("a'b")),
            (r#""a\"b""#, Some("a\"b")),
            (r"'\u00e9\n\\'", Some("é\n\\")),
            (r"'\ud83d\ude00'", Some("😀")),
            (r"'\ud83d'", None),
            (r"'\ud83d\u0041'", None),
            (r"'\x'", None),
            (r"'\u12'", None),
            (r"'\", None),
            ("'open", None),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(&mut Cursor::new(text)).ok().as_deref(), expected, "{text}");
        }
    }
}
