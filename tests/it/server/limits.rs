//! What is too much or too slow.

use std::time::Duration;

use everstep::server::http::HttpLimits;
use serde_json::json;
use tokio::time::Instant;

use super::client::Connection;
use super::{Server, pass};

fn limited(set: impl FnOnce(&mut HttpLimits)) -> Server {
    Server::with(|settings| set(&mut settings.limits), |builder| builder)
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let server = limited(|limits| limits.document_bytes = 1000);
    let head = "PUT /api/v1/workflows/w HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\n";
    let mut connection = Connection::open(server.address);
    connection.send(format!("{head}content-length: 100000000000\r\n\r\n").as_bytes());
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, &*answer.code()), (413, "BODY_TOO_LARGE"));

    let mut connection = Connection::open(server.address);
    connection.send(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes());
    connection.send(format!("7d0\r\n{}\r\n", " ".repeat(2000)).as_bytes());
    assert_eq!(connection.answer().unwrap().code(), "BODY_TOO_LARGE", "nobody said how large");
}

#[test]
fn a_payload_over_the_engines_limit_is_refused() {
    let server = Server::with(
        |_| {},
        |builder| {
            let mut limits = everstep::runtime::Limits::default();
            limits.engine.payload_bytes = 2000;
            builder.limits(limits)
        },
    );
    server.deploy("w", &pass());
    let start = |bytes: usize| {
        let input = "x".repeat(bytes);
        server.post("/api/v1/executions", &json!({"workflow": "w", "input": input}))
    };
    assert_eq!(start(100).status, 201);
    let answer = start(3000);
    assert_eq!((answer.status, &*answer.code()), (413, "TOO_LARGE"));
    assert_eq!(start(100_000).code(), "BODY_TOO_LARGE");
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Server::new();
    let mut connection = Connection::open(server.address);
    connection.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n");
    connection.send(format!("x: {}\r\n\r\n", "y".repeat(100_000)).as_bytes());
    assert!(connection.answer().is_none_or(|answer| answer.status == 431));
    let mut connection = Connection::open(server.address);
    connection.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n");
    connection.send(format!("{}\r\n", "a: b\r\n".repeat(100)).as_bytes());
    assert!(connection.answer().is_none_or(|answer| answer.status == 431));
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_client_that_never_ends_its_head_is_let_go() {
    let server = limited(|limits| limits.head_timeout = Duration::from_millis(100));
    let mut connection = Connection::open(server.address);
    connection.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx:");
    let began = Instant::now();
    assert!(connection.answer().is_none_or(|answer| answer.status == 408));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_client_that_never_ends_its_body_is_let_go() {
    let server = limited(|limits| limits.body_timeout = Duration::from_millis(100));
    let mut connection = Connection::open(server.address);
    connection.send(
        b"POST /api/v1/executions HTTP/1.1\r\nhost: localhost\r\n\
          content-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    );
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, &*answer.code()), (408, "BODY_TIMEOUT"));
    assert!(connection.is_closed());
}

#[test]
fn connections_beyond_the_limit_are_turned_away() {
    let server = limited(|limits| limits.connections = 2);
    let request = server.request("GET", "/healthz");
    let mut first = Connection::open(server.address);
    let mut second = Connection::open(server.address);
    for connection in [&mut first, &mut second] {
        connection.send(&request.bytes());
        assert_eq!(connection.answer().unwrap().status, 200);
    }
    let mut third = Connection::open(server.address);
    assert_eq!(third.answer().unwrap().status, 503, "nothing need be asked for that");
    drop((first, third));
    // The place is free once the server has seen that the client is gone.
    let served = (0..1000).any(|_| {
        let mut connection = Connection::open(server.address);
        connection.send(&request.bytes());
        connection.answer().is_some_and(|answer| answer.status == 200)
    });
    assert!(served);
}

#[test]
fn one_client_can_ask_only_so_much_in_a_second() {
    let server = limited(|limits| limits.requests_per_second = 5);
    let mut connection = Connection::open(server.address);
    let request = server.request("GET", "/api/v1/executions").bytes();
    let mut refused = None;
    for _ in 0..1000 {
        connection.send(&request);
        let answer = connection.answer().unwrap();
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a thousand requests in no time");
    assert_eq!((refused.status, &*refused.code()), (429, "TOO_MANY_REQUESTS"));
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[test]
fn one_client_can_hold_only_so_many_streams() {
    let server = limited(|limits| limits.streams_of_one = 2);
    let first = server.stream("topics=log");
    let _second = server.stream("topics=executions");
    let refused = server.get("/api/v1/stream?topics=log");
    assert_eq!((refused.status, &*refused.code()), (429, "TOO_MANY_STREAMS"));
    drop(first);
    // Nothing happens that the server could tell it.
    let begun = (0..1000).any(|_| {
        let mut connection = server.request("GET", "/api/v1/stream?topics=log").open();
        connection.head().unwrap().status == 200
    });
    assert!(begun, "the place of a reader that went is free again");
}
