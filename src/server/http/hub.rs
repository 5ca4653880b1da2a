//! Live news for many readers: the log is read once, and rows are made once, however many listen.
//!
//! Readers come in at any time and go at their own pace. What one of them missed it reads from the
//! log itself, so the hub keeps no more than a few batches and owes nobody anything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, sleep_until};

use super::super::rest::{ExecutionRow, labels_of};
use crate::engine::ExecutionId;
use crate::runtime::{Events, Orchestrator, Record};

/// Batches that the slowest reader may be behind before it reads the log itself.
const BATCHES: usize = 64;
/// Records in one batch.
const BATCH_RECORDS: usize = 256;
/// How long rows are gathered: each execution is told at most ten times a second.
pub(in crate::server) const GATHER: Duration = Duration::from_millis(100);
/// Executions whose rows are told at once.
pub(in crate::server) const MOST_ROWS: usize = 5000;

/// News.
#[derive(Clone)]
pub(in crate::server) enum News {
    /// Records of the log, in order.
    Records(Arc<[Record]>),
    /// How executions stand, with all that happened up to and with `covers` since the rows before.
    Rows { covers: u64, after: u64, rows: Arc<[Bytes]> },
    /// So much happened after the rows before that readers had better ask anew.
    Resync { covers: u64 },
}

/// Tells news to whoever listens.
pub(in crate::server) struct Hub {
    news: broadcast::Sender<News>,
    joined: Notify,
}

impl Hub {
    pub(super) fn new() -> Arc<Self> {
        let (news, _) = broadcast::channel(BATCHES);
        Arc::new(Self { news, joined: Notify::new() })
    }

    /// Begins to listen.
    pub(in crate::server) fn join(&self) -> broadcast::Receiver<News> {
        let receiver = self.news.subscribe();
        self.joined.notify_one();
        receiver
    }

    /// Tells news until the server or the engine stops. Without listeners it rests.
    pub(super) async fn run(self: Arc<Self>, engine: Orchestrator, stop: watch::Receiver<bool>) {
        let mut stopping = stop.clone();
        loop {
            tokio::select! {
                () = self.joined.notified() => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            let last = engine.last_position();
            // What happened before this reading began nobody else tells.
            let nothing = News::Rows { covers: last, after: last, rows: Arc::from([]) };
            drop(self.news.send(nothing));
            let mut telling = Telling {
                events: engine.events(last + 1, None),
                engine: &engine,
                told: last,
                read: last,
                changed: BTreeSet::new(),
                too_many: false,
            };
            tokio::select! {
                () = telling.run(&self.news) => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
        }
    }
}

struct Telling<'e> {
    engine: &'e Orchestrator,
    events: Events,
    /// Rows were told up to here.
    told: u64,
    /// Records were read up to here.
    read: u64,
    /// Executions to which something happened since.
    changed: BTreeSet<ExecutionId>,
    too_many: bool,
}

impl Telling<'_> {
    /// Goes on until nobody listens, or the log can no longer be read.
    async fn run(&mut self, news: &broadcast::Sender<News>) {
        let mut rows_due: Option<Instant> = None;
        while news.receiver_count() > 0 {
            let due = async {
                match rows_due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = due => {
                    rows_due = None;
                    if let Some(rows) = self.rows().await {
                        drop(news.send(rows));
                    }
                }
                record = self.events.next() => {
                    let Ok(record) = record else { return };
                    let records = self.batch(record).await;
                    rows_due = rows_due.or_else(|| Some(Instant::now() + GATHER));
                    drop(news.send(News::Records(records)));
                }
                // Listeners that went are seen without news, too.
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    /// A record with those that are there behind it.
    async fn batch(&mut self, first: Record) -> Arc<[Record]> {
        let mut records = vec![first];
        while records.len() < BATCH_RECORDS && self.events.is_ready() {
            match self.events.next().await {
                Ok(record) => records.push(record),
                Err(_) => break,
            }
        }
        for record in &records {
            self.read = record.position;
            if record.event.is_of_execution() {
                self.changed.insert(ExecutionId(record.stream));
            }
        }
        if self.changed.len() > MOST_ROWS {
            self.changed.clear();
            self.too_many = true;
        }
        records.into()
    }

    /// The rows of what changed.
    async fn rows(&mut self) -> Option<News> {
        let (after, covers) = (self.told, self.read);
        let changed = std::mem::take(&mut self.changed);
        self.told = covers;
        if std::mem::take(&mut self.too_many) {
            return Some(News::Resync { covers });
        }
        let rows = rows(self.engine, changed).await?;
        Some(News::Rows { covers, after, rows: rows.into() })
    }
}

/// The rows of executions, written.
pub(in crate::server) async fn rows(
    engine: &Orchestrator,
    ids: BTreeSet<ExecutionId>,
) -> Option<Vec<Bytes>> {
    let ids: Vec<ExecutionId> = ids.into_iter().collect();
    let rows = engine.rows(&ids).await.ok()?;
    let write = |row| {
        let row = ExecutionRow::of(row, labels_of(engine, row));
        serde_json::to_vec(&row).ok().map(Bytes::from)
    };
    Some(rows.iter().filter_map(write).collect())
}
