//! Functions that AWS adds to JSONata, and those that must not look at the clock or draw from
//! elsewhere than the seed.

use std::rc::Rc;

use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::Value;

use super::super::intrinsic;
use super::super::number::whole;
use super::super::session::{Random, Session};
use super::super::timestamp;
use super::convert::{from_jsonata, to_jsonata};

/// The greatest width of `$pad`.
const MAX_PAD: f64 = 1_000_000.0;

/// What separates the parts of a URL.
const URL: &[u8] = b";/?:@&=+$,#";

type Outcome = Result<JValue, EvaluatorError>;

/// Registers all of them.
pub(super) fn register(
    evaluator: &mut Evaluator,
    session: &Session<'_>,
) -> Result<(), EvaluatorError> {
    let random = &session.random;
    let now_ms = session.scope.now_ms;
    evaluator.register_fn("partition", partition)?;
    evaluator.register_fn("range", range)?;
    evaluator.register_fn("hash", hash)?;
    evaluator.register_fn("parse", parse)?;
    let source = Rc::clone(random);
    evaluator.register_fn("uuid", move |_: &[JValue]| Ok(JValue::string(source.uuid())))?;
    let source = Rc::clone(random);
    evaluator.register_fn_override("random", move |args: &[JValue]| draw(&source, args))?;
    let source = Rc::clone(random);
    evaluator.register_fn_override("shuffle", move |args: &[JValue]| shuffle(&source, args))?;
    evaluator.register_fn_override("pad", pad)?;
    evaluator.register_fn_override("encodeUrl", |args: &[JValue]| encode(args, URL))?;
    evaluator.register_fn_override("encodeUrlComponent", |args: &[JValue]| encode(args, b""))?;
    evaluator.register_fn_override("now", move |args: &[JValue]| now(now_ms, args))?;
    evaluator.register_fn_override("millis", move |_: &[JValue]| millis(now_ms))?;
    evaluator.register_fn_override("eval", |_: &[JValue]| {
        Err(failure("the function $eval is not available"))
    })
}

