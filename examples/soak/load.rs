//! What clients do: start, look, watch, cancel, hang up, and delete what has ended.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::task::AbortHandle;

use super::client::Client;

/// How long what has ended is kept.
const KEPT: Duration = Duration::from_secs(120);
/// How long one that waits is let alone before it is cancelled.
const WAITS: Duration = Duration::from_secs(30);
/// Clients that start executions, in turn.
const STARTERS: u64 = 4;

/// Jobs, a retry, a wait, a Map and branches.
const ORDER: &str = r#"{"StartAt": "Work", "States": {
  "Work": {"Type": "Task", "Resource": "work", "Next": "Again"},
  "Again": {"Type": "Task", "Resource": "unreliable", "Next": "Rest",
    "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]},
  "Rest": {"Type": "Wait", "Seconds": 2, "Next": "Each"},
  "Each": {"Type": "Map", "ItemsPath": "$.text", "ResultPath": "$.each", "Next": "Both",
    "ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": true}}}},
  "Both": {"Type": "Parallel", "End": true, "Branches": [
    {"StartAt": "Left", "States": {"Left": {"Type": "Task", "Resource": "work", "End": true}}},
    {"StartAt": "Right", "States": {"Right": {"Type": "Pass", "End": true}}}]}}}"#;
/// An execution that begins others: a Task, and a distributed Map of three.
const PARENT: &str = r#"{"StartAt": "Child", "States": {
  "Child": {"Type": "Task", "Resource": "states:startExecution.sync:2", "ResultPath": "$.child",
    "Parameters": {"StateMachineArn": "child", "Input": {"order": 1, "text": ["a"]}},
    "Next": "Parts"},
  "Parts": {"Type": "Map", "ItemsPath": "$.text", "End": true, "ItemProcessor": {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "Part", "States": {"Part": {"Type": "Pass", "End": true}}}}}}"#;
const CHILD: &str = r#"{"StartAt": "Work", "States": {
  "Work": {"Type": "Task", "Resource": "work", "End": true}}}"#;
/// It is cancelled long before it would end.
const WAITING: &str = r#"{"StartAt": "Wait", "States": {
  "Wait": {"Type": "Wait", "Seconds": 86400, "End": true}}}"#;

/// What is looked at, one after the other. `{id}` is an execution that began lately.
const LOOKS: [&str; 11] = [
    "/api/v1/executions?limit=50",
    "/api/v1/executions?status=unfinished&totals=true",
    "/api/v1/executions?workflow=order&limit=20&q=o",
    "/api/v1/workflows?last_day=true",
    "/api/v1/job-types",
    "/api/v1/workers",
    "/metrics",
    "/api/v1/executions/{id}",
    "/api/v1/executions/{id}/events",
    "/api/v1/executions/{id}/timeline",
    "/api/v1/executions/{id}/why",
];

#[derive(Default)]
pub(crate) struct Counts {
    starts: AtomicU64,
    cancels: AtomicU64,
    looks: AtomicU64,
    watched: AtomicU64,
    deleted: AtomicU64,
    hung_up: AtomicU64,
    events: AtomicU64,
    faults: AtomicU64,
}

impl Counts {
    /// Executions that clients began and have not deleted.
    pub(crate) fn live(&self) -> u64 {
        self.starts().saturating_sub(self.deleted.load(Ordering::SeqCst))
    }

    pub(crate) fn starts(&self) -> u64 {
        self.starts.load(Ordering::SeqCst)
    }

    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::SeqCst)
    }

    pub(crate) fn print(&self) {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        println!(
            "{} started, {} cancelled, {} deleted, {} looks, {} watched to the end, {} events \
             followed, {} connections cut off",
            of(&self.starts),
            of(&self.cancels),
            of(&self.deleted),
            of(&self.looks),
            of(&self.watched),
            of(&self.events),
            of(&self.hung_up),
        );
    }
}

