//! Brings executions in line with their workflows: each live execution of a paused workflow is
//! paused, and goes on when the workflow does.
//!
//! What a shard does hangs on how things stand now, not on what was asked: it can be asked twice,
//! and is asked for everything it holds when it begins.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::committer::Release;
use super::shard::Shard;
use crate::engine::{Command, ExecutionId, PauseScope, PauseWish};

/// Executions that are looked at in one turn of a shard.
const TURN_EXECUTIONS: usize = 32;
/// Who resumes when a pause is over and it is no longer known who ended it.
const SYSTEM: &str = "everstep";

/// What a shard has still to look at, since a workflow was paused or resumed.
pub(super) struct Alignment {
    todo: Vec<ExecutionId>,
    by: Arc<str>,
    changed: u64,
    reply: oneshot::Sender<u64>,
}

impl Shard {
    fn wish_for(&self, workflow: &str) -> Option<PauseWish> {
        self.tools.controls.workflow(workflow).map(|pause| pause.wish())
    }

    /// What begins in a workflow that is paused begins paused. As this is the shard's to see, no start
    /// slips through between the event that pauses and the executions that follow it.
    pub(super) fn held_with_workflow(&self, mut command: Command) -> Command {
        if let Command::StartExecution(start) = &mut command {
            start.pause = self.wish_for(&start.workflow);
        }
        command
    }

    /// The same for an execution of this workflow that goes on after its end.
    pub(super) fn redriven_with_workflow(&self, mut command: Command, workflow: &str) -> Command {
        if let Command::RedriveExecution { pause, .. } = &mut command {
            *pause = self.wish_for(workflow);
        }
        command
    }

    /// Looks at every execution of a workflow, some in each turn; the reply says how many changed,
    /// once that is durable.
    pub(super) fn align_workflow(
        &mut self,
        workflow: &str,
        by: Arc<str>,
        reply: oneshot::Sender<u64>,
    ) {
        let of_workflow =
            self.slots.iter().filter(|(_, slot)| *slot.execution.workflow == *workflow);
        let mut todo: Vec<ExecutionId> = of_workflow.map(|(id, _)| *id).collect();
        todo.sort_unstable();
        self.alignments.push_back(Alignment { todo, by, changed: 0, reply });
    }

    /// Does a part of that.
    pub(super) fn align_some(&mut self) {
        let Some(mut alignment) = self.alignments.pop_front() else { return };
        let rest = alignment.todo.len().saturating_sub(TURN_EXECUTIONS);
        for id in alignment.todo.split_off(rest) {
            let by = alignment.by.clone();
            alignment.changed += u64::from(self.align_pause(id) || self.align_resume(id, by));
        }
        if alignment.todo.is_empty() {
            self.release(Release::Counted(alignment.reply, alignment.changed));
        } else {
            self.alignments.push_front(alignment);
        }
    }

    /// Pauses an execution whose workflow is paused, if it is not.
    pub(super) fn align_pause(&mut self, id: ExecutionId) -> bool {
        let Some(slot) = self.slots.get(&id) else { return false };
        let execution = &slot.execution;
        if !execution.can_be_paused() || execution.pauses.workflow.is_some() {
            return false;
        }
        let Some(pause) = self.tools.controls.workflow(&execution.workflow) else { return false };
        let PauseWish { by, reason } = pause.wish();
        let command = Command::PauseExecution { scope: PauseScope::Workflow, by, reason };
        self.decide_on(id, command, None).is_ok()
    }

    /// Lets an execution go on whose workflow is no longer paused.
    pub(super) fn align_resume(&mut self, id: ExecutionId, by: Arc<str>) -> bool {
        let Some(slot) = self.slots.get(&id) else { return false };
        let execution = &slot.execution;
        if execution.pauses.workflow.is_none() || execution.set_aside.is_some() {
            return false;
        }
        if self.tools.controls.workflow(&execution.workflow).is_some() {
            return false;
        }
        let command = Command::ResumeExecution { scope: PauseScope::Workflow, by };
        self.decide_on(id, command, None).is_ok()
    }

    /// The same after a crash in the midst of it.
    pub(super) fn align_resume_recovered(&mut self, id: ExecutionId) {
        self.align_resume(id, SYSTEM.into());
    }
}
