//! What waits to be told to the server.
//!
//! Signs of life and progress are merged until they leave, so there is at most one for each job.
//! Ends are kept until the server has answered them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use tokio::sync::Notify;

use super::wire::{MAX_REPORTS, News, Report};
use crate::worker::{AttemptId, ProgressReport};

/// The bytes of payloads after which a request takes no further report. One larger report goes alone.
const MAX_WEIGHT: usize = 1024 * 1024;

/// What waits to be told. Shared by the jobs, which fill it, and the lane that empties it.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    /// The latest of each job that goes on; nothing for a mere sign of life.
    live: IndexMap<Arc<str>, (AttemptId, Option<ProgressReport>)>,
    ends: VecDeque<Report>,
    /// Ends that the lane has taken, and the server has not answered.
    taken: usize,
    is_closed: bool,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a job that goes on; nothing more than that when there is no progress.
    pub(super) fn tell(&self, token: &Arc<str>, id: AttemptId, progress: Option<ProgressReport>) {
        let mut waiting = self.waiting();
        let (_, known) = waiting.live.entry(token.clone()).or_insert((id, None));
        if let Some(later) = progress {
            known.get_or_insert_default().merge(later);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Tells how a job ended.
    pub(super) fn end(&self, report: Report) {
        self.waiting().ends.push_back(report);
        self.changed.notify_one();
    }

    /// How many ends the server has not answered.
    pub(super) fn unanswered(&self) -> usize {
        let waiting = self.waiting();
        waiting.ends.len().saturating_add(waiting.taken)
    }

    /// Nothing comes in any more: its lane ends when all is told.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.changed.notify_one();
    }

    /// What goes into the next request; nothing when nothing will ever come.
    pub(super) async fn next(&self) -> Option<Vec<Report>> {
        loop {
            {
                let mut waiting = self.waiting();
                let batch = waiting.batch();
                if !batch.is_empty() || waiting.is_closed {
                    return Some(batch).filter(|batch| !batch.is_empty());
                }
            }
            self.changed.notified().await;
        }
    }

    /// So many ends that were taken are answered.
    pub(super) fn answered(&self, ends: usize) {
        let mut waiting = self.waiting();
        waiting.taken = waiting.taken.saturating_sub(ends);
    }

    /// Whether something waits.
    #[cfg(test)]
    pub(super) fn has_news(&self) -> bool {
        let waiting = self.waiting();
        !waiting.live.is_empty() || !waiting.ends.is_empty()
    }

    /// Puts an end back that the server could not take now.
    pub(super) fn put_back(&self, report: Report) {
        let mut waiting = self.waiting();
        waiting.taken = waiting.taken.saturating_sub(1);
        waiting.ends.push_front(report);
    }
}

impl Waiting {
    /// Progress goes before ends, so that a job's last words come before its end.
    fn batch(&mut self) -> Vec<Report> {
        let mut batch = Vec::new();
        let mut weight = 0_usize;
        while batch.len() < MAX_REPORTS && weight < MAX_WEIGHT {
            let Some((token, (id, progress))) = self.live.swap_remove_index(0) else { break };
            let news = progress.map_or(News::Heartbeat, News::from);
            weight = weight.saturating_add(news.weight());
            batch.push(Report { token, id, news });
        }
        while batch.len() < MAX_REPORTS {
            let Some(next) = self.ends.front() else { break };
            let heavier = weight.saturating_add(next.news.weight());
            if heavier > MAX_WEIGHT && !batch.is_empty() {
                break;
            }
            weight = heavier;
            batch.extend(self.ends.pop_front());
            self.taken = self.taken.saturating_add(1);
        }
        batch
    }
}

impl From<ProgressReport> for News {
    fn from(report: ProgressReport) -> Self {
        let ProgressReport { percent, message, processed, total } = report;
        let percent = percent.map(|percent| percent.min(100));
        Self::Progress { percent, message, processed, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{ExecutionId, JobId};
    use crate::language::Json;

    const ID: AttemptId =
        AttemptId { execution: ExecutionId(uuid::Uuid::from_u128(1)), job: JobId(1), attempt: 1 };

    fn end(token: &str, bytes: usize) -> Report {
        let output = Json::parse(&format!("\"{}\"", "x".repeat(bytes))).unwrap();
        Report { token: token.into(), id: ID, news: News::Completed { output, errors: 0 } }
    }

    fn progress(percent: u8) -> Option<ProgressReport> {
        Some(ProgressReport { percent: Some(percent), ..ProgressReport::default() })
    }

    #[tokio::test]
    async fn ends_that_are_ready_together_go_together_after_the_last_progress() {
        let outbox = Outbox::default();
        let (one, two) = (Arc::from("one"), Arc::from("two"));
        outbox.end(end("two", 1));
        outbox.tell(&two, ID, progress(10));
        outbox.tell(&two, ID, None);
        outbox.tell(&two, ID, progress(20));
        outbox.tell(&one, ID, None);
        outbox.end(end("three", 1));
        let batch = outbox.next().await.unwrap();
        let tokens: Vec<&str> = batch.iter().map(|report| &*report.token).collect();
        assert_eq!(tokens, ["two", "one", "two", "three"]);
        assert_eq!(batch[0].news, progress(20).unwrap().into());
        assert_eq!((outbox.unanswered(), batch[1].news.is_end()), (2, false));
        outbox.put_back(batch[2].clone());
        outbox.answered(1);
        assert_eq!(outbox.unanswered(), 1);
    }

    #[tokio::test]
    async fn a_request_has_a_limit_of_reports_and_of_bytes() {
        let outbox = Outbox::default();
        (0..MAX_REPORTS + 5).for_each(|n| outbox.end(end(&n.to_string(), 1)));
        assert_eq!(outbox.next().await.unwrap().len(), MAX_REPORTS);
        assert_eq!(outbox.next().await.unwrap().len(), 5);
        for _ in 0..2 {
            outbox.end(end("small", MAX_WEIGHT / 2));
            outbox.end(end("large", MAX_WEIGHT * 3));
        }
        for _ in 0..4 {
            assert_eq!(outbox.next().await.unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_closed_outbox_is_emptied_and_then_gives_nothing() {
        let outbox = Outbox::default();
        outbox.end(end("one", 1));
        outbox.close();
        assert_eq!(outbox.next().await.unwrap().len(), 1);
        assert!(outbox.next().await.is_none());
    }
}
