//! Why a request was refused: RFC 9457 problem details, with a stable code.
//!
//! What the engine says becomes a problem here, and nowhere else.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::control::hint;
use crate::engine::Rejection;
use crate::runtime;

/// Faults of a document that a problem names.
const FAULTS_NAMED: usize = 50;

/// A refusal. In a box, so that what may be refused is small.
#[derive(Debug, Clone)]
pub(in crate::server) struct Problem(Box<Told>);

#[derive(Debug, Clone)]
struct Told {
    status: StatusCode,
    /// The stable code, as listed in `docs/ERRORS.md`.
    code: Cow<'static, str>,
    detail: String,
    hint: Option<String>,
    /// How things stand, when that is why.
    current: Option<Value>,
    /// What is wrong with the request's document, by place.
    errors: Vec<PlacedFault>,
    /// Seconds after which it may be tried again.
    retry_after: Option<u32>,
}

/// A fault of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::server) struct PlacedFault {
    /// JSON pointer to the faulty value; empty for the whole document.
    pub(in crate::server) pointer: String,
    /// What is wrong.
    pub(in crate::server) detail: String,
    /// The fault's own code, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::server) code: Option<&'static str>,
    /// The line in the text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::server) line: Option<usize>,
}

#[derive(Serialize)]
struct Document<'p> {
    r#type: String,
    title: &'p str,
    status: u16,
    detail: &'p str,
    instance: &'p str,
    code: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<&'p Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'p [PlacedFault],
}

impl Problem {
    pub(in crate::server) fn new(
        code: &'static str,
        status: StatusCode,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Told {
            status,
            code: code.into(),
            detail: detail.into(),
            hint: None,
            current: None,
            errors: Vec::new(),
            retry_after: None,
        }))
    }

    /// A refusal by the name that another protocol has for it.
    pub(in crate::server) fn named(
        code: impl Into<Cow<'static, str>>,
        status: StatusCode,
        detail: impl Into<String>,
    ) -> Self {
        let mut problem = Self::new("INTERNAL", status, detail);
        problem.0.code = code.into();
        problem
    }

    /// A request that is not understood.
    pub(in crate::server) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new("BAD_REQUEST", StatusCode::BAD_REQUEST, detail)
    }

    /// A document with a fault at a place.
    pub(in crate::server) fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::faults(vec![PlacedFault {
            pointer: pointer.to_owned(),
            detail: detail.into(),
            code: None,
            line: None,
        }])
    }

    /// A document with faults.
    pub(in crate::server) fn faults(errors: Vec<PlacedFault>) -> Self {
        let detail = match errors.first() {
            Some(only) if errors.len() == 1 => format!("{}: {}", only.pointer, only.detail),
            _ => format!("the document has {} faults", errors.len()),
        };
        let mut problem = Self::new("INVALID_DOCUMENT", StatusCode::UNPROCESSABLE_ENTITY, detail);
        problem.0.errors = errors;
        problem
    }

    /// Something of ours broke down.
    pub(in crate::server) fn internal() -> Self {
        let detail = "the request broke down; the server's log says where";
        Self::new("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// Whether what was asked for has been deleted.
    pub(in crate::server) fn is_gone(&self) -> bool {
        self.0.status == StatusCode::GONE
    }

    /// The stable code.
    pub(in crate::server) fn code(&self) -> &str {
        &self.0.code
    }

    /// Why, for people.
    pub(in crate::server) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// With which status it is told.
    pub(in crate::server) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Says what to do.
    pub(in crate::server) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says how things stand.
    pub(in crate::server) fn current(mut self, current: Value) -> Self {
        self.0.current = Some(current);
        self
    }

    /// Says when it may be tried again.
    pub(in crate::server) fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The answer that tells it, to a request for `path`.
    pub(super) fn response(&self, path: &str) -> Response<Body> {
        let document = Document {
            r#type: format!("urn:everstep:problem:{}", self.0.code),
            title: self.0.status.canonical_reason().unwrap_or("Refused"),
            status: self.0.status.as_u16(),
            detail: &self.0.detail,
            instance: path,
            code: &self.0.code,
            hint: self.0.hint.as_deref(),
            current: self.0.current.as_ref(),
            errors: &self.0.errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"everstep\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<runtime::Error> for Problem {
    fn from(error: runtime::Error) -> Self {
        let mut problem = Self::new("INTERNAL", status_of(&error), error.to_string());
        problem.0.code = error.code().into();
        problem.0.hint = hint(&error);
        match error {
            runtime::Error::Rejected(rejection) => return rejection.into(),
            runtime::Error::InvalidDefinition { faults } => {
                let named = faults.into_iter().take(FAULTS_NAMED);
                let placed = named.map(|fault| PlacedFault {
                    pointer: fault.pointer,
                    detail: fault.message,
                    code: Some(fault.code),
                    line: Some(fault.line),
                });
                problem.0.errors = placed.collect();
                problem.0.hint = None;
            }
            runtime::Error::NameTaken { execution, .. } => {
                problem.0.current = Some(json!({"execution": execution.to_string()}));
            }
            runtime::Error::Stopping => problem.0.retry_after = Some(1),
            _ => {}
        }
        problem
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection {
            Rejection::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::CONFLICT,
        };
        let mut problem = Self::new("INTERNAL", status, rejection.to_string());
        problem.0.code = rejection.code().into();
        if let Rejection::NotInStatus { status, .. } = rejection {
            problem.0.current = Some(json!({"status": status.as_str()}));
        }
        problem
    }
}

fn status_of(error: &runtime::Error) -> StatusCode {
    use runtime::Error;
    match error {
        Error::NoSuchExecution { .. }
        | Error::AmbiguousHandle { .. }
        | Error::NoSuchEvent { .. }
        | Error::NoSuchJobType { .. }
        | Error::NoSuchWorker { .. }
        | Error::NoSuchWorkflow { .. } => StatusCode::NOT_FOUND,
        Error::Deleted { .. } => StatusCode::GONE,
        Error::TooManyPolls { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::InvalidDefinition { .. } | Error::BadName { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::BadToken => StatusCode::BAD_REQUEST,
        Error::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Error::Stopping | Error::Failed { .. } => StatusCode::SERVICE_UNAVAILABLE,
        // How things stand does not allow it.
        _ => StatusCode::CONFLICT,
    }
}
