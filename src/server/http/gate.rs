//! The way into the server: every request passes here, whatever it asks for.
//!
//! In this order: the name it calls the server by, who it is, how much it asks, whether it may, where
//! it comes from, and only then what it holds.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::app::App;
use super::fields::{Fields, check_depth, utf8};
use super::problem::Problem;
use super::query::Query;
use super::role::{Principal, Role};
use super::route::{Access, Answer, Call, Document, Route, Size, Taken};
use super::signature::{self, Signature};
use super::tokens::Tokens;
use crate::traces::{Incoming, RequestNote, RequestSpan};

/// Room around a payload for the fields beside it.
const AROUND_PAYLOAD: usize = 64 * 1024;

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Answers a request for a route.
pub(super) async fn enter(
    app: Arc<App>,
    route: Route,
    path: Result<Vec<(String, String)>, Problem>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    let target = parts.uri.path().to_owned();
    let span = begin_span(&app, &route, &parts);
    let mut by = None;
    let answer = match peer {
        Some(peer) => {
            let incoming = (parts, body, peer, span.note());
            answer(&app, &route, path, incoming, &mut by).await
        }
        None => Err(Problem::internal()),
    };
    let (mut response, status, code) = match answer {
        Ok(response) => {
            let status = response.status();
            (response, status, None)
        }
        // Other protocols tell some of them with another status.
        Err(problem) => {
            let code = problem.code().to_owned();
            ((route.refused)(&problem, &target), problem.status(), Some(code))
        }
    };
    audit(&route, by.as_ref(), peer, &target, status, code.as_deref());
    span.answered(response.status().as_u16(), code.as_deref());
    app.counts.answered(response.status().as_u16());
    dress(response.headers_mut());
    response
}

/// Begins to tell of a request. Nothing of what it holds is told but the route that it takes.
fn begin_span(app: &App, route: &Route, parts: &Parts) -> RequestSpan {
    // Of two nobody knows which counts.
    let only = |name: &str| {
        let mut values = parts.headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())?.to_str().ok()
    };
    app.settings.traces.begin_request(Incoming {
        method: parts.method.as_str(),
        route: (!route.is_nowhere()).then_some(route.path),
        operation: route.name,
        traceparent: only("traceparent"),
        tracestate: only("tracestate"),
    })
}

/// Answers a request for what is not there, to those who may see what is.
pub(super) fn nowhere(code: &'static str, status: StatusCode, detail: &'static str) -> Route {
    let refuse = move |_: Call| async move {
        Err(Problem::new(code, status, detail).hint("GET /openapi.json lists what there is"))
    };
    // Its body is nobody's: it is not read.
    Route::get(Access::Role(Role::Viewer), "", "nowhere", refuse)
}

async fn answer(
    app: &Arc<App>,
    route: &Route,
    path: Result<Vec<(String, String)>, Problem>,
    (parts, body, peer, note): (Parts, Body, SocketAddr, RequestNote),
    by: &mut Option<Principal>,
) -> Answer {
    check_host(app, &parts)?;
    check_target(app, &parts.uri)?;
    let (principal, body) = admit(app, route, &parts, (body, peer)).await?;
    *by = Some(principal.clone());
    if !app.rates.take(principal.name.clone()) {
        return Err(too_many("too many requests in one second"));
    }
    if let Access::Role(needed) = route.access
        && !principal.role.may(needed)
    {
        let detail = format!("{} has the role {}, which may not", principal.name, principal.role);
        return Err(Problem::new("FORBIDDEN", StatusCode::FORBIDDEN, detail)
            .hint(format!("use a token with the role {needed} or admin")));
    }
    if !parts.method.is_safe() {
        check_origin(&parts.headers)?;
    }
    let path = path?;
    // A query to nowhere says nothing about why.
    let query = if route.is_nowhere() { "" } else { parts.uri.query().unwrap_or_default() };
    let query = Query::read(query, route.query)?;
    let document = document(app, route, &parts.headers, body).await?;
    let headers = parts.headers;
    let app = app.clone();
    let call = Call { app, principal, path, query, headers, peer, document, note };
    unless_it_panics((route.handler)(call)).await
}

