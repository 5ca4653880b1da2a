//! `everstep worker`: bound commands for a server elsewhere, here one of a few lines.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::Place;

/// What nothing here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The head of a request and its document.
type Asked = (String, Value);

/// Gives one job, and takes all reports. Later requests for jobs are told, and get no answer.
fn serve(listener: &TcpListener, seen: &Sender<Asked>) {
    for stream in listener.incoming() {
        let (stream, seen) = (stream.unwrap(), seen.clone());
        std::thread::spawn(move || connection(stream, &seen));
    }
}

fn connection(mut stream: TcpStream, seen: &Sender<Asked>) {
    while let Some((head, document)) = read(&mut stream) {
        let answer = if head.starts_with("POST /api/v1/jobs/report ") {
            let count = document["reports"].as_array().unwrap().len();
            json!({"items": vec![json!({"ok": true, "cancel": false}); count]})
        } else if document["max"] == 3 {
            json!({"items": [{
                "token": "a token", "execution": "019a0000-0000-7000-8000-000000000001", "job": 1,
                "attempt": 1, "type": "greet", "input": {}, "lease_seconds": 60,
                "heartbeat_seconds": null,
            }]})
        } else {
            json!(null)
        };
        // The test has ended when nobody listens.
        drop(seen.send((head, document)));
        if answer.is_null() {
            continue;
        }
        let body = answer.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        drop(stream.write_all((head + &body).as_bytes()));
    }
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).unwrap()))
}

/// The next request whose path ends so.
fn next(seen: &Receiver<Asked>, path: &str) -> Asked {
    loop {
        let asked = seen.recv_timeout(PATIENCE).unwrap();
        if asked.0.starts_with(&format!("POST /api/v1/jobs/{path} ")) {
            return asked;
        }
    }
}

#[test]
fn a_bound_command_runs_for_a_server_elsewhere_until_the_worker_is_told_to_stop() {
    let place = Place::new();
    place.write("token", "everstep_secret\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, seen) = channel();
    std::thread::spawn(move || serve(&listener, &sender));
    let arguments =
        ["worker", "--server", &url, "--token-file", "token", "--slots", "3", "--name", "mine"];
    let mut command = place.command(&arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();

    let (head, poll) = next(&seen, "poll");
    assert!(head.contains("authorization: Bearer everstep_secret\r\n"), "{head}");
    assert_eq!(poll["types"], json!(["fail", "greet", "note"]));
    assert_eq!((&poll["worker"], &poll["wait_seconds"]), (&json!("mine"), &json!(20)));
    let mut kinds = Vec::new();
    let completed = loop {
        let (_, document) = next(&seen, "report");
        let reports = document["reports"].as_array().unwrap().clone();
        kinds.extend(reports.iter().map(|report| report["kind"].clone()));
        if let Some(end) = reports.iter().find(|report| report["kind"] == "completed") {
            break end.clone();
        }
    };
    assert_eq!(completed["output"], json!({"text": "hello"}));
    assert!(kinds.contains(&json!("progress")), "{kinds:?}");

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let code = child.wait().unwrap().code();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("mine works for http://127.0.0.1:"), "{said}");
    assert!(said.contains("all that it had is done"), "{said}");
    assert!(!said.contains("secret") && !said.contains("a token"), "{said}");
}

#[test]
fn what_keeps_a_worker_from_its_work_is_said() {
    let place = Place::new();
    let fails = |arguments: &[&str], code: &str| {
        let output = place.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(code), "{code} in {said}");
    };
    fails(&["worker", "--server", "localhost:7979"], "[WORKER_URL]");
    fails(&["worker", "--server", "http://localhost", "--slots", "0"], "[WORKER_SETTINGS]");
    let token = ["worker", "--server", "http://localhost", "--token-file", "gone"];
    fails(&token, "[TOKEN_UNREADABLE]");
    place.write("gone", "\n");
    fails(&token, "[TOKEN_UNREADABLE]");
    fails(&["worker", "--server", "https://localhost", "--ca", "everstep.toml"], "[WORKER_TLS]");
}
