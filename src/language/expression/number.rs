//! Numbers of JSON, compared and converted without loss where that is possible.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The largest whole number below which every whole number is exact in a double.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Compares two numbers by value: 1 and 1.0 are equal, and large whole numbers keep all digits.
pub(in crate::language) fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// Whether two JSON values are equal, numbers by value.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            compare(left, right) == Some(Ordering::Equal)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, value)| right.get(name).is_some_and(|other| equal(value, other)))
        }
        _ => left == right,
    }
}

/// The JSON number for a double: whole where it is whole and exact; `None` where JSON has none.
pub(super) fn from_f64(number: f64) -> Option<Value> {
    match whole(number) {
        Some(whole) => Some(Value::from(whole)),
        None => Number::from_f64(number).map(Value::Number),
    }
}

/// The whole number that a double is, if it is one and exact.
pub(super) fn whole(number: f64) -> Option<i64> {
    if number.fract() != 0.0 || number.abs() > MAX_EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
    let whole = number as i64;
    Some(whole)
}

/// The number rounded to the nearest whole one, as AWS does where it wants an integer: of two that
/// are as near, it takes the greater, so that -1.5 is -1.
pub(super) fn rounded(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| whole((number.as_f64()? + 0.5).floor()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let cases = [
            ("1", "1.0", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("18446744073709551615", "-1", Ordering::Greater),
            ("0.5", "1", Ordering::Less),
            ("1e3", "1000", Ordering::Equal),
            ("-0.0", "0", Ordering::Equal),
        ];
        for (left, right, expected) in cases {
            let left_number: Number = serde_json::from_str(left).unwrap();
            let right_number: Number = serde_json::from_str(right).unwrap();
            assert_eq!(compare(&left_number, &right_number), Some(expected), "{left} {right}");
        }
    }

    #[test]
    fn equality_looks_inside() {
        assert!(equal(&json!({"a": [1, {"b": 2.0}]}), &json!({"a": [1.0, {"b": 2}]})));
        assert!(!equal(&json!([1, 2]), &json!([1])));
        assert!(!equal(&json!({"a": 1}), &json!({"b": 1})));
        assert!(!equal(&json!("1"), &json!(1)));
    }

    #[test]
    fn halves_are_rounded_up() {
        for (number, expected) in [
            (1.49, 1),
            (1.5, 2),
            (2.5, 3),
            (-0.5, 0),
            (-1.49, -1),
            (-1.5, -1),
            (-1.51, -2),
            (-2.5, -2),
        ] {
            assert_eq!(rounded(&Number::from_f64(number).unwrap()), Some(expected), "{number}");
        }
    }

    #[test]
    fn doubles_become_whole_where_exact() {
        assert_eq!(from_f64(3.0), Some(json!(3)));
        assert_eq!(from_f64(-0.0), Some(json!(0)));
        assert_eq!(from_f64(2.5), Some(json!(2.5)));
        assert_eq!(from_f64(1e300), Some(json!(1e300)));
        assert_eq!(from_f64(f64::NAN), None);
        assert_eq!(from_f64(f64::INFINITY), None);
    }
}
