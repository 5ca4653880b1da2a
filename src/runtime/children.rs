//! Executions that executions begin: seeing that they begin, stop, and that their end is told.
//!
//! Parent and child may live in different shards, and neither waits for the other. What the parent
//! owes is in its state, so it is asked for again after a crash; everything here may happen twice.

use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::read::read_execution;
use super::shard::{Shard, Tools};
use super::shards::Note;
use super::slot::Slot;
use crate::engine::child::{ChildEnd, Link, PART_PROGRESS_STEP, Parent};
use crate::engine::{
    Command, Execution, ExecutionId, Failure, JobStatus, Program, Rejection, StartExecution,
    Timestamp,
};
use crate::language::{DefinitionHash, Json};
use crate::store;

/// The error of a Task or an item whose execution was set aside.
const SET_ASIDE: &str = "Everstep.SetAside";
/// The error of one that could not begin, because there are too many: the name that AWS has for it.
const TOO_MANY: &str = "StepFunctions.ExecutionLimitExceeded";

/// The error of one that found no place, where its workflow refuses these.
const PLACE_TAKEN: &str = "Everstep.PlaceTaken";
/// The error of one that would wait for the place of the execution that waits for it.
const PLACE_HELD_BY_PARENT: &str = "Everstep.PlaceHeldByParent";

/// After how long an execution is looked up again when the disk could not be read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An execution that another one wants to begin.
#[derive(Clone)]
pub(super) struct ChildOrder {
    pub(super) child: ExecutionId,
    pub(super) parent: Parent,
    runs: Runs,
    name: Option<Arc<str>>,
    input: Json,
    /// Whether it was ordered just now, so that it cannot have begun yet.
    is_fresh: bool,
}

/// What it runs.
#[derive(Clone)]
enum Runs {
    /// The newest version of a workflow.
    Newest(Arc<str>),
    /// The processor of a Map of its parent.
    Processor(Begin),
}

/// What an execution begins with.
#[derive(Clone)]
struct Begin {
    workflow: Arc<str>,
    definition: DefinitionHash,
    program: Arc<Program>,
}

/// What `parent` wants to begin under the id `child`; none when it no longer does.
pub(super) fn order_for(
    parent: &Execution,
    program: Option<&Arc<Program>>,
    child: ExecutionId,
    is_fresh: bool,
) -> Option<Box<ChildOrder>> {
    order_of_job(parent, child, is_fresh)
        .or_else(|| order_of_item(parent, program, child, is_fresh))
}

fn order_of_job(parent: &Execution, id: ExecutionId, is_fresh: bool) -> Option<Box<ChildOrder>> {
    let (job, open, child) = parent.jobs.iter().find_map(|(job, open)| {
        let child = open.child.as_ref().filter(|child| child.execution == id)?;
        (open.status == JobStatus::Running).then_some((*job, open, child))
    })?;
    let waits = open.awaited_child().is_some();
    let link = if waits { Link::Job(job) } else { Link::Begun(job) };
    let depth = if waits { parent.depth() + 1 } else { 0 };
    Some(Box::new(ChildOrder {
        child: id,
        parent: Parent { execution: parent.id, link, depth },
        runs: Runs::Newest(child.workflow.clone()),
        name: child.name.clone(),
        input: open.input.clone(),
        is_fresh,
    }))
}

fn order_of_item(
    parent: &Execution,
    program: Option<&Arc<Program>>,
    id: ExecutionId,
    is_fresh: bool,
) -> Option<Box<ChildOrder>> {
    let (frame, map, part) = parent.frames.iter().find_map(|(frame, open)| {
        Some((*frame, open.state.clone()?, open.map_run()?.children.get(&id)?))
    })?;
    let link = Link::Item { frame, index: part.index, map };
    Some(Box::new(ChildOrder {
        child: id,
        parent: Parent { execution: parent.id, link, depth: parent.depth() + 1 },
        runs: Runs::Processor(Begin {
            workflow: parent.workflow.clone(),
            definition: parent.definition,
            program: program?.clone(),
        }),
        name: None,
        input: part.input.clone(),
        is_fresh,
    }))
}

/// What the parent of `execution`, which has ended, must be told; nothing when it does not wait.
pub(super) fn end_note(execution: &Execution) -> Option<(ExecutionId, Note)> {
    execution.waiting_parent().map(|parent| ended(parent, execution))
}