/// Whom the request calls. A page of another site whose name leads here (DNS rebinding) calls us by
/// that name.
fn check_host(app: &App, parts: &Parts) -> Result<(), Problem> {
    let refuse = |detail: &str| {
        Problem::new("UNKNOWN_HOST", StatusCode::MISDIRECTED_REQUEST, detail)
            .hint("call it by its address, or add the name to `hosts` in [server] of everstep.toml")
    };
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(refuse("a request has one Host"));
    };
    let host = host.to_str().map_err(|_| refuse("the Host is no name"))?;
    if let Some(authority) = parts.uri.authority()
        && authority.as_str() != host
    {
        return Err(refuse("the Host is not that of the address"));
    }
    let name = name_of(host).to_ascii_lowercase();
    // SDKs of AWS put this before the name for what answers at once.
    let name = name.strip_prefix("sync-").map_or(name.clone(), str::to_owned);
    if app.hosts.contains(&name) {
        return Ok(());
    }
    Err(refuse(&format!(
        "this server is not called {:?}",
        name.chars().take(128).collect::<String>()
    )))
}

/// A host without its port.
pub(super) fn name_of(host: &str) -> &str {
    let ends_with_port = |(_, port): &(&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':').filter(ends_with_port) {
        // An address of version 6 has colons of its own, and stands in brackets.
        Some((name, _)) if !name.contains(':') || name.ends_with(']') => name,
        _ => host,
    }
}

fn check_target(app: &App, uri: &Uri) -> Result<(), Problem> {
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let most = app.settings.limits.target_bytes;
    if length <= most {
        return Ok(());
    }
    let detail = format!("path and query have more than {most} bytes");
    Err(Problem::new("TARGET_TOO_LONG", StatusCode::URI_TOO_LONG, detail))
}

/// A body that may have been read already, to check its signature.
enum Unread {
    Body(Body),
    Read(Bytes),
}

/// Who asks.
async fn admit(
    app: &App,
    route: &Route,
    parts: &Parts,
    (body, peer): (Body, SocketAddr),
) -> Result<(Principal, Unread), Problem> {
    let headers = &parts.headers;
    let Some(tokens) = app.tokens.as_ref().filter(|tokens| tokens.are_required()) else {
        let name = if route.is_signed { signature::claimed(headers) } else { None };
        let name = name.unwrap_or("anybody").into();
        return Ok((Principal { name, role: Role::Admin }, Unread::Body(body)));
    };
    if route.access == Access::Open {
        // Nothing may be learned with it, so nobody need say who they are.
        let name = format!("address {}", peer.ip()).into();
        return Ok((Principal { name, role: Role::Viewer }, Unread::Body(body)));
    }
    if route.is_signed && signature::is_signed(headers) {
        let signed = signed(app, tokens, route, (parts, body)).await;
        return signed.map_err(|problem| held_up(app, peer, problem));
    }
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let one = given.next().filter(|_| given.next().is_none());
    let token = one.and_then(|value| value.to_str().ok()?.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if let Some(whose) = token.and_then(|(_, token)| tokens.whose(token.trim(), app.now())) {
        return Ok((whose, Unread::Body(body)));
    }
    if route.is_signed && one.is_none() {
        return Err(held_up(app, peer, signature::missing()));
    }
    // Whether it never was one, was revoked or has expired is nobody's business.
    let detail = if one.is_some() { "the token is not good" } else { "the request needs a token" };
    let problem = Problem::new("UNAUTHORIZED", StatusCode::UNAUTHORIZED, detail)
        .hint("send Authorization: Bearer TOKEN; everstep token create makes one");
    Err(held_up(app, peer, problem))
}

/// Whoever signed the request. Its body is part of what was signed, so it is read here, but only when
/// all else is good.
async fn signed(
    app: &App,
    tokens: &Tokens,
    route: &Route,
    (parts, body): (&Parts, Body),
) -> Result<(Principal, Unread), Problem> {
    let now = app.now();
    let signature = Signature::read(parts, now)?;
    let key = tokens.access_key(&signature.key, now).ok_or_else(signature::unknown_key)?;
    let bytes = read(app, &parts.headers, body, most(app, route)).await?;
    signature.verify(&key, parts, &bytes)?;
    Ok((key.principal, Unread::Read(bytes)))
}

/// What is refused is refused slowly. Good credentials are not held up: others may be behind the same
/// address.
fn held_up(app: &App, peer: SocketAddr, problem: Problem) -> Problem {
    if problem.status() != StatusCode::UNAUTHORIZED || app.refusals.take(peer.ip()) {
        return problem;
    }
    too_many("too many tokens were refused")
}

fn too_many(detail: &str) -> Problem {
    Problem::new("TOO_MANY_REQUESTS", StatusCode::TOO_MANY_REQUESTS, detail).retry_after(1)
}

/// Where a request that changes something comes from. Browsers send one for any page that asks them
/// to; they say so.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = || {
        let detail = "a page of another site may change nothing here";
        Problem::new("CROSS_ORIGIN", StatusCode::FORBIDDEN, detail)
    };
    for site in headers.get_all("sec-fetch-site") {
        if !matches!(site.as_bytes(), b"same-origin" | b"none") {
            return Err(refuse());
        }
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().ok();
        let own = origin.and_then(|origin| {
            origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
        });
        if own.is_none_or(|own| !own.eq_ignore_ascii_case(host)) {
            return Err(refuse());
        }
    }
    Ok(())
}

