//! Live news as server-sent events.
//!
//! The id of a message is a position of the log, such that everything up to it was told: whoever
//! comes back with it misses nothing, and may be told some things again. Views are told at most ten
//! times a second; what happened in between is in the last of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval_at, sleep_until};

use super::super::http::{
    Access, Answer, App, Call, GATHER, Given, Kind, MOST_ROWS, News, Outlet, Param, Problem, Role,
    Route, channel, of_type, rows, with,
};
use super::execution::card;
use super::log::{MOST_FOLLOWED, no_seat};
use crate::engine::ExecutionId;
use crate::runtime::Record;
use crate::view::Following;

/// Executions that one stream may watch.
const MOST_WATCHED: usize = 64;
/// The longest list of topics.
const MOST_TOPICS: usize = 4096;
/// Messages that may wait for the reader. Who reads slower than things happen is not told all of it
/// late, but from time to time how things stand.
const WAITING: usize = 16;
/// Events that a stream of views looks at to find what changed while its reader was away; with more
/// it is told to ask anew.
const MOST_MISSED: u64 = 20_000;
/// Events read at once.
const READ: usize = 512;

const QUERY: &[Param] = &[
    Param::required(
        "topics",
        Kind::Text(MOST_TOPICS),
        "With commas between them: `log` (every event), `executions` (rows of the list as they \
         change), `execution:ID` (the card of one execution as it changes).",
    ),
    Param::new(
        "after",
        Kind::Number(u64::MAX),
        "Begin after this position of the log; after what is the last now unless said. The header \
         `Last-Event-ID`, which browsers send when they come back, goes before it.",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/api/v1/stream", "stream", stream)
            .about(
                "Live news as server-sent events: `log`, `executions`, `execution`; `resync` when so \
                 much was missed that views should be asked for anew; `bye` when the server stops.",
            )
            .query(QUERY)
            .gives(Given::Other("text/event-stream")),
    ]
}

/// What a stream tells.
#[derive(Default)]
struct Topics {
    log: bool,
    executions: bool,
    watched: BTreeSet<ExecutionId>,
}

impl Topics {
    async fn read(call: &Call) -> Result<Self, Problem> {
        let mut topics = Self::default();
        for topic in call.query.words("topics") {
            match (topic, topic.strip_prefix("execution:")) {
                ("log", _) => topics.log = true,
                ("executions", _) => topics.executions = true,
                (_, Some(id)) => {
                    let id = call.app.engine.find(id).await?;
                    call.app.engine.execution(id).await?;
                    topics.watched.insert(id);
                }
                _ => return Err(unknown(topic)),
            }
        }
        if topics.watched.len() > MOST_WATCHED {
            let detail = format!("a stream watches at most {MOST_WATCHED} executions");
            return Err(Problem::bad_request(detail));
        }
        if !topics.log && !topics.executions && topics.watched.is_empty() {
            return Err(unknown(""));
        }
        Ok(topics)
    }
}

fn unknown(topic: &str) -> Problem {
    Problem::bad_request(format!("there is no topic {topic:?}"))
        .hint("topics are log, executions and execution:ID")
}

async fn stream(call: Call) -> Answer {
    let topics = Topics::read(&call).await?;
    let last_id = call.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = match last_id {
        Some(id) => id.parse().map_err(|_| Problem::bad_request("Last-Event-ID is no position"))?,
        None => call.query.number("after").unwrap_or_else(|| call.app.engine.last_position()),
    };
    let seat = call.app.seats.take(&call.principal.name).ok_or_else(no_seat)?;
    let (outlet, body) = channel(WAITING);
    let news = call.app.hub.join();
    let after = after.min(call.app.engine.last_position());
    let teller = Teller {
        app: call.app.clone(),
        outlet,
        topics,
        following: Following::up_to(MOST_FOLLOWED),
        read: after,
        rows: after,
        changed: BTreeSet::new(),
        due: None,
    };
    tokio::spawn(async move {
        teller.run(news).await;
        drop(seat);
    });
    let response = of_type("text/event-stream", body);
    let response = with(response, CACHE_CONTROL, "no-store, no-transform");
    Ok(with(response, HeaderName::from_static("x-accel-buffering"), "no"))
}

