//! What is held in the whole system, as the fold of the events that say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::id::Timestamp;
use super::pause::Pause;

/// Everything that is paused, but for single executions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The sequence of the last event that this knows of.
    pub sequence: u64,
    /// Workflows that are paused.
    pub workflows: BTreeMap<Arc<str>, Pause>,
    /// Job types that are paused.
    pub job_types: BTreeMap<Arc<str>, Pause>,
}

/// What can be paused but for single executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A workflow.
    Workflow,
    /// A job type.
    JobType,
}

impl Held {
    /// Believes an event, decided at `at`, with this sequence. One that it knows changes nothing.
    pub fn apply(&mut self, event: &Event, sequence: u64, at: Timestamp) {
        if sequence <= self.sequence {
            return;
        }
        self.sequence = sequence;
        let pause = |by: &Arc<str>, reason: &Option<Arc<str>>| Pause {
            by: by.clone(),
            reason: reason.clone(),
            at,
        };
        match event {
            Event::WorkflowPaused(body) => {
                self.workflows.insert(body.workflow.clone(), pause(&body.by, &body.reason));
            }
            Event::WorkflowResumed(body) => drop(self.workflows.remove(&body.workflow)),
            Event::JobTypePaused(body) => {
                self.job_types.insert(body.job_type.clone(), pause(&body.by, &body.reason));
            }
            Event::JobTypeResumed(body) => drop(self.job_types.remove(&body.job_type)),
            _ => {}
        }
    }

    /// The pause of a workflow or job type, while it holds.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Pause> {
        match kind {
            Kind::Workflow => self.workflows.get(name),
            Kind::JobType => self.job_types.get(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::JobTypePaused;

    #[test]
    fn workflows_and_job_types_of_one_name_are_two_things() {
        let mut held = Held::default();
        let event = JobTypePaused { job_type: "a".into(), by: "me".into(), reason: None };
        held.apply(&event.into(), 1, Timestamp(1));
        assert!(held.get(Kind::Workflow, "a").is_none());
        assert!(held.get(Kind::JobType, "a").is_some());
    }
}
