//! What happens when something runs out: room on the disk, file descriptors, memory. The real program
//! is given little of it by the system, and judged from outside.

mod broken;
mod descriptors;
mod inputs;
mod queued;
mod room;

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::crash::place::{Place, Program};
use super::server::client::Request;

/// Starts the server under limits that a shell can set, as `ulimit -n 64`.
fn serve_under(place: &Place, limits: &str, arguments: &[&str]) -> Program {
    let mut server = place.spawn_under(limits, &[&["serve"], arguments].concat());
    server.says("is ready");
    server
}

/// A workflow of which every execution lives as long as a test.
fn wait() -> Value {
    json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86400, "End": true}}})
}

fn starts(address: SocketAddr, input: impl Into<Value>) -> Request {
    let body = json!({"workflow": "w", "input": input.into()});
    Request::new(address, "POST", "/api/v1/executions").json(&body)
}
