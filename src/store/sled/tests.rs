use std::sync::atomic::{AtomicBool, AtomicUsize};

use tempfile::TempDir;

use super::*;
use crate::testing::at_once;
use crate::testing::store_suite::{self, completed, started, stream, transition};

fn open(folder: &Path) -> Arc<dyn EventStore> {
    Arc::new(SledStore::open(folder, SledOptions::default()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_on_disk_keeps_every_promise() {
    let folder = TempDir::new().unwrap();
    let count = AtomicUsize::new(0);
    store_suite::run_all(|| {
        open(&folder.path().join(count.fetch_add(1, Ordering::Relaxed).to_string()))
    })
    .await;
}

#[tokio::test]
async fn the_store_on_disk_keeps_every_promise_over_reopening() {
    for check in [Check::All, Check::Tail] {
        store_suite::run_reopening(|| {
            let folder = TempDir::new().unwrap();
            move || -> Arc<dyn EventStore> {
                let options = SledOptions { check, ..SledOptions::default() };
                Arc::new(SledStore::open(folder.path(), options).unwrap())
            }
        })
        .await;
    }
}

#[tokio::test]
async fn an_event_over_the_limit_is_refused() {
    let folder = TempDir::new().unwrap();
    let options = SledOptions { max_event_bytes: 5000, ..SledOptions::default() };
    let store = SledStore::open(folder.path(), options).unwrap();
    store_suite::refuses_an_event_over_its_limit(&store, 5000).await;
}

/// A barrier that counts, and fails once told to.
#[derive(Clone, Default)]
struct Switch {
    count: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
}

impl Barrier for Switch {
    fn sync(&self, file: &File) -> io::Result<()> {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        file.sync_data()
    }
}

#[tokio::test]
async fn every_append_passes_the_barrier_once_before_it_is_acknowledged() {
    let folder = TempDir::new().unwrap();
    let switch = Switch::default();
    let store =
        SledStore::open_with(folder.path(), SledOptions::default(), switch.clone()).unwrap();
    let epoch = store.acquire().await.unwrap();
    for round in 0..5 {
        let before = switch.count.load(Ordering::SeqCst);
        let batch = (1..=3).map(|n| transition(n, 1 + round, 1)).collect();
        store.append(epoch, batch).await.unwrap();
        assert_eq!(switch.count.load(Ordering::SeqCst), before + 1);
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_or_shown() {
    let folder = TempDir::new().unwrap();
    let switch = Switch::default();
    let store =
        SledStore::open_with(folder.path(), SledOptions::default(), switch.clone()).unwrap();
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![transition(1, 1, 2)]).await.unwrap();
    switch.broken.store(true, Ordering::SeqCst);
    let error = store.append(epoch, vec![transition(1, 3, 1)]).await.unwrap_err();
    assert_eq!(error.code(), "STORE_DISK_FULL");
    let syncs = switch.count.load(Ordering::SeqCst);
    switch.broken.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        let error = store.append(epoch, vec![transition(2, 1, 1)]).await.unwrap_err();
        assert_eq!(error.code(), "STORE_STOPPED");
    }
    assert_eq!(store.acquire().await.unwrap_err().code(), "STORE_STOPPED");
    assert_eq!(switch.count.load(Ordering::SeqCst), syncs, "a failed sync is never retried");
    assert_eq!(store.last_position(), 2);
    assert_eq!(store.read_log(1, 99).await.unwrap().len(), 2);
    assert_eq!(store.read_history(stream(1), 1..99).await.unwrap().len(), 2);
}

#[tokio::test]
async fn after_a_failed_sync_of_an_epoch_nothing_is_acknowledged_either() {
    let folder = TempDir::new().unwrap();
    let switch = Switch::default();
    let store =
        SledStore::open_with(folder.path(), SledOptions::default(), switch.clone()).unwrap();
    let epoch = store.acquire().await.unwrap();
    switch.broken.store(true, Ordering::SeqCst);
    assert!(store.acquire().await.is_err());
    switch.broken.store(false, Ordering::SeqCst);
    let error = store.append(epoch, vec![transition(1, 1, 2)]).await.unwrap_err();
    assert_eq!(error.code(), "STORE_STOPPED");
}

#[tokio::test]
async fn ends_of_finished_histories_leave_memory_with_the_checkpoint() {
    let folder = TempDir::new().unwrap();
    let store = SledStore::open(folder.path(), SledOptions::default()).unwrap();
    let epoch = store.acquire().await.unwrap();
    let batch = (1..=100).flat_map(|n| [started(n, 5), completed(n, 2)]).collect();
    store.append(epoch, batch).await.unwrap();
    store.append(epoch, vec![started(101, 5)]).await.unwrap();
    assert_eq!(lock(&store.inner.heads).len(), 101);
    store.write_checkpoint(Checkpoint::default()).await.unwrap();
    assert_eq!(lock(&store.inner.heads).len(), 1);
    assert_eq!(store.read_history(stream(50), 1..9).await.unwrap().len(), 2);
    assert!(files::list(&folder.path().join("log/blobs")).unwrap().is_empty());
}

#[tokio::test]
async fn an_index_of_an_older_format_is_begun_anew() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![started(1, 5), completed(1, 2)]).await.unwrap();
    let row = store_suite::finished(1);
    let rows = Checkpoint { finished: vec![row], complete_to: Some(2), ..Checkpoint::default() };
    store.write_checkpoint(rows).await.unwrap();
    drop(store);
    {
        let db = files::open_sled(&folder.path().join("index"), 1024 * 1024).unwrap();
        let tree = db.open_tree("index").unwrap();
        let mut identity = tree.get(b"i").unwrap().unwrap().to_vec();
        identity[0] -= 1;
        tree.insert(b"i", identity).unwrap();
        db.flush().unwrap();
    }
    let store = open(folder.path());
    assert!(store.open_report().rebuilt_index);
    assert!(store.list_finished(None, 9).await.unwrap().is_empty());
    assert_eq!(store.read_checkpoint().await.unwrap(), (Vec::new(), 1), "the log is read again");
    assert_eq!(store.last_sequence(stream(1)).unwrap(), 2);
}

#[tokio::test]
async fn a_store_works_without_a_runtime_too() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    std::thread::spawn(move || {
        let store = SledStore::open(&path, SledOptions::default()).unwrap();
        let epoch = store.inner.acquire().unwrap();
        store.inner.append(epoch, &[transition(1, 1, 2)]).unwrap();
        let read = std::pin::pin!(store.read_log(1, 9));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(records) = read.poll(&mut context) else {
            panic!("a read without a runtime has nothing to wait for");
        };
        assert_eq!(records.unwrap().len(), 2);
    })
    .join()
    .unwrap();
}

