//! The executions that ended last, so that whoever asks for a result at once need not wait for the
//! disk: most do, and a short execution has ended before they can ask.
//!
//! Bounded by number and by size: what has ended costs no memory that grows.

use std::collections::{HashMap, VecDeque};

use crate::engine::{Execution, ExecutionId};

/// Executions that are kept.
const MOST: usize = 512;
/// Bytes of payloads that a kept execution may have.
const MOST_BYTES: usize = 8 * 1024;

/// Executions that have ended.
#[derive(Default)]
pub(super) struct Recent {
    /// The oldest first.
    order: VecDeque<ExecutionId>,
    kept: HashMap<ExecutionId, Execution>,
}

impl Recent {
    /// Keeps an execution that has ended, unless it is large, in place of the oldest.
    pub(super) fn keep(&mut self, execution: Execution) {
        if payload_bytes(&execution) > MOST_BYTES {
            return;
        }
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        self.order.push_back(execution.id);
        self.kept.insert(execution.id, execution);
    }

    /// Forgets an execution that goes on, or was deleted.
    pub(super) fn remove(&mut self, id: ExecutionId) {
        if self.kept.remove(&id).is_some() {
            self.order.retain(|kept| *kept != id);
        }
    }

    /// The execution, if it is one of those.
    pub(super) fn get(&self, id: ExecutionId) -> Option<&Execution> {
        self.kept.get(&id)
    }
}

fn payload_bytes(execution: &Execution) -> usize {
    let results = execution.steps.values().filter_map(|step| step.result.as_ref());
    let parts = execution.steps.values().flat_map(|step| step.kept.outputs.values());
    let payloads = execution.output.iter().chain(results).chain(parts).chain([&execution.input]);
    payloads.map(crate::language::Json::len_bytes).sum()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn execution(n: usize) -> Execution {
        Execution::new(ExecutionId(Uuid::from_u128(n as u128)))
    }

    #[test]
    fn the_newest_are_kept_and_large_ones_are_not() {
        let mut recent = Recent::default();
        for n in 0..=MOST {
            recent.keep(execution(n));
        }
        assert!(recent.get(execution(0).id).is_none());
        assert!(recent.get(execution(1).id).is_some() && recent.get(execution(MOST).id).is_some());
        assert_eq!(recent.kept.len(), MOST);
        let mut large = execution(MOST + 1);
        large.input = serde_json::Value::from("x".repeat(MOST_BYTES)).into();
        let id = large.id;
        recent.keep(large);
        assert!(recent.get(id).is_none());
    }
}
