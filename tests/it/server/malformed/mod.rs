//! Requests as nobody should send them: drawn from all that the server says it takes, and then
//! changed in head, target, headers and body. Whatever comes, the server refuses it with a reason or
//! does it; it never breaks down.
//!
//! `EVERSTEP_REQUESTS` says how many, `EVERSTEP_SEED` which.

mod answers;
mod draw;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep::testing::random::Random;
use serde_json::json;

use self::draw::Sayings;
use super::{Server, pass, wait};

const DEFAULT_REQUESTS: u64 = 4000;
/// How many clients send them.
const CLIENTS: u8 = 8;
/// When a server that says nothing is taken to wait for more.
const QUIET: Duration = Duration::from_millis(30);
/// What nothing here takes once the client has hung up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer that are looked at.
const MOST_READ: usize = 4 << 20;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn no_request_breaks_the_server() {
    let (count, seed) = (number("EVERSTEP_REQUESTS", DEFAULT_REQUESTS), number("EVERSTEP_SEED", 0));
    let server = Server::with(|limits| limits.limits.requests_per_second = 1 << 20, |b| b);
    server.deploy("w", &pass());
    server.deploy("long", &wait());
    let ids = ["w", "long"].map(|workflow| server.start(workflow, json!({})).to_string());
    let sayings = Sayings::read(&server.get("/openapi.json").json(), &ids);
    let panics = panics_of_this_test();
    let faults = Mutex::new(Vec::new());
    let (answered, done) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for client in 0..u64::from(CLIENTS) {
            let (sayings, faults, answered, done) = (&sayings, &faults, &answered, &done);
            scope.spawn(move || {
                for number in (client..count).step_by(CLIENTS.into()) {
                    let request = sayings.draw(&mut Random::new(seed.wrapping_add(number)));
                    let told = send(server.address, &request);
                    let looked = told.and_then(|told| answers::check(&request, &told));
                    match looked {
                        Ok(tally) => {
                            answered.fetch_add(tally.answered, Ordering::Relaxed);
                            done.fetch_add(tally.done, Ordering::Relaxed);
                        }
                        Err(fault) => {
                            let sent = String::from_utf8_lossy(&request);
                            let sent = sent.chars().take(2000).collect::<String>();
                            let seed = seed.wrapping_add(number);
                            let fault = format!(
                                "EVERSTEP_SEED={seed} EVERSTEP_REQUESTS=1: {fault}\nsent: {sent:?}"
                            );
                            faults.lock().unwrap().push(fault);
                        }
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} requests of {count}, the first: {}", faults.len(), faults[0]);
    assert_eq!(panics.load(Ordering::Relaxed), 0, "EVERSTEP_SEED={seed}: the server panicked");
    assert_eq!(server.get("/healthz").status, 200, "the server goes on");
    let (answered, done) = (answered.into_inner(), done.into_inner());
    println!("EVERSTEP_SEED={seed}: of {count} requests {answered} were answered and {done} done");
    // One alone may be such that nothing can be said.
    let most_are_answered = answered > count / 2 && done > count / 20;
    assert!(count < 100 || most_are_answered, "too few to hold anything by");
}

/// Counts the panics in threads that bear the name of this test, as those of its server do.
fn panics_of_this_test() -> Arc<AtomicU64> {
    let panics = Arc::new(AtomicU64::new(0));
    let counted = panics.clone();
    let mine = std::thread::current().name().map(str::to_owned);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == mine.as_deref() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        before(panic);
    }));
    panics
}

/// Sends bytes, and gives all that comes back. A server that waits for more learns that there is none.
fn send(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>, String> {
    let mut stream =
        TcpStream::connect(address).map_err(|error| format!("no connection: {error}"))?;
    stream.set_read_timeout(Some(QUIET)).unwrap();
    // A server that has hung up has answered before.
    drop(stream.write_all(request));
    let (mut told, mut has_ended) = (Vec::new(), false);
    let mut part = [0; 16 * 1024];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return Ok(told),
            Ok(count) => told.extend_from_slice(&part[..count]),
            Err(error) if is_quiet(&error) && !has_ended => {
                has_ended = true;
                drop(stream.shutdown(Shutdown::Write));
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(told),
            Err(error) if is_quiet(&error) => return Err("the server keeps it open".to_owned()),
            Err(error) => return Err(format!("the answer cannot be read: {error}")),
        }
        if told.len() > MOST_READ || answers::is_endless(&told) {
            return Ok(told);
        }
    }
}

fn is_quiet(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
