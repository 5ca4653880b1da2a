//! The input of an operation: a JSON object whose members have their shapes.
//!
//! Members that an operation does not know are passed over, as AWS does: clients are newer than servers.

use serde_json::{Map, Value};

use super::operation::{Member, Shape};
use super::refusal::Refusal;
use crate::server::http::check_depth;

/// Violations that one refusal names.
const MOST_NAMED: usize = 10;
/// Characters of a bad value that a refusal repeats.
const MOST_REPEATED: usize = 256;

/// The members of an input.
#[derive(Debug, Default)]
pub(super) struct Input {
    values: Map<String, Value>,
}

impl Input {
    /// Reads an input.
    pub(super) fn read(text: &str, members: &[Member]) -> Result<Self, Refusal> {
        check_depth(text)?;
        let text = if text.is_empty() { "{}" } else { text };
        let value = serde_json::from_str(text).map_err(|_| unreadable(""))?;
        let Value::Object(values) = value else {
            return Err(unreadable("Unexpected value type in payload"));
        };
        let mut violations = Violations::default();
        check_members("", &values, members, &mut violations)?;
        match violations.count {
            0 => Ok(Self { values }),
            count => {
                let errors = if count == 1 { "error" } else { "errors" };
                let named = violations.named.join("; ");
                Err(Refusal::invalid(format!("{count} validation {errors} detected: {named}")))
            }
        }
    }

    /// A member as it stands; nothing when it is left out or null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A text that must be given, and so is there.
    pub(super) fn need(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// A whole number.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    /// Whether a flag is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The entries of a list; none when it is left out.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// What is out of its bounds: all of it is counted, and not more of it worded than is told. A body may
/// have a violation in every third byte.
#[derive(Debug, Default)]
struct Violations {
    count: usize,
    named: Vec<String>,
}

impl Violations {
    /// That a member has to do something else.
    fn add(&mut self, at: &str, value: impl FnOnce() -> String, bound: &str) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(violation(at, &value(), bound));
        }
    }
}

fn unreadable(message: &str) -> Refusal {
    Refusal::of("SerializationException", message)
}

fn check_members(
    place: &str,
    values: &Map<String, Value>,
    members: &[Member],
    violations: &mut Violations,
) -> Result<(), Refusal> {
    for member in members {
        let at = if place.is_empty() {
            member.name.to_owned()
        } else {
            format!("{place}.{}", member.name)
        };
        match values.get(member.name).filter(|value| !value.is_null()) {
            Some(value) => check(&at, value, member.shape, violations)?,
            None if member.is_required => violations.add(&at, || "null".to_owned(), "not be null"),
            None => {}
        }
    }
    Ok(())
}

/// Checks one value: a wrong kind cannot be read at all, a wrong size is named.
fn check(
    at: &str,
    value: &Value,
    shape: Shape,
    violations: &mut Violations,
) -> Result<(), Refusal> {
    match (shape, value) {
        (Shape::Text(least, most), Value::String(text)) => {
            let length = text.chars().count();
            if let Some(bound) = bound_of_length(length, least, most) {
                violations.add(at, || quoted(text), &bound);
            }
        }
        (Shape::Word(words), Value::String(word)) => {
            if !words.contains(&word.as_str()) {
                let bound = format!("satisfy enum value set: [{}]", words.join(", "));
                violations.add(at, || quoted(word), &bound);
            }
        }
        (Shape::Whole(least, most), Value::Number(number)) => {
            let whole = number.as_i64().ok_or_else(|| cannot(value, "an Integer"))?;
            if let Some(bound) = bound_of_value(&whole, &least, &most) {
                violations.add(at, || quoted(&number.to_string()), &bound);
            }
        }
        (Shape::Real(least, most), Value::Number(number)) => {
            let real = number.as_f64().unwrap_or(f64::INFINITY);
            if let Some(bound) = bound_of_value(&real, &least, &most) {
                violations.add(at, || quoted(&number.to_string()), &bound);
            }
        }
        (Shape::Flag, Value::Bool(_)) => {}
        (Shape::Structure(members), Value::Object(values)) => {
            check_members(at, values, members, violations)?;
        }
        (Shape::List(item, least, most), Value::Array(values)) => {
            if let Some(bound) = bound_of_length(values.len(), least, most) {
                violations.add(at, || quoted(&value.to_string()), &bound);
            }
            for (number, value) in (1..).zip(values) {
                check(&format!("{at}.{number}.member"), value, *item, violations)?;
            }
        }
        (Shape::Text(..) | Shape::Word(_), _) => return Err(cannot(value, "a String")),
        (Shape::Whole(..), _) => return Err(cannot(value, "an Integer")),
        (Shape::Real(..), _) => return Err(cannot(value, "a Float")),
        (Shape::Flag, _) => return Err(cannot(value, "a Boolean")),
        (Shape::Structure(_), _) => return Err(unreadable("Unexpected value type in payload")),
        (Shape::List(..), _) => return Err(unreadable("Expected list or null")),
    }
    Ok(())
}

