//! Nothing is acknowledged before it is on disk, and nothing after the disk failed.
//!
//! The store's barrier, where fdatasync is called, is held open or made to fail from here.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use everstep::engine::Status;
use everstep::language::{Format, Json};
use everstep::runtime::{Error, Orchestrator};
use everstep::store::{Barrier, SledOptions, SledStore};
use everstep::worker::{JobContext, JobError};

const DEFINITION: &str = r#"{
    "StartAt": "Work",
    "States": {"Work": {"Type": "Task", "Resource": "work", "End": true}}
}"#;

/// A gate before fdatasync: while it is shut, no sync returns.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
    /// Syncs that have returned.
    passed: AtomicUsize,
    /// Syncs that have been asked for.
    arrived: AtomicUsize,
    fails: AtomicBool,
}

impl Gate {
    fn shut(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    /// Waits until a sync stands before the gate.
    async fn somebody_waits(&self) {
        let passed = self.passed.load(Ordering::SeqCst);
        while self.arrived.load(Ordering::SeqCst) == passed {
            tokio::task::yield_now().await;
        }
    }
}

struct GatedSync(Arc<Gate>);

impl Barrier for GatedSync {
    fn sync(&self, file: &File) -> io::Result<()> {
        self.0.arrived.fetch_add(1, Ordering::SeqCst);
        let mut shut = self.0.shut.lock().unwrap();
        while *shut {
            shut = self.0.opened.wait(shut).unwrap();
        }
        if self.0.fails.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        file.sync_data()?;
        self.0.passed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// A system on a gated store whose handler counts its runs.
async fn open(folder: &Path, gate: &Arc<Gate>, runs: &Arc<AtomicUsize>) -> Orchestrator {
    let store = SledStore::open_with(folder, SledOptions::default(), GatedSync(gate.clone()));
    let runs = runs.clone();
    let everstep = Orchestrator::builder()
        .handle("work", move |_job: JobContext, input: Json| {
            runs.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, JobError>(input) }
        })
        .open_store(Arc::new(store.unwrap()))
        .await
        .unwrap();
    everstep.deploy("work", DEFINITION, Format::Json).await.unwrap();
    everstep
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reply_and_no_job_leaves_before_fdatasync_returned() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, runs) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let everstep = open(folder.path(), &gate, &runs).await;

    gate.shut(true);
    let starting = {
        let everstep = everstep.clone();
        tokio::spawn(async move { everstep.start("work", Json::null()).await })
    };
    gate.somebody_waits().await;
    let position = everstep.last_position();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!starting.is_finished(), "a start was acknowledged before it was durable");
    assert_eq!(runs.load(Ordering::SeqCst), 0, "a job ran before its start was durable");
    assert_eq!(everstep.last_position(), position, "an event was shown before it was durable");

    gate.shut(false);
    let id = starting.await.unwrap().unwrap();
    assert_eq!(everstep.result(id).await.unwrap().status, Status::Completed);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    everstep.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_after_a_failed_fdatasync() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, runs) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let everstep = open(folder.path(), &gate, &runs).await;
    let before = everstep.start("work", Json::null()).await.unwrap();
    everstep.result(before).await.unwrap();

    gate.fails.store(true, Ordering::SeqCst);
    let refused = everstep.start("work", Json::null()).await.unwrap_err();
    assert_eq!(refused.code(), "STOPPED_BY_STORE");
    assert_eq!(everstep.failed().await.code(), "STOPPED_BY_STORE");

    // The disk works again, but what it lost is not known: nothing is tried again.
    gate.fails.store(false, Ordering::SeqCst);
    let arrived = gate.arrived.load(Ordering::SeqCst);
    for _ in 0..3 {
        let refused = everstep.start("work", Json::null()).await.unwrap_err();
        assert!(matches!(refused, Error::Failed { .. }), "{refused}");
    }
    assert_eq!(gate.arrived.load(Ordering::SeqCst), arrived, "a failed fsync was tried again");
    assert_eq!(runs.load(Ordering::SeqCst), 1, "a job ran after the disk failed");
}
