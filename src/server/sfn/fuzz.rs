//! What must hold of any request of the Step Functions API: a body of the fuzz targets, and parts of
//! another.

use std::sync::OnceLock;

use serde_json::Value;

use super::arn::{self, Arns, Qualifier, Resource};
use super::input::Input;
use super::operation::{Member, Operation, Shape};
use super::page::{self, NEXT_TOKEN};
use super::refusal::{Refusal, response_to};
use crate::server::http::Problem;
use crate::testing::fuzz::{first_line, taken};

/// The longest message of a refusal: ten violations, each of which repeats some of a value.
const LONGEST_MESSAGE: usize = 32 * 1024;

/// A request: the first line names the operation, the rest is its body. It is refused in words that
/// can be told, or each member is as the operation says, never a panic.
///
/// # Panics
/// When that does not hold.
pub fn wire_request(data: &[u8]) {
    static OPERATIONS: OnceLock<Vec<Operation>> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ((name, body), operations) = (first_line(text), OPERATIONS.get_or_init(super::operations));
    let Some(operation) = operations.iter().find(|operation| operation.name == name) else {
        return;
    };
    let input = match Input::read(body, operation.members) {
        Ok(input) => input,
        Err(refusal) => return told(refusal),
    };
    taken();
    for member in operation.members {
        let value = input.get(member.name);
        assert!(value.is_some() || !member.is_required, "{} of {text:?}", member.name);
        assert!(value.is_none_or(|value| fits(value, member.shape)), "{} of {text:?}", member.name);
        if member.name.ends_with("Arn") {
            input.text(member.name).into_iter().for_each(arn);
        }
    }
    if let Err(refusal) = super::tags::read(input.list("tags")) {
        told(refusal);
    }
    if let Err(refusal) = page::key(operation.name, &input) {
        told(refusal);
    }
}

fn told(refusal: Refusal) {
    assert!(refusal.message.len() <= LONGEST_MESSAGE, "{} bytes", refusal.message.len());
    assert!(!refusal.kind.is_empty());
    let response = response_to(&Problem::from(refusal), "/");
    assert!(!response.status().is_success());
}

/// Whether a value is as its shape says: written anew, so that it is no copy of what is tested.
fn fits(value: &Value, shape: Shape) -> bool {
    match shape {
        Shape::Text(least, most) => {
            value.as_str().is_some_and(|text| (least..=most).contains(&text.chars().count()))
        }
        Shape::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Shape::Whole(least, most) => {
            value.as_i64().is_some_and(|whole| (least..=most).contains(&whole))
        }
        Shape::Real(least, most) => {
            value.as_f64().is_some_and(|real| (least..=most).contains(&real))
        }
        Shape::Flag => value.is_boolean(),
        Shape::Structure(members) => {
            let has = |member: &Member| match value.get(member.name).unwrap_or(&Value::Null) {
                Value::Null => !member.is_required,
                value => fits(value, member.shape),
            };
            value.is_object() && members.iter().all(has)
        }
        Shape::List(item, least, most) => value.as_array().is_some_and(|values| {
            (least..=most).contains(&values.len()) && values.iter().all(|one| fits(one, *item))
        }),
    }
}

/// An ARN names nothing, or a resource whose own ARN names the same.
///
/// # Panics
/// When that does not hold.
pub(crate) fn arn(text: &str) {
    let resource = match arn::read(text) {
        Ok(resource) => resource,
        Err(refusal) => return told(refusal),
    };
    let arns = Arns::new("eu-west-1", "123456789012");
    let written = match &resource {
        Resource::Machine { name, qualifier: None } => arns.machine(name),
        Resource::Machine { name, qualifier: Some(Qualifier::Version(number)) } => {
            arns.qualified(name, &number.to_string())
        }
        Resource::Machine { name, qualifier: Some(Qualifier::Alias(alias)) } => {
            arns.qualified(name, alias)
        }
        Resource::Execution { machine, name } => arns.execution(machine, name),
        Resource::Express { machine, name, id } => arns.express(machine, name, id),
        Resource::Activity { name } => arns.activity(name),
        Resource::MapRun { machine, label, id } => arns.map_run(machine, label, id),
    };
    // The region and the account of the server may be longer than those that were given.
    if written.len() <= text.len() {
        assert_eq!(arn::read(&written), Ok(resource), "{text:?}");
    }
}

/// A token of a list holds what was put into it, and no other text is taken for one: what is taken
/// is what the server would have written.
///
/// # Panics
/// When that does not hold.
pub(crate) fn page_token(text: &str) {
    const LIST: &str = "ListExecutions";
    let input = |token: &str| {
        let text = serde_json::json!({"nextToken": token}).to_string();
        Input::read(&text, &[NEXT_TOKEN])
    };
    if let Ok(input) = input(text)
        && let Ok(Some(key)) = page::key(LIST, &input)
    {
        assert_eq!(page::token(LIST, &key), text);
    }
    if let Ok(input) = input(&page::token(LIST, text)) {
        assert_eq!(page::key(LIST, &input), Ok(Some(text.to_owned())));
        assert!(page::key("ListThings", &input).is_err(), "{text:?}");
    }
}