fn bound_of_length(length: usize, least: usize, most: usize) -> Option<String> {
    let say = |bound, than, length| format!("have length {bound} than or equal to {than}{length}");
    if length < least {
        return Some(say("greater", "", least));
    }
    (length > most).then(|| say("less", "", most))
}

fn bound_of_value<T: PartialOrd + std::fmt::Display>(
    value: &T,
    least: &T,
    most: &T,
) -> Option<String> {
    if value < least {
        return Some(format!("have value greater than or equal to {least}"));
    }
    (value > most).then(|| format!("have value less than or equal to {most}"))
}

fn violation(at: &str, value: &str, bound: &str) -> String {
    format!("Value {value} at '{at}' failed to satisfy constraint: Member must {bound}")
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(MOST_REPEATED).collect();
    format!("'{short}'")
}

fn cannot(value: &Value, wanted: &str) -> Refusal {
    let kind = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => {
            return unreadable("Unrecognized collection type class java.lang.String");
        }
        Value::Object(_) => {
            return unreadable("Start of structure or map found where not expected.");
        }
    };
    unreadable(&format!("{kind} can not be converted to {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &[Member] = &[Member::required("weight", Shape::Whole(0, 100))];
    const MEMBERS: &[Member] = &[
        Member::required("name", Shape::Text(1, 3)),
        Member::new("kind", Shape::Word(&["STANDARD", "EXPRESS"])),
        Member::new("most", Shape::Whole(0, 1000)),
        Member::new("flag", Shape::Flag),
        Member::new("routes", Shape::List(&Shape::Structure(ROUTE), 1, 2)),
    ];

    fn refused(text: &str) -> (String, String) {
        let refusal = Input::read(text, MEMBERS).unwrap_err();
        (refusal.kind.into_owned(), refusal.message)
    }

    #[test]
    fn members_are_read_and_unknown_ones_passed_over() {
        let text =
            r#"{"name":"a","most":7,"flag":true,"new":{},"kind":null,"routes":[{"weight":1}]}"#;
        let input = Input::read(text, MEMBERS).unwrap();
        assert_eq!((input.need("name"), input.whole("most")), ("a", Some(7)));
        assert!(input.flag("flag") && input.text("kind").is_none());
        assert_eq!(input.list("routes").len(), 1);
    }

    #[test]
    fn what_is_out_of_bounds_is_named_as_aws_names_it() {
        for (text, message) in [
            ("", "Value null at 'name' failed to satisfy constraint: Member must not be null"),
            (
                r#"{"name":""}"#,
                "Value '' at 'name' failed to satisfy constraint: \
                 Member must have length greater than or equal to 1",
            ),
            (
                r#"{"name":"abcd"}"#,
                "Value 'abcd' at 'name' failed to satisfy constraint: \
                 Member must have length less than or equal to 3",
            ),
            (
                r#"{"name":"a","kind":"FAST"}"#,
                "Value 'FAST' at 'kind' failed to satisfy constraint: \
                 Member must satisfy enum value set: [STANDARD, EXPRESS]",
            ),
            (
                r#"{"name":"a","most":1001}"#,
                "Value '1001' at 'most' failed to satisfy constraint: \
                 Member must have value less than or equal to 1000",
            ),
            (
                r#"{"name":"a","routes":[{}]}"#,
                "Value null at 'routes.1.member.weight' failed to satisfy constraint: \
                 Member must not be null",
            ),
        ] {
            let told = format!("1 validation error detected: {message}");
            assert_eq!(refused(text), ("ValidationException".to_owned(), told));
        }
        assert!(refused(r#"{"most":-1}"#).1.starts_with("2 validation errors detected: "));
    }

    #[test]
    fn of_many_violations_all_are_counted_and_ten_are_worded() {
        let routes = vec!["{}"; 1000].join(",");
        let (_, message) = refused(&format!(r#"{{"name":"a","routes":[{routes}]}}"#));
        assert!(message.starts_with("1001 validation errors detected: "), "{message}");
        assert_eq!(message.matches("failed to satisfy constraint").count(), MOST_NAMED);
    }

    #[test]
    fn what_has_the_wrong_kind_cannot_be_read() {
        for text in [
            "[]",
            "{",
            "\u{b}",
            r#"{"name":1}"#,
            r#"{"name":"a","most":"x"}"#,
            r#"{"name":"a","most":1.5}"#,
            r#"{"name":"a","flag":"true"}"#,
            r#"{"name":"a","routes":{}}"#,
            r#"{"name":["a"]}"#,
        ] {
            assert_eq!(refused(text).0, "SerializationException", "{text}");
        }
        let deep = format!("{{\"name\":{}", "[".repeat(500));
        assert_eq!(refused(&deep).0, "SerializationException");
    }
}
