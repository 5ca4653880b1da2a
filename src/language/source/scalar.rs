//! Plain scalars of YAML: the core schema of version 1.2.

use serde_json::Number;

use super::fault::Fault;
use super::tree::{Content, Span, number};
use crate::language::diagnostic::{codes, quoted};

/// What a plain scalar stands for in the core schema.
pub(super) fn plain(text: &str, span: Span) -> Result<Content, Fault> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ if is_special_float(text) => return Err(no_number(text, span)),
        _ => match plain_number(text) {
            Some(Some(value)) => Content::Number(value),
            Some(None) => return Err(no_number(text, span)),
            None => Content::Text(text.to_owned()),
        },
    })
}

fn no_number(text: &str, span: Span) -> Fault {
    let message = format!("{} has no counterpart in JSON", quoted(text));
    Fault::new(codes::YAML_FEATURE, span, message).hint("put it in quotes to make it a text")
}

fn is_special_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// The number that a plain scalar spells: `None` if it spells none, `Some(None)` if JSON has no
/// such number.
fn plain_number(text: &str) -> Option<Option<Number>> {
    let all =
        |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let radixed = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| all(digits, 8)) {
        return Some(radixed(digits, 8));
    }
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| all(digits, 16)) {
        return Some(radixed(digits, 16));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let exponent_fits =
        exponent.is_none_or(|text| all(text.strip_prefix(['+', '-']).unwrap_or(text), 10));
    let mantissa_fits =
        digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    (mantissa_fits && exponent_fits).then(|| number(text.strip_prefix('+').unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::language::source::Node;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("~", json!(null)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("12", json!(12)),
            ("+12", json!(12)),
            ("007", json!(7)),
            ("-3", json!(-3)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1_000", json!("1_000")),
            ("2.50", json!(2.5)),
            (".5", json!(0.5)),
            ("5.", json!(5.0)),
            ("1e3", json!(1000.0)),
            (".", json!(".")),
            ("e3", json!("e3")),
            ("1e", json!("1e")),
            ("2016-03-14T01:59:00Z", json!("2016-03-14T01:59:00Z")),
            ("0xZ", json!("0xZ")),
        ] {
            let node =
                Node { content: plain(text, Span::default()).unwrap(), span: Span::default() };
            assert_eq!(node.to_value(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_json_has_not_are_refused() {
        for text in [".inf", "-.INF", "+.Inf", ".nan", "1e999", "0xFFFFFFFFFFFFFFFFF"] {
            assert!(plain(text, Span::default()).is_err(), "{text}");
        }
    }
}