/// What the record of a transition of one event takes: its head and its body.
fn record_bytes(transition: &Transition) -> u64 {
    let mut body = Vec::new();
    crate::store::codec::encode_body(&transition.events[0], &mut body).unwrap();
    (64 + body.len()) as u64
}

#[tokio::test]
async fn a_log_of_large_batches_is_less_than_twice_its_records() {
    let folder = TempDir::new().unwrap();
    let store = SledStore::open(folder.path(), SledOptions::default()).unwrap();
    let epoch = store.acquire().await.unwrap();
    let mut bytes = 0;
    // So many that a segment or two which sled has just freed do not decide it.
    for round in 0..40 {
        let batch: Vec<Transition> =
            (0..1000).map(|n| started(1 + round * 1000 + n, 300)).collect();
        bytes += batch.iter().map(record_bytes).sum::<u64>();
        store.append(epoch, batch).await.unwrap();
    }
    let size = std::fs::metadata(folder.path().join("log/db")).unwrap().len();
    assert!(size < bytes * 2, "{size} bytes for {bytes}");
}

/// A look at what the index says, as text.
type Look = (&'static str, fn(&SledStore) -> Result<String, Error>);

#[test]
fn an_end_or_a_name_that_rots_while_the_index_is_in_use_is_not_believed() {
    let disk = SimDisk::new();
    let open = || SledStore::open_simulated(&disk, SledOptions::default()).unwrap();
    let store = open();
    let epoch = at_once(store.acquire()).unwrap();
    at_once(store.append(epoch, vec![transition(1, 1, 3), completed(1, 4)])).unwrap();
    let names = vec![(NameKey::of("suite", "one"), ExecutionId(stream(1)))];
    at_once(store.write_checkpoint(Checkpoint { names, ..Checkpoint::default() })).unwrap();
    drop(store);
    // The end is no longer in memory, and a damage comes after the index was found whole.
    let store = open();
    let looks: [Look; 3] = [
        ("the end", |store| Ok(format!("{:?}", store.last_sequence(stream(1))?))),
        ("the history", |store| {
            Ok(format!("{:?}", at_once(store.read_history(stream(1), 1..99))?))
        }),
        ("the name", |store| {
            Ok(format!("{:?}", at_once(store.find_named(NameKey::of("suite", "one")))?))
        }),
    ];
    let truth = looks.map(|(_, look)| look(&store).unwrap());
    let mut noticed = 0;
    for (key, value) in disk.entries("index", "index") {
        for bit in 0..value.len() * 8 {
            let mut rotten = value.to_vec();
            rotten[bit / 8] ^= 1 << (bit % 8);
            disk.tamper("index", "index", |entries| {
                drop(entries.insert(key.clone(), rotten.into()));
            });
            for ((what, look), truth) in looks.iter().zip(&truth) {
                match look(&store) {
                    Ok(seen) => assert_eq!(seen, *truth, "{what}, bit {bit} of {key:?}"),
                    Err(error) => {
                        assert_eq!(error.code(), "STORE_DAMAGED", "{what}: {error}");
                        noticed += 1;
                    }
                }
            }
            disk.tamper("index", "index", |entries| {
                drop(entries.insert(key.clone(), value.clone()));
            });
        }
    }
    assert!(noticed > 500, "{noticed}");
}
