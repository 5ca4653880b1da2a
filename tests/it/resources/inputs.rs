//! Inputs that are larger than any memory: each is refused by its code, and little of it is kept.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use super::{serve_under, starts, wait};
use crate::crash::place::{Place, Program};
use crate::server::client::{Connection, Request};

/// What all of it together may take, in KiB: less than one of them holds.
const MOST_KIB: u64 = 96 * 1024;
/// Bytes that are sent of a thing without end.
const ENDLESS: usize = 256 * 1024 * 1024;

fn serve(place: &Place) -> (Program, SocketAddr) {
    let server = serve_under(place, "true", &["--listen", "127.0.0.1:0"]);
    let address = server.listens_at();
    let deployed = Request::new(address, "PUT", "/api/v1/workflows/w").json(&wait()).send();
    assert_eq!(deployed.status, 201);
    (server, address)
}

/// Sends a beginning, and then more and more, until the server has had enough. What it answered: the
/// status and the code, if it came through before the connection broke.
fn flood(address: SocketAddr, beginning: &str, more: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(beginning.as_bytes()).unwrap();
    let mut sent = 0;
    while sent < ENDLESS && stream.write_all(more).is_ok() {
        sent += more.len();
    }
    assert!(sent < ENDLESS, "all of it was taken: {beginning}");
    let mut text = [0; 4096];
    let read = std::io::Read::read(&mut stream, &mut text).ok()?;
    Some(String::from_utf8_lossy(&text[..read]).into_owned())
}

#[test]
fn requests_without_end_are_refused_and_take_no_memory() {
    let place = Place::new();
    let (server, address) = serve(&place);
    let before = server.peak_kib();
    let kib = vec![b'1'; 16 * 1024];
    let mut chunk = b"4000\r\n".to_vec();
    chunk.extend(&kib);
    chunk.extend(b"\r\n");
    let head = |target: &str, content: &str, rest: &str| {
        format!(
            "{target} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/{content}\r\n{rest}"
        )
    };
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let endless = [
        (head("POST /api/v1/executions", "json", chunked), &chunk, "BODY_TOO_LARGE"),
        (head("PUT /api/v1/workflows/x", "yaml", chunked), &chunk, "BODY_TOO_LARGE"),
        (head("POST /api/v1/validate", "json", chunked), &chunk, "BODY_TOO_LARGE"),
        (head("POST /api/v1/jobs/poll", "json", chunked), &chunk, "BODY_TOO_LARGE"),
        (head("GET /healthz", "json", "x: "), &kib, "431"),
        ("GET /".to_owned(), &kib, "4"),
    ];
    for (beginning, more, code) in endless {
        for _ in 0..8 {
            if let Some(answer) = flood(address, &beginning, more) {
                assert!(answer.contains(code), "{beginning}: {answer}");
            }
        }
    }
    let deep = format!("{{\"workflow\":\"w\",\"input\":{}", "[".repeat(900_000));
    let deep = Request::new(address, "POST", "/api/v1/executions")
        .body("application/json", deep.as_bytes())
        .send();
    assert_eq!((deep.status, &*deep.code()), (400, "TOO_DEEP"));
    let large = starts(address, "x".repeat(8 * 1024 * 1024)).send();
    assert_eq!((large.status, &*large.code()), (413, "TOO_LARGE"));
    let taken = server.peak_kib() - before;
    assert!(taken < MOST_KIB, "{taken} KiB");
    let mut healthy = Connection::open(address);
    healthy.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(healthy.answer().unwrap().status, 200);
}

/// Runs the program with little memory, and a file without end as its stdin. The address space is
/// limited; of that much is only reserved.
fn fed_without_end(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -v 1500000; exec \"$0\" \"$@\" </dev/zero"]);
    command.arg(env!("CARGO_BIN_EXE_everstep")).args(arguments).current_dir(place.path());
    let ended = command.output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn files_without_end_are_refused_by_the_program() {
    let place = Place::new();
    place.write("wait.json", &wait().to_string());
    for name in ["endless.json", "endless.yaml"] {
        symlink("/dev/zero", place.path().join(name)).unwrap();
    }
    let cases: [(&[&str], &str); 6] = [
        (&["validate", "endless.json"], "FILE_TOO_LARGE"),
        (&["validate", "endless.yaml"], "FILE_TOO_LARGE"),
        (&["run", "wait.json", "--input", "-"], "FILE_TOO_LARGE"),
        (&["run", "wait.json", "--input", "@/dev/zero"], "FILE_TOO_LARGE"),
        (&["list", "--file", "/dev/zero"], "FILE_UNREADABLE"),
        (&["serve", "--config", "/dev/zero"], "CONFIG_"),
    ];
    for (arguments, code) in cases {
        let (status, said) = fed_without_end(&place, arguments);
        assert!(status.is_some_and(|status| status != 0), "{arguments:?}: {status:?} {said}");
        assert!(said.contains(code) && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}
