//! Who may do what.

use everstep::engine::Timestamp;
use everstep::runtime::{Clock, SystemClock};
use everstep::server::http::{Role, StartError, TokenFile, serve};
use serde_json::json;
use tempfile::TempDir;

use super::client::{Answer, Request};
use super::{Server, pass};

pub(super) struct Guarded {
    pub(super) server: Server,
    file: TokenFile,
    _folder: TempDir,
}

impl Guarded {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("tokens.json"));
        file.create("first", Role::Admin, now(), None).unwrap();
        let path = file.path().to_owned();
        let server = Server::with(
            |settings| {
                settings.tokens = Some(path);
                settings.limits.refusals_per_second = 10_000;
            },
            |builder| builder,
        );
        Self { server, file, _folder: folder }
    }

    pub(super) fn token(&self, name: &str, role: Role) -> String {
        self.file.create(name, role, now(), None).unwrap()
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// The routes there are, as they are told: method, path, the role that is needed.
fn routes(server: &Server, token: &str) -> Vec<(String, String, Option<Role>)> {
    let document = server.request("GET", "/openapi.json").token(token).send().json();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let role = operation["x-everstep-role"].as_str().map(|role| role.parse().unwrap());
            routes.push((method.to_uppercase(), path.clone(), role));
        }
    }
    routes
}

/// A request for a route that is let in, if it is, and gets no further.
fn probe(server: &Server, method: &str, path: &str) -> Request {
    let path = path.replace("{id}", "zzzzzz").replace("{name}", "none");
    // No route knows the parameter: that is refused after the role.
    let request = server.request(method, &format!("{path}?no_such_parameter=1"));
    if method == "GET" { request } else { request.json(&json!({})) }
}

fn is_let_in(answer: &Answer) -> bool {
    match answer.status {
        401 => assert_eq!(answer.code(), "UNAUTHORIZED"),
        403 => assert_eq!(answer.code(), "FORBIDDEN"),
        _ => assert_eq!(answer.code(), "BAD_REQUEST"),
    }
    answer.status == 400
}

/// What needs no token: two words about the process, and the page, which says nothing of what is here.
const OPEN: &[&str] = &[
    "/healthz",
    "/readyz",
    "/",
    "/executions",
    "/executions/{id}",
    "/executions/{id}/{view}",
    "/compare",
    "/workflows",
    "/workflows/{name}",
    "/workers",
    "/log",
    "/login",
    "/assets/{file}",
    "/favicon.svg",
];

#[test]
fn every_route_lets_in_those_who_may_and_nobody_else() {
    let guarded = Guarded::new();
    let tokens: Vec<(Role, String)> =
        Role::ALL.iter().map(|role| (*role, guarded.token(role.as_str(), *role))).collect();
    let server = &guarded.server;
    let routes = routes(server, &tokens[3].1);
    assert!(routes.len() > 25, "only {} routes", routes.len());
    for (method, path, needed) in routes {
        let Some(needed) = needed else {
            assert!(OPEN.contains(&&*path), "{path} is open to all");
            assert_eq!(method.to_uppercase(), "GET", "{path}");
            continue;
        };
        let answer = probe(server, &method, &path).send();
        assert!(!is_let_in(&answer), "{method} {path} without a token: {answer:?}");
        for (role, token) in &tokens {
            let answer = probe(server, &method, &path).token(token).send();
            let may = may(*role, needed);
            assert_eq!(is_let_in(&answer), may, "{method} {path} as {role}: {answer:?}");
        }
    }
}

/// The table, written down once more.
fn may(role: Role, needed: Role) -> bool {
    use Role::{Admin, Operator, Viewer, Worker};
    match role {
        Admin => true,
        Operator => needed == Viewer || needed == Operator,
        Viewer => needed == Viewer,
        Worker => needed == Worker,
    }
}

#[test]
fn a_path_that_is_not_there_tells_nothing_to_strangers() {
    let guarded = Guarded::new();
    let answer = guarded.server.get("/nothing");
    assert_eq!((answer.status, &*answer.code()), (401, "UNAUTHORIZED"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"everstep\""));
    assert_eq!(guarded.server.get("/healthz").status, 200);
}

