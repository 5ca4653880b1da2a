//! Putting a system together and opening it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, watch};

use super::attempt::ReporterPlace;
use super::catalogue::Catalogue;
use super::checkpoint::{CheckpointWriter, Rounds};
use super::clock::{Clock, IdSource, RandomIds, SystemClock};
use super::committer::{Committer, Health, Unit};
use super::controls::Controls;
use super::definitions::Definitions;
use super::dispatch::{Dispatch, Service, TraceParents};
use super::error::Error;
use super::limits::Limits;
use super::orchestrator::{Inner, Orchestrator};
use super::places::Places;
use super::recovery::{self, Recovered, System};
use super::results::WriteResults;
use super::shard::{Adopted, Shard, Tools};
use super::shards::{Lanes, Shards};
use super::summary::Summary;
use super::tasks::{Spawn, Task, Tasks};
use crate::engine::own_jobs::{READ_ITEMS, WRITE_RESULTS};
use crate::engine::{ExecutionId, Mint};
use crate::store::{Check, Epoch, EventStore, Position, SledOptions, SledStore, Stream};
use crate::worker::files::{Buckets, ReadItems, ReadLimits};
use crate::worker::{JobContext, JobError, Registry};

/// What a system is made of. Made by [`Orchestrator::builder`].
pub struct Builder {
    registry: Registry,
    buckets: Buckets,
    limits: Limits,
    shards: usize,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    worker_name: Arc<str>,
    remote_workers: bool,
    spawn: Option<Arc<dyn Spawn>>,
    trace_parents: Option<TraceParents>,
}

impl Default for Builder {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            registry: Registry::new(),
            buckets: Buckets::new(),
            limits: Limits::default(),
            shards: cores,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds::default()),
            remote_workers: false,
            spawn: None,
            trace_parents: None,
            worker_name: format!("in-process {}", std::process::id()).into(),
        }
    }
}

