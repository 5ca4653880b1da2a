//! The HTTP server from outside: a real one on a free port, and a client of a few lines.

mod access;
mod actions;
mod bad_requests;
pub(crate) mod client;
#[cfg(all(feature = "cli", feature = "otel"))]
mod collector;
mod limits;
#[cfg(feature = "testing")]
mod malformed;
mod page;
mod program;
mod remote_worker;
mod rest;
mod search;
mod sfn;
mod sfn_call;
mod sfn_history;
mod sfn_tests;
mod streams;
mod tls;
mod totals;
#[cfg(all(feature = "cli", feature = "otel"))]
mod traces;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;

use everstep::engine::ExecutionId;
use everstep::language::Format;
use everstep::runtime::{Builder, Orchestrator};
use everstep::server::http::{self, HttpServer, Settings};
use everstep::store::MemoryStore;
use everstep::worker::JobContext;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::client::{Request, Stream};

/// A server, with the engine behind it.
pub(super) struct Server {
    runtime: Runtime,
    pub(super) engine: Orchestrator,
    http: Option<HttpServer>,
    pub(super) address: SocketAddr,
}

impl Server {
    /// One with the usual settings, on a free port.
    fn new() -> Self {
        Self::with(|_| {}, |builder| builder)
    }

    fn with(set: impl FnOnce(&mut Settings), add: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(Arc::new(MemoryStore::new()), set, add)
    }

    /// One with this store behind it.
    fn on(
        store: Arc<MemoryStore>,
        set: impl FnOnce(&mut Settings),
        add: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let mut settings =
            Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() };
        set(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            // So that a panic says whose it is.
            .thread_name(std::thread::current().name().unwrap_or("server"))
            .enable_all()
            .build()
            .unwrap();
        let builder = Orchestrator::builder()
            .shards(2)
            .handle("echo", |_: JobContext, input: Value| async move { Ok(input) });
        let engine = runtime.block_on(add(builder).open_store(store)).unwrap();
        let http = runtime.block_on(http::serve(engine.clone(), settings)).unwrap();
        let address = http.address();
        Self { runtime, engine, http: Some(http), address }
    }

    fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    fn get(&self, target: &str) -> client::Answer {
        self.request("GET", target).send()
    }

    fn post(&self, target: &str, body: &Value) -> client::Answer {
        self.request("POST", target).json(body).send()
    }

    fn deploy(&self, name: &str, definition: &Value) {
        let text = definition.to_string();
        self.runtime.block_on(self.engine.deploy(name, &text, Format::Json)).unwrap();
    }

    fn start(&self, workflow: &str, input: Value) -> ExecutionId {
        self.runtime.block_on(self.engine.start(workflow, input)).unwrap()
    }

    /// Waits until an execution has ended.
    fn ended(&self, id: ExecutionId) {
        self.runtime.block_on(self.engine.result(id)).unwrap();
    }

    fn stream(&self, query: &str) -> Stream {
        Stream::open(self.request("GET", &format!("/api/v1/stream?{query}")))
    }

    /// Stops the HTTP server, as at the end of the program.
    fn stop(&mut self) {
        if let Some(http) = self.http.take() {
            self.runtime.block_on(http.stop());
        }
    }
}

/// A machine that ends at once.
fn pass() -> Value {
    json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}})
}

/// A machine that waits for a long time.
fn wait() -> Value {
    json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 100_000, "End": true}}})
}
