//! What a system of workflow jobs must do, scenario by scenario: the numbers are those of the list in
//! `docs/decisions/0009-scenarios.md`, which also says where we mean to answer otherwise.
//!
//! Jobs are in the hands of the test: it sees each as it begins, and says how it goes on.

mod cancellation;
mod concurrency;
mod durability;
mod lifecycle;
mod progress;

use std::sync::Arc;

use everstep::engine::{Execution, ExecutionId};
use everstep::runtime::{Builder, Orchestrator};
use everstep::view::{Card, ResultCard};
use everstep::worker::{JobContext, JobError, Registry};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{World, deploy, one_task, within};

/// Jobs of the types `work` and `other`, as they come.
struct Hands {
    registry: Registry,
    jobs: Mutex<mpsc::UnboundedReceiver<Held>>,
}

/// A job that has begun.
struct Held {
    job: JobContext,
    answer: oneshot::Sender<Result<Value, JobError>>,
}

impl Hands {
    /// Takes any number of jobs at once.
    fn free() -> Self {
        Self::at_most(64)
    }

    /// Takes so many jobs of each type at once.
    fn at_most(concurrency: usize) -> Self {
        let (given, jobs) = mpsc::unbounded_channel();
        let mut registry = Registry::new();
        for job_type in ["work", "other"] {
            let given = given.clone();
            registry.handle(job_type, move |job: JobContext, _: Value| {
                let (answer, told) = oneshot::channel();
                drop(given.send(Held { job, answer }));
                async move { told.await.unwrap_or_else(|_| Err(JobError::failed("let go"))) }
            });
            registry.set_concurrency(job_type, concurrency);
        }
        Self { registry, jobs: Mutex::new(jobs) }
    }

    fn to(&self, builder: Builder) -> Builder {
        builder.registry(self.registry.clone())
    }

    async fn open(&self, world: &mut World) -> Orchestrator {
        world.open(|builder| self.to(builder)).await
    }

    /// The next job that begins.
    async fn next(&self) -> Held {
        within(async { self.jobs.lock().await.recv().await.unwrap() }).await
    }

    /// Whether no job has begun that was not taken.
    async fn are_idle(&self) -> bool {
        self.jobs.lock().await.try_recv().is_err()
    }
}

impl Held {
    fn input(&self) -> Value {
        self.job.input().value()
    }

    fn succeed(self, output: Value) {
        drop(self.answer.send(Ok(output)));
    }

    fn fail(self, error: &str, cause: &str) {
        drop(self.answer.send(Err(JobError::new(error, cause))));
    }

    fn stop(self) {
        drop(self.answer.send(Err(JobError::cancelled())));
    }

    async fn was_told_to_stop(&self) {
        within(self.job.cancel_token().cancelled()).await;
    }
}

/// A system with this workflow, whose jobs are in these hands.
async fn begin(hands: Hands, definition: &Value) -> (World, Hands, Orchestrator) {
    let mut world = World::new();
    let system = hands.open(&mut world).await;
    deploy(&system, definition).await;
    (world, hands, system)
}

/// Waits until an execution is as `wanted`.
async fn until(
    system: &Orchestrator,
    id: ExecutionId,
    wanted: impl Fn(&Execution) -> bool,
) -> Execution {
    let mut events = system.events(1, Some(id));
    within(async {
        loop {
            events.next().await.unwrap();
            let execution = system.execution(id).await.unwrap();
            if wanted(&execution) {
                return execution;
            }
        }
    })
    .await
}

fn card(system: &Orchestrator, execution: &Execution) -> Card {
    let program: Arc<_> = system.program(execution.definition).unwrap();
    Card::of(&program, execution, execution.updated_at)
}

fn result(system: &Orchestrator, execution: &Execution) -> ResultCard {
    let program = system.program(execution.definition).unwrap();
    ResultCard::of(&program, execution, execution.updated_at)
}

/// A machine of Tasks, one after the other; each with these further fields.
fn chain(tasks: &[(&str, Value)]) -> Value {
    let mut states = serde_json::Map::new();
    for (at, (name, fields)) in tasks.iter().enumerate() {
        let mut state = json!({"Type": "Task", "Resource": "work"});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        match tasks.get(at + 1) {
            Some((next, _)) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        states.insert((*name).to_owned(), state);
    }
    json!({"StartAt": tasks[0].0, "States": states})
}
