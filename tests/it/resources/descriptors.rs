//! More clients than there are file descriptors.

use std::net::SocketAddr;

use serde_json::Value;

use super::{serve_under, starts, wait};
use crate::crash::place::Place;
use crate::crash::until;
use crate::server::client::{Connection, Request};

/// File descriptors of the server.
const DESCRIPTORS: usize = 128;
/// Connections that want in: more than there are descriptors.
const CROWD: usize = 2 * DESCRIPTORS;

/// Asks on a connection that is open; the status and the document.
fn ask(at: &mut Connection, request: &Request) -> (u16, Value) {
    at.send(&request.bytes());
    let answer = at.answer().unwrap();
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
}

fn health(address: SocketAddr) -> Request {
    Request::new(address, "GET", "/healthz")
}

#[test]
fn a_server_that_runs_out_of_file_descriptors_turns_clients_away_and_serves_the_others() {
    let place = Place::new();
    let limit = format!("ulimit -n {DESCRIPTORS}");
    let mut server = serve_under(&place, &limit, &["--listen", "127.0.0.1:0"]);
    let address = server.listens_at();
    let mut first = Connection::open(address);
    let put = Request::new(address, "PUT", "/api/v1/workflows/w").json(&wait());
    assert_eq!(ask(&mut first, &put).0, 201);
    let mut start = |n: usize| {
        let (status, card) = ask(&mut first, &starts(address, n));
        assert_eq!(status, 201, "{card}");
        card["id"].as_str().unwrap().to_owned()
    };
    let mut acknowledged = vec![start(0)];
    let crowd: Vec<Connection> = (0..CROWD).map(|_| Connection::open(address)).collect();
    acknowledged.extend((1..50).map(&mut start));
    // What the server needs for itself is not taken by the crowd.
    assert_eq!(place.list().len(), 50);
    let mut turned_away = 0;
    for mut connection in crowd {
        connection.send(&health(address).bytes());
        match connection.answer().map(|answer| answer.status) {
            Some(200) => {}
            Some(503) | None => turned_away += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(turned_away >= CROWD - DESCRIPTORS, "{turned_away} of {CROWD}");
    until("a new client is served", || {
        let mut connection = Connection::open(address);
        connection.send(&health(address).bytes());
        connection.answer().filter(|answer| answer.status == 200)
    });
    acknowledged.extend((50..60).map(&mut start));
    assert!(server.is_running(), "{}", server.said());
    assert!(!server.said().contains("cannot accept"), "{}", server.said());
    server.terminate();
    assert_eq!(server.ended().status.code(), Some(0));
    let begun = place.history().executions();
    assert!(acknowledged.iter().all(|id| begun.contains(id)));
    place.ran(&["log", "verify"], 0);
}
