//! The server under load, killed or without power on the way: many workers that wait for jobs, many
//! streams that watch, and executions that flow.
//!
//! `EVERSTEP_LOAD` says how many workers there are, and as many streams; each stands for twenty
//! executions. What was acknowledged to whom is kept here, and judged by the log.

mod cuts;
mod judge;
mod line;
mod starters;
mod streams;
mod workers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use self::cuts::Below;
use self::line::Line;
use super::chance::{Chance, kills};
use super::history::Attempt;
use super::place::{Place, Program};
use super::until_within;
use crate::environment::number;

/// How long no execution may end. A kill may cut off the answers with all jobs that there are, and those
/// of workers that name no requests are missed a minute after the restart.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often a worker may be lost with an attempt.
const LIMITS: &str = "[limits]\nlost_attempts = 1000\n";

/// Jobs of an execution, one after the other.
const JOBS: usize = 2;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Took,
    Refused,
    /// There was no answer, so it may have been taken.
    Unanswered,
}

/// What all clients have in common.
struct Load {
    address: SocketAddr,
    seed: u64,
    workers: usize,
    executions: u64,
    /// Executions that may still begin before others end.
    window: Semaphore,
    /// Ids of acknowledged starts, with their inputs.
    started: Mutex<BTreeMap<String, u64>>,
    /// What became of each report of an attempt, in order.
    reported: Mutex<BTreeMap<Attempt, Vec<Told>>>,
    /// Executions whose end some stream has told.
    ended: AtomicU64,
    /// Cards that were watched to the end of their executions.
    watched: AtomicUsize,
    /// How often a server has begun; `OVER` when all is done.
    servers: watch::Sender<u64>,
}

/// In place of a number of servers: there is nothing more to do.
const OVER: u64 = u64::MAX;

impl Load {
    fn new(chance: &mut Chance, workers: usize) -> Self {
        let said = number("EVERSTEP_LOAD");
        let workers = said.map_or(workers, |said| usize::try_from(said).unwrap());
        // Free now, and the server's over its restarts.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            address: free.local_addr().unwrap(),
            seed: chance.below(u64::MAX),
            workers,
            executions: 20 * u64::try_from(workers).unwrap(),
            // Fewer than there are workers, so that some always wait.
            window: Semaphore::new(workers.div_ceil(2)),
            started: Mutex::default(),
            reported: Mutex::default(),
            ended: AtomicU64::new(0),
            watched: AtomicUsize::new(0),
            servers: watch::Sender::new(0),
        }
    }

    /// Whether there is something to do still.
    fn goes_on(&self) -> bool {
        *self.servers.borrow() != OVER
    }

    /// Waits until there is nothing to do any more.
    async fn over(&self) {
        drop(self.servers.subscribe().wait_for(|servers| *servers == OVER).await);
    }

    fn serve(&self, place: &Place, below: Option<&Below>) -> Program {
        let listen = self.address.to_string();
        let arguments = ["serve", "--listen", &listen];
        let mut server =
            below.map_or_else(|| place.spawn(&arguments), |below| below.spawn(place, &arguments));
        server.says("is ready");
        assert!(server.is_running(), "{}", server.said());
        self.servers.send_modify(|servers| *servers += 1);
        server
    }
}

#[test]
fn under_load_and_kill_9_nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let mut chance = Chance::new();
    let (place, load) = (Place::new(), Load::new(&mut chance, 40));
    place.write("everstep.toml", LIMITS);
    under_load(&place, load, chance, None);
}

#[test]
fn under_load_and_power_cuts_nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let mut chance = Chance::new();
    let (place, load) = (Place::new(), Load::new(&mut chance, 24));
    let below = Below::new(&place, &mut chance);
    place.write("everstep.toml", &format!("{LIMITS}[engine]\ndata = {:?}\n", below.data()));
    under_load(&place, load, chance, Some(below));
}

#[expect(clippy::print_stdout, reason = "what was done, for who asks to see it")]
fn under_load(place: &Place, load: Load, mut chance: Chance, mut below: Option<Below>) {
    let load = std::sync::Arc::new(load);
    let mut server = load.serve(place, below.as_ref());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(deploy(&load));
    let mut clients = JoinSet::new();
    let on = runtime.handle();
    starters::spawn(&load, &mut clients, on);
    workers::spawn(&load, &mut clients, on);
    streams::spawn(&load, &mut clients, on);
    let mut memory = 0;
    let kills = kills(4);
    for kill in 1..=kills {
        let enough = load.executions * kill / (kills + 1);
        progress(&load, enough);
        std::thread::sleep(chance.within_ms(300));
        memory = memory.max(server.peak_kib());
        assert!(server.kill(), "{}", server.said());
        if let Some(below) = &mut below {
            below.cut();
        }
        server = load.serve(place, below.as_ref());
    }
    progress(&load, load.executions);
    memory = memory.max(server.peak_kib());
    load.servers.send_replace(OVER);
    runtime.block_on(async {
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    });
    server.terminate();
    assert_eq!(server.ended().status.code(), Some(0));
    let effective = judge::judge(&load, &place.history());
    place.ran(&["log", "verify"], 0);
    println!(
        "{} workers, {} streams, {} executions, {kills} {}: {effective} jobs done, {} cards \
         watched to the end, at most {} MiB",
        load.workers,
        load.workers,
        load.executions,
        if below.is_some() { "power cuts" } else { "kills" },
        load.watched.load(Ordering::SeqCst),
        memory / 1024,
    );
}

/// Real time for the other process to come back.
async fn breathe() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Waits until so many executions have ended, however long that takes as long as some do.
fn progress(load: &Load, enough: u64) {
    loop {
        let before = load.ended.load(Ordering::SeqCst);
        if before >= enough {
            return;
        }
        let some_end = || (load.ended.load(Ordering::SeqCst) > before).then_some(());
        until_within(PATIENCE, "executions end", some_end);
    }
}

async fn deploy(load: &Load) {
    let machine = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "double", "Next": "B"},
        "B": {"Type": "Task", "Resource": "double", "End": true}}});
    let mut line = Line::new(load.address);
    let answer = line.ask("PUT", "/api/v1/workflows/w", &[], &machine).await;
    assert_eq!(answer.map(|(status, _)| status), Some(201));
}
