//! Many executions that wait for one place: each costs little memory, and a kill loses none.

use std::net::SocketAddr;

use serde_json::json;

use super::{serve_under, starts};
use crate::crash::place::Place;
use crate::server::client::{Connection, Request};

const QUEUED: u64 = 10_000;
/// Connections that start them.
const STARTERS: u64 = 4;
/// What the server may take for each, in bytes, its caches and the page cache of the log included.
const MOST_BYTES: u64 = 6000;

/// Starts a part of them over one connection.
fn start_some(address: SocketAddr, first: u64) {
    let mut line = Connection::open(address);
    for n in (first..QUEUED).step_by(usize::try_from(STARTERS).unwrap()) {
        line.send(&starts(address, n).bytes());
        let answer = line.answer().unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

fn total(address: SocketAddr, status: &str) -> u64 {
    let target = format!("/api/v1/executions?status={status}&totals=true&limit=1");
    let answer = Request::new(address, "GET", &target).send();
    answer.json()["totals"]["total"].as_u64().unwrap()
}

#[test]
fn ten_thousand_that_wait_take_little_memory_and_survive_a_kill() {
    let place = Place::new();
    let serve = || serve_under(&place, "true", &["--listen", "127.0.0.1:0"]);
    let mut server = serve();
    let address = server.listens_at();
    let one_at_a_time = json!({"StartAt": "Wait", "Concurrency": {"Limit": 1}, "States": {
        "Wait": {"Type": "Wait", "Seconds": 86400, "End": true}}});
    let deployed = Request::new(address, "PUT", "/api/v1/workflows/w").json(&one_at_a_time).send();
    assert_eq!(deployed.status, 201, "{deployed:?}");
    let before = server.peak_kib();
    std::thread::scope(|scope| {
        for first in 0..STARTERS {
            scope.spawn(move || start_some(address, first));
        }
    });
    let each = (server.peak_kib() - before) * 1024 / QUEUED;
    assert!(each < MOST_BYTES, "{each} bytes for each");
    assert_eq!((total(address, "pending"), total(address, "running")), (QUEUED - 1, 1));
    assert!(server.kill());
    let server = serve();
    let address = server.listens_at();
    assert_eq!((total(address, "pending"), total(address, "running")), (QUEUED - 1, 1));
    server.terminate();
    assert_eq!(server.ended().status.code(), Some(0));
    place.ran(&["log", "verify"], 0);
}
