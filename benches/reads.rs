//! Views over HTTP: how many requests a second a server answers that only read, with its clients on
//! the same machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use everstep::server::http::{self, Settings};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::chain::{input, open};
use crate::disk::{Folder, row_time};
use crate::report::{ms, percentile, rate, row};

/// Connections that are kept open, each with one request at a time.
const CLIENTS: usize = 32;

pub fn run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = Folder::new("reads");
    runtime.block_on(async {
        let everstep = open(folder.path()).await;
        for _ in 0..100 {
            let id = everstep.start("chain", input()).await.unwrap();
            everstep.result(id).await.unwrap();
        }
        let id = everstep.start("chain", input()).await.unwrap();
        everstep.result(id).await.unwrap();
        let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() };
        let server = http::serve(everstep.clone(), settings).await.unwrap();
        let card = format!("/api/v1/executions/{id}");
        for (name, path) in [
            ("a card of 10 jobs", card.as_str()),
            ("a list of 50", "/api/v1/executions?limit=50"),
            ("all workflows", "/api/v1/workflows"),
        ] {
            let (mut times, took) = drive(server.address(), path).await;
            times.sort();
            row(
                &format!("{name}, {CLIENTS} clients"),
                &[
                    ("requests", rate(times.len() as u64, took)),
                    ("p50", ms(percentile(&times, 0.5))),
                    ("p99", ms(percentile(&times, 0.99))),
                ],
            );
        }
        server.stop().await;
        everstep.stop().await.unwrap();
    });
}

/// Asks for the same again and again; gives how long each answer took.
async fn drive(address: SocketAddr, path: &str) -> (Vec<Duration>, Duration) {
    let began = Instant::now();
    let until = began + row_time();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(ask(address, request.clone(), until))).collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    (times, began.elapsed())
}

async fn ask(address: SocketAddr, request: String, until: Instant) -> Vec<Duration> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let (mut times, mut line, mut body) = (Vec::new(), String::new(), Vec::new());
    while Instant::now() < until {
        let began = Instant::now();
        stream.get_mut().write_all(request.as_bytes()).await.unwrap();
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            } else if line.starts_with("HTTP/") {
                assert!(line.contains(" 200 "), "{line}");
            } else if line.trim().is_empty() {
                break;
            }
        }
        assert!(length > 0, "an answer without a length");
        body.resize(length, 0);
        stream.read_exact(&mut body).await.unwrap();
        times.push(began.elapsed());
    }
    times
}
