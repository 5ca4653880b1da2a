//! Names that callers give executions, so that a start can be repeated without starting twice.
//!
//! Names of executions that are under way, or ended since the last checkpoint, are held here; those
//! of all others are in the store's index. Two starts of one name take turns; starts of different
//! names do not wait for each other but by chance.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync;

use crate::engine::ExecutionId;
use crate::store::NameKey;

/// Starts that can take place at the same time.
const TURNS: usize = 64;

/// The names that are held in memory.
pub(super) struct Names {
    held: Mutex<HashMap<NameKey, ExecutionId>>,
    turns: Vec<sync::Mutex<()>>,
}

impl Default for Names {
    fn default() -> Self {
        let turns = std::iter::repeat_with(sync::Mutex::default).take(TURNS).collect();
        Self { held: Mutex::default(), turns }
    }
}

impl Names {
    /// Waits until nobody else starts an execution of this name.
    pub(super) async fn turn(&self, key: NameKey) -> Option<sync::MutexGuard<'_, ()>> {
        let place = usize::from(key.0[0]) % TURNS;
        match self.turns.get(place) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }

    pub(super) fn get(&self, key: NameKey) -> Option<ExecutionId> {
        self.held().get(&key).copied()
    }

    pub(super) fn hold(&self, key: NameKey, execution: ExecutionId) {
        self.held().insert(key, execution);
    }

    /// Frees a name, if it is still that of this execution.
    pub(super) fn free(&self, key: NameKey, execution: ExecutionId) {
        self.let_go(&[(key, execution)]);
    }

    /// Lets go of names that the store now keeps.
    pub(super) fn let_go(&self, kept: &[(NameKey, ExecutionId)]) {
        let mut held = self.held();
        for (key, execution) in kept {
            if held.get(key) == Some(execution) {
                held.remove(key);
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<NameKey, ExecutionId>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
