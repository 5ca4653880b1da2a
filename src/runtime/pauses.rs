//! Pausing and resuming: one execution, all of a workflow, all jobs of a type.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::controls::Controls;
use super::error::Error;
use super::orchestrator::Orchestrator;
use super::shards::Request;
use super::summary::{Rows, Summary};
use crate::engine::event::{JobTypePaused, JobTypeResumed, WorkflowPaused, WorkflowResumed};
use crate::engine::held::Kind;
use crate::engine::pause::bounded_by;
use crate::engine::{Command, Event, ExecutionId, Held, PauseScope, PauseWish, own_jobs};

/// Everything that is paused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Workflows and job types.
    pub held: Held,
    /// Executions, the newest first; those of paused workflows too, but no parts of distributed Maps.
    pub executions: Vec<Summary>,
}

impl Paused {
    /// What is held, with those of the executions that are.
    pub(super) fn of(held: Held, rows: impl IntoIterator<Item = Summary>) -> Self {
        let is_paused = |row: &Summary| row.pauses.any() && Rows::Own.has(row);
        let mut executions: Vec<Summary> = rows.into_iter().filter(is_paused).collect();
        executions.sort_by_key(|row| std::cmp::Reverse(row.id));
        Self { held, executions }
    }
}

impl Orchestrator {
    /// Pauses an execution: nothing in it begins until it is resumed. Jobs that workers have go on,
    /// and so do executions that it began; what they give is recorded. So is time: what runs out
    /// meanwhile has run out, also the time of the whole execution.
    ///
    /// # Errors
    /// There is no such execution, it has ended or is ending, or it is paused already.
    pub async fn pause(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let scope = PauseScope::Execution;
        let reason = reason.map(Arc::from);
        let command = Command::PauseExecution { scope, by: by.into(), reason };
        self.command(execution, command).await.map(drop)
    }

    /// Lets an execution go on that was paused by itself. As long as its workflow is paused it stays
    /// paused.
    ///
    /// # Errors
    /// There is no such execution, it has ended or is ending, or it is not paused by itself.
    pub async fn resume(&self, execution: ExecutionId, by: &str) -> Result<(), Error> {
        let command = Command::ResumeExecution { scope: PauseScope::Execution, by: by.into() };
        self.command(execution, command).await.map(drop)
    }

    /// Pauses a workflow: every live execution of it, and every one that begins before it is resumed.
    /// On return all of them are; how many were paused by this.
    ///
    /// # Errors
    /// There is no such workflow, or it is paused already.
    pub async fn pause_workflow(
        &self,
        workflow: &str,
        by: &str,
        reason: Option<&str>,
    ) -> Result<u64, Error> {
        let known = self.workflows();
        if !known.iter().any(|name| name == workflow) {
            return Err(Error::NoSuchWorkflow { name: workflow.to_owned(), known });
        }
        self.control(Control::pause(Kind::Workflow, workflow, by, reason)).await
    }

    /// Lets a workflow go on. On return all of its executions do that are not paused by themselves;
    /// how many were resumed by this.
    ///
    /// # Errors
    /// It is not paused.
    pub async fn resume_workflow(&self, workflow: &str, by: &str) -> Result<u64, Error> {
        self.control(Control::resume(Kind::Workflow, workflow, by)).await
    }

    /// Pauses a job type: no job of it is given to a worker until it is resumed. Those that wait keep
    /// their order, those that run go on.
    ///
    /// # Errors
    /// Nobody serves such jobs and no workflow has any, or it is paused already.
    pub async fn pause_job_type(
        &self,
        job_type: &str,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let known = self.known_job_types();
        if !known.contains(job_type) {
            let known = known.into_iter().collect();
            return Err(Error::NoSuchJobType { name: job_type.to_owned(), known });
        }
        self.control(Control::pause(Kind::JobType, job_type, by, reason)).await.map(drop)
    }

    /// Lets jobs of a type be given to workers again.
    ///
    /// # Errors
    /// It is not paused.
    pub async fn resume_job_type(&self, job_type: &str, by: &str) -> Result<(), Error> {
        self.control(Control::resume(Kind::JobType, job_type, by)).await.map(drop)
    }

    /// Everything that is paused.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn paused(&self) -> Result<Paused, Error> {
        Ok(Paused::of(self.held(), self.rows_in_memory().await?))
    }

    /// Workflows and job types that are paused.
    #[must_use]
    pub fn held(&self) -> Held {
        self.tools().controls.held()
    }

    fn known_job_types(&self) -> BTreeSet<String> {
        let definitions = &self.tools().definitions;
        let newest = definitions.names();
        let newest = newest.iter().filter_map(|name| definitions.newest(name));
        let named = newest.flat_map(|(_, program)| {
            let types = program.workflow.job_types();
            types.iter().map(ToString::to_string).collect::<Vec<_>>()
        });
        let mut known: BTreeSet<String> = named.chain(self.job_types()).collect();
        known.retain(|job_type| !job_type.starts_with(own_jobs::PREFIX));
        known
    }

    /// Records that something is held, or no longer, and sees that it is so everywhere.
    async fn control(&self, control: Control) -> Result<u64, Error> {
        self.check_open()?;
        let this = self.clone();
        // An event in the log must not stay unknown here.
        let controlling = async move { this.carry_out(control).await };
        self.in_turn(&self.inner.controlling, controlling).await
    }

    async fn carry_out(&self, control: Control) -> Result<u64, Error> {
        let controls = &self.tools().controls;
        match controls.get(control.kind, &control.name) {
            Some(held) if control.pauses => {
                let (by, since) = (held.by.to_string(), held.at);
                return Err(Error::AlreadyPaused { what: control.what(), by, since });
            }
            None if !control.pauses => return Err(Error::NotPaused { what: control.what() }),
            Some(_) | None => {}
        }
        let event = control.event();
        let (sequence, time) = (controls.next_sequence(), self.tools().clock.now());
        self.record(Controls::stream(), sequence, time, vec![event.clone()]).await?;
        controls.apply(&event, sequence, time);
        if control.kind == Kind::JobType {
            self.tools().dispatch.hold(&control.name, control.pauses);
        }
        self.align(control).await
    }

    /// Asks every shard to bring its executions in line, and waits until that is durable. Of a job
    /// type there is nothing to bring in line: it is only waited for what was decided before.
    async fn align(&self, control: Control) -> Result<u64, Error> {
        let Control { kind, name, by, .. } = control;
        let workflow = (kind == Kind::Workflow).then_some(name);
        let ask = |reply| Request::Align { workflow: workflow.clone(), by: by.clone(), reply };
        Ok(self.ask_all(ask).await?.into_iter().sum())
    }
}