async fn document(
    app: &App,
    route: &Route,
    headers: &HeaderMap,
    body: Unread,
) -> Result<Document, Problem> {
    let accepted: &'static [&'static str] = match route.taken {
        Taken::Nothing => return Ok(Document::Nothing),
        Taken::Fields(_) => &["application/json"],
        Taken::Text(types) => types,
    };
    let content_type = content_type(headers, accepted)?;
    let bytes = match body {
        Unread::Body(body) => read(app, headers, body, most(app, route)).await?,
        Unread::Read(bytes) => bytes,
    };
    let text = utf8(&bytes)?;
    match route.taken {
        Taken::Fields(known) => Ok(Document::Fields(Fields::read(text, known)?)),
        Taken::Nothing | Taken::Text(_) => {
            if content_type == "application/json" {
                check_depth(text)?;
            }
            Ok(Document::Text { text: text.to_owned(), content_type })
        }
    }
}

/// The most bytes of a body.
fn most(app: &App, route: &Route) -> usize {
    let document = app.settings.limits.document_bytes;
    match route.size {
        Size::Document => document,
        Size::Payload => app.engine.payload_bytes() + AROUND_PAYLOAD,
        Size::Wire => 2 * document + AROUND_PAYLOAD,
    }
}

/// The content type, which must be one of those that are accepted, and nothing around it.
fn content_type(
    headers: &HeaderMap,
    accepted: &'static [&'static str],
) -> Result<&'static str, Problem> {
    let refuse = |detail: String| {
        Problem::new("WRONG_CONTENT_TYPE", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    };
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(refuse("the body must not be compressed".to_owned()));
    }
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let one = given.next().filter(|_| given.next().is_none());
    let one = one.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (name, parameter) = one.split_once(';').unwrap_or((one, ""));
    let is_utf8 = matches!(parameter.trim().to_ascii_lowercase().as_str(), "" | "charset=utf-8");
    let found = accepted.iter().find(|known| known.eq_ignore_ascii_case(name.trim()));
    found
        .copied()
        .filter(|_| is_utf8)
        .ok_or_else(|| refuse(format!("the content type has to be {}", accepted.join(" or "))))
}

async fn read(app: &App, headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body has more than {most} bytes");
        Problem::new("BODY_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE, detail)
            .hint("put large data into a file or a store of its own, and pass its name")
    };
    let said = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if said.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let limit = app.settings.limits.body_timeout;
    match tokio::time::timeout(limit, Limited::new(body, most).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("the body broke off")),
        Err(_) => {
            let detail = format!("the body did not come within {} ms", limit.as_millis());
            Err(Problem::new("BODY_TIMEOUT", StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

/// A panic is a fault of ours, and ends one request.
async fn unless_it_panics(mut answering: Pin<Box<dyn Future<Output = Answer> + Send>>) -> Answer {
    std::future::poll_fn(move |context| {
        let poll = AssertUnwindSafe(|| answering.as_mut().poll(context));
        catch_unwind(poll).unwrap_or_else(|_| Poll::Ready(Err(Problem::internal())))
    })
    .await
}

/// Says who did what, and who was turned away.
fn audit(
    route: &Route,
    by: Option<&Principal>,
    peer: Option<SocketAddr>,
    target: &str,
    status: StatusCode,
    code: Option<&str>,
) {
    let turned_away = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
    );
    if !(route.is_mutation() || turned_away) {
        return;
    }
    let (by, role) = by.map_or(("-", "-"), |by| (&*by.name, by.role.as_str()));
    let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
    let (action, status) = (route.name, status.as_u16());
    tracing::info!(target: "audit", by, role, peer, action, path = ?target, status, code, "audit");
}

/// What every answer says to browsers.
fn dress(headers: &mut HeaderMap) {
    let mut usual = |name: header::HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    usual(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    usual(header::CACHE_CONTROL, "no-store");
    usual(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    usual(header::REFERRER_POLICY, "no-referrer");
    usual(header::X_FRAME_OPTIONS, "DENY");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_loses_its_port() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("localhost:80", "localhost"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("evil.example:80@localhost", "evil.example:80@localhost"),
            ("a:b:80", "a:b:80"),
            (":80", ""),
        ] {
            assert_eq!(name_of(host), name);
        }
    }
}