pub(crate) struct Load {
    address: SocketAddr,
    pub(crate) counts: Counts,
    /// How long starts took that were acknowledged since somebody asked.
    times: Mutex<Vec<Duration>>,
    /// Executions that clients began and have not deleted.
    started: Mutex<BTreeMap<String, Instant>>,
    /// Those that wait, in the order of their starts.
    waiting: Mutex<VecDeque<(Instant, String)>>,
    /// What has ended, in that order; children too.
    ended: Mutex<VecDeque<(Instant, String)>>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Load {
    pub(crate) fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            counts: Counts::default(),
            times: Mutex::default(),
            started: Mutex::default(),
            waiting: Mutex::default(),
            ended: Mutex::default(),
            tasks: Mutex::default(),
        })
    }

    pub(crate) fn take_times(&self) -> Vec<Duration> {
        std::mem::take(&mut self.times.lock().unwrap())
    }

    pub(crate) fn stop(&self) {
        self.tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
    }

    fn newest(&self) -> Option<String> {
        self.started.lock().unwrap().last_key_value().map(|(id, _)| id.clone())
    }

    /// Notes what must not happen.
    fn fault(&self, what: &str, told: &dyn std::fmt::Debug) {
        self.counts.faults.fetch_add(1, Ordering::SeqCst);
        println!("FAULT: {what}: {told:?}");
    }

    /// Asks, and gives the answer where the status is one of these.
    async fn ask(
        &self,
        client: &mut Client,
        (method, path): (&str, &str),
        body: Option<&Value>,
        expected: &[StatusCode],
    ) -> Option<(StatusCode, Value)> {
        let told = client.ask(method, path, body).await;
        if let Ok((status, _)) = &told
            && expected.contains(status)
        {
            return told.ok();
        }
        self.fault(&format!("{method} {path}"), &told);
        None
    }
}

pub(crate) async fn deploy(load: &Load) {
    let mut client = Client::new(load.address);
    let workflows = [("order", ORDER), ("parent", PARENT), ("child", CHILD), ("waiting", WAITING)];
    for (name, text) in workflows {
        let (path, definition) =
            (format!("/api/v1/workflows/{name}"), serde_json::from_str(text).unwrap());
        let taken = [StatusCode::OK, StatusCode::CREATED];
        load.ask(&mut client, ("PUT", &path), Some(&definition), &taken).await.unwrap();
    }
}

/// Lets all clients begin.
pub(crate) fn spawn(load: &Arc<Load>, rate: u64) {
    let mut tasks = load.tasks.lock().unwrap();
    for first in 0..STARTERS {
        tasks.push(tokio::spawn(start(load.clone(), first, rate)).abort_handle());
    }
    tasks.push(tokio::spawn(follow(load.clone())).abort_handle());
    tasks.push(tokio::spawn(watch(load.clone())).abort_handle());
    tasks.push(tokio::spawn(rows(load.clone())).abort_handle());
    tasks.push(tokio::spawn(look(load.clone())).abort_handle());
    tasks.push(tokio::spawn(cancel(load.clone())).abort_handle());
    tasks.push(tokio::spawn(delete(load.clone())).abort_handle());
    tasks.push(tokio::spawn(hang_up(load.clone())).abort_handle());
}

/// Starts at fixed moments, however long an answer takes: a start that had to wait for the one
/// before counts from when it was due.
async fn start(load: Arc<Load>, first: u64, rate: u64) {
    let mut client = Client::new(load.address);
    let between = Duration::from_secs(1) / rate as u32;
    let began = tokio::time::Instant::now();
    for n in (first..).step_by(STARTERS as usize) {
        let due = began + between * n as u32;
        tokio::time::sleep_until(due).await;
        let workflow = match n % 10 {
            0 => "parent",
            1 => "waiting",
            _ => "order",
        };
        let input = json!({"order": n, "text": ["an order", "of some words", "to be worked on"]});
        let body = json!({"workflow": workflow, "name": format!("o-{n}"), "input": input});
        let path = "/api/v1/executions";
        let told = load.ask(&mut client, ("POST", path), Some(&body), &[StatusCode::CREATED]).await;
        let Some((_, card)) = told else { continue };
        load.times.lock().unwrap().push(due.elapsed());
        load.counts.starts.fetch_add(1, Ordering::SeqCst);
        let id = card["id"].as_str().unwrap().to_owned();
        if workflow == "waiting" {
            load.waiting.lock().unwrap().push_back((Instant::now(), id.clone()));
        }
        load.started.lock().unwrap().insert(id, Instant::now());
    }
}