/// What the parent of `execution`, which was set aside, must be told: it may wait for ever otherwise.
pub(super) fn set_aside_note(execution: &Execution) -> Option<(ExecutionId, Note)> {
    let parent = execution.waiting_parent()?;
    let reason = execution.set_aside.as_deref()?;
    let failure = Failure::new(SET_ASIDE, &format!("the execution was set aside: {reason}"));
    let command = Command::ChildRefused { child: execution.id, failure };
    Some((parent, reported(parent, command)))
}

/// What the parent of `execution` must be told of its progress, which was `before`. A part of a
/// distributed Map, of which there may be many, tells less than a Task.
pub(super) fn progress_note(execution: &Execution, before: u8) -> Option<(ExecutionId, Note)> {
    let parent = execution.parent.as_ref()?;
    let percent = execution.progress;
    let tells = match &parent.link {
        Link::Begun(_) => false,
        Link::Job(_) => percent != before,
        Link::Item { .. } => percent / PART_PROGRESS_STEP != before / PART_PROGRESS_STEP,
    };
    let command = Command::ChildProgressed { child: execution.id, percent };
    tells.then(|| (parent.execution, reported(parent.execution, command)))
}

fn ended(parent: ExecutionId, child: &Execution) -> (ExecutionId, Note) {
    let end = Some(Box::new(ChildEnd::of(child)));
    (parent, reported(parent, Command::ChildEnded { child: child.id, end }))
}

fn reported(execution: ExecutionId, command: Command) -> Note {
    Note::Reported { execution, command }
}

/// The job types of a program that nobody here serves. Activities have workers of their own, which
/// come when they come.
pub(super) fn unserved(tools: &Tools, program: &Program) -> Vec<String> {
    let job_types = program.workflow.job_types();
    let is_served = |job_type: &str| {
        tools.dispatch.may_serve(job_type)
            || tools.catalogue.now().activities.contains_key(job_type)
    };
    let unserved = job_types.iter().filter(|job_type| !is_served(job_type));
    unserved.map(ToString::to_string).collect()
}

impl ChildOrder {
    fn program(&self, tools: &Tools) -> Result<Begin, Failure> {
        match &self.runs {
            Runs::Processor(begin) => Ok(begin.clone()),
            Runs::Newest(name) => {
                let Some((definition, program)) = tools.definitions.newest(name) else {
                    let cause = format!("State Machine Does Not Exist: '{name}'");
                    let error = "StepFunctions.StateMachineDoesNotExistException";
                    return Err(Failure::new(error, &cause));
                };
                let unserved = unserved(tools, &program);
                if unserved.is_empty() {
                    return Ok(Begin { workflow: name.clone(), definition, program });
                }
                let types = unserved.join(", ");
                let cause = format!("nobody serves these job types of {name:?}: {types}");
                Err(Failure::new("States.TaskFailed", &cause))
            }
        }
    }
}

impl Shard {
    /// Sees that an execution has begun.
    pub(super) fn run_child(&mut self, order: Box<ChildOrder>) {
        if let Some(slot) = self.slots.get(&order.child) {
            if let Some((parent, note)) = set_aside_note(&slot.execution) {
                return self.note_when_durable(parent, note);
            }
            let at = slot.execution.started_at;
            return self.tell_begun(&order, at);
        }
        if !order.is_fresh {
            return self.look_up(order);
        }
        if let Err(failure) = self.begin_child(&order) {
            let command = Command::ChildRefused { child: order.child, failure };
            let parent = order.parent.execution;
            self.tools.shards.note(parent, reported(parent, command));
        }
    }

    fn begin_child(&mut self, order: &ChildOrder) -> Result<(), Failure> {
        let most = self.tools.limits.live_executions / self.tools.shards.count();
        if self.slots.len() >= most.max(1) {
            let most = self.tools.limits.live_executions;
            let cause = format!("{most} executions are under way, the most that may be");
            return Err(Failure::new(TOO_MANY, &cause));
        }
        let Begin { workflow, definition, program } = order.program(&self.tools)?;
        let id = order.child;
        let start = StartExecution {
            name: order.name.clone(),
            parent: Some(order.parent.clone()),
            ..StartExecution::new(workflow, definition, order.input.clone())
        };
        let command = self.held_with_workflow(start.into());
        self.slots.insert(id, Slot::new(Execution::new(id), Some(program)));
        if let Err(rejection) = self.decide_on(id, command, None) {
            self.slots.remove(&id);
            return Err(refusal(&rejection));
        }
        let at = self.slots.get(&id).map_or(Timestamp(0), |slot| slot.execution.started_at);
        self.tell_begun(order, at);
        Ok(())
    }