fn failure(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

/// `$partition(array, size)`
fn partition(args: &[JValue]) -> Outcome {
    let (items, size) = match args {
        [JValue::Undefined, ..] => return Ok(JValue::Undefined),
        [items, JValue::Number(size)] => (items, *size),
        _ => return Err(failure("$partition takes an array and the size of a part")),
    };
    let size = whole(size.round()).ok_or_else(|| failure("$partition needs a whole size"))?;
    let items = match value_of(items)? {
        Value::Array(items) => items,
        // JSONata takes a single value for an array of one.
        single => vec![single],
    };
    to_value(
        intrinsic::partition(&items, size)
            .map_err(|cause| failure(format!("$partition: {cause}")))?,
    )
}

/// `$range(first, last, step)`
fn range(args: &[JValue]) -> Outcome {
    let numbers: Option<Vec<i64>> =
        args.iter().map(|arg| arg.as_f64().and_then(|number| whole(number.round()))).collect();
    match numbers.as_deref() {
        Some([first, last, step]) => {
            let numbers = intrinsic::range(*first, *last, *step);
            to_value(numbers.map_err(|cause| failure(format!("$range: {cause}")))?)
        }
        _ => Err(failure("$range takes three whole numbers: first, last and step")),
    }
}

/// `$hash(text, algorithm)`
fn hash(args: &[JValue]) -> Outcome {
    let (data, algorithm) = match args {
        [JValue::Undefined, ..] => return Ok(JValue::Undefined),
        [data, JValue::String(algorithm)] => (data, algorithm),
        _ => return Err(failure("$hash takes the data and the name of an algorithm")),
    };
    let text = match data {
        JValue::String(text) => text.to_string(),
        other => value_of(other)?.to_string(),
    };
    let digest = intrinsic::digest(&text, algorithm);
    digest.map(JValue::string).map_err(|cause| failure(format!("$hash: {cause}")))
}

/// `$parse(text)`
fn parse(args: &[JValue]) -> Outcome {
    match args {
        [JValue::Undefined, ..] => Ok(JValue::Undefined),
        [JValue::String(text)] => {
            let value: Value = serde_json::from_str(text)
                .map_err(|error| failure(format!("$parse: the text is not JSON: {error}")))?;
            to_value(value)
        }
        _ => Err(failure("$parse takes a text")),
    }
}

/// `$random()`, `$random(seed)`
fn draw(random: &Random, args: &[JValue]) -> Outcome {
    match args {
        [] => Ok(JValue::Number(random.fraction())),
        [JValue::Number(seed)] => Ok(JValue::Number(Random::new(seed.to_bits()).fraction())),
        _ => Err(failure("$random takes a number as its seed, or nothing")),
    }
}

/// `$shuffle(array)`
fn shuffle(random: &Random, args: &[JValue]) -> Outcome {
    let mut items = match args {
        [JValue::Undefined] => return Ok(JValue::Undefined),
        [JValue::Array(items)] => items.to_vec(),
        [single] => vec![single.clone()],
        _ => return Err(failure("$shuffle takes an array")),
    };
    for last in (1..items.len()).rev() {
        let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let other = usize::try_from(random.below(bound)).unwrap_or(last);
        items.swap(last, other);
    }
    Ok(JValue::array(items))
}

/// `$now()`, `$now(picture)`, `$now(picture, timezone)`
fn now(now_ms: u64, args: &[JValue]) -> Outcome {
    if args.iter().all(JValue::is_undefined) {
        let text = timestamp::format_ms(now_ms);
        return text.map(JValue::string).ok_or_else(|| failure("the time is out of range"));
    }
    let mut all = vec![millis(now_ms)?];
    all.extend_from_slice(args);
    call("$fromMillis($a, $b, $c)", &all)
}

/// `$pad(text, width, character)`, as it is but for a limit: its width decides how much memory it
/// takes.
fn pad(args: &[JValue]) -> Outcome {
    let width = args.get(1).and_then(JValue::as_f64).unwrap_or(0.0);
    if width.abs() > MAX_PAD {
        return Err(failure(format!("$pad: the width must be at most {MAX_PAD}")));
    }
    match args.len() {
        2 => call("$pad($a, $b)", args),
        _ => call("$pad($a, $b, $c)", args),
    }
}

/// `$encodeUrl(text)` and `$encodeUrlComponent(text)`, as `encodeURI` and `encodeURIComponent` of
/// JavaScript. Those of the library leave too much of the one as it is, and too little of the other.
fn encode(args: &[JValue], kept: &[u8]) -> Outcome {
    let text = match args {
        [JValue::Undefined] => return Ok(JValue::Undefined),
        [JValue::String(text)] => text,
        _ => return Err(failure("$encodeUrl and $encodeUrlComponent take a text")),
    };
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(JValue::string(encoded))
}

/// Calls functions of JSONata itself on up to three arguments.
fn call(text: &str, args: &[JValue]) -> Outcome {
    let mut context = Context::new();
    for (name, arg) in ["a", "b", "c"].into_iter().zip(args) {
        context.bind(name.to_owned(), arg.clone());
    }
    let tree = parser::parse(text).map_err(|error| failure(error.to_string()))?;
    Evaluator::with_context(context).evaluate(&tree, &JValue::Undefined)
}

/// `$millis()`
fn millis(now_ms: u64) -> Outcome {
    let number = serde_json::Number::from(now_ms).as_f64();
    number.map(JValue::Number).ok_or_else(|| failure("the time is out of range"))
}

/// An argument as JSON.
fn value_of(arg: &JValue) -> Result<Value, EvaluatorError> {
    from_jsonata(arg).map(Option::unwrap_or_default).map_err(failure)
}

fn to_value(value: Value) -> Outcome {
    to_jsonata(&value).map_err(failure)
}
