//! What outlives a process: a store that fails when the plan says so, and takes its time.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::decay::Decay;
use super::world::World;
use crate::engine::ExecutionId;
use crate::store::{
    Appended, Check, Checkpoint, Compacted, Compaction, Crash, Entries, Epoch, Error, EventStore,
    Finished, Mishap, NameKey, OpenReport, Position, Record, SimDisk, SledOptions, SledStore,
    Snapshot, Stream, Transition,
};

/// What outlives a process.
pub(super) struct Disk {
    disk: SimDisk,
    decay: Decay,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self { disk: SimDisk::new(), decay: Decay::new(seed) }
    }

    /// Lets the disk decay with a step of the life.
    pub(super) fn go_on(&mut self, world: &World) {
        self.decay.go_on(&self.disk, world);
    }

    /// Somebody was told that there is damage: whether there can be.
    pub(super) fn hear_of_damage(&mut self, world: &World) -> bool {
        self.decay.hear_of_damage(world)
    }

    /// From now on everything can be read.
    pub(super) fn mend(&mut self, world: &World) {
        self.decay.mend(&self.disk, world);
    }

    /// The store as the next process finds it, with what will go wrong in it.
    pub(super) fn open(&mut self, world: &Arc<World>) -> Result<Arc<dyn EventStore>, Error> {
        let soon = |most| world.draw(|random| random.below(most));
        if world.hits("full_disk", |faults| faults.full_disk) {
            self.disk.fill_up_after(soon(800));
        }
        if world.hits("failing_sync", |faults| faults.failing_sync) {
            self.disk.fail_sync_after(soon(120));
        }
        if world.hits("power_off", |faults| faults.power_off) {
            self.disk.cut_power_after(soon(1500));
        }
        let before = self.decay.has_rotten().then(|| self.log());
        let options = SledOptions { check: Check::Tail, ..SledOptions::default() };
        let opened = SledStore::open_simulated(&self.disk, options);
        let is_refused = matches!(opened, Err(Error::Damaged { .. }));
        if is_refused && before.is_some_and(|before| before != self.log()) {
            let what = "a log that is refused is not left as it was";
            world.tell(json!({"call": "fault", "what": what}));
        }
        let inner = opened?;
        self.decay.was_opened();
        Ok(Arc::new(SlowStore { inner, world: world.clone() }))
    }

    /// The process is gone, and with it what the disk did not keep.
    pub(super) fn crash(&mut self, world: &Arc<World>) {
        let kinds = [Crash::Killed, Crash::PowerCut];
        let crash = world.draw(|random| random.pick(&kinds).copied()).unwrap_or(Crash::Killed);
        let (disk, decay) = (&self.disk, &mut self.decay);
        let kept = world.draw(|random| {
            decay.crash(disk, crash, random.clone());
            disk.crash(crash, random)
        });
        world.tell(json!({"world": "what the disk kept", "of": format!("{crash:?}")}));
        self.disk = self.decay.between_processes(kept, world);
    }

    /// All that is in the log's file.
    fn log(&self) -> Vec<Entries> {
        let trees = self.disk.trees("log");
        trees.iter().map(|(tree, _)| self.disk.entries("log", tree)).collect()
    }
}

/// A store that takes its time before and after all that it does.
struct SlowStore {
    inner: SledStore,
    world: Arc<World>,
}

impl SlowStore {
    async fn wait(&self) {
        let most = self.world.plan.faults.slow_store;
        if most == 0 || self.world.is_calm() {
            return tokio::task::yield_now().await;
        }
        match self.world.draw(|random| random.below(most + 1)) {
            0 => tokio::task::yield_now().await,
            ms => self.world.clock.rest(ms).await,
        }
    }

    async fn slowly<T>(&self, work: impl Future<Output = T>) -> T {
        self.wait().await;
        let done = work.await;
        self.wait().await;
        done
    }
}

#[async_trait]
impl EventStore for SlowStore {
    async fn acquire(&self) -> Result<Epoch, Error> {
        self.slowly(self.inner.acquire()).await
    }

    async fn append(&self, epoch: Epoch, batch: Vec<Transition>) -> Result<Vec<Appended>, Error> {
        self.slowly(self.inner.append(epoch, batch)).await
    }

    fn last_position(&self) -> Position {
        self.inner.last_position()
    }

    async fn read_log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        self.slowly(self.inner.read_log(from, limit)).await
    }

    async fn read_history(&self, stream: Stream, range: Range<u64>) -> Result<Vec<Record>, Error> {
        self.slowly(self.inner.read_history(stream, range)).await
    }

    fn last_sequence(&self, stream: Stream) -> Result<u64, Error> {
        self.inner.last_sequence(stream)
    }

    fn position_of(&self, stream: Stream, sequence: u64) -> Result<Option<Position>, Error> {
        self.inner.position_of(stream, sequence)
    }

    async fn find_tombstone(&self, stream: Stream) -> Result<Option<Record>, Error> {
        self.slowly(self.inner.find_tombstone(stream)).await
    }

    async fn compact(&self, epoch: Epoch, compaction: Compaction) -> Result<Compacted, Error> {
        self.slowly(self.inner.compact(epoch, compaction)).await
    }

    async fn write_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Error> {
        if self.world.hits("failing_checkpoint", |faults| faults.failing_checkpoint) {
            let (message, kind) = ("made to fail".to_owned(), ErrorKind::StorageFull);
            return Err(Error::Io { operation: "write of a checkpoint", message, kind });
        }
        self.slowly(self.inner.write_checkpoint(checkpoint)).await
    }

    async fn read_checkpoint(&self) -> Result<(Vec<Snapshot>, Position), Error> {
        self.slowly(self.inner.read_checkpoint()).await
    }

    async fn list_finished(
        &self,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        self.slowly(self.inner.list_finished(before, limit)).await
    }

    async fn list_mishaps(
        &self,
        mishaps: &[Mishap],
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<Finished>, Error> {
        self.slowly(self.inner.list_mishaps(mishaps, before, limit)).await
    }

    async fn find_finished(&self, execution: ExecutionId) -> Result<Option<Finished>, Error> {
        self.slowly(self.inner.find_finished(execution)).await
    }

    async fn find_named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error> {
        self.slowly(self.inner.find_named(key)).await
    }

    async fn find_fold(&self, stream: Stream, at: u64) -> Result<Option<Snapshot>, Error> {
        self.slowly(self.inner.find_fold(stream, at)).await
    }

    fn open_report(&self) -> OpenReport {
        self.inner.open_report()
    }
}
