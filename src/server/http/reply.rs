//! Answers.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::problem::Problem;
use super::route::Answer;

#[derive(Serialize)]
struct Document<'d, T> {
    schema: &'d str,
    #[serde(flatten)]
    body: &'d T,
}

#[derive(Serialize)]
struct Items<'i, T> {
    schema: &'i str,
    items: &'i [T],
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<CountsOfAll>,
}

/// How many there are on all pages.
#[derive(Serialize)]
pub(in crate::server) struct CountsOfAll {
    /// Of those that are asked for.
    pub(in crate::server) total: u64,
    /// Whether these are all; if not, there are at least so many.
    pub(in crate::server) is_exact: bool,
    /// Of all statuses, whichever are asked for.
    pub(in crate::server) by_status: BTreeMap<&'static str, u64>,
}

/// A JSON document, as the command line prints it.
pub(in crate::server) fn document<T: Serialize>(schema: &str, body: &T) -> Answer {
    json(StatusCode::OK, &Document { schema, body })
}

/// A document about something that is new.
pub(in crate::server) fn created<T: Serialize>(
    schema: &str,
    body: &T,
    is_new: bool,
    location: &str,
) -> Answer {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = json(status, &Document { schema, body })?;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// A list, or a page of it.
pub(in crate::server) fn items<T: Serialize>(
    schema: &str,
    items: &[T],
    next_cursor: Option<String>,
) -> Answer {
    counted_items(schema, items, next_cursor, None)
}

/// The same, with how many there are on all pages.
pub(in crate::server) fn counted_items<T: Serialize>(
    schema: &str,
    items: &[T],
    next_cursor: Option<String>,
    totals: Option<CountsOfAll>,
) -> Answer {
    json(StatusCode::OK, &Items { schema, items, next_cursor, totals })
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::internal()
    })?;
    let mut response = of_type("application/json", body);
    *response.status_mut() = status;
    Ok(response)
}

/// Anything else.
pub(in crate::server) fn of_type(
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Sets a header.
pub(in crate::server) fn with(
    mut response: Response<Body>,
    name: HeaderName,
    value: &'static str,
) -> Response<Body> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

/// An answer that a client may keep until the tag changes; short when it has it already.
pub(in crate::server) fn tagged(
    request: &HeaderMap,
    tag: &str,
    response: impl FnOnce() -> Answer,
) -> Answer {
    let tag = format!("\"{tag}\"");
    let known = request.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| {
        tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        response()?
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// The way into the body of a stream: whoever writes waits for the reader.
pub(in crate::server) type Outlet = async_channel::Sender<Result<Bytes, Infallible>>;

/// The body of a stream, and the bounded way into it.
pub(in crate::server) fn channel(most: usize) -> (Outlet, Body) {
    let (outlet, receiver) = async_channel::bounded(most);
    (outlet, Body::from_stream(receiver))
}
