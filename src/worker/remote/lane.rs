//! Tells the server what became of jobs, as often as it takes.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::http::{Connection, Trouble};
use super::outbox::Outbox;
use super::retry::Retry;
use super::wire::{Answer, Answers, News, REPORT, Report, Reports, is_passing};
use crate::engine::event::{MAX_CAUSE_BYTES, cut};
use crate::worker::registry::INVALID_OUTPUT;

/// One request after the other, each with all that waits.
pub(super) struct Lane {
    shared: Arc<Shared>,
    outbox: Arc<Outbox>,
    connection: Connection,
    retry: Retry,
}

impl Lane {
    pub(super) fn new(shared: Arc<Shared>, outbox: Arc<Outbox>, seed: u64) -> Self {
        let connection = Connection::new(shared.server.clone());
        let retry = Retry::new(shared.server.clock.clone(), seed, "results are sent");
        Self { shared, outbox, connection, retry }
    }

    /// Goes on until the outbox is closed and empty.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.outbox.next().await {
            self.deliver(batch).await;
        }
    }

    /// Sends reports until all of them are answered.
    async fn deliver(&mut self, batch: Vec<Report>) {
        let mut parts = vec![batch];
        while let Some(mut batch) = parts.pop() {
            let trouble = match self.send(&batch).await {
                Ok(answers) => {
                    self.take(batch, answers).await;
                    continue;
                }
                Err(trouble) => trouble,
            };
            if !is_about_the_document(&trouble) {
                self.retry.after(&trouble).await;
                parts.push(batch);
            } else if batch.len() > 1 {
                // One of them is at fault: the others need not wait for it.
                parts.push(batch.split_off(batch.len() / 2));
                parts.push(batch);
            } else {
                let report = batch.pop();
                parts.extend(report.and_then(|report| self.instead(report, &trouble)));
            }
        }
    }

    async fn send(&mut self, reports: &[Report]) -> Result<Vec<Answer>, Trouble> {
        let document = Reports { worker: &self.shared.name, reports };
        let answers: Answers = self.connection.post(REPORT, &document, Duration::ZERO).await?;
        if answers.items.len() == reports.len() {
            return Ok(answers.items);
        }
        let (told, answered) = (reports.len(), answers.items.len());
        Err(Trouble::Away(format!("it answers {answered} of {told} reports")))
    }

    /// What to send in place of a report that the server does not take; nothing when that was a last
    /// word already.
    fn instead(&self, report: Report, trouble: &Trouble) -> Option<Vec<Report>> {
        let Report { token, id, news } = report;
        let (execution, job) = (id.execution, id.job);
        if !matches!(news, News::Completed { .. }) {
            tracing::error!(%execution, %job, %trouble, "a report is dropped: the server refuses it");
            self.outbox.answered(usize::from(news.is_end()));
            return None;
        }
        let cause = format!("the server does not take the result: {trouble}");
        tracing::warn!(%execution, %job, %trouble, "a result is refused, so its job fails");
        let cause = cut(cause, MAX_CAUSE_BYTES).into();
        let news = News::Failed { error: INVALID_OUTPUT.into(), cause };
        Some(vec![Report { token, id, news }])
    }

    /// Takes the answers to reports.
    async fn take(&mut self, batch: Vec<Report>, answers: Vec<Answer>) {
        let mut passing = None;
        for (report, answer) in batch.into_iter().zip(answers) {
            if answer.ok {
                self.taken(&report, answer.cancel);
            } else if is_passing(&answer.code) {
                if report.news.is_end() {
                    self.outbox.put_back(report);
                }
                passing = Some(Trouble::Away(format!("{} ({})", answer.detail, answer.code)));
            } else {
                self.refused(&report, &answer);
            }
        }
        match passing {
            Some(trouble) => self.retry.after(&trouble).await,
            None => self.retry.answered(),
        }
    }

    fn taken(&self, report: &Report, should_stop: bool) {
        if report.news.is_end() {
            self.outbox.answered(1);
        } else if should_stop && let Some(live) = self.shared.running.get(&report.token) {
            tracing::debug!(execution = %live.id.execution, job = %live.id.job, "asked to stop");
            live.cancel();
        }
    }

    /// The job is not this worker's any more: it was given to another, or has ended.
    fn refused(&self, report: &Report, answer: &Answer) {
        let (execution, job) = (report.id.execution, report.id.job);
        let (code, detail) = (&answer.code, &answer.detail);
        if report.news.is_end() {
            self.outbox.answered(1);
            tracing::warn!(
                %execution, %job, %code, %detail,
                "a result is dropped: the job is no longer this worker's, or had its answer"
            );
        } else if code != "NOTHING_TO_DO"
            && let Some(live) = self.shared.running.get(&report.token)
        {
            tracing::warn!(%execution, %job, %code, %detail, "a job is lost, and asked to stop");
            live.lose();
        }
    }
}

/// Whether the server refuses what the document says, and not who says it.
fn is_about_the_document(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Refused { status: 400 | 409 | 413 | 422, .. })
}
