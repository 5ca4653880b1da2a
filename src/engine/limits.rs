//! Bounds on what one execution may do, so that none can use up the process.

/// Every bound that decide holds, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineLimits {
    /// Bytes of one payload: an input, output, result or variable. Larger is
    /// `States.DataLimitExceeded`. Default 8 MiB; AWS has 256 KiB.
    pub payload_bytes: usize,
    /// Bytes of all variables of one execution together. Default 64 MiB; AWS has 10 MiB.
    pub variables_bytes: usize,
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
    /// Executions of a distributed Map that run at once when the definition sets no limit. Default
    /// 1,000; AWS has 10,000.
    pub map_run_concurrency: u32,
    /// Parts of an inline Map that run at once at most, whatever the definition says. Default
    /// 100,000; AWS has 40.
    pub most_fork_concurrency: u32,
    /// Executions of a distributed Map that run at once at most, whatever the definition says.
    /// Default 10,000, as AWS has it.
    pub most_map_run_concurrency: u32,
    /// Bytes of the items that an `ItemReader` reads. They are in the log, so that they are the same
    /// after a crash. Default 64 MiB.
    pub items_bytes: usize,
    /// Executions that may wait for one another, each for the next. Default 64.
    pub child_depth: u32,
    /// Items of one Map. Default 1,000,000.
    pub map_items: u32,
    /// How long workers have to answer a cancel, in milliseconds. Default 30 s.
    pub cancel_deadline_ms: u64,
}

impl EngineLimits {
    /// The defaults, with the quotas of AWS where these are lower: 262,144 bytes of a payload and of
    /// what one state assigns, 10 MiB of variables, 25,000 events of a history, 40 parts of an
    /// inline Map and 10,000 executions of a distributed one at once.
    ///
    /// The numbers are those of
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>, and of the pages
    /// on variables and on inline Maps.
    #[must_use]
    pub fn aws() -> Self {
        Self::default().within_aws()
    }

    /// These limits, lowered to the quotas of AWS where they are higher.
    #[must_use]
    pub fn within_aws(mut self) -> Self {
        self.payload_bytes = self.payload_bytes.min(256 * 1024);
        self.variables_bytes = self.variables_bytes.min(10 * 1024 * 1024);
        self.history_events = self.history_events.min(25_000);
        self.fork_concurrency = self.fork_concurrency.min(40);
        self.most_fork_concurrency = self.most_fork_concurrency.min(40);
        self.map_run_concurrency = self.map_run_concurrency.min(10_000);
        self.most_map_run_concurrency = self.most_map_run_concurrency.min(10_000);
        self
    }
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            payload_bytes: 8 * 1024 * 1024,
            variables_bytes: 64 * 1024 * 1024,
            history_events: 1_000_000,
            decision_events: 512,
            lost_attempts: 3,
            fork_concurrency: 40,
            map_run_concurrency: 1000,
            most_fork_concurrency: 100_000,
            most_map_run_concurrency: 10_000,
            items_bytes: 64 * 1024 * 1024,
            child_depth: 64,
            map_items: 1_000_000,
            cancel_deadline_ms: 30_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_lowers_limits_and_raises_none() {
        let aws = EngineLimits::aws();
        assert_eq!((aws.payload_bytes, aws.history_events), (262_144, 25_000));
        assert_eq!((aws.fork_concurrency, aws.most_fork_concurrency), (40, 40));
        assert_eq!(aws.variables_bytes, 10_485_760);
        let low = EngineLimits { payload_bytes: 7, history_events: 9, ..aws };
        assert_eq!(low.clone().within_aws(), low);
    }
}