/// The reader is gone, or the engine has stopped.
struct Over;

/// Tells one reader what it wants to know.
struct Teller {
    app: Arc<App>,
    outlet: Outlet,
    topics: Topics,
    following: Following,
    /// Records up to here were looked at, for the log and for executions that are watched.
    read: u64,
    /// Rows were told of everything up to here.
    rows: u64,
    /// Watched executions to which something happened that was not told yet.
    changed: BTreeSet<ExecutionId>,
    /// When that is told, and up to where everything about them was told before.
    due: Option<(Instant, u64)>,
}

impl Teller {
    async fn run(mut self, news: broadcast::Receiver<News>) {
        let (app, outlet) = (self.app.clone(), self.outlet.clone());
        tokio::select! {
            _ = self.tell(news) => {}
            // Without waiting for something to tell, which can be long; its seat is free at once.
            () = outlet.closed() => {}
            () = app.stopped() => {
                let bye = Bytes::from_static(b"event: bye\ndata: {}\n\n");
                drop(outlet.try_send(Ok(bye)));
            }
        }
    }

    async fn tell(&mut self, mut news: broadcast::Receiver<News>) -> Result<(), Over> {
        self.send(Bytes::from_static(b"retry: 1000\n\n")).await?;
        // How things stand, so that nothing else need be asked for.
        self.changed = self.topics.watched.clone();
        self.tell_changed().await?;
        self.catch_up().await?;
        let pause = self.app.settings.limits.keep_alive;
        let mut alive = interval_at(Instant::now() + pause, pause);
        loop {
            let due = self.due;
            let wait = async {
                match due {
                    Some((due, _)) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = news.recv() => match heard {
                    Ok(news) => self.hear(news).await?,
                    // The reader is slower than things happen.
                    Err(RecvError::Lagged(_)) => self.catch_up().await?,
                    Err(RecvError::Closed) => return Err(Over),
                },
                () = wait => self.tell_changed().await?,
                _ = alive.tick() => self.send(Bytes::from_static(b": alive\n\n")).await?,
            }
        }
    }

    async fn hear(&mut self, news: News) -> Result<(), Over> {
        match news {
            News::Records(records) => {
                if let Some(first) = records.first() {
                    self.read_to(first.position.saturating_sub(1)).await?;
                }
                self.take(&records).await
            }
            News::Rows { covers, after, rows } => {
                self.read_to(after).await?;
                self.find_rows_to(after).await?;
                self.tell_rows(covers, &rows).await
            }
            News::Resync { covers } => self.resync(covers).await,
        }
    }

    /// Tells what happened up to now, from the log itself.
    async fn catch_up(&mut self) -> Result<(), Over> {
        let last = self.app.engine.last_position();
        self.find_rows_to(last).await?;
        self.read_to(last).await
    }

    fn reads_records(&self) -> bool {
        self.topics.log || !self.topics.watched.is_empty()
    }

    /// Looks at the records that were not looked at yet.
    async fn read_to(&mut self, last: u64) -> Result<(), Over> {
        if !self.topics.log && last.saturating_sub(self.read) > MOST_MISSED {
            // Whatever happened to those that are watched is in their cards.
            self.read = last;
            self.changed = self.topics.watched.clone();
            return self.tell_changed().await;
        }
        while self.reads_records() && self.read < last {
            let records = self.app.engine.log(self.read + 1, READ).await.map_err(|_| Over)?;
            if records.is_empty() {
                return Err(Over);
            }
            self.take(&records).await?;
        }
        Ok(())
    }

    async fn take(&mut self, records: &[Record]) -> Result<(), Over> {
        if !self.reads_records() {
            return Ok(());
        }
        let seen = self.read;
        for record in records.iter().filter(|record| record.position > seen) {
            let id = ExecutionId(record.stream);
            if self.topics.watched.contains(&id) {
                self.changed.insert(id);
                let told = self.read;
                self.due = self.due.or_else(|| Some((Instant::now() + GATHER, told)));
            }
            self.read = record.position;
            if self.topics.log {
                let document = self.following.document(record);
                self.message("log", &document).await?;
            }
        }
        Ok(())
    }

    /// Tells how the executions stand to which something happened.
    async fn tell_changed(&mut self) -> Result<(), Over> {
        let changed = std::mem::take(&mut self.changed);
        for id in &changed {
            match card(&self.app.engine, *id, self.app.now()).await {
                Ok(card) => self.message("execution", &card).await?,
                Err(problem) if problem.is_gone() => {
                    // There is nothing more to tell of it, but of the others.
                    self.topics.watched.remove(id);
                    let gone = json!({"id": id.to_string(), "deleted": true});
                    self.message("deleted", &gone).await?;
                }
                Err(_) => return Err(Over),
            }
        }
        self.due = None;
        self.told().await
    }

    /// Makes rows of everything up to `last` that was not told.
    async fn find_rows_to(&mut self, last: u64) -> Result<(), Over> {
        if !self.topics.executions || self.rows >= last {
            return Ok(());
        }
        if last - self.rows > MOST_MISSED {
            return self.resync(last).await;
        }
        let (engine, mut changed, mut read) = (&self.app.engine, BTreeSet::new(), self.rows);
        while read < last {
            let records = engine.log(read + 1, READ).await.map_err(|_| Over)?;
            read = records.last().ok_or(Over)?.position;
            let of_executions = records.iter().filter(|record| record.event.is_of_execution());
            changed.extend(of_executions.map(|record| ExecutionId(record.stream)));
        }
        if changed.len() > MOST_ROWS {
            return self.resync(read).await;
        }
        let rows = rows(engine, changed).await.ok_or(Over)?;
        self.tell_rows(read, &rows).await
    }

    async fn tell_rows(&mut self, covers: u64, rows: &[Bytes]) -> Result<(), Over> {
        if !self.topics.executions || covers <= self.rows {
            return Ok(());
        }
        for row in rows {
            let parts: [&[u8]; 3] = [b"event: executions\ndata: ", row, b"\n\n"];
            self.send(Bytes::from(parts.concat())).await?;
        }
        self.rows = covers;
        self.told().await
    }

    /// Says that the list had better be asked for anew.
    async fn resync(&mut self, covers: u64) -> Result<(), Over> {
        if !self.topics.executions || covers <= self.rows {
            return Ok(());
        }
        self.rows = covers;
        self.message("resync", &json!({"topics": ["executions"], "position": covers})).await
    }

    /// The position up to which everything was told.
    fn safe(&self) -> u64 {
        let mut safe = u64::MAX;
        if self.topics.executions {
            safe = self.rows;
        }
        if self.reads_records() {
            safe = safe.min(self.due.map_or(self.read, |(_, told)| told));
        }
        safe
    }

    /// Lets the reader know where to go on, without a message.
    async fn told(&mut self) -> Result<(), Over> {
        self.send(Bytes::from(format!("id: {}\n\n", self.safe()))).await
    }

    async fn message<T: Serialize>(&mut self, event: &str, data: &T) -> Result<(), Over> {
        let data = serde_json::to_string(data).map_err(|_| Over)?;
        // Between the tokens of a document line breaks mean nothing.
        let data = data.replace(['\n', '\r'], " ");
        let safe = self.safe();
        self.send(Bytes::from(format!("id: {safe}\nevent: {event}\ndata: {data}\n\n"))).await
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Over> {
        self.outlet.send(Ok(bytes)).await.map_err(|_| Over)
    }
}
