//! The jobs that run here: their signs of life, and what stops them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::outbox::Outbox;
use super::wire::{Job, News, Report};
use crate::engine::Timestamp;
use crate::worker::{AttemptId, CancelToken, Clock, ProgressReport, ProgressSink};

/// How often progress is told whose percent has not changed, and how often it is looked which jobs
/// have to give a sign of life.
pub(super) const PULSE: Duration = Duration::from_millis(500);

/// A job that runs here.
pub(super) struct Live {
    pub(super) id: AttemptId,
    pub(super) job_type: Arc<str>,
    pub(super) token: Arc<str>,
    cancel: watch::Sender<bool>,
    /// Whether the server says that the job is no longer this worker's.
    is_lost: AtomicBool,
    lease_ms: u64,
    /// How often the handler itself has to give a sign of life; none when that is not wanted.
    heartbeat_ms: Option<u64>,
    clock: Arc<dyn Clock>,
    outbox: Arc<Outbox>,
    signs: Mutex<Signs>,
}

/// What a handler says, and what was told of it.
struct Signs {
    /// When the handler gave its last sign of life.
    given_at: Timestamp,
    /// Whether it has given one since something was told.
    is_new: bool,
    told_at: Timestamp,
    told_percent: Option<u8>,
    /// Progress that is held back.
    waiting: Option<ProgressReport>,
}

impl Live {
    pub(super) fn new(
        job: &Job,
        id: AttemptId,
        clock: Arc<dyn Clock>,
        outbox: Arc<Outbox>,
    ) -> (Arc<Self>, CancelToken) {
        let (cancel, token) = CancelToken::new();
        let now = clock.now();
        let milliseconds = |seconds: u64| seconds.saturating_mul(1000);
        let live = Self {
            id,
            job_type: job.job_type.clone(),
            token: job.token.clone(),
            cancel,
            is_lost: AtomicBool::new(false),
            lease_ms: milliseconds(job.lease_seconds),
            heartbeat_ms: job.heartbeat_seconds.map(milliseconds),
            clock,
            outbox,
            signs: Mutex::new(Signs {
                given_at: now,
                is_new: false,
                told_at: now,
                told_percent: None,
                waiting: None,
            }),
        };
        (Arc::new(live), token)
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the handler to stop.
    pub(super) fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    /// The job is somebody else's, or nobody's: the handler is asked to stop, and nobody waits for
    /// its end.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::SeqCst);
        self.cancel();
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::SeqCst)
    }

    /// Tells what was held back, or that the job is alive, when it is time.
    pub(super) fn pulse(&self, now: Timestamp) {
        let mut signs = self.signs();
        if self.is_lost() {
            return;
        }
        let interval_ms = self.heartbeat_ms.map_or(self.lease_ms, |ms| ms.min(self.lease_ms)) / 3;
        let is_time = now.ms_since(signs.told_at) >= interval_ms;
        let waiting = signs.waiting.take();
        if waiting.is_some() || (is_time && self.is_alive(&signs, now)) {
            self.tell(&mut signs, waiting, now);
        }
    }

    /// Whether the job may be said to be alive. Where the workflow wants signs of life, they are the
    /// handler's own, so that one that hangs is noticed; only a lease that is shorter than their
    /// pace is kept in between.
    fn is_alive(&self, signs: &Signs, now: Timestamp) -> bool {
        self.heartbeat_ms.is_none_or(|heartbeat_ms| {
            let keeps_lease = heartbeat_ms > self.lease_ms;
            signs.is_new || (keeps_lease && now.ms_since(signs.given_at) < heartbeat_ms)
        })
    }

    fn tell(&self, signs: &mut Signs, progress: Option<ProgressReport>, now: Timestamp) {
        signs.told_at = now;
        signs.is_new = false;
        if let Some(percent) = progress.as_ref().and_then(|progress| progress.percent) {
            signs.told_percent = Some(percent);
        }
        self.outbox.tell(&self.token, self.id, progress);
    }

    /// Tells how the job ended, and before that what was held back.
    pub(super) fn end(&self, news: News) {
        let mut signs = self.signs();
        if let Some(waiting) = signs.waiting.take() {
            self.tell(&mut signs, Some(waiting), self.clock.now());
        }
        self.outbox.end(Report { token: self.token.clone(), id: self.id, news });
    }
}

impl ProgressSink for Live {
    fn report(&self, _: AttemptId, report: ProgressReport) {
        let now = self.clock.now();
        let mut signs = self.signs();
        (signs.given_at, signs.is_new) = (now, true);
        let mut waiting = signs.waiting.take().unwrap_or_default();
        waiting.merge(report);
        let new_percent = waiting.percent.is_some() && waiting.percent != signs.told_percent;
        let pulse_ms = u64::try_from(PULSE.as_millis()).unwrap_or(u64::MAX);
        if new_percent || now.ms_since(signs.told_at) >= pulse_ms {
            self.tell(&mut signs, Some(waiting), now);
        } else {
            signs.waiting = Some(waiting);
        }
    }

    fn heartbeat(&self, _: AttemptId) {
        let now = self.clock.now();
        let mut signs = self.signs();
        (signs.given_at, signs.is_new) = (now, true);
    }
}

/// All jobs that run here.
#[derive(Default)]
pub(super) struct Running(Mutex<Jobs>);

#[derive(Default)]
struct Jobs {
    by_token: HashMap<Arc<str>, Arc<Live>>,
    /// How many there are of each type. Counted as they come and go: it is asked at every end.
    counts: HashMap<Arc<str>, usize>,
}

impl Running {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, live: &Arc<Live>) {
        let mut jobs = self.jobs();
        *jobs.counts.entry(live.job_type.clone()).or_default() += 1;
        jobs.by_token.insert(live.token.clone(), live.clone());
    }

    pub(super) fn leave(&self, live: &Live) {
        let mut jobs = self.jobs();
        if jobs.by_token.remove(&live.token).is_some()
            && let Some(count) = jobs.counts.get_mut(&live.job_type)
        {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn get(&self, token: &str) -> Option<Arc<Live>> {
        self.jobs().by_token.get(token).cloned()
    }

    pub(super) fn count(&self) -> usize {
        self.jobs().by_token.len()
    }

    /// How many jobs of each type run.
    pub(super) fn with_counts<T>(
        &self,
        use_counts: impl FnOnce(&HashMap<Arc<str>, usize>) -> T,
    ) -> T {
        use_counts(&self.jobs().counts)
    }

    /// Asks all handlers to stop.
    pub(super) fn cancel_all(&self) {
        self.jobs().by_token.values().for_each(|live| live.cancel());
    }

    /// Gives signs of life, for ever.
    pub(super) async fn pulse(&self, clock: &dyn Clock) {
        loop {
            clock.sleep(PULSE).await;
            let now = clock.now();
            self.jobs().by_token.values().for_each(|live| live.pulse(now));
        }
    }
}