/// Something to hold, or to let go of.
struct Control {
    kind: Kind,
    name: Arc<str>,
    pauses: bool,
    by: Arc<str>,
    /// Why it is held.
    reason: Option<Arc<str>>,
}

impl Control {
    fn pause(kind: Kind, name: &str, by: &str, reason: Option<&str>) -> Self {
        let wish = PauseWish { by: by.into(), reason: reason.map(Arc::from) };
        let PauseWish { by, reason } = wish.bounded();
        Self { kind, name: name.into(), pauses: true, by, reason }
    }

    fn resume(kind: Kind, name: &str, by: &str) -> Self {
        let by = bounded_by(by.into());
        Self { kind, name: name.into(), pauses: false, by, reason: None }
    }

    fn event(&self) -> Event {
        let (name, by, reason) = (self.name.clone(), self.by.clone(), self.reason.clone());
        match (self.kind, self.pauses) {
            (Kind::Workflow, true) => WorkflowPaused { workflow: name, by, reason }.into(),
            (Kind::Workflow, false) => WorkflowResumed { workflow: name, by }.into(),
            (Kind::JobType, true) => JobTypePaused { job_type: name, by, reason }.into(),
            (Kind::JobType, false) => JobTypeResumed { job_type: name, by }.into(),
        }
    }

    /// `workflow "import"`.
    fn what(&self) -> String {
        match self.kind {
            Kind::Workflow => format!("workflow {:?}", self.name),
            Kind::JobType => format!("job type {:?}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::remote::Seat;
    use super::*;
    use crate::engine::{JobId, Timestamp};
    use crate::language::Format;
    use crate::runtime::dispatch::Offer;
    use crate::runtime::shards::Note;
    use crate::store::MemoryStore;
    use crate::worker::{JobContext, Registry};

    const JOBS: usize = 20;

    /// A system with an execution of [`JOBS`] jobs, of which one runs and never ends.
    async fn with_queue() -> (Orchestrator, ExecutionId) {
        let mut registry = Registry::new();
        let hangs = |_: JobContext, input: Value| async move {
            std::future::pending::<()>().await;
            Ok(input)
        };
        registry.handle("work", hangs);
        registry.set_concurrency("work", 1);
        let builder = Orchestrator::builder().registry(registry);
        let system = builder.open_store(Arc::new(MemoryStore::new())).await.unwrap();
        let map = json!({"StartAt": "A", "States": {"A": {"Type": "Map", "End": true,
            "ItemProcessor": {"StartAt": "P", "States":
                {"P": {"Type": "Task", "Resource": "work", "End": true}}}}}});
        system.deploy("w", &map.to_string(), Format::Json).await.unwrap();
        let items: Vec<usize> = (0..JOBS).collect();
        let id = system.start("w", json!(items)).await.unwrap();
        (system, id)
    }

    async fn started(system: &Orchestrator, id: ExecutionId) -> usize {
        // The answer comes after everything decided so far.
        system.execution(id).await.unwrap();
        let history = system.history(id).await.unwrap();
        history.iter().filter(|record| record.event.name() == "JobStarted").count()
    }

    #[tokio::test]
    async fn however_often_it_is_paused_each_job_queues_once() {
        let (system, id) = with_queue().await;
        for _ in 0..30 {
            system.pause(id, "me", None).await.unwrap();
            system.resume(id, "me").await.unwrap();
        }
        assert_eq!(system.tools().dispatch.queued("work"), JOBS - 1);
    }

    #[tokio::test]
    async fn a_job_that_had_a_slot_just_before_its_type_was_paused_is_not_started() {
        let (system, id) = with_queue().await;
        assert_eq!(started(&system, id).await, 1);
        system.pause_job_type("work", "me", None).await.unwrap();
        // As if the slot had been given out before, and the shard came to it only now.
        let (job, attempt, ticket) = (JobId(2), 1, 1);
        let offer = Offer {
            execution: id,
            job,
            attempt,
            job_type: "work".into(),
            ticket,
            since: None,
            scheduled_at: Timestamp(0),
            seat: Seat::Here,
        };
        system.tools().shards.note(id, Note::StartReserved(offer));
        assert_eq!(started(&system, id).await, 1);
        assert_eq!(system.tools().dispatch.queued("work"), JOBS, "it is back in the queue");
    }
}
