//! Compaction under any sequence of appends, deletions, checkpoints, closings and crashes.

use tempfile::TempDir;

use super::damage_tests::crash;
use super::*;
use crate::store::MemoryStore;
use crate::testing::at_once;
use crate::testing::random::Random;
use crate::testing::store_suite::{compact_all, completed, deleted, started, stream, transition};

/// A history as the model has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Open(u64),
    Ended(u64),
    Deleted,
}

/// Both stores, and what must be in them.
struct Model {
    random: Random,
    folder: TempDir,
    disk: SledStore,
    disk_epoch: Epoch,
    memory: MemoryStore,
    memory_epoch: Epoch,
    known: Vec<Known>,
    /// All that was ever written.
    written: Vec<Record>,
}

fn open(folder: &Path) -> SledStore {
    let options = SledOptions { check: Check::Tail, ..SledOptions::default() };
    SledStore::open(folder, options).unwrap()
}

impl Model {
    async fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let disk = open(folder.path());
        let memory = MemoryStore::new();
        let (disk_epoch, memory_epoch) =
            (disk.acquire().await.unwrap(), memory.acquire().await.unwrap());
        let random = Random::new(seed);
        let (known, written) = (Vec::new(), Vec::new());
        Self { random, folder, disk, disk_epoch, memory, memory_epoch, known, written }
    }

    async fn step(&mut self) {
        match self.random.below(24) {
            0..=4 => {
                let size = [10, 300, 3600, 9000][self.random.index(4)];
                let number = self.known.len() as u64;
                self.known.push(Known::Open(1));
                self.append(vec![started(number, size)]).await;
            }
            5..=11 => self.go_on().await,
            12..=15 => self.delete_some().await,
            16..=19 => self.slice().await,
            20 | 21 => {
                let complete_to = Some(self.disk.last_position());
                let checkpoint = Checkpoint { complete_to, ..Checkpoint::default() };
                self.disk.write_checkpoint(checkpoint).await.unwrap();
            }
            22 => self.crash().await,
            _ => {
                drop(std::mem::replace(&mut self.disk, open(TempDir::new().unwrap().path())));
                self.reopen().await;
            }
        }
    }

    async fn append(&mut self, batch: Vec<Transition>) {
        let at = self.disk.append(self.disk_epoch, batch.clone()).await.unwrap();
        assert_eq!(at, self.memory.append(self.memory_epoch, batch).await.unwrap());
        assert!(at.iter().all(|appended| matches!(appended, Appended::At(_))), "{at:?}");
        let next = self.written.last().map_or(1, |record| record.position + 1);
        self.written.extend(self.memory.read_log(next, usize::MAX).await.unwrap());
    }

    /// Several histories go on, and some of them end.
    async fn go_on(&mut self) {
        let mut batch = Vec::new();
        for number in 0..self.known.len() {
            if let Known::Open(last) = self.known[number]
                && self.random.one_in(3)
            {
                let ends = self.random.one_in(4);
                let count = 1 + self.random.below(40);
                let known = &mut self.known[number];
                let number = number as u64;
                if ends {
                    batch.push(completed(number, last + 1));
                    *known = Known::Ended(last + 1);
                } else {
                    batch.push(transition(number, last + 1, count));
                    *known = Known::Open(last + count);
                }
            }
        }
        self.append(batch).await;
    }

    async fn delete_some(&mut self) {
        let mut batch = Vec::new();
        for number in 0..self.known.len() {
            if let Known::Ended(last) = self.known[number]
                && self.random.one_in(2)
            {
                batch.push(deleted(number as u64, last + 1));
                self.known[number] = Known::Deleted;
            }
        }
        self.append(batch).await;
    }

    async fn slice(&mut self) {
        for _ in 0..self.random.below(4) {
            self.disk.compact(self.disk_epoch, Compaction::default()).await.unwrap();
        }
        if self.random.one_in(3) {
            compact_all(&self.memory, self.memory_epoch, false).await;
        }
    }

    /// The process is killed: what is on the disk goes on, sometimes without its index.
    async fn crash(&mut self) {
        let crashed = crash(self.folder.path());
        if self.random.one_in(3) {
            std::fs::remove_dir_all(crashed.path().join("index")).unwrap();
        }
        self.folder = crashed;
        self.reopen().await;
    }

    async fn reopen(&mut self) {
        self.disk = open(self.folder.path());
        self.disk_epoch = self.disk.acquire().await.unwrap();
    }

    /// What is not deleted reads as it was written, in both stores.
    async fn check(&self) {
        let stays = |record: &&Record| {
            let number = (0..self.known.len() as u64).find(|n| stream(*n) == record.stream);
            self.known[usize::try_from(number.unwrap()).unwrap()] != Known::Deleted
        };
        let kept: Vec<&Record> = self.written.iter().filter(stays).collect();
        for store in [&self.disk as &dyn EventStore, &self.memory] {
            assert_eq!(store.last_position(), self.written.len() as u64);
            let log = store.read_log(1, usize::MAX).await.unwrap();
            assert!(log.iter().filter(stays).eq(kept.iter().copied()), "the log has changed");
            for (number, known) in (0..).zip(&self.known) {
                let own = store.read_history(stream(number), 1..u64::MAX).await.unwrap();
                let expected = kept.iter().copied().filter(|one| one.stream == stream(number));
                assert!(own.iter().eq(expected), "history {number}");
                let tombstone = store.find_tombstone(stream(number)).await.unwrap();
                assert_eq!(tombstone.is_some(), *known == Known::Deleted, "history {number}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_deleted_reads_the_same_whatever_happens() {
    let seeds = std::env::var("EVERSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..seeds.unwrap_or(12) {
        let mut model = Model::new(seed).await;
        for _ in 0..60 {
            model.step().await;
        }
        model.check().await;
        // When all is taken away both stores hold the same, record by record.
        compact_all(&model.disk, model.disk_epoch, false).await;
        compact_all(&model.memory, model.memory_epoch, false).await;
        model.check().await;
        let memory = model.memory.read_log(1, usize::MAX).await.unwrap();
        assert!(model.disk.read_log(1, usize::MAX).await.unwrap() == memory, "seed {seed}");
        drop(model.disk);
        std::fs::remove_dir_all(model.folder.path().join("index")).unwrap();
        let disk = SledStore::open(model.folder.path(), SledOptions::default()).unwrap();
        assert!(disk.read_log(1, usize::MAX).await.unwrap() == memory, "seed {seed}");
    }
}

#[test]
fn compaction_goes_on_after_a_crash_took_back_that_the_index_knew_of_forgotten_tombstones() {
    let disk = SimDisk::new();
    let open = |disk: &SimDisk| SledStore::open_simulated(disk, SledOptions::default()).unwrap();
    drop(open(&disk));
    // The names of its files are durable from here on.
    let disk = disk.crash_by(Crash::Killed, &mut |_| 0);
    let store = open(&disk);
    let epoch = at_once(store.acquire()).unwrap();
    let batch = vec![started(1, 9), completed(1, 2), deleted(1, 3), started(2, 9)];
    at_once(store.append(epoch, batch)).unwrap();
    at_once(compact_all(&store, epoch, true));
    assert_eq!(at_once(store.read_log(1, 9)).unwrap().len(), 1);
    let store = open(&disk.crash_by(Crash::PowerCut, &mut |_| 0));
    assert_eq!(store.inner.index.deleted(9).unwrap(), [stream(1)]);
    let epoch = at_once(store.acquire()).unwrap();
    assert_eq!(at_once(compact_all(&store, epoch, true)).events, 0);
    assert!(store.inner.index.deleted(9).unwrap().is_empty());
    assert_eq!(at_once(store.read_log(1, 9)).unwrap().len(), 1);
}

#[tokio::test]
async fn tombstones_are_not_taken_for_parts_of_rows() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let epoch = store.acquire().await.unwrap();
    // Of all ids this one ends like the key of a row's first part.
    let batch = vec![started(0, 9), completed(0, 2), deleted(0, 3), started(1, 9), completed(1, 2)];
    store.append(epoch, batch).await.unwrap();
    compact_all(&store, epoch, false).await;
    let row = Finished { execution: ExecutionId(stream(1)), mishap: None, row: b"row".to_vec() };
    let checkpoint = Checkpoint { finished: vec![row.clone()], ..Checkpoint::default() };
    store.write_checkpoint(checkpoint).await.unwrap();
    assert_eq!(store.list_finished(None, 9).await.unwrap(), [row]);
}

/// The bytes of a folder.
fn size(folder: &Path) -> u64 {
    let paths = files::list(folder).unwrap();
    paths
        .iter()
        .map(|path| if path.is_dir() { size(path) } else { path.metadata().unwrap().len() })
        .sum()
}

#[tokio::test]
async fn a_folder_does_not_grow_when_as_much_is_deleted_as_comes() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let epoch = store.acquire().await.unwrap();
    let (mut sizes, mut written) = (Vec::new(), 0);
    for round in 0..48u64 {
        let numbers = 1 + round * 200..=200 + round * 200;
        store.append(epoch, numbers.clone().map(|n| started(n, 400)).collect()).await.unwrap();
        store.append(epoch, numbers.clone().map(|n| transition(n, 2, 20)).collect()).await.unwrap();
        store.append(epoch, numbers.clone().map(|n| completed(n, 22)).collect()).await.unwrap();
        let last = store.last_position();
        let checkpoint = Checkpoint { complete_to: Some(last), ..Checkpoint::default() };
        store.write_checkpoint(checkpoint).await.unwrap();
        store.append(epoch, numbers.map(|n| deleted(n, 23)).collect()).await.unwrap();
        written += compact_all(&store, epoch, true).await.bytes;
        sizes.push(size(folder.path()));
    }
    // sled frees whole segments of 512 KiB, and has a few of them in use at any time.
    let (before, after) = (&sizes[..30], &sizes[30..]);
    let most = |sizes: &[u64]| sizes.iter().copied().max().unwrap();
    assert!(most(after) <= most(before) + 2 * 512 * 1024, "{sizes:?}");
    assert!(most(after) < written, "{written} bytes were written: {sizes:?}");
}