    /// Tells a parent that waits for no more than the beginning, once that is durable.
    fn tell_begun(&mut self, order: &ChildOrder, at: Timestamp) {
        if matches!(order.parent.link, Link::Begun(_)) {
            let parent = order.parent.execution;
            let command = Command::ChildStarted { child: order.child, at };
            self.note_when_durable(parent, reported(parent, command));
        }
    }

    /// Finds out what became of an execution that was ordered before a crash: it is not in memory,
    /// so it has ended, or never began.
    fn look_up(&self, order: Box<ChildOrder>) {
        let (store, shards) = (self.tools.store.clone(), self.tools.shards.clone());
        let clock = self.tools.clock.clone();
        let look_up = async move {
            match read_execution(&*store, order.child).await {
                Ok(child) => {
                    let (parent, note) = ended(order.parent.execution, &child);
                    shards.note(parent, note);
                }
                // By way of the parent, which may have changed its mind meanwhile.
                Err(Error::NoSuchExecution { .. }) => {
                    shards.note(order.parent.execution, Note::OrderAgain(order));
                }
                // A disk may be readable again, so whoever waits for it goes on waiting.
                Err(error @ Error::Store(store::Error::Io { .. })) => {
                    let (code, child) = (error.code(), order.child);
                    tracing::warn!(code, %error, %child, "an execution cannot be looked up yet");
                    // What is held here would keep a system that stops from being let go.
                    drop(store);
                    clock.sleep(LOOK_AGAIN).await;
                    shards.note(child, Note::RunChild(order));
                }
                // What became of it is not known, so nothing may be decided on it.
                Err(error) => {
                    let (code, child) = (error.code(), order.child);
                    tracing::error!(code, %error, %child, "an execution cannot be looked up");
                    let reason = format!("execution {child} cannot be looked up: {error}").into();
                    let parent = order.parent.execution;
                    shards.note(parent, reported(parent, Command::SetAside { reason }));
                }
            }
        };
        drop(self.tools.tasks.spawn(look_up));
    }

    /// Orders an execution that never began, unless its parent no longer wants it.
    pub(super) fn order_again(&self, order: &ChildOrder) {
        let Some(slot) = self.slots.get(&order.parent.execution) else { return };
        if let Some(order) = slot.order(order.child, true) {
            self.tools.shards.note(order.child, Note::RunChild(order));
        }
    }

    /// Tells an execution to stop whose parent has ended: a forced cancel left it behind, and a crash
    /// came before it heard of that.
    pub(super) fn answer_child(&self, parent: ExecutionId, child: ExecutionId) {
        if !self.slots.contains_key(&parent) {
            self.tools.shards.note(child, Note::StopChild { parent, child });
        }
    }

    /// Sees that an execution stops.
    pub(super) fn stop_child(&mut self, parent: ExecutionId, child: ExecutionId) {
        let stops = self.slots.get(&child).is_some_and(|slot| slot.execution.set_aside.is_none());
        if !stops {
            // It has ended, never began, or waits for people; the parent need not know which.
            let command = Command::ChildEnded { child, end: None };
            return self.tools.shards.note(parent, reported(parent, command));
        }
        let command = Command::CancelExecution {
            by: format!("execution {parent}").into(),
            reason: Some("the execution that began it no longer waits for it".into()),
            force: false,
        };
        if let Err(rejection) = self.decide_on(child, command, None) {
            // It is stopping already, or has just ended, and tells its parent itself.
            tracing::debug!(execution = %child, code = rejection.code(), "not to be stopped again");
        }
    }
}

fn refusal(rejection: &Rejection) -> Failure {
    let error = match rejection {
        Rejection::TooLarge { .. } => "States.DataLimitExceeded",
        Rejection::PlaceTaken { .. } => PLACE_TAKEN,
        Rejection::PlaceHeldByParent { .. } => PLACE_HELD_BY_PARENT,
        Rejection::PlaceQueueFull { .. } => TOO_MANY,
        _ => "States.TaskFailed",
    };
    Failure::new(error, &rejection.to_string())
}
