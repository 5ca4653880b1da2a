//! Peace: whoever waits for somebody is seen to, and everything must come to its end.

use std::sync::Arc;

use serde_json::json;

use super::workers::answer_callback;
use super::world::{Answer, World};
use crate::engine::{ExecutionId, JobStatus};
use crate::runtime::{Orchestrator, Rows, Summary};

/// Rounds after which nobody is waited for any longer who lost the token of a callback.
const ROUNDS_FOR_CALLBACKS: u32 = 30;
/// Rounds after which everything must have ended.
const ROUNDS: u32 = 120;
/// Milliseconds between two rounds.
const ROUND: u64 = 120_000;
/// Who does all this.
const BY: &str = "peace";

/// Sees to all who wait for somebody, until everything has ended.
pub(super) async fn bring_to_an_end(world: &Arc<World>) {
    for round in 0..ROUNDS {
        drop(world.call(|system| async move { resume_all(&system).await }).await);
        for token in world.callbacks() {
            answer_callback(world, &token).await;
        }
        world.clock.rest(ROUND).await;
        let open = match world.call(|system| async move { unfinished(&system).await }).await {
            Answer::Done(open) => open,
            Answer::Refused(_) | Answer::Unknown => continue,
        };
        if open.is_empty() {
            return;
        }
        if round >= ROUNDS_FOR_CALLBACKS {
            drop(world.call(|system| async move { give_up_callbacks(&system, open).await }).await);
        }
    }
    let open = world.call(|system| async move { tell_of_unfinished(&system).await }).await;
    if let Answer::Done(open) = open {
        let what = format!("some executions do not end in peace: {}", open.join("; "));
        world.tell(json!({"call": "fault", "what": what}));
    }
}

/// Those that have not ended, with what they wait for.
async fn tell_of_unfinished(system: &Orchestrator) -> Result<Vec<String>, crate::runtime::Error> {
    let mut told = Vec::new();
    for id in unfinished(system).await? {
        let open = system.execution(id).await?;
        let last = system.history(id).await?.pop();
        let last = last.map(|record| record.event.to_json());
        told.push(format!(
            "{id} is {:?}, its timers {:?}, its jobs {:?}, its last event {last:?}",
            open.status, open.timers, open.jobs
        ));
    }
    Ok(told)
}

type Done = Result<(), crate::runtime::Error>;

async fn resume_all(system: &Orchestrator) -> Done {
    let held = system.held();
    for workflow in held.workflows.keys() {
        system.resume_workflow(workflow, BY).await?;
    }
    for job_type in held.job_types.keys() {
        system.resume_job_type(job_type, BY).await?;
    }
    for row in system.list_rows(Rows::All, usize::MAX).await? {
        if row.pauses.any() {
            // It may have been resumed with its workflow.
            drop(system.resume(row.id, BY).await);
        }
    }
    Ok(())
}

async fn unfinished(system: &Orchestrator) -> Result<Vec<ExecutionId>, crate::runtime::Error> {
    let rows = system.list_rows(Rows::All, usize::MAX).await?;
    // Those that were set aside wait for people; the judge looks whether they had to be.
    let is_open = |row: &&Summary| !row.status.is_terminal() && row.set_aside.is_none();
    Ok(rows.iter().filter(is_open).map(|row| row.id).collect())
}

/// Cancels those that wait for a callback that nobody can give.
async fn give_up_callbacks(system: &Orchestrator, open: Vec<ExecutionId>) -> Done {
    for id in open {
        let execution = system.execution(id).await?;
        if execution.jobs.values().any(|job| job.status == JobStatus::Waiting) {
            drop(system.cancel(id, BY, None).await);
        }
    }
    Ok(())
}