/// Follows the log, and notes what ends.
async fn follow(load: Arc<Load>) {
    let mut client = Client::new(load.address);
    let mut news = client.stream("log").await.unwrap();
    while let Some(event) = news.next().await {
        load.counts.events.fetch_add(1, Ordering::SeqCst);
        let name = event["event"].as_str().unwrap_or_default();
        match name {
            "ExecutionCompleted" | "ExecutionCancelled" => {
                let id = event["execution"].as_str().unwrap().to_owned();
                load.ended.lock().unwrap().push_back((Instant::now(), id));
            }
            "ExecutionFailed" | "ExecutionTimedOut" => load.fault("an execution failed", &event),
            _ => {}
        }
    }
    load.fault("the log's stream ended", &());
}

/// Watches one execution to its end, then another.
async fn watch(load: Arc<Load>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Some(id) = load.newest() else { continue };
        // One of those that wait is seen to its end when it is cancelled.
        let mut client = Client::new(load.address);
        let mut news = match client.stream(&format!("execution:{id}")).await {
            Ok(news) => news,
            Err(why) => {
                load.fault("a card", &why);
                continue;
            }
        };
        while let Some(card) = news.next().await {
            if card["ended_at"].is_string() {
                load.counts.watched.fetch_add(1, Ordering::SeqCst);
                break;
            }
        }
    }
}

/// Takes the rows of a list as they change.
async fn rows(load: Arc<Load>) {
    let mut client = Client::new(load.address);
    let mut news = client.stream("executions").await.unwrap();
    while news.next().await.is_some() {}
    load.fault("the stream of rows ended", &());
}

async fn look(load: Arc<Load>) {
    let mut client = Client::new(load.address);
    for path in LOOKS.iter().cycle() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let Some(id) = load.newest() else { continue };
        let path = path.replace("{id}", &id);
        load.ask(&mut client, ("GET", &path), None, &[StatusCode::OK]).await;
        load.counts.looks.fetch_add(1, Ordering::SeqCst);
    }
}

/// Gives the first of a line that has been in it for so long, once it has.
async fn after(line: &Mutex<VecDeque<(Instant, String)>>, long: Duration) -> String {
    let take = || {
        let mut line = line.lock().unwrap();
        line.pop_front_if(|(since, _)| since.elapsed() >= long)
    };
    loop {
        match take() {
            Some((_, id)) => return id,
            None => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn cancel(load: Arc<Load>) {
    let mut client = Client::new(load.address);
    loop {
        let id = after(&load.waiting, WAITS).await;
        let path = format!("/api/v1/executions/{id}/cancel");
        let reason = json!({"reason": "nobody waits for it"});
        load.ask(&mut client, ("POST", &path), Some(&reason), &[StatusCode::OK]).await;
        load.counts.cancels.fetch_add(1, Ordering::SeqCst);
    }
}

async fn delete(load: Arc<Load>) {
    let mut client = Client::new(load.address);
    loop {
        let id = after(&load.ended, KEPT).await;
        // Children go with their parents.
        if load.started.lock().unwrap().remove(&id).is_none() {
            continue;
        }
        let path = format!("/api/v1/executions/{id}?children=true");
        load.ask(&mut client, ("DELETE", &path), None, &[StatusCode::OK]).await;
        load.counts.deleted.fetch_add(1, Ordering::SeqCst);
    }
}

/// Connects, says half of what it wants, and is gone.
async fn hang_up(load: Arc<Load>) {
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let Ok(mut stream) = tokio::net::TcpStream::connect(load.address).await else {
            load.fault("cannot connect", &load.address);
            continue;
        };
        let half = format!(
            "POST /api/v1/executions HTTP/1.1\r\nhost: {}\r\ncontent-length: 100\r\n\r\n{{",
            load.address
        );
        drop(stream.write_all(half.as_bytes()).await);
        load.counts.hung_up.fetch_add(1, Ordering::SeqCst);
    }
}
