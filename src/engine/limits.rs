//! Bounds on what one execution may do, so that none can use up the process.

/// Every bound that decide holds, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineLimits {
    /// Bytes of one payload: an input, output, result or variable. Larger is
    /// `States.DataLimitExceeded`. Default 8 MiB; AWS has 256 KiB.
    pub payload_bytes: usize,
    /// Events of one execution, so that an endless loop ends. Default 1,000,000; AWS has 25,000.
    pub history_events: u64,
    /// Events of one decision; what is left goes on with the next, so that a long machine does not
    /// keep others waiting. Default 512.
    pub decision_events: usize,
    /// Attempts of a job that crashes may cut off before the job fails. Default 3.
    pub lost_attempts: u32,
    /// Parts of a Parallel or Map that run at once when the definition sets no limit. Default 40,
    /// as AWS has it.
    pub fork_concurrency: u32,
    /// Items of one Map. Default 1,000,000.
    pub map_items: u32,
    /// How long workers have to answer a cancel, in milliseconds. Default 30 s.
    pub cancel_deadline_ms: u64,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            payload_bytes: 8 * 1024 * 1024,
            history_events: 1_000_000,
            decision_events: 512,
            lost_attempts: 3,
            fork_concurrency: 40,
            map_items: 1_000_000,
            cancel_deadline_ms: 30_000,
        }
    }
}
