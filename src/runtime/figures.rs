//! Figures of a running system, for those who watch over it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::error::Error;
use super::orchestrator::Orchestrator;
use super::shards::Request;
use crate::engine::{Execution, JobStatus, Status};

/// Upper bounds of what commits took, in microseconds.
const LATENCY_US: [u64; 12] =
    [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 100_000, 500_000, 2_500_000];
/// Upper bounds of how many transitions a commit held.
const GROUP: [u64; 12] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];
/// The statuses in which an execution has ended.
const ENDS: [Status; 5] = [
    Status::Completed,
    Status::CompletedWithErrors,
    Status::Failed,
    Status::Cancelled,
    Status::TimedOut,
];

/// Counters that the shell keeps. Adding to them costs nanoseconds and never waits.
#[derive(Debug, Default)]
pub(super) struct Figures {
    latency: Buckets,
    groups: Buckets,
    events: AtomicU64,
    ended: [AtomicU64; ENDS.len()],
}

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; 13],
    sum: AtomicU64,
}

impl Buckets {
    fn add(&self, bounds: &[u64; 12], value: u64) {
        let place = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    fn read(&self, bounds: &[u64; 12]) -> Histogram {
        let mut so_far = 0;
        let mut buckets = Vec::with_capacity(bounds.len());
        for (bound, count) in bounds.iter().zip(&self.counts) {
            so_far += count.load(Ordering::Relaxed);
            buckets.push((*bound, so_far));
        }
        let over = self.counts.last().map_or(0, |count| count.load(Ordering::Relaxed));
        Histogram { buckets, count: so_far + over, sum: self.sum.load(Ordering::Relaxed) }
    }
}

impl Figures {
    /// A commit became durable.
    pub(super) fn committed(&self, transitions: usize, events: usize, took: Duration) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.latency.add(&LATENCY_US, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.groups.add(&GROUP, number(transitions));
        self.events.fetch_add(number(events), Ordering::Relaxed);
    }

    /// An execution has ended.
    pub(super) fn ended(&self, status: Status) {
        let place = ENDS.iter().position(|end| *end == status);
        if let Some(count) = place.and_then(|place| self.ended.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How often values were up to some bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Bounds, and how many values were up to each.
    pub buckets: Vec<(u64, u64)>,
    /// How many values there were.
    pub count: u64,
    /// All values together.
    pub sum: u64,
}

/// What was written since the system was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFigures {
    /// How long commits took, in microseconds.
    pub latency_us: Histogram,
    /// How many transitions they held.
    pub group_transitions: Histogram,
    /// How many events they held, all together.
    pub events: u64,
}

/// What one job type has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTypeFigures {
    /// The job type.
    pub job_type: Arc<str>,
    /// How many attempts may run at once.
    pub slots: usize,
    /// How many run.
    pub running: usize,
    /// How many wait for a slot.
    pub waiting: usize,
    /// For how long the oldest of those has waited.
    pub oldest: Option<Duration>,
    /// Whether anybody serves it: here, or as a worker that was heard of lately.
    pub is_served: bool,
}

/// Executions that have not ended, and their jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Executions by status.
    pub executions: BTreeMap<&'static str, u64>,
    /// Those that were set aside; they are counted by status, too.
    pub set_aside: u64,
    /// Open jobs by status.
    pub jobs: BTreeMap<&'static str, u64>,
}

impl Unfinished {
    /// Counts an execution.
    pub(super) fn add(&mut self, execution: &Execution) {
        if execution.status.is_terminal() {
            return;
        }
        *self.executions.entry(execution.status.as_str()).or_default() += 1;
        self.set_aside += u64::from(execution.set_aside.is_some());
        for job in execution.jobs.values() {
            let status = match job.status {
                JobStatus::Pending => "pending",
                JobStatus::Running => "running",
                JobStatus::Waiting => "waiting",
                JobStatus::Cancelling => "cancelling",
                JobStatus::Retrying => "retrying",
            };
            *self.jobs.entry(status).or_default() += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        for (status, count) in other.executions {
            *self.executions.entry(status).or_default() += count;
        }
        for (status, count) in other.jobs {
            *self.jobs.entry(status).or_default() += count;
        }
        self.set_aside += other.set_aside;
    }
}

/// Figures of a running system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemFigures {
    /// What has not ended.
    pub unfinished: Unfinished,
    /// Executions that ended since the system was opened, by status.
    pub ended: Vec<(&'static str, u64)>,
    /// What each job type has to do.
    pub job_types: Vec<JobTypeFigures>,
    /// What was written.
    pub commits: CommitFigures,
}

impl Orchestrator {
    /// Figures of the system as it is now. Counting looks at every execution that has not ended.
    ///
    /// # Errors
    /// The system has stopped.
    pub async fn figures(&self) -> Result<SystemFigures, Error> {
        let tools = &self.inner.tools;
        let mut unfinished = Unfinished::default();
        for counts in self.ask_all(|reply| Request::Count { reply }).await? {
            unfinished.merge(counts);
        }
        let figures = &tools.figures;
        let ended = ENDS.iter().zip(&figures.ended);
        Ok(SystemFigures {
            unfinished,
            ended: ended.map(|(end, n)| (end.as_str(), n.load(Ordering::Relaxed))).collect(),
            job_types: self.job_type_figures(),
            commits: CommitFigures {
                latency_us: figures.latency.read(&LATENCY_US),
                group_transitions: figures.groups.read(&GROUP),
                events: figures.events.load(Ordering::Relaxed),
            },
        })
    }

    /// What each job type with a worker in this process has to do, sorted by name.
    #[must_use]
    pub fn job_type_figures(&self) -> Vec<JobTypeFigures> {
        self.inner.tools.dispatch.figures()
    }

    /// Whether it takes commands: the log can be written, and nobody has stopped it.
    ///
    /// # Errors
    /// Why it does not.
    pub fn ready(&self) -> Result<(), Error> {
        self.check_open()
    }

    /// The versions of a workflow, the oldest first.
    #[must_use]
    pub fn versions(&self, workflow: &str) -> Vec<crate::language::DefinitionHash> {
        self.inner.tools.definitions.versions(workflow)
    }

    /// Bytes that a payload may have.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.inner.tools.limits.engine.payload_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_what_is_up_to_their_bound() {
        let figures = Figures::default();
        figures.committed(1, 3, Duration::from_micros(50));
        figures.committed(5000, 7, Duration::from_micros(51));
        let latency = figures.latency.read(&LATENCY_US);
        assert_eq!((latency.count, latency.sum), (2, 101));
        assert_eq!(latency.buckets.first_chunk(), Some(&[(50, 1), (100, 2)]));
        let groups = figures.groups.read(&GROUP);
        assert_eq!(groups.buckets.last(), Some(&(4096, 1)), "the largest is over all bounds");
        assert_eq!((groups.count, figures.events.load(Ordering::Relaxed)), (2, 10));
    }
}
