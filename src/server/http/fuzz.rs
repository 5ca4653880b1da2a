//! What must hold of any request before it is done: bodies of the fuzz targets.

use std::sync::OnceLock;

use axum::http::request::{Builder, Parts};
use axum::http::{HeaderName, HeaderValue, Request};

use super::access_keys::AccessKey;
use super::fields::Fields;
use super::gate;
use super::problem::Problem;
use super::query::Query;
use super::role::{Principal, Role};
use super::route::{Kind, Param, Route, Taken};
use super::signature::{self, Signature};
use super::tokens;
use crate::engine::Timestamp;
use crate::language::Json;
use crate::server::rest::check_reports;
use crate::testing::fuzz::{first_line, taken};

/// When the request was signed that is saved for `signatures`.
const NOW: Timestamp = Timestamp(1_795_657_439_000);
/// With what.
const SECRET: &str = "kX0pq7/example+secret0123456789abcdefghi";
/// Its headers that were signed.
const SIGNED: [(&str, &str); 4] = [
    ("content-type", "application/x-amz-json-1.0"),
    ("host", "127.0.0.1:8099"),
    ("x-amz-date", "20261126T014359Z"),
    ("x-amz-target", "AWSStepFunctions.ListStateMachines"),
];
/// Its body.
const SIGNED_BODY: &[u8] = b"{\"maxResults\": 3}";

/// A request as it comes, its head in lines that end with `\n`. Its signature is good or refused,
/// never a panic; and as only one request was ever signed with this key, none is good that differs
/// from it in anything that was signed.
///
/// # Panics
/// When that does not hold.
pub fn signatures(data: &[u8]) {
    let Some((parts, body)) = request(data) else { return };
    drop(gate::check_origin(&parts.headers));
    let _ = signature::claimed(&parts.headers);
    let read = match Signature::read(&parts, NOW) {
        Ok(read) => read,
        Err(problem) => return told(&problem),
    };
    let principal = Principal { name: "ci".into(), role: Role::Admin };
    let key =
        AccessKey { id: read.key.clone(), secret: SECRET.to_owned(), principal, expires_ms: None };
    match read.verify(&key, &parts, body) {
        Ok(()) => {
            taken();
            assert_is_what_was_signed(&parts, body);
        }
        Err(problem) => told(&problem),
    }
}

fn assert_is_what_was_signed(parts: &Parts, body: &[u8]) {
    assert_eq!((parts.method.as_str(), parts.uri.path()), ("POST", "/"));
    assert!(parts.uri.query().unwrap_or_default().is_empty(), "{parts:?}");
    assert_eq!(body, SIGNED_BODY, "{parts:?}");
    for (name, value) in SIGNED {
        let given: Vec<&HeaderValue> = parts.headers.get_all(name).iter().collect();
        let [given] = given.as_slice() else { unreachable!("{name} is not there once: {parts:?}") };
        let given = given.to_str().unwrap_or_default();
        assert_eq!(given.split_ascii_whitespace().collect::<Vec<_>>().join(" "), value);
    }
}

/// A request from its bytes; none when no server would take it for one.
fn request(data: &[u8]) -> Option<(Parts, &[u8])> {
    let end = data.windows(2).position(|two| two == b"\n\n")?;
    let (head, body) = (data.get(..end)?, data.get(end + 2..)?);
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let begun = Request::builder().method(method).uri(target);
    let built = lines.try_fold(begun, |request: Builder, line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        let name = HeaderName::from_bytes(name).ok()?;
        Some(request.header(name, HeaderValue::from_bytes(value.trim_ascii()).ok()?))
    })?;
    Some((built.body(()).ok()?.into_parts().0, body))
}

/// A refusal can be told.
fn told(problem: &Problem) {
    let response = problem.response("/");
    assert!(!response.status().is_success(), "{problem:?}");
    assert!(!problem.code().is_empty(), "{problem:?}");
}

/// A request of the routes below `/api/v1`: the first line names the route, the second is its query,
/// the rest its document. Both are refused or within what the route says, never a panic; a query is
/// written and read again as the same.
///
/// # Panics
/// When that does not hold.
pub fn rest_request(data: &[u8]) {
    static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ((name, rest), routes) = (first_line(text), ROUTES.get_or_init(super::routes));
    let (query, body) = first_line(rest);
    let Some(route) = routes.iter().find(|route| route.name == name) else { return };
    match Query::read(query, route.query) {
        Ok(read) => {
            let pairs =
                route.query.iter().filter_map(|param| Some((param, read.text(param.name)?)));
            let given: Vec<(&Param, &str)> = pairs.collect();
            let count = query.split('&').filter(|pair| !pair.is_empty()).count();
            assert_eq!(given.len(), count, "{query:?}");
            let written = given.iter().map(|(param, value)| pair(param.name, value));
            let again = Query::read(&written.collect::<Vec<_>>().join("&"), route.query);
            let again = again.ok();
            for (param, value) in given {
                let back = again.as_ref().and_then(|again| again.text(param.name));
                assert_eq!(back, Some(value), "{query:?}");
            }
        }
        Err(problem) => told(&problem),
    }
    if let Taken::Fields(known) = route.taken {
        document(body, known);
    }
}

/// A parameter, all of its value escaped.
fn pair(name: &str, value: &str) -> String {
    let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("{name}={value}")
}

fn document(text: &str, known: &'static [Param]) {
    let fields = match Fields::read(text, known) {
        Ok(fields) => fields,
        Err(problem) => return told(&problem),
    };
    taken();
    for param in known {
        match param.kind {
            Kind::Text(most) => {
                let given = fields.text(param.name);
                assert!(given.is_none_or(|given| given.len() <= most), "{text:?}");
            }
            Kind::Number(most) => {
                assert!(fields.number(param.name).is_none_or(|number| number <= most), "{text:?}");
            }
            Kind::Word(words) | Kind::Words(words) => {
                let word = fields.text(param.name);
                assert!(word.is_none_or(|word| words.contains(&word.as_str())), "{text:?}");
            }
            Kind::Flag => {
                let _ = fields.flag(param.name);
            }
            Kind::Json => fields.json(param.name).iter().for_each(payload),
        }
    }
}

/// A payload that was let in can be read by whoever is given it.
fn payload(json: &Json) {
    let value = serde_json::from_str::<serde_json::Value>(json.as_str());
    assert!(value.is_ok(), "it was let in, and cannot be read: {json}");
    if let Err(problem) = check_reports(json) {
        told(&problem);
    }
}

/// The file of tokens: tokens and access keys, or a refusal, never a panic. What is read is written
/// and read again as the same.
///
/// # Panics
/// When that does not hold.
pub fn token_file(data: &[u8]) {
    if std::str::from_utf8(data).is_ok_and(tokens::check_text) {
        taken();
    }
}

/// The name in a Host is the beginning of it, and what is cut off is a port.
///
/// # Panics
/// When that does not hold.
pub(crate) fn host_name(host: &str) {
    let name = gate::name_of(host);
    let Some(port) = host.strip_prefix(name) else {
        unreachable!("{name:?} is not the beginning of {host:?}");
    };
    let is_port = |port: &str| {
        port.starts_with(':') && port.bytes().skip(1).all(|byte| byte.is_ascii_digit())
    };
    assert!(port.is_empty() || is_port(port), "{host:?}");
}
