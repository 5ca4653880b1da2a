//! The whole runtime from outside, over a store in memory, a clock that tests move, and ids from a
//! seed.

mod callbacks;
mod children;
mod cleanup;
mod crash;
mod delete;
mod failing_store;
mod files;
mod herd;
mod lists;
mod names;
mod past;
mod pauses;
mod places;
mod remote;
mod retry;
mod running;
mod scenarios;
mod slots;
mod views;

use std::sync::Arc;
use std::time::Duration;

use everstep::engine::{Event, Execution, ExecutionId, Timestamp};
use everstep::language::Format;
use everstep::runtime::{Builder, Events, Orchestrator, read_execution};
use everstep::store::{EventStore, MemoryStore};
use everstep::testing::{SeededIds, VirtualClock};
use everstep::worker::JobContext;
use serde_json::{Value, json};

/// What outlives a process: the store and the time.
struct World {
    store: Arc<dyn EventStore>,
    clock: Arc<VirtualClock>,
    opened: u64,
}

impl World {
    fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()))
    }

    fn on(store: Arc<dyn EventStore>) -> Self {
        let clock = Arc::new(VirtualClock::new(Timestamp(1_700_000_000_000)));
        Self { store, clock, opened: 0 }
    }

    /// A system on this world, with a handler for `echo`.
    fn builder(&mut self) -> Builder {
        self.opened += 1;
        Orchestrator::builder()
            .shards(2)
            .clock(self.clock.clone())
            .ids(Arc::new(SeededIds::new(self.opened)))
            .handle("echo", |_: JobContext, input: Value| async move { Ok(input) })
    }

    async fn open(&mut self, add: impl FnOnce(Builder) -> Builder) -> Orchestrator {
        let builder = add(self.builder());
        builder.open_store(self.store.clone()).await.unwrap()
    }

    async fn history(&self, id: ExecutionId) -> Vec<Event> {
        let records = self.store.read_history(id.0, 1..u64::MAX).await.unwrap();
        records.iter().map(|record| (*record.event).clone()).collect()
    }

    async fn count(&self, id: ExecutionId, name: &str) -> usize {
        self.history(id).await.iter().filter(|event| event.name() == name).count()
    }

    /// The execution as its history tells it.
    async fn replayed(&self, id: ExecutionId) -> Execution {
        read_execution(&*self.store, id).await.unwrap()
    }
}

/// Deploys a definition as `w`.
async fn deploy(system: &Orchestrator, definition: &Value) {
    system.deploy("w", &definition.to_string(), Format::Json).await.unwrap();
}

/// A machine of one Task of this job type.
fn one_task(job_type: &str, fields: &Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": job_type, "End": true});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "A", "States": {"A": state}})
}

/// Waits until an event of this name is durable.
async fn seen(events: &mut Events, name: &str) -> Event {
    loop {
        let record = within(events.next()).await.unwrap();
        if record.event.name() == name {
            return (*record.event).clone();
        }
    }
}

/// Gives up on what should have happened long ago; nothing here waits for time to pass.
async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it never happened")
}
