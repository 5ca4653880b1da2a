//! Every bound of the running system, with its reason.

use std::time::Duration;

use crate::engine::EngineLimits;

/// Bounds that keep a process alive whatever is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bounds on one execution.
    pub engine: EngineLimits,
    /// Executions that may be under way when another one begins one more; it is refused then. Default
    /// 1,000,000.
    pub live_executions: usize,
    /// Jobs that run at once in the whole process, of all types together; others wait in order, and
    /// hold nothing. Default 4,096.
    pub running_jobs: usize,
    /// Executions that wait for a place of one key of their workflow; a start past it is refused.
    /// Default 100,000.
    pub waiting_executions: usize,
    /// Commands that wait for one shard. A caller past it waits. Default 4,096.
    pub shard_queue: usize,
    /// Batches of decisions that wait for the committer. A shard past it waits. Default 64.
    pub commit_queue: usize,
    /// Decisions in one group commit. Default 4,096.
    pub group_units: usize,
    /// Events after which live executions are written to a checkpoint, so that recovery reads
    /// little; an eighth of them when nothing is to be written just then, and the last checkpoint is
    /// a second ago. Default 100,000.
    pub checkpoint_events: u64,
    /// How long progress reports of one job are gathered into one event. Default 500 ms.
    pub progress_interval: Duration,
    /// How long executions that have ended stay before they are deleted. Default: for ever.
    pub retention: Option<Duration>,
    /// How long it is remembered that an execution was deleted, and by whom. Default 30 days.
    pub keep_tombstones: Duration,
    /// How long running jobs may go on when the process is asked to stop. Default 10 s.
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            engine: EngineLimits::default(),
            live_executions: 1_000_000,
            running_jobs: 4096,
            waiting_executions: 100_000,
            shard_queue: 4096,
            commit_queue: 64,
            group_units: 4096,
            checkpoint_events: 100_000,
            progress_interval: Duration::from_millis(500),
            retention: None,
            keep_tombstones: Duration::from_hours(30 * 24),
            stop_grace: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DEFAULT_MAX_EVENT_BYTES;

    #[test]
    fn a_store_takes_every_event_that_the_limits_let_through() {
        let engine = EngineLimits::default();
        // The largest events: items that were read; a state's output with what it assigns; a Map's
        // items with what its batches share.
        let most = engine.items_bytes.max(2 * engine.payload_bytes) + engine.payload_bytes;
        assert!(most + 1024 * 1024 < DEFAULT_MAX_EVENT_BYTES);
    }
}
