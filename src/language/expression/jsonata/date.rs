//! Functions of JSONata that look at the time: they get that of the scope.

use jsonata_core::value::JValue;

use super::super::timestamp;
use super::function::{Outcome, call, failure, unfit};

/// `$now()`, `$now(picture)`, `$now(picture, timezone)`
pub(super) fn now(now_ms: u64, args: &[JValue]) -> Outcome {
    if args.iter().all(JValue::is_undefined) {
        let text = timestamp::format_ms(now_ms);
        return text.map(JValue::string).ok_or_else(|| failure("the time is out of range"));
    }
    let mut all = vec![millis(now_ms)?];
    all.extend_from_slice(args);
    call("$fromMillis($a, $b, $c)", &all)
}

/// `$millis()`
pub(super) fn millis(now_ms: u64) -> Outcome {
    let number = serde_json::Number::from(now_ms).as_f64();
    number.map(JValue::Number).ok_or_else(|| failure("the time is out of range"))
}

/// `$toMillis(text)`, `$toMillis(text, picture)`
///
/// What a picture leaves out in front, as the date of `[H]:[m]`, is that of now. The library would
/// ask the machine, so the text gets it from here.
pub(super) fn to_millis(now_ms: u64, args: &[JValue]) -> Outcome {
    let (text, picture) = match args {
        [JValue::Undefined, ..] => return Ok(JValue::Undefined),
        [text @ JValue::String(_)] | [text @ JValue::String(_), JValue::Undefined] => {
            return call("$toMillis($a)", std::slice::from_ref(text));
        }
        [JValue::String(text), JValue::String(picture)] => (text, picture),
        [JValue::String(_), ..] => return Err(unfit("toMillis", 2)),
        _ => return Err(unfit("toMillis", 1)),
    };
    let missing = missing(picture);
    if missing.is_empty() {
        return call("$toMillis($a, $b)", args);
    }
    let moment = call("$fromMillis($a, $b)", &[millis(now_ms)?, JValue::string(missing.as_str())])?;
    let whole = [moment, JValue::string(&**text), JValue::string(missing + picture)];
    call("$toMillis($a & $b, $c)", &whole)
}

/// A picture of what must come before that of a picture.
fn missing(picture: &str) -> String {
    let letters = markers(picture);
    if letters.is_empty() {
        return String::new();
    }
    let mut parts = vec![("YX", "[Y0001]-"), ("Md", "[M01]-"), ("Dd", "[D01]T")];
    if letters.contains('h') {
        parts.push(("P", "[PN]"));
    }
    parts.extend([("Hh", "[H01]:"), ("m", "[m01]:"), ("s", "[s01]."), ("f", "[f001]T")]);
    let given = |group: &str| group.chars().any(|letter| letters.contains(letter));
    parts.iter().take_while(|(group, _)| !given(group)).map(|(_, part)| *part).collect()
}

/// The letters of the markers in a picture: `Hm` of `[H01]:[m]`. `[[` is no marker.
fn markers(picture: &str) -> String {
    let mut letters = String::new();
    let mut rest = picture;
    while let Some((_, after)) = rest.split_once('[') {
        if let Some(escaped) = after.strip_prefix('[') {
            rest = escaped;
            continue;
        }
        let (marker, after) = after.split_once(']').unwrap_or((after, ""));
        letters.extend(marker.trim_start().chars().next());
        rest = after;
    }
    letters
}
