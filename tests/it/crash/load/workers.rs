//! Workers: half of them the library's, half of them a few lines over the wire, which are late,
//! repeat themselves, or fall silent with a job.

use std::sync::Arc;
use std::time::Duration;

use everstep::worker::remote::RemoteWorker;
use everstep::worker::{JobContext, JobError, Registry};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::line::Line;
use super::{Load, Told, breathe};
use crate::crash::chance::Chance;
use crate::crash::history::Attempt;

/// The shortest lease there is, in seconds.
const LEASE: u64 = 5;

pub(super) fn spawn(load: &Arc<Load>, clients: &mut JoinSet<()>, on: &Handle) {
    for n in 0..load.workers {
        if n % 2 == 0 {
            clients.spawn_on(library(load.clone(), n), on);
        } else {
            clients.spawn_on(by_hand(load.clone(), n), on);
        }
    }
}

async fn library(load: Arc<Load>, n: usize) {
    let mut registry = Registry::new();
    registry.handle(
        "double",
        |_: JobContext, number: u64| async move { Ok::<_, JobError>(number * 2) },
    );
    let builder = RemoteWorker::builder(format!("http://{}", load.address));
    let builder = builder.name(format!("library-{n}")).slots(1).registry(registry);
    // A job in an answer that a kill cut off is missed when its lease is over.
    let worker = builder.lease(Duration::from_secs(LEASE)).build().unwrap();
    let over = load.clone();
    let ended = worker.run(async move { over.over().await }).await.unwrap();
    assert_eq!(ended.undelivered, 0);
}

/// What a worker by hand does with a job.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    AtOnce,
    /// Tells it twice.
    Twice,
    /// Keeps it until another server has begun, and tells it then.
    OverARestart,
    /// Falls silent for longer than its lease, and tells it then.
    TooLate,
}

impl Manner {
    fn draw(chance: &mut Chance) -> Self {
        match chance.below(400) {
            0 => Self::TooLate,
            1..10 => Self::OverARestart,
            10..50 => Self::Twice,
            _ => Self::AtOnce,
        }
    }
}

async fn by_hand(load: Arc<Load>, n: usize) {
    let mut chance = Chance::seeded(load.seed.wrapping_add(u64::try_from(n).unwrap()));
    let mut line = Line::new(load.address);
    let name = format!("by-hand-{n}");
    let poll = json!({"worker": name, "types": ["double"], "max": 1, "wait_seconds": 20,
        "lease_seconds": LEASE});
    while load.goes_on() {
        let polled = tokio::select! {
            polled = line.ask("POST", "/api/v1/jobs/poll", &[], &poll) => polled,
            () = load.over() => return,
        };
        let jobs = match polled {
            Some((200, answer)) => answer["items"].as_array().unwrap().clone(),
            Some((503, _)) | None => {
                breathe().await;
                continue;
            }
            Some(other) => panic!("{name}: {other:?}"),
        };
        for job in &jobs {
            let manner = Manner::draw(&mut chance);
            wait(&load, manner).await;
            report(&load, &mut line, job).await;
            if manner == Manner::Twice {
                report(&load, &mut line, job).await;
            }
        }
    }
}

async fn wait(load: &Load, manner: Manner) {
    match manner {
        Manner::AtOnce | Manner::Twice => {}
        Manner::OverARestart => {
            let mut servers = load.servers.subscribe();
            let late = tokio::time::sleep(Duration::from_secs(LEASE / 2));
            tokio::select! {
                changed = servers.changed() => changed.unwrap(),
                () = late => {}
            }
        }
        Manner::TooLate => tokio::time::sleep(Duration::from_secs(LEASE * 2)).await,
    }
}

/// Tells a result until the server answers, and keeps what it said.
async fn report(load: &Load, line: &mut Line, job: &Value) {
    let output = job["input"].as_u64().unwrap() * 2;
    let done = json!({"token": job["token"], "output": output});
    let number = |field: &str| job[field].as_u64().unwrap();
    let attempt: Attempt =
        ((job["execution"].as_str().unwrap().to_owned(), number("job")), number("attempt"));
    loop {
        let told = match line.ask("POST", "/api/v1/jobs/complete", &[], &done).await {
            Some((200, _)) => Told::Took,
            Some((404 | 409 | 410, _)) => Told::Refused,
            Some((503, _)) | None => Told::Unanswered,
            Some(other) => panic!("{job}: {other:?}"),
        };
        load.reported.lock().unwrap().entry(attempt.clone()).or_default().push(told);
        if told != Told::Unanswered {
            return;
        }
        breathe().await;
    }
}