#[test]
fn a_token_is_good_only_as_it_was_given_and_only_while_it_is() {
    let guarded = Guarded::new();
    let token = guarded.token("ci", Role::Viewer);
    let ask = |value: &str| {
        let request = guarded.server.request("GET", "/api/v1/executions");
        request.header("authorization", value).send().status
    };
    assert_eq!(ask(&format!("Bearer {token}")), 200);
    assert_eq!(ask(&format!("bearer {token}")), 200);
    let (mut spoilt, last) = (token.clone(), if token.ends_with('A') { 'B' } else { 'A' });
    spoilt.pop();
    spoilt.push(last);
    for value in
        [format!("Bearer {spoilt}"), format!("Basic {token}"), token.clone(), "Bearer ".to_owned()]
    {
        assert_eq!(ask(&value), 401, "{value}");
    }
    assert!(guarded.file.revoke("ci").unwrap());
    assert_eq!(ask(&format!("Bearer {token}")), 401, "it was revoked");
    let old = guarded.file.create("old", Role::Admin, now(), Some(now())).unwrap();
    assert_eq!(ask(&format!("Bearer {old}")), 401, "it has expired");
}

#[test]
fn without_tokens_everybody_on_the_machine_may_do_everything_until_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::at(folder.path().join("tokens.json"));
    let path = file.path().to_owned();
    let server = Server::with(|settings| settings.tokens = Some(path), |builder| builder);
    server.deploy("w", &pass());
    assert_eq!(server.post("/api/v1/executions", &json!({"workflow": "w"})).status, 201);
    let token = file.create("ci", Role::Viewer, now(), None).unwrap();
    assert_eq!(server.get("/api/v1/executions").status, 401);
    let request = server.request("GET", "/api/v1/executions").token(&token);
    assert_eq!(request.send().status, 200);
    std::fs::remove_file(file.path()).unwrap();
    assert_eq!(server.get("/api/v1/executions").status, 401, "taking it away opens nothing");
}

#[test]
fn guessing_tokens_is_slowed_down() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::at(folder.path().join("tokens.json"));
    let token = file.create("ci", Role::Viewer, now(), None).unwrap();
    let path = file.path().to_owned();
    let server = Server::with(|settings| settings.tokens = Some(path), |builder| builder);
    let ask = |token: &str| server.request("GET", "/api/v1/executions").token(token).send();
    let refused = (0..1000).map(|_| ask("everstep_guess").status).find(|status| *status != 401);
    assert_eq!(refused, Some(429));
    assert_eq!(ask(&token).status, 200, "whoever has a good one is not held up by others");
}

#[test]
fn the_network_is_refused_unless_it_is_safe_or_said_out_loud() {
    let server = Server::new();
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::at(folder.path().join("tokens.json"));
    let mut settings = everstep::server::http::Settings {
        listen: "0.0.0.0:0".parse().unwrap(),
        tokens: Some(file.path().to_owned()),
        ..Default::default()
    };
    let try_it = |settings| server.runtime.block_on(serve(server.engine.clone(), settings));
    let missing = |result| match result {
        Err(StartError::Exposed { missing, .. }) => missing,
        other => panic!("{other:?}"),
    };
    assert!(missing(try_it(settings.clone())).contains("no tokens and no TLS"));
    file.create("ci", Role::Viewer, now(), None).unwrap();
    assert!(missing(try_it(settings.clone())).contains("no TLS"));
    settings.insecure = true;
    let server = try_it(settings).unwrap();
    assert!(server.address().ip().is_unspecified());
}

#[test]
fn what_is_shown_holds_no_token_of_an_attempt() {
    let server = Server::new();
    let task = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "echo", "End": true},
    }});
    server.deploy("w", &task);
    let id = server.start("w", json!({"a": 1}));
    server.ended(id);
    for target in [
        format!("/api/v1/executions/{id}/events"),
        "/api/v1/log".to_owned(),
        "/api/v1/log/export".to_owned(),
    ] {
        let text = server.get(&target).body;
        assert!(text.contains("JobStarted") && !text.contains("\"token\""), "{target}: {text}");
    }
}
