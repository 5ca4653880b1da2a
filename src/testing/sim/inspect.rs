//! Looks into a system at work: what it shows must be what its log tells, and keep every rule of
//! the engine.

use std::sync::Arc;

use serde_json::json;

use super::world::{Answer, World};
use crate::engine::invariants::{check, check_history};
use crate::engine::{Execution, ExecutionId};
use crate::runtime::{Error, Orchestrator, Rows};
use crate::store::Record;

/// In the reason for which an execution is set aside that hangs on what cannot be read.
const DAMAGED: &str = "cannot be looked up: the log is damaged";

/// Looks at every execution that is under way or has ended not long ago.
pub(super) async fn inspect(world: &Arc<World>) {
    let look = |system: Orchestrator| async move { look_at_all(&system).await };
    if let Answer::Done(Some(fault)) = world.call(look).await {
        world.tell(json!({"call": "fault", "what": fault}));
    }
}

async fn look_at_all(system: &Orchestrator) -> Result<Option<String>, Error> {
    let rows = system.list_rows(Rows::All, usize::MAX).await?;
    for row in rows {
        match look_at(system, row.id).await {
            // It was deleted meanwhile.
            Err(Error::Deleted { .. } | Error::NoSuchExecution { .. }) | Ok(None) => {}
            Ok(Some(fault)) => return Ok(Some(format!("execution {}: {fault}", row.id))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

async fn look_at(system: &Orchestrator, id: ExecutionId) -> Result<Option<String>, Error> {
    let shown = system.execution(id).await?;
    let history = system.history(id).await?;
    Ok(fault_of(&shown, &history))
}

/// What is wrong with an execution that was shown before its history was read.
fn fault_of(shown: &Execution, history: &[Record]) -> Option<String> {
    // Whether there was damage the judge knows.
    let is_set_aside = shown.set_aside.as_ref().filter(|reason| !reason.contains(DAMAGED));
    if let Some(reason) = is_set_aside {
        return Some(format!("it was set aside: {reason}"));
    }
    let known = usize::try_from(shown.sequence).unwrap_or(usize::MAX);
    let Some(told) = history.get(..known) else {
        return Some(format!("{known} events were shown, {} are in the log", history.len()));
    };
    if Record::fold(shown.id, told) != *shown {
        return Some(format!("what was shown is not what the first {known} events tell"));
    }
    if let Err(violation) = check(shown) {
        return Some(violation.to_string());
    }
    let dated: Vec<_> = told.iter().map(|record| ((*record.event).clone(), record.time)).collect();
    check_history(&dated).err().map(|violation| violation.to_string())
}
