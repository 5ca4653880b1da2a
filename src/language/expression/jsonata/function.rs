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
use super::convert::{from_jsonata, to_jsonata};
use super::date;
use super::growth::{self, Growth};

/// The greatest width of `$pad`.
const MAX_PAD: f64 = 1_000_000.0;

/// What separates the parts of a URL.
const URL: &[u8] = b";/?:@&=+$,#";

pub(super) type Outcome = Result<JValue, EvaluatorError>;

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
    let growth = Rc::new(Growth::new());
    let of = Rc::clone(&growth);
    evaluator.register_fn_override("pad", move |args: &[JValue]| pad(&of, args))?;
    let of = Rc::clone(&growth);
    evaluator.register_fn(growth::GUARD, move |args: &[JValue]| of.guard(args))?;
    evaluator.register_fn(growth::JOIN, move |args: &[JValue]| growth.join(args))?;
    for (name, kept) in [("encodeUrl", URL), ("encodeUrlComponent", b"".as_slice())] {
        evaluator.register_fn_override(name, move |args: &[JValue]| encode(name, args, kept))?;
    }
    evaluator.register_fn_override("now", move |args: &[JValue]| date::now(now_ms, args))?;
    evaluator.register_fn_override("millis", move |_: &[JValue]| date::millis(now_ms))?;
    evaluator
        .register_fn_override("toMillis", move |args: &[JValue]| date::to_millis(now_ms, args))?;
    evaluator.register_fn_override("eval", |_: &[JValue]| {
        Err(failure("the function $eval is not available"))
    })
}

pub(super) fn failure(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

/// JSONata's error for an argument of the wrong type.
pub(super) fn unfit(name: &str, argument: u8) -> EvaluatorError {
    failure(format!(
        "T0410: Argument {argument} of function \"{name}\" does not match function signature"
    ))
}

/// The arguments of a function that takes one. As the function of `$map` and its like it is given
/// the index and the whole list too, and must not look at them.
fn first(args: &[JValue]) -> &[JValue] {
    match args {
        [value, JValue::Number(_), JValue::Array(_)] => std::slice::from_ref(value),
        _ => args,
    }
}

/// `$partition(array, size)`
fn partition(args: &[JValue]) -> Outcome {
    let (items, size) = match args {
        [JValue::Undefined, _] | [_, JValue::Undefined] => return Ok(JValue::Undefined),
        [items, JValue::Number(size)] => (items, *size),
        _ => return Err(failure("$partition takes an array and the size of a part")),
    };
    let size = whole(size.round()).ok_or_else(|| failure("$partition needs a whole size"))?;
    let items = match value_of(items)? {
        Value::Array(items) => items,
        // JSONata takes a single value for an array of one.
        single => vec![single],
    };
    let parts = intrinsic::partition(&items, size);
    to_value(&parts.map_err(|cause| failure(format!("$partition: {cause}")))?)
}

/// `$range(first, last, step)`
fn range(args: &[JValue]) -> Outcome {
    if args.len() == 3 && args.iter().any(JValue::is_undefined) {
        return Ok(JValue::Undefined);
    }
    let numbers: Option<Vec<i64>> =
        args.iter().map(|arg| arg.as_f64().and_then(|number| whole(number.round()))).collect();
    match numbers.as_deref() {
        Some([first, last, step]) => {
            let numbers = intrinsic::range(*first, *last, *step);
            let numbers = numbers.map_err(|cause| failure(format!("$range: {cause}")))?;
            match numbers.as_array().map(Vec::as_slice) {
                // As the sequences of JSONata: one value stands for itself.
                Some([single]) => to_value(single),
                _ => to_value(&numbers),
            }
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
    match first(args) {
        [JValue::Undefined] => Ok(JValue::Undefined),
        [JValue::String(text)] => {
            let value: Value = serde_json::from_str(text)
                .map_err(|error| failure(format!("$parse: the text is not JSON: {error}")))?;
            to_value(&value)
        }
        _ => Err(failure("$parse takes a text")),
    }
}

/// `$random()`, `$random(seed)`
fn draw(random: &Random, args: &[JValue]) -> Outcome {
    match first(args) {
        [] => Ok(JValue::Number(random.fraction())),
        [JValue::Number(seed)] => Ok(JValue::Number(java_random(*seed))),
        _ => Err(failure("$random takes a number as its seed, or nothing")),
    }
}

/// The first number that `java.util.Random` gives for a seed, as on AWS.
fn java_random(seed: f64) -> f64 {
    const MASK: u64 = (1 << 48) - 1;
    const FACTOR: u64 = 0x5_DEEC_E66D;
    // 2 to the power of -53.
    const UNIT: f64 = 1.110_223_024_625_156_5e-16;
    #[expect(clippy::cast_possible_truncation, reason = "so does Java, to the nearest long")]
    let seed = seed as i64;
    let mut state = (u64::from_ne_bytes(seed.to_ne_bytes()) ^ FACTOR) & MASK;
    let mut next = |bits: u32| {
        state = state.wrapping_mul(FACTOR).wrapping_add(0xB) & MASK;
        state >> (48 - bits)
    };
    let number = (next(26) << 27) + next(27);
    #[expect(clippy::cast_precision_loss, reason = "of 53 bits none is lost")]
    let number = number as f64;
    number * UNIT
}

/// `$shuffle(array)`
fn shuffle(random: &Random, args: &[JValue]) -> Outcome {
    let mut items = match first(args) {
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

/// `$pad(text, width, character)`, as it is but for a limit: its width decides how much memory it
/// takes.
fn pad(growth: &Growth, args: &[JValue]) -> Outcome {
    let width = args.get(1).and_then(JValue::as_f64).unwrap_or(0.0).abs();
    if width > MAX_PAD {
        return Err(failure(format!("$pad: the width must be at most {MAX_PAD}")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative and at most a million"
    )]
    growth.note(width as usize)?;
    match args.len() {
        2 => call("$pad($a, $b)", args),
        _ => call("$pad($a, $b, $c)", args),
    }
}

/// `$encodeUrl(text)` and `$encodeUrlComponent(text)`, as `encodeURI` and `encodeURIComponent` of
/// JavaScript. Those of the library leave too much of the one as it is, and too little of the other.
fn encode(name: &str, args: &[JValue], kept: &[u8]) -> Outcome {
    let text = match first(args) {
        [JValue::Undefined] => return Ok(JValue::Undefined),
        [JValue::String(text)] => text,
        _ => return Err(unfit(name, 1)),
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
pub(super) fn call(text: &str, args: &[JValue]) -> Outcome {
    let mut context = Context::new();
    for (name, arg) in ["a", "b", "c"].into_iter().zip(args) {
        context.bind(name.to_owned(), arg.clone());
    }
    let tree = parser::parse(text).map_err(|error| failure(error.to_string()))?;
    Evaluator::with_context(context).evaluate(&tree, &JValue::Undefined)
}

/// An argument as JSON.
fn value_of(arg: &JValue) -> Result<Value, EvaluatorError> {
    from_jsonata(arg).map(Option::unwrap_or_default).map_err(failure)
}

fn to_value(value: &Value) -> Outcome {
    to_jsonata(value).map_err(failure)
}
