//! A server of a few lines, which answers as a test says.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::wire::{POLL, REPORT};
use crate::worker::command::testing::DEADLINE;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The connection ends before anything is done.
    HangUp,
    /// It is done, and the connection ends in the middle of the answer.
    CutOff,
    /// It is refused with a status and a code.
    Status(u16, &'static str),
    /// The reports are answered with a code that says that they may come again.
    Passing(&'static str),
}

#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: VecDeque<Value>,
    /// What goes wrong with the next requests to a path.
    pub(super) faults: VecDeque<(&'static str, Fault)>,
    /// Jobs that should stop.
    pub(super) cancel: HashSet<String>,
    /// Jobs that are no longer the worker's.
    pub(super) stale: HashSet<String>,
    /// The first end of each job that was told: the one with effect.
    pub(super) ends: HashMap<String, Value>,
    /// Reports that were taken, as they came.
    pub(super) reports: Vec<Value>,
    /// The largest body of reports that is taken.
    pub(super) largest: Option<usize>,
    pub(super) polls: Vec<Value>,
    pub(super) report_requests: usize,
    pub(super) draining: bool,
    /// Whether waiting polls are answered with nothing.
    pub(super) lets_go: bool,
    pub(super) authorization: Option<String>,
}

pub(super) struct Server {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    pub(super) address: SocketAddr,
    open: Option<JoinSet<()>>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server =
            Self { state: Arc::default(), changed: watch::Sender::new(()), address, open: None };
        server.serve(listener);
        server
    }

    fn serve(&mut self, listener: TcpListener) {
        let (state, changed) = (self.state.clone(), self.changed.clone());
        let mut open = JoinSet::new();
        open.spawn(async move {
            // Dropped with this task, and so are the connections.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = Served { state: state.clone(), changed: changed.clone(), stream };
                connections.spawn(connection.run());
            }
        });
        self.open = Some(open);
    }

    /// Every connection breaks, and new ones are refused.
    pub(super) async fn go_away(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.shutdown().await;
        }
    }

    pub(super) async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn set<T>(&self, set: impl FnOnce(&mut State) -> T) -> T {
        let result = set(&mut self.state.lock().unwrap());
        self.changed.send_replace(());
        result
    }

    /// Offers a job, whose token is `token N`.
    pub(super) fn offer(&self, number: u32, job_type: &str, input: &Value) {
        self.offer_with(number, job_type, input, &json!(null));
    }

    pub(super) fn offer_with(&self, number: u32, job_type: &str, input: &Value, beat: &Value) {
        let job = json!({
            "token": format!("token {number}"), "job": number, "attempt": 1, "type": job_type,
            "execution": uuid::Uuid::from_u128(7).to_string(), "input": input,
            "lease_seconds": 60, "heartbeat_seconds": beat,
        });
        self.set(|state| state.jobs.push_back(job));
    }

    /// Waits until something is so, and gives what that is.
    pub(super) async fn until<T>(&self, found: impl Fn(&State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = found(&self.state.lock().unwrap()) {
                    break found;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("it never happened")
    }

    /// Waits for the end of a job.
    pub(super) async fn end(&self, number: u32) -> Value {
        let token = format!("token {number}");
        self.until(|state| state.ends.get(&token).cloned()).await
    }
}

/// A connection.
struct Served {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    stream: TcpStream,
}

impl Served {
    async fn run(mut self) {
        while let Some((path, body)) = self.read().await {
            let fault = {
                let mut state = self.state.lock().unwrap();
                let at = state.faults.iter().position(|(of, _)| *of == path);
                at.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault)
            };
            if matches!(fault, Some(Fault::HangUp)) {
                self.changed.send_replace(());
                break;
            }
            let (status, answer) = match (fault, path.as_str()) {
                (Some(Fault::Status(status, code)), _) => (status, problem(code)),
                (_, POLL) => (200, self.poll(&body).await),
                (_, REPORT) => self.report(&body, fault),
                _ => (404, problem("NO_SUCH_ROUTE")),
            };
            self.changed.send_replace(());
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
            let mut bytes = (head + &answer).into_bytes();
            if matches!(fault, Some(Fault::CutOff)) {
                bytes.truncate(bytes.len() - 5);
                drop(self.stream.write_all(&bytes).await);
                break;
            }
            if self.stream.write_all(&bytes).await.is_err() {
                break;
            }
        }
    }

    async fn read(&mut self) -> Option<(String, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let mut body = vec![0; header("content-length").unwrap().parse().unwrap()];
        self.stream.read_exact(&mut body).await.ok()?;
        self.state.lock().unwrap().authorization = header("authorization").map(str::to_owned);
        let path = head.split(' ').nth(1).unwrap().to_owned();
        Some((path, String::from_utf8(body).unwrap()))
    }

    async fn poll(&self, body: &str) -> Value {
        let request: Value = serde_json::from_str(body).unwrap();
        let mut changed = self.changed.subscribe();
        self.state.lock().unwrap().polls.push(request.clone());
        self.changed.send_replace(());
        loop {
            if let Some(answer) = given(&mut self.state.lock().unwrap(), &request) {
                return answer;
            }
            changed.changed().await.unwrap();
        }
    }

    fn report(&self, body: &str, fault: Option<Fault>) -> (u16, Value) {
        let mut state = self.state.lock().unwrap();
        state.report_requests += 1;
        if state.largest.is_some_and(|largest| body.len() > largest) {
            return (413, problem("BODY_TOO_LARGE"));
        }
        let request: Value = serde_json::from_str(body).unwrap();
        let reports = request["reports"].as_array().unwrap();
        let answers = reports.iter().map(|report| match fault {
            Some(Fault::Passing(code)) => json!({"ok": false, "code": code, "detail": "later"}),
            _ => taken(&mut state, report),
        });
        let answers: Vec<Value> = answers.collect();
        (200, json!({"schema": "everstep.reports/v1", "items": answers}))
    }
}

/// What a poll gets now; nothing when it has to wait.
fn given(state: &mut State, request: &Value) -> Option<Value> {
    let types: Vec<&str> =
        request["types"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let most = usize::try_from(request["max"].as_u64().unwrap()).unwrap();
    let mut items = Vec::new();
    let mut rest = VecDeque::new();
    while let Some(job) = state.jobs.pop_front() {
        let fits = items.len() < most && types.contains(&job["type"].as_str().unwrap());
        if fits { items.push(job) } else { rest.push_back(job) }
    }
    state.jobs = rest;
    let (draining, over) = (state.draining, state.lets_go || state.draining);
    (over || !items.is_empty())
        .then(|| json!({"schema": "everstep.jobs/v1", "items": items, "draining": draining}))
}

fn taken(state: &mut State, report: &Value) -> Value {
    let token = report["token"].as_str().unwrap().to_owned();
    if state.stale.contains(&token) || state.ends.contains_key(&token) {
        return json!({"ok": false, "code": "STALE_TOKEN", "detail": "it is another's"});
    }
    state.reports.push(report.clone());
    if !matches!(report["kind"].as_str().unwrap(), "heartbeat" | "progress") {
        state.ends.insert(token.clone(), report.clone());
    }
    json!({"ok": true, "cancel": state.cancel.contains(&token)})
}

fn problem(code: &str) -> Value {
    json!({"code": code, "detail": "as the test says"})
}