impl Builder {
    /// Registers an async handler for a job type. Its input is read from the job's JSON, its
    /// result written as JSON; a panic is a failure of the attempt.
    #[must_use]
    pub fn handle<T, R, F, Fut>(mut self, job_type: impl Into<Arc<str>>, handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(JobContext, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, JobError>> + Send + 'static,
    {
        self.registry.handle(job_type, handler);
        self
    }

    /// Takes the handlers of a registry instead of those given so far.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Binds the names of buckets to folders: where the `ItemReader` and `ResultWriter` of distributed
    /// Maps may read and write. Without any they may nowhere.
    #[must_use]
    pub fn buckets(mut self, buckets: Buckets) -> Self {
        self.buckets = buckets;
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets workers of other processes have jobs (see [`Orchestrator::poll_jobs`]). An execution may
    /// then begin although nobody serves its job types yet: its jobs wait for a worker. And attempts
    /// that such workers have outlive this process.
    #[must_use]
    pub fn remote_workers(mut self, allowed: bool) -> Self {
        self.remote_workers = allowed;
        self
    }

    /// Sets how many jobs run at once in the whole process, of all types together, from 1. The same
    /// as [`Limits::running_jobs`].
    #[must_use]
    pub fn running_jobs(mut self, most: usize) -> Self {
        self.limits.running_jobs = most.max(1);
        self
    }

    /// Sets what tells workers in this process of which trace an attempt is part (see
    /// [`JobContext::traceparent`]). It is asked when the attempt begins, and must not wait.
    #[must_use]
    pub fn trace_parents(mut self, parents: Option<TraceParents>) -> Self {
        self.trace_parents = parents;
        self
    }

    /// Sets the number of shards, from 1. Default: one per core.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards.max(1);
        self
    }

    /// Sets where time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where ids, tokens and seeds come from.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// Sets what runs the tasks of the system. Default: the tokio runtime in which it is opened, and
    /// threads of its own for what writes to the store.
    #[must_use]
    pub fn tasks(mut self, tasks: Arc<dyn Spawn>) -> Self {
        self.spawn = Some(tasks);
        self
    }

    /// Opens the data folder, making it if there is none, and goes on with what is in it.
    ///
    /// Must be called inside a tokio runtime. On return recovery is done: interrupted executions
    /// are at work again.
    ///
    /// # Errors
    /// Another process has the folder, it is damaged, or it cannot be written.
    pub async fn open(self, data: impl AsRef<Path>) -> Result<Orchestrator, Error> {
        let store = SledStore::open(
            data.as_ref(),
            SledOptions { check: Check::Tail, ..SledOptions::default() },
        )?;
        self.open_store(Arc::new(store)).await
    }

    /// Opens a system on a store of the caller's.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn open_store(self, store: Arc<dyn EventStore>) -> Result<Orchestrator, Error> {
        let epoch = store.acquire().await?;
        let definitions = Arc::new(Definitions::default());
        let controls = Arc::new(Controls::default());
        let catalogue = Arc::new(Catalogue::default());
        let system =
            System { definitions: &definitions, controls: &controls, catalogue: &catalogue };
        let recovered = recover(&*store, system, &*self.clock).await?;
        let tasks = Tasks::on(self.spawn);
        let limits = Arc::new(self.limits);
        let mut registry = self.registry;
        add_own(&mut registry, &store, Arc::new(self.buckets), &limits);
        let (shards, lanes) = Shards::new(self.shards, limits.shard_queue);
        let (units, units_out) = async_channel::bounded(limits.commit_queue);
        let (parts, parts_out) = async_channel::unbounded();
        let around = (self.clock.clone(), tasks.clone(), self.remote_workers);
        let dispatch = dispatch(&registry, &limits, &shards, &controls, around);
        let dispatch = Arc::new(dispatch.with_trace_parents(self.trace_parents));
        let places = Places::new(definitions.clone(), limits.waiting_executions);
        places.restore(recovered.live.values(), &recovered.asked, &*store).await?;
        let (durable, durable_out) = watch::channel(store.last_position());
        let (health, health_out) = watch::channel(Health::Working);
        let (rounds_done, rounds_out) = watch::channel(0);
        let rounds = Rounds::new(parts, shards.clone());

        let interval = limits.progress_interval;
        let reporters =
            ReporterPlace::new(self.clock.clone(), interval, shards.clone(), tasks.clone());
        let tools = Tools {
            limits,
            clock: self.clock,
            mint: Mint::new(self.ids.mint_key()),
            ids: self.ids,
            dispatch,
            reporters,
            store,
            definitions,
            controls,
            catalogue,
            names: Arc::default(),
            places: Arc::new(places),
            figures: Arc::default(),
            shards,
            tasks,
            units,
            worker_name: self.worker_name,
        };
        let writer = CheckpointWriter::new(&tools, parts_out, rounds_done);
        let committer = committer(&tools, epoch, units_out, (durable, health), rounds.clone());
        let writers = start_writers(&tools, committer, writer)?;
        let report = recovered.report.clone();
        let shard_tasks = spawn_shards(&tools, lanes, recovered);
        let retention = tools.limits.retention;
        let orchestrator = Orchestrator::from_inner(Inner {
            tools,
            deploying: Arc::new(Mutex::new(())),
            redriving: Arc::new(Mutex::new(())),
            controlling: Arc::new(Mutex::new(())),
            cataloguing: Arc::new(Mutex::new(())),
            rounds,
            rounds_done: rounds_out,
            durable: durable_out,
            health: health_out,
            report,
            is_stopping: AtomicBool::new(false),
            shard_tasks: Mutex::new(shard_tasks),
            writers: Mutex::new(writers),
        });
        orchestrator.keep_no_longer_than(retention);
        Ok(orchestrator)
    }
}

pub(super) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Reads the store, and says how long that took.
async fn recover(
    store: &dyn EventStore,
    system: System<'_>,
    clock: &dyn Clock,
) -> Result<Recovered, Error> {
    let began = clock.now();
    let mut recovered = recovery::recover(store, system).await?;
    recovered.report.took_ms = clock.now().ms_since(began);
    Ok(recovered)
}

/// Adds what runs the jobs that are ours.
fn add_own(
    registry: &mut Registry,
    store: &Arc<dyn EventStore>,
    buckets: Arc<Buckets>,
    limits: &Limits,
) {
    /// They use the disk, which more at once would not make faster.
    const AT_ONCE: usize = 4;
    let reader = ReadItems::new(buckets.clone(), ReadLimits::of(&limits.engine));
    registry.register(READ_ITEMS, Arc::new(reader), AT_ONCE);
    let payload_bytes = limits.engine.payload_bytes;
    let writer = WriteResults { store: store.clone(), buckets, payload_bytes };
    registry.register(WRITE_RESULTS, Arc::new(writer), AT_ONCE);
}

fn services(registry: &Registry) -> Vec<Service> {
    registry
        .job_types()
        .filter_map(|job_type| {
            Some(Service {
                job_type: job_type.clone(),
                handler: registry.get(job_type)?,
                concurrency: registry.concurrency(job_type)?,
            })
        })
        .collect()
}

/// Hands out jobs, but none of types that are paused.
fn dispatch(
    registry: &Registry,
    limits: &Limits,
    shards: &Shards,
    controls: &Controls,
    (clock, tasks, takes_remote): (Arc<dyn Clock>, Tasks, bool),
) -> Dispatch {
    let (services, most) = (services(registry), limits.running_jobs);
    let (shards, count) = (shards.clone(), shards.count());
    let dispatch = Dispatch::new(services, most, shards, tasks, clock, takes_remote);
    dispatch.await_shards(count);
    for job_type in controls.held().job_types.keys() {
        dispatch.hold(job_type, true);
    }
    dispatch
}

/// Writes what shards have decided, and tells how that goes.
fn committer(
    tools: &Tools,
    epoch: Epoch,
    units: async_channel::Receiver<Vec<Unit>>,
    (durable, health): (watch::Sender<Position>, watch::Sender<Health>),
    rounds: Arc<Rounds>,
) -> Committer {
    Committer {
        store: tools.store.clone(),
        epoch,
        units,
        group_units: tools.limits.group_units,
        checkpoint_events: tools.limits.checkpoint_events,
        last_round: (tools.store.last_position(), tools.clock.now()),
        dispatch: tools.dispatch.clone(),
        shards: tools.shards.clone(),
        figures: tools.figures.clone(),
        durable,
        health,
        rounds,
        clock: tools.clock.clone(),
        tasks: tools.tasks.clone(),
        keep_tombstones_ms: milliseconds(tools.limits.keep_tombstones),
        compacting: None,
    }
}

/// Starts what writes to the store.
fn start_writers(
    tools: &Tools,
    committer: Committer,
    writer: CheckpointWriter,
) -> Result<Vec<Task<()>>, Error> {
    Ok(vec![
        tools.tasks.spawn_writer("everstep-commit", committer.run())?,
        tools.tasks.spawn_writer("everstep-checkpoint", writer.run())?,
    ])
}

/// Gives each shard what recovery found for it, and starts it.
fn spawn_shards(tools: &Tools, lanes: Vec<Lanes>, recovered: Recovered) -> Vec<Task<()>> {
    let mut adopted: Vec<Vec<Adopted>> = lanes.iter().map(|_| Vec::new()).collect();
    let mut live = recovered.live;
    // The oldest first, whatever the map says: what comes next then hangs on the log alone.
    let mut streams: Vec<Stream> = live.keys().copied().collect();
    streams.sort_unstable();
    for stream in streams {
        let Some(execution) = live.remove(&stream) else { continue };
        let program = tools.definitions.program(execution.definition);
        if let Some(place) = adopted.get_mut(tools.shards.index_of(ExecutionId(stream))) {
            let is_saved = recovered.saved.contains(&stream);
            place.push(Adopted { execution, program, is_saved });
        }
    }
    let mut finished: Vec<Vec<Summary>> = lanes.iter().map(|_| Vec::new()).collect();
    for (id, row) in recovered.finished {
        // Whoever owns the execution has its row, and lets it go when it is deleted.
        if let Some(place) = finished.get_mut(tools.shards.index_of(id)) {
            place.push(row);
        }
    }
    lanes
        .into_iter()
        .zip(adopted)
        .zip(finished)
        .map(|((lanes, adopted), finished)| {
            let mut shard = Shard::new(tools.clone(), lanes);
            shard.adopt(adopted, finished);
            tools.tasks.spawn(shard.run())
        })
        .collect()
}
