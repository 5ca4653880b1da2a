//! `everstep serve` as a network service, `everstep token` and `everstep config show`.
#![cfg(feature = "cli")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Request, Stream};

pub(super) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everstep"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let variables = ["DATA", "LOG", "LISTEN", "HOSTS", "TOKENS", "TLS_CERT", "TLS_KEY", "INSECURE"];
    for variable in variables {
        command.env_remove(format!("EVERSTEP_{variable}"));
    }
    command
}

pub(super) fn ran(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

pub(super) fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A server under way. Dropping it kills it.
pub(super) struct Serving {
    pub(super) child: Child,
    pub(super) address: SocketAddr,
}

impl Serving {
    /// Asks it to stop.
    pub(super) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn serve(folder: &Path) -> Serving {
    serve_with(folder, &[])
}

pub(super) fn serve_with(folder: &Path, environment: &[(&str, &str)]) -> Serving {
    let arguments = ["--json", "serve", "--listen", "127.0.0.1:0"];
    let said = File::create(folder.join("said")).unwrap();
    let mut command = command(folder, &arguments);
    command.envs(environment.iter().copied());
    command.env("EVERSTEP_LOG", "warn,audit=info").stdout(Stdio::piped()).stderr(said);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["schema"], "everstep.listening/v1");
    let port = said["port"].as_u64().unwrap();
    assert_eq!(said["url"], format!("http://127.0.0.1:{port}"));
    let address = format!("{}:{port}", said["address"].as_str().unwrap()).parse().unwrap();
    Serving { child, address }
}

#[test]
fn serve_says_where_it_listens_and_stops_with_streams_open() {
    let folder = TempDir::new().unwrap();
    let mut serving = serve(folder.path());
    let get = |target: &str| Request::new(serving.address, "GET", target);
    assert_eq!(get("/readyz").send().body, "ready\n");
    assert!(get("/metrics").send().body.contains("everstep_store_bytes "));
    let mut stream = Stream::open(get("/api/v1/stream?topics=log"));
    serving.terminate();
    assert_eq!(stream.next().unwrap().event, "bye");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_manager_is_told_of_the_beginning_the_signs_of_life_and_the_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = command(folder.path(), &["serve", "--listen", "off", "--quiet"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000");
    let mut child = command.spawn().unwrap();
    let told = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let ready = told();
    assert!(ready.starts_with("READY=1\nSTATUS=everstep "), "{ready}");
    assert_eq!((told(), told()), ("WATCHDOG=1\n".to_owned(), "WATCHDOG=1\n".to_owned()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    while told() != "STOPPING=1\n" {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn log_lines_are_json_when_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let serving = serve_with(folder.path(), &[("EVERSTEP_LOG_FORMAT", "json")]);
    let put = Request::new(serving.address, "PUT", "/api/v1/workflows/w");
    assert_eq!(put.json(&json!({})).send().status, 422);
    drop(serving);
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ready = lines.iter().find(|line| line["target"] == "everstep").unwrap();
    assert!(ready["message"].as_str().unwrap().contains("is ready"), "{said}");
    let audit: Vec<&Value> = lines.iter().filter(|line| line["target"] == "audit").collect();
    assert_eq!(audit.len(), 1, "{said}");
    assert_eq!((&audit[0]["level"], &audit[0]["status"]), (&json!("INFO"), &json!(422)), "{said}");
}

#[test]
fn a_token_that_the_program_made_opens_the_server() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let arguments = ["--json", "token", "create", "ci", "--role", "operator", "--expires", "90d"];
    let made = document(&ran(at, &arguments));
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("everstep_") && made["expires_at"].is_string(), "{made}");
    let serving = serve(at);
    let put = || {
        let machine = json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}});
        Request::new(serving.address, "PUT", "/api/v1/workflows/w").json(&machine)
    };
    assert_eq!(put().send().status, 401);
    assert_eq!(put().token(token).send().status, 201);
    let listed = document(&ran(at, &["--json", "token", "list"]));
    assert_eq!(listed["items"][0]["name"], "ci");
    assert!(!listed.to_string().contains(token));
    assert!(ran(at, &["token", "revoke", "ci"]).status.success());
    assert_eq!(put().token(token).send().status, 401);
    assert_eq!(ran(at, &["token", "revoke", "ci"]).status.code(), Some(3));
    assert_eq!(ran(at, &["token", "create", "x", "--role", "king"]).status.code(), Some(2));
}

#[test]
fn the_log_says_who_did_what_and_never_holds_a_token() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let token = document(&ran(at, &["--json", "token", "create", "eve", "--role", "viewer"]));
    let token = token["token"].as_str().unwrap();
    let serving = serve(at);
    let put = |name: &str| Request::new(serving.address, "PUT", name).json(&json!({}));
    assert_eq!(put("/api/v1/workflows/mine").token(token).send().status, 403);
    assert_eq!(put("/api/v1/workflows/yours").send().status, 401);
    drop(serving);
    let said = std::fs::read_to_string(at.join("said")).unwrap();
    let line = |part: &str| {
        let line = said.lines().find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("{part} in {said}")).to_owned()
    };
    for part in
        ["audit", "eve", "viewer", "deploy_workflow", "status=403", "FORBIDDEN", "127.0.0.1"]
    {
        assert!(line("workflows/mine").contains(part), "{part} in {said}");
    }
    assert!(line("workflows/yours").contains("UNAUTHORIZED"), "{said}");
    assert!(!said.contains(token.trim_start_matches("everstep_")), "{said}");
}

#[test]
fn serve_refuses_the_network_without_tokens_and_tls() {
    let folder = TempDir::new().unwrap();
    let output = ran(folder.path(), &["serve", "--listen", "0.0.0.0:0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("[SERVER_EXPOSED]"), "{said}");
}

#[test]
fn the_first_place_that_says_something_counts() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let show = |environment: &[(&str, &str)]| {
        let mut command = command(at, &["--json", "config", "show"]);
        command.envs(environment.iter().copied());
        let settings = document(&command.output().unwrap())["items"].clone();
        let settings = settings.as_array().unwrap().clone();
        move |key: &str| {
            let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
            let text = |field: &str| setting[field].as_str().unwrap().to_owned();
            (text("value"), text("from"))
        }
    };
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    assert_eq!(show(&[])("server.listen"), pair("127.0.0.1:7979", "default"));
    std::fs::write(
        at.join("everstep.toml"),
        "[server]\nlisten = \"127.0.0.1:1234\"\n[limits]\nmap_items = 5\n",
    )
    .unwrap();
    let of = show(&[]);
    assert_eq!(of("server.listen"), pair("127.0.0.1:1234", "file"));
    assert_eq!(of("limits.map_items"), pair("5", "file"));
    assert_eq!(of("limits.child_depth"), pair("64", "default"));
    let of = show(&[("EVERSTEP_LISTEN", "off"), ("EVERSTEP_DATA", "/elsewhere")]);
    assert_eq!(of("server.listen"), pair("off", "environment"));
    assert_eq!(of("engine.data"), pair("/elsewhere", "environment"));
    std::fs::write(at.join("everstep.toml"), "[server]\nlisten = \"nowhere\"\n").unwrap();
    let output = ran(at, &["config", "show"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("[CONFIG_INVALID_VALUE]"));
}
