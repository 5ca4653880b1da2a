//! Spans on their way: a queue with a limit, and the one task that empties it.
//!
//! While the collector is away, the batch that it did not take is kept and tried again, and spans
//! gather behind it until the queue is full; what finds no room then is dropped and counted. Nobody
//! waits for the collector but who can wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::Notify;

use super::SpanCounts;
use super::collector::{Collector, Trouble};

/// How long the reader of the log waits for room. If there is none by then, the collector hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// How spans are gathered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Spans that may wait.
    pub(super) queue: usize,
    /// Spans in one request.
    pub(super) batch: usize,
    /// How long a span may wait for others, and a batch that was not taken for the next try.
    pub(super) delay: Duration,
}

/// Where spans are left.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Sender<SpanData>,
    state: Arc<State>,
}

/// What both ends know.
#[derive(Debug, Default)]
struct State {
    exported: AtomicU64,
    dropped: AtomicU64,
    /// Whether the collector did not take the last batch, or hangs.
    is_troubled: AtomicBool,
    closing: Notify,
}

impl State {
    fn drop_spans(&self, count: usize) {
        self.dropped.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Outbox {
    /// An outbox, and what empties it.
    pub(super) fn new(
        pace: Pace,
        exporter: SpanExporter,
        collector: Arc<Collector>,
    ) -> (Self, Exporting) {
        let (queue, spans) = async_channel::bounded(pace.queue);
        let state = Arc::new(State::default());
        let exporting = Exporting { spans, exporter, collector, pace, state: state.clone() };
        (Self { queue, state }, exporting)
    }

    /// Leaves a span, or drops it when there is no room.
    pub(super) fn leave(&self, span: SpanData) {
        if self.queue.try_send(span).is_err() {
            self.state.drop_spans(1);
        }
    }

    /// Leaves a span, and waits for room as long as the collector takes what it gets.
    pub(super) async fn leave_patiently(&self, span: SpanData) {
        match self.queue.try_send(span) {
            Ok(()) => return,
            Err(TrySendError::Full(span)) if !self.state.is_troubled.load(Ordering::Relaxed) => {
                let left = tokio::time::timeout(PATIENCE, self.queue.send(span)).await;
                if matches!(left, Ok(Ok(()))) {
                    return;
                }
                self.state.is_troubled.store(true, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        self.state.drop_spans(1);
    }

    /// Takes no more. What is there is tried once more.
    pub(super) fn close(&self) {
        self.queue.close();
        self.state.closing.notify_one();
    }

    pub(super) fn counts(&self) -> SpanCounts {
        SpanCounts {
            exported: self.state.exported.load(Ordering::Relaxed),
            dropped: self.state.dropped.load(Ordering::Relaxed),
        }
    }
}

/// Empties the outbox.
pub(super) struct Exporting {
    spans: Receiver<SpanData>,
    exporter: SpanExporter,
    collector: Arc<Collector>,
    pace: Pace,
    state: Arc<State>,
}

impl Exporting {
    /// Goes on until the outbox is closed and empty.
    pub(super) async fn run(self) {
        let mut was_told = false;
        while let Some(batch) = self.gather().await {
            self.export(batch, &mut was_told).await;
        }
    }

    /// A span with those that come soon after it; nothing when no more can come.
    async fn gather(&self) -> Option<Vec<SpanData>> {
        let mut batch = vec![self.spans.recv().await.ok()?];
        let mut due = std::pin::pin!(tokio::time::sleep(self.pace.delay));
        while batch.len() < self.pace.batch {
            tokio::select! {
                biased;
                span = self.spans.recv() => match span {
                    Ok(span) => batch.push(span),
                    Err(_) => break,
                },
                () = due.as_mut() => break,
            }
        }
        Some(batch)
    }

    /// Hands a batch to the collector, again and again when that may help.
    async fn export(&self, batch: Vec<SpanData>, was_told: &mut bool) {
        loop {
            let Err(error) = self.exporter.export(batch.clone()).await else {
                let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                self.state.exported.fetch_add(count, Ordering::Relaxed);
                self.state.is_troubled.store(false, Ordering::Relaxed);
                if std::mem::take(was_told) {
                    let dropped = self.state.dropped.load(Ordering::Relaxed);
                    tracing::info!(dropped, "the collector takes traces again");
                }
                return;
            };
            self.state.is_troubled.store(true, Ordering::Relaxed);
            let trouble = self.collector.take_trouble();
            let trouble =
                trouble.unwrap_or_else(|| Trouble { words: error.to_string(), passes: false });
            // Once, and not every few seconds for as long as it is away.
            if !std::mem::replace(was_told, true) {
                let reason = trouble.words;
                tracing::warn!(reason, "the collector does not take traces; all else goes on");
            }
            if !trouble.passes || self.spans.is_closed() {
                self.state.drop_spans(batch.len());
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.pace.delay) => {}
                () = self.state.closing.notified() => {}
            }
        }
    }
}
