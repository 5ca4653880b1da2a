//! Requests that are wrong are refused with a problem, and nothing happens.

use serde_json::json;

use super::client::Connection;
use super::{Server, pass};

#[test]
fn a_host_that_is_not_ours_is_refused() {
    let server = Server::new();
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""] {
        let answer = server.request("GET", "/healthz").header("host", host).send();
        assert_eq!((answer.status, &*answer.code()), (421, "UNKNOWN_HOST"), "{host}");
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:7979"] {
        assert_eq!(server.request("GET", "/healthz").header("host", host).send().status, 200);
    }
    let mut connection = Connection::open(server.address);
    connection.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n");
    assert_eq!(connection.answer().unwrap().code(), "UNKNOWN_HOST");
    let mut connection = Connection::open(server.address);
    connection.send(b"GET /healthz HTTP/1.1\r\n\r\n");
    assert_eq!(connection.answer().unwrap().code(), "UNKNOWN_HOST");
}

#[test]
fn a_host_that_the_operator_named_is_ours() {
    let server = Server::with(|settings| settings.hosts = vec!["Jobs.example".into()], |b| b);
    let request = server.request("GET", "/healthz").header("host", "jobs.example:443");
    assert_eq!(request.send().status, 200);
}

#[test]
fn a_page_of_another_site_can_change_nothing() {
    let server = Server::new();
    server.deploy("w", &pass());
    let start = || server.request("POST", "/api/v1/executions").json(&json!({"workflow": "w"}));
    for origin in ["https://evil.example", "null", "http://localhost:1", "file://"] {
        let answer = start().header("origin", origin).send();
        assert_eq!((answer.status, &*answer.code()), (403, "CROSS_ORIGIN"), "{origin}");
    }
    for site in ["cross-site", "same-site"] {
        assert_eq!(start().header("sec-fetch-site", site).send().code(), "CROSS_ORIGIN");
    }
    assert_eq!(server.get("/api/v1/executions").json()["items"], json!([]), "nothing was started");
    let own = format!("http://{}", server.address);
    let answer = start().header("origin", &own).header("sec-fetch-site", "same-origin").send();
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(answer.header("access-control-allow-origin").is_none());
}

#[test]
fn only_json_is_taken_where_json_is_asked_for() {
    let server = Server::new();
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""]
    {
        let request = server.request("POST", "/api/v1/executions");
        let answer = request.body(content_type, b"{\"workflow\":\"w\"}").send();
        assert_eq!((answer.status, &*answer.code()), (415, "WRONG_CONTENT_TYPE"), "{content_type}");
    }
    let zipped = server.request("POST", "/api/v1/executions").json(&json!({"workflow": "w"}));
    assert_eq!(zipped.header("content-encoding", "gzip").send().code(), "WRONG_CONTENT_TYPE");
}

#[test]
fn a_document_that_is_none_is_refused() {
    let server = Server::new();
    let post = |body: &[u8]| {
        server.request("POST", "/api/v1/executions").body("application/json", body).send()
    };
    for (body, status, code) in [
        (&b"{\"workflow\": \"\xff\"}"[..], 400, "NOT_UTF8"),
        (b"{\"workflow\":", 400, "BAD_JSON"),
        (b"\x0b", 400, "BAD_JSON"),
        (b" ", 400, "BAD_JSON"),
        (b"[]", 422, "INVALID_DOCUMENT"),
        (b"{\"workflow\": 7}", 422, "INVALID_DOCUMENT"),
        (b"{\"workflow\": \"w\", \"nonsense\": 1}", 422, "INVALID_DOCUMENT"),
        (b"", 422, "INVALID_DOCUMENT"),
    ] {
        let answer = post(body);
        assert_eq!((answer.status, &*answer.code()), (status, code), "{answer:?}");
    }
    let deep = format!("{{\"workflow\":\"w\",\"input\":{}", "[".repeat(100_000));
    assert_eq!(post(deep.as_bytes()).code(), "TOO_DEEP");
    let errors = post(b"{\"input\": 1, \"extra\": 2}").json()["errors"].clone();
    let pointers: Vec<_> = errors.as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(pointers, ["/extra", "/workflow"]);
}

#[test]
fn a_query_has_only_what_the_route_knows() {
    let server = Server::new();
    for query in ["x=1", "limit=0x1", "limit=1&limit=2", "status=gone", "cursor=zzz", "q=%ff"] {
        let answer = server.get(&format!("/api/v1/executions?{query}"));
        assert_eq!((answer.status, &*answer.code()), (400, "BAD_REQUEST"), "{query}");
    }
    let answer = server.get("/api/v1/executions/%ff");
    assert_eq!((answer.status, &*answer.code()), (400, "BAD_REQUEST"));
    let long = format!("/api/v1/executions?q={}", "x".repeat(9000));
    assert_eq!(server.get(&long).code(), "TARGET_TOO_LONG");
}

#[test]
fn what_is_not_there_is_said_so() {
    let server = Server::new();
    for query in ["", "?limit=1", "?%ff"] {
        let answer = server.get(&format!("/nothing{query}"));
        assert_eq!((answer.status, &*answer.code()), (404, "NO_SUCH_ROUTE"), "{query}");
        let answer = server.request("DELETE", &format!("/api/v1/executions{query}")).send();
        assert_eq!((answer.status, &*answer.code()), (405, "METHOD_NOT_ALLOWED"), "{query}");
        assert!(answer.header("allow").unwrap().contains("POST"), "{answer:?}");
    }
    let answer = server.get("/api/v1/executions/zzzz");
    assert_eq!((answer.status, &*answer.code()), (404, "NO_SUCH_EXECUTION"));
    assert_eq!(server.get("/api/v1/workflows/w").code(), "NO_SUCH_WORKFLOW");
}

#[test]
fn what_is_no_request_gets_no_further() {
    let server = Server::new();
    for bytes in [
        &b"\x16\x03\x01\x00\x00"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /api/v1/executions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\
          transfer-encoding: chunked\r\n\r\n",
        b"POST /api/v1/executions HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : localhost\r\n\r\n",
    ] {
        let mut connection = Connection::open(server.address);
        connection.send(bytes);
        connection.send(b"\r\n\r\n");
        if let Some(answer) = connection.answer() {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
    assert_eq!(server.get("/healthz").status, 200, "and the server goes on");
}

#[test]
fn answers_tell_browsers_to_take_nothing_for_something_else() {
    let server = Server::new();
    for target in ["/healthz", "/api/v1/executions", "/nothing", "/docs"] {
        let answer = server.get(target);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
    }
}
