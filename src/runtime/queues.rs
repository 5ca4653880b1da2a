//! What an execution queues for in this process, for whoever asks why it waits.

use serde::{Deserialize, Serialize};

use super::orchestrator::Orchestrator;
use super::places::PlaceQueue;
use super::slots::JobQueue;
use crate::engine::ExecutionId;

/// Everything that an execution queues for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Its place, where its workflow says how many of its executions may run.
    pub place: Option<PlaceQueue>,
    /// Its jobs that wait for a slot.
    pub jobs: Vec<JobQueue>,
}

impl Orchestrator {
    /// What an execution queues for at the moment: its place, and slots for its jobs.
    #[must_use]
    pub fn queues(&self, execution: ExecutionId) -> Queues {
        let tools = self.tools();
        Queues {
            place: tools.places.queue_of(execution),
            jobs: tools.dispatch.queues_of(execution),
        }
    }
}
