//! One attempt in the hands of an in-process worker, and what it reports.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::clock::Clock;
use super::remote::{Lease, RemoteJob, Seat, USUAL_LEASE_SECONDS};
use super::shards::{Note, Shards};
use super::tasks::Tasks;
use crate::engine::{CallbackToken, Command, Timestamp, Token};
use crate::language::Json;
use crate::worker::{AttemptId, CancelToken, JobContext, ProgressReport, ProgressSink};

/// An attempt whose start is durable.
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    pub(super) job_type: Arc<str>,
    pub(super) input: Json,
    pub(super) token: Token,
    pub(super) cancel: CancelToken,
    pub(super) reporter: Arc<Reporter>,
    /// How long its worker may be silent, when the workflow says so.
    pub(super) heartbeat_seconds: Option<u64>,
    /// Where it runs.
    pub(super) seat: Seat,
}

impl Attempt {
    /// What its worker gets.
    pub(super) fn context(&self) -> JobContext {
        JobContext::new(
            self.id,
            self.job_type.clone(),
            self.input.clone(),
            self.cancel.clone(),
            self.reporter.clone(),
        )
    }

    /// What proves to have it.
    pub(super) fn proof(&self) -> CallbackToken {
        let AttemptId { execution, job, .. } = self.id;
        CallbackToken { execution, job, token: self.token }
    }

    /// What a worker afar gets.
    pub(super) fn remote_job(&self) -> RemoteJob {
        let AttemptId { execution, job, attempt } = self.id;
        let lease_seconds = match &self.seat {
            Seat::Afar { holder, .. } => holder.lease_seconds,
            Seat::Here => USUAL_LEASE_SECONDS,
        };
        RemoteJob {
            token: self.proof().to_string(),
            execution,
            job,
            attempt,
            job_type: self.job_type.clone(),
            input: self.input.clone(),
            lease_seconds,
            heartbeat_seconds: self.heartbeat_seconds,
        }
    }

    /// How a worker afar has it; none of one here.
    pub(super) fn lease(&self) -> Option<Lease> {
        let Seat::Afar { holder, .. } = &self.seat else { return None };
        Some(Lease {
            id: self.id,
            proof: self.proof(),
            job_type: self.job_type.clone(),
            holder: holder.clone(),
            cancel: self.cancel.clone(),
            reporter: self.reporter.clone(),
        })
    }
}

/// What all reporters share.
pub(super) struct ReporterPlace {
    clock: Arc<dyn Clock>,
    interval: Duration,
    shards: Shards,
    tasks: Tasks,
}

impl ReporterPlace {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        interval: Duration,
        shards: Shards,
        tasks: Tasks,
    ) -> Arc<Self> {
        Arc::new(Self { clock, interval, shards, tasks })
    }
}

/// Gathers what a worker reports into few commands: one whenever the whole percent changes, else
/// one per interval. What is held back is sent when the interval is over.
pub(super) struct Reporter {
    token: Token,
    place: Arc<ReporterPlace>,
    beat_at: AtomicU64,
    gathered: Mutex<Gathered>,
    this: Weak<Reporter>,
}

/// What has been reported and not yet sent.
#[derive(Default)]
struct Gathered {
    waiting: ProgressReport,
    sent_percent: Option<u8>,
    sent_at: Option<Timestamp>,
    flush_is_set: bool,
}

impl Reporter {
    pub(super) fn new(token: Token, place: Arc<ReporterPlace>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            token,
            place,
            beat_at: AtomicU64::new(0),
            gathered: Mutex::default(),
            this: this.clone(),
        })
    }

    /// The token of its attempt.
    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// The worker's last sign of life.
    pub(super) fn last_heartbeat(&self) -> Option<Timestamp> {
        Some(self.beat_at.load(Ordering::Relaxed)).filter(|at| *at > 0).map(Timestamp)
    }

    fn beat(&self) -> Timestamp {
        let now = self.place.clock.now();
        self.beat_at.store(now.0, Ordering::Relaxed);
        now
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, attempt: AttemptId, gathered: &mut Gathered, now: Timestamp) {
        let report = std::mem::take(&mut gathered.waiting);
        gathered.sent_at = Some(now);
        gathered.sent_percent = report.percent.or(gathered.sent_percent);
        let command = Command::ReportProgress {
            job: attempt.job,
            token: self.token,
            percent: report.percent,
            message: report.message.map(Arc::from),
            processed: report.processed,
            total: report.total,
        };
        let execution = attempt.execution;
        self.place.shards.note(execution, Note::Reported { execution, command });
    }

    fn flush_later(&self, attempt: AttemptId) {
        let Some(this) = self.this.upgrade() else { return };
        let sleep = self.place.clock.sleep(self.place.interval);
        drop(self.place.tasks.spawn(async move {
            sleep.await;
            let mut gathered = this.gathered();
            gathered.flush_is_set = false;
            if gathered.waiting != ProgressReport::default() {
                let now = this.place.clock.now();
                this.send(attempt, &mut gathered, now);
            }
        }));
    }
}

impl ProgressSink for Reporter {
    fn report(&self, attempt: AttemptId, report: ProgressReport) {
        let now = self.beat();
        let mut gathered = self.gathered();
        let Gathered { waiting, sent_percent, .. } = &mut *gathered;
        waiting.merge(report);
        let new_percent = waiting.percent.is_some() && waiting.percent != *sent_percent;
        let interval_ms = u64::try_from(self.place.interval.as_millis()).unwrap_or(u64::MAX);
        let interval_over = gathered.sent_at.is_none_or(|at| now.ms_since(at) >= interval_ms);
        if new_percent || interval_over {
            self.send(attempt, &mut gathered, now);
        } else if !gathered.flush_is_set {
            gathered.flush_is_set = true;
            drop(gathered);
            self.flush_later(attempt);
        }
    }

    fn heartbeat(&self, _attempt: AttemptId) {
        self.beat();
    }
}
