//! What every store promises about deletion and compaction: a part of the store suite.

use std::sync::Arc;

use super::store_suite::{
    acquire, append, checkpoint, compact_all, completed, deleted, ended, finished, history, log,
    snapshot, started, stream, transition,
};
use crate::engine::{ExecutionId, Timestamp};
use crate::store::{
    Appended, Checkpoint, Compacted, Compaction, Error, EventStore, NameKey, Record,
};

/// Runs those that need no reopening, each on a store of its own.
pub async fn run_all<F: Fn() -> Arc<dyn EventStore>>(make: &F) {
    reads_a_deleted_history_as_nothing(&*make()).await;
    takes_no_tombstone_but_alone_and_last(&*make()).await;
    compaction_takes_what_was_deleted_and_nothing_else(&*make()).await;
    compaction_forgets_tombstones_when_asked(&*make()).await;
    keeps_no_row_and_no_name_of_what_was_deleted(&*make()).await;
    compacts_for_its_only_writer(&*make()).await;
    reads_while_others_compact(make()).await;
}

/// What ends in a tombstone is not read, but its tombstone is found; the log goes on.
pub async fn reads_a_deleted_history_as_nothing(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, vec![started(1, 10), completed(1, 2), transition(2, 1, 2)]).await;
    assert_eq!(store.find_tombstone(stream(1)).await.expect("readable"), None);
    assert_eq!(append(store, epoch, vec![deleted(1, 3)]).await, [Appended::At(5)]);
    assert!(history(store, 1).await.is_empty());
    let tombstone = store.find_tombstone(stream(1)).await.expect("readable").expect("found");
    assert_eq!((tombstone.stream, tombstone.sequence, tombstone.position), (stream(1), 3, 5));
    assert_eq!(tombstone.event.name(), "ExecutionDeleted");
    assert_eq!(store.last_sequence(stream(1)).expect("readable"), 3);
    assert_eq!(store.last_sequence(stream(2)).expect("readable"), 2);
    assert_eq!(store.last_sequence(stream(9)).expect("readable"), 0);
    let after = vec![transition(1, 4, 1), transition(1, 1, 1), transition(2, 3, 1)];
    let conflict = Appended::Conflict { last_sequence: 3 };
    assert_eq!(append(store, epoch, after).await, [conflict, conflict, Appended::At(6)]);
}

/// A tombstone is a transition of its own, and nothing comes after it in the same batch either.
pub async fn takes_no_tombstone_but_alone_and_last(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    let mut with_others = completed(1, 2);
    with_others.events.extend(deleted(1, 3).events);
    let batch =
        vec![started(1, 10), with_others, completed(1, 2), deleted(1, 3), transition(1, 4, 1)];
    let conflict = |last_sequence| Appended::Conflict { last_sequence };
    let verdicts = [Appended::At(1), conflict(1), Appended::At(2), Appended::At(3), conflict(3)];
    assert_eq!(append(store, epoch, batch).await, verdicts);
}

/// After a compaction the log is what it was, without the records of deleted histories.
pub async fn compaction_takes_what_was_deleted_and_nothing_else(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    for round in 0..60 {
        let batch = (1..=7).map(|number| transition(number, 1 + round * 3, 3)).collect();
        append(store, epoch, batch).await;
    }
    let sizes = [100, 3600, 4096, 9000, 100_000];
    let large = (20..).zip(sizes).flat_map(|(n, size)| [started(n, size), completed(n, 2)]);
    append(store, epoch, large.collect()).await;
    let gone = [2, 3, 6, 21, 23, 24];
    let batch = gone.iter().map(|number| deleted(*number, if *number < 20 { 181 } else { 3 }));
    append(store, epoch, batch.collect()).await;
    append(store, epoch, vec![transition(1, 181, 2)]).await;
    let before = log(store).await;
    let is_gone = |record: &Record| {
        let tombstone = record.event.name() == "ExecutionDeleted";
        gone.iter().any(|number| record.stream == stream(*number)) && !tombstone
    };
    let kept: Vec<Record> = before.iter().filter(|record| !is_gone(record)).cloned().collect();
    let taken = compact_all(store, epoch, false).await;
    assert_eq!(taken.events, (before.len() - kept.len()) as u64);
    assert!(taken.bytes > 100_000, "{taken:?}");
    assert!(log(store).await == kept, "the log is not what was kept of it");
    assert_eq!(compact_all(store, epoch, false).await.events, 0);
    for number in (1..=7).chain(20..25) {
        let all = kept.iter().filter(|record| record.stream == stream(number));
        let own = all.filter(|_| !gone.contains(&number));
        assert!(history(store, number).await.iter().eq(own), "history {number}");
        let tombstone = store.find_tombstone(stream(number)).await.expect("readable");
        assert_eq!(tombstone.is_some(), gone.contains(&number));
    }
    for from in [1, 4, 5, 100, 433, 434] {
        let read = store.read_log(from, 3).await.expect("readable");
        let own = kept.iter().filter(|record| record.position >= from).take(3);
        assert!(read.iter().eq(own), "from {from}");
    }
    let last = store.last_position();
    assert_eq!(append(store, epoch, vec![transition(4, 181, 1)]).await, [Appended::At(last + 1)]);
    assert_eq!(log(store).await.len(), kept.len() + 1);
}

