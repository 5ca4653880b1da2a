//! Answers of the wire.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response};
use serde_json::Value;

use super::operation::CONTENT_TYPE;
use crate::engine::Timestamp;
use crate::server::http::of_type;

/// The header with the id of an answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// An answer with a document, and an id for those who ask about it.
pub(super) fn output(body: &Value) -> Response<Body> {
    let mut response = of_type(CONTENT_TYPE, body.to_string());
    if let Ok(id) = HeaderValue::from_str(&random_id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A random UUID.
pub(super) fn random_id() -> String {
    let mut random = [0; 16];
    // The system's source blocks until it is seeded, and does not fail after.
    getrandom::fill(&mut random).ok();
    uuid::Builder::from_random_bytes(random).into_uuid().to_string()
}

/// A time as the wire has it: seconds since 1970, with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds are exact for 285,000 years")]
pub(super) fn seconds(at: Timestamp) -> Value {
    Value::from(at.0 as f64 / 1000.0)
}
