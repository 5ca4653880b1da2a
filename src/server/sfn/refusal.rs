//! Why an operation was refused, by the names that AWS gives, and what the gate says in them.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::reply;
use crate::runtime;
use crate::server::http::Problem;

/// A refusal: a name that clients know, and words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Refusal {
    pub(super) kind: Cow<'static, str>,
    pub(super) message: String,
}

impl Refusal {
    /// One by its AWS name.
    pub(in crate::server) fn of(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Cow::Borrowed(kind), message: message.into() }
    }

    /// A member that is not as it should be.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::of("ValidationException", message)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::named(refusal.kind, StatusCode::BAD_REQUEST, refusal.message)
    }
}

impl From<Problem> for Refusal {
    /// What is refused elsewhere in the server, by the name that AWS has for it.
    fn from(problem: Problem) -> Self {
        let (kind, _) = told(&problem);
        Self { kind: Cow::Owned(kind.to_owned()), message: problem.detail().to_owned() }
    }
}

impl From<runtime::Error> for Refusal {
    /// What no operation has words of its own for.
    fn from(error: runtime::Error) -> Self {
        Problem::from(error).into()
    }
}

/// The answer that tells a refusal, also one of the gate.
pub(in crate::server) fn response_to(problem: &Problem, _path: &str) -> Response<Body> {
    let (kind, status) = told(problem);
    let body = json!({"__type": kind, "message": problem.detail()});
    let mut response = reply::output(&body);
    *response.status_mut() = status;
    response
}

/// How AWS names a problem, and with which status it is told.
fn told(problem: &Problem) -> (&str, StatusCode) {
    let bad = StatusCode::BAD_REQUEST;
    match problem.code() {
        "UNAUTHORIZED" => ("UnrecognizedClientException", bad),
        "FORBIDDEN" | "CROSS_ORIGIN" => ("AccessDeniedException", bad),
        "TOO_MANY_REQUESTS" | "TOO_MANY_STREAMS" | "BUSY" => ("ThrottlingException", bad),
        "BODY_TOO_LARGE" => ("RequestEntityTooLargeException", StatusCode::PAYLOAD_TOO_LARGE),
        "NOT_UTF8" | "TOO_DEEP" | "BAD_JSON" | "WRONG_CONTENT_TYPE" => {
            ("SerializationException", bad)
        }
        "STOPPING" | "STOPPED_BY_STORE" => {
            ("ServiceUnavailableException", StatusCode::SERVICE_UNAVAILABLE)
        }
        "UNKNOWN_JOB_TYPES" | "PAUSED" | "BAD_REQUEST" => ("ValidationException", bad),
        // Names of AWS, as the operations give them.
        kind if kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.contains(|any: char| any.is_ascii_lowercase()) =>
        {
            (kind, bad)
        }
        _ if problem.status().is_server_error() => {
            ("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR)
        }
        _ => ("ValidationException", bad),
    }
}