/// Tombstones go when they are old enough, but not the last record of the log.
pub async fn compaction_forgets_tombstones_when_asked(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    let batch = (1..=20).flat_map(|n| [started(n, 500), completed(n, 2)]).collect();
    append(store, epoch, batch).await;
    append(store, epoch, (1..=19).map(|n| deleted(n, 3)).collect()).await;
    let early = Compaction { forget_before: Some(Timestamp(1_700_000_000_003)) };
    let mut taken = Compacted::default();
    while !taken.is_done {
        taken.add(store.compact(epoch, early).await.expect("compacted"));
    }
    assert_eq!((taken.events, log(store).await.len()), (38, 21), "no tombstone is older than that");
    assert_eq!(compact_all(store, epoch, true).await.events, 18);
    let left: Vec<u64> = log(store).await.iter().map(|record| record.position).collect();
    assert_eq!(left, [39, 40, 59], "the last record stays");
    assert_eq!(store.find_tombstone(stream(1)).await.expect("readable"), None);
    assert_eq!(store.last_sequence(stream(1)).expect("readable"), 0);
    assert_eq!(append(store, epoch, vec![transition(30, 1, 1)]).await, [Appended::At(60)]);
    assert_eq!(compact_all(store, epoch, true).await.events, 1);
    assert_eq!(log(store).await.len(), 3);
    assert_eq!(store.last_position(), 60);
}

/// Deletion takes row, name and snapshot away; a checkpoint that does not know of it yet cannot
/// bring them back.
pub async fn keeps_no_row_and_no_name_of_what_was_deleted(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    let (name, late) = (NameKey::of("suite", "mine"), NameKey::of("suite", "late"));
    let execution = ExecutionId(stream(1));
    append(store, epoch, vec![started(1, 9), completed(1, 2), started(2, 9), completed(2, 2)])
        .await;
    let rows = Checkpoint { names: vec![(name, execution)], ..ended([1, 2]) };
    checkpoint(store, rows.clone()).await;
    assert_eq!(store.find_named(name).await.expect("readable"), Some(execution));
    append(store, epoch, vec![deleted(1, 3)]).await;
    for round in 0..3 {
        assert_eq!(store.list_finished(None, 9).await.expect("readable"), [finished(2)], "{round}");
        assert_eq!(store.find_finished(execution).await.expect("readable"), None);
        assert_eq!(store.find_named(name).await.expect("readable"), None);
        assert_eq!(store.find_named(late).await.expect("readable"), None);
        let mut stale = rows.clone();
        stale.names.push((late, execution));
        stale.snapshots.push(snapshot(1, 2, 5000));
        checkpoint(store, stale).await;
        assert!(store.read_checkpoint().await.expect("readable").0.is_empty());
        compact_all(store, epoch, round == 1).await;
    }
    let other = ExecutionId(stream(2));
    checkpoint(store, Checkpoint { names: vec![(name, other)], ..Checkpoint::default() }).await;
    assert_eq!(store.find_named(name).await.expect("readable"), Some(other), "the name is free");
}

/// Only the newest epoch may compact.
pub async fn compacts_for_its_only_writer(store: &dyn EventStore) {
    let old = acquire(store).await;
    append(store, old, vec![started(1, 9), completed(1, 2), deleted(1, 3)]).await;
    let new = acquire(store).await;
    let error = store.compact(old, Compaction::default()).await.expect_err("fenced");
    assert!(matches!(error, Error::Fenced), "{error}");
    assert_eq!(compact_all(store, new, false).await.events, 2);
}

/// Readers on other threads find no damage, and nothing missing, while records are taken away.
pub async fn reads_while_others_compact(store: Arc<dyn EventStore>) {
    let epoch = acquire(&*store).await;
    for round in 0..50 {
        let batch = (1..=8).map(|number| transition(number, 1 + round * 3, 3)).collect();
        append(&*store, epoch, batch).await;
    }
    let kept =
        |records: &[Record]| records.iter().filter(|record| record.stream == stream(1)).count();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                assert_eq!(kept(&log(&*store).await), 150, "a record is missing");
                assert_eq!(history(&*store, 1).await.len(), 150);
                tokio::task::yield_now().await;
            }
        }
    });
    for number in 2..=8 {
        append(&*store, epoch, vec![deleted(number, 151)]).await;
        compact_all(&*store, epoch, number % 2 == 0).await;
        tokio::task::yield_now().await;
    }
    done.store(true, std::sync::atomic::Ordering::Release);
    reader.await.expect("the reader is content");
    assert_eq!(kept(&log(&*store).await), 150);
}

/// Whenever the store is closed during a compaction, what is kept reads as before, and the rest can
/// still be taken.
pub async fn goes_on_with_a_compaction_that_was_cut_off(open: &dyn Fn() -> Arc<dyn EventStore>) {
    let store = open();
    let epoch = acquire(&*store).await;
    for round in 0..100 {
        let batch = (1..=9).map(|number| transition(number, 1 + round * 4, 4)).collect();
        append(&*store, epoch, batch).await;
    }
    append(&*store, epoch, (2..=8).map(|number| deleted(number, 401)).collect()).await;
    let kept = |records: Vec<Record>| -> Vec<Record> {
        let stays = |record: &Record| [stream(1), stream(9)].contains(&record.stream);
        records.into_iter().filter(stays).collect()
    };
    let before = kept(log(&*store).await);
    drop(store);
    let (mut slices, mut all) = (0, Compacted::default());
    while !all.is_done {
        let store = open();
        let epoch = acquire(&*store).await;
        // One more slice than the time before, so that it is cut off in every place.
        slices += 1;
        for _ in 0..slices {
            all.add(store.compact(epoch, Compaction::default()).await.expect("compacted"));
        }
        assert!(kept(log(&*store).await) == before, "after {slices} slices");
        assert_eq!(history(&*store, 5).await, []);
        assert_eq!(history(&*store, 9).await.len(), 400);
    }
    assert_eq!(all.events, 2800);
    let store = open();
    assert_eq!(log(&*store).await.len(), 807);
    assert_eq!(store.last_position(), 3607);
    assert!(store.find_tombstone(stream(5)).await.expect("readable").is_some());
}
