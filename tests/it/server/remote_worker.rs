//! Workers in other processes that the library and the program run, against real servers.
#![cfg(feature = "cli")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use everstep::worker::remote::{Ended, RemoteWorker};
use everstep::worker::{JobContext, JobError, Registry};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::Server;
use super::client::Request;

/// Handlers as any process has them.
fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.handle("double", |job: JobContext, number: u64| async move {
        job.progress(50, Some("half"));
        number.checked_mul(2).ok_or_else(|| JobError::new("TooBig", "over 64 bits"))
    });
    registry
}

fn machine() -> Value {
    json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "double", "Next": "B"},
        "B": {"Type": "Task", "Resource": "double", "End": true}}})
}

/// A worker under way; sending ends it.
fn work(
    runtime: &tokio::runtime::Runtime,
    address: SocketAddr,
    registry: Registry,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<Ended>) {
    let (end, ended) = oneshot::channel();
    let builder = RemoteWorker::builder(format!("http://{address}")).name("w1").slots(32);
    let worker = builder.registry(registry).build().unwrap();
    let running = runtime.spawn(async move {
        let end = async move { drop(ended.await) };
        worker.run(end).await.unwrap()
    });
    (end, running)
}

#[test]
fn one_handler_gives_the_same_here_and_afar() {
    let here = Server::with(|_| {}, |builder| builder.registry(registry()));
    let afar = Server::with(|_| {}, |builder| builder.remote_workers(true));
    let (end, running) = work(&afar.runtime, afar.address, registry());
    let outcomes = [&here, &afar].map(|server| {
        server.deploy("w", &machine());
        [json!(3), json!(u64::MAX), json!("none")].map(|input| {
            let id = server.start("w", input);
            let outcome = server.runtime.block_on(server.engine.result(id)).unwrap();
            (outcome.status, outcome.output, outcome.failure)
        })
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0][0].1.as_ref().unwrap().value(), json!(12));
    end.send(()).unwrap();
    let ended = afar.runtime.block_on(running).unwrap();
    assert_eq!((ended.unfinished, ended.undelivered), (0, 0));
}

/// A server in a process of its own. Dropping it is `kill -9`.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn everstep(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everstep"));
    command.current_dir(folder).env("EVERSTEP_LOG", "error").stdin(Stdio::null());
    command
}

fn serve(folder: &Path, address: SocketAddr) -> Serving {
    let mut command = everstep(folder);
    command.args(["--quiet", "serve", "--listen", &address.to_string()]);
    let serving = Serving(command.stdout(Stdio::null()).spawn().unwrap());
    while std::net::TcpStream::connect(address).is_err() {}
    serving
}

/// A port that is free now, and stays the server's over its restarts.
fn address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn completed(address: SocketAddr) -> usize {
    let list = Request::new(address, "GET", "/api/v1/executions?status=completed&limit=1000");
    list.send().json()["items"].as_array().unwrap().len()
}

#[test]
fn the_program_runs_bound_commands_for_a_server_elsewhere() {
    let (server_folder, folder, address) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), address());
    let serving = serve(server_folder.path(), address);
    let config = "[jobs.shout]\ncommand = [\"tr\", \"a-z\", \"A-Z\"]\n";
    std::fs::write(folder.path().join("everstep.toml"), config).unwrap();
    let mut worker = everstep(folder.path());
    worker.args(["--quiet", "worker", "--server", &format!("http://{address}"), "--name", "w1"]);
    let mut worker = Serving(worker.spawn().unwrap());
    let machine = json!({"StartAt": "A", "States":
        {"A": {"Type": "Task", "Resource": "shout", "End": true}}});
    let put = Request::new(address, "PUT", "/api/v1/workflows/w").json(&machine);
    assert_eq!(put.send().status, 201);
    let body = json!({"workflow": "w", "input": "hello"});
    let started = Request::new(address, "POST", "/api/v1/executions").json(&body).send();
    let id = started.json()["id"].as_str().unwrap().to_owned();
    while completed(address) < 1 {}
    let output = Request::new(address, "GET", &format!("/api/v1/executions/{id}/output"));
    assert_eq!(output.send().json(), json!("HELLO"));
    let pid = rustix::process::Pid::from_child(&worker.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    drop(serving);
}
