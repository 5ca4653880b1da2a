//! The promises of [`EventStore`], one function each. Every store must pass them all.
//!
//! A failed promise is a failed assertion, so call these from tests.

use std::sync::Arc;

use uuid::Uuid;

use super::{delete_suite, mishap_suite};
use crate::engine::event::{
    ExecutionCompleted, ExecutionDeleted, ExecutionStarted, JobSucceeded, RetryStarted, WaitStarted,
};
use crate::engine::{Data, Event, ExecutionId, FrameId, JobId, Timestamp};
use crate::language::{DefinitionHash, Json};
use crate::store::{
    Appended, Checkpoint, Compacted, Compaction, Epoch, Error, EventStore, Finished, NameKey,
    Position, Record, Snapshot, Stream, Transition,
};

/// A history for tests.
#[must_use]
pub fn stream(number: u64) -> Stream {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(number))
}

/// A transition of `count` events that differ from each other, on history `number`.
#[must_use]
pub fn transition(number: u64, first_sequence: u64, count: u64) -> Transition {
    let event = |sequence: u64| -> Event {
        let output = text(&format!("{number}:{sequence}"));
        match sequence % 3 {
            0 => WaitStarted { frame: FrameId::ROOT, until: Timestamp(sequence) }.into(),
            1 => JobSucceeded { job: JobId(1), attempt: 1, output, errors: 0 }.into(),
            _ => RetryStarted { frame: FrameId::ROOT }.into(),
        }
    };
    Transition {
        stream: stream(number),
        first_sequence,
        time: Timestamp(1_700_000_000_000 + first_sequence),
        events: (first_sequence..).take(usize::try_from(count).unwrap_or(0)).map(event).collect(),
    }
}

/// The beginning of an execution, with an input of about `bytes` bytes.
#[must_use]
pub fn started(number: u64, bytes: usize) -> Transition {
    let event = ExecutionStarted {
        workflow: Arc::from("suite"),
        definition: DefinitionHash([7; 32]),
        name: None,
        input: text(&"x".repeat(bytes)),
        deadline: None,
        parent: None,
        place: None,
        rerun_of: None,
        started_as: None,
    };
    Transition { events: vec![event.into()], ..transition(number, 1, 0) }
}

/// The end of an execution.
#[must_use]
pub fn completed(number: u64, sequence: u64) -> Transition {
    let event = ExecutionCompleted { output: Data::Kept, summary: None };
    Transition { events: vec![event.into()], ..transition(number, sequence, 0) }
}

/// The tombstone of an execution.
#[must_use]
pub fn deleted(number: u64, sequence: u64) -> Transition {
    let event = ExecutionDeleted { by: "the suite".into(), reason: None };
    Transition { events: vec![event.into()], ..transition(number, sequence, 0) }
}

/// Compacts until nothing is left to do; gives all that was done.
pub async fn compact_all(store: &dyn EventStore, epoch: Epoch, forget: bool) -> Compacted {
    let forget_before = forget.then_some(Timestamp(u64::MAX));
    let mut all = Compacted::default();
    while !all.is_done {
        all.add(store.compact(epoch, Compaction { forget_before }).await.expect("compacted"));
    }
    all
}

fn text(content: &str) -> Json {
    Json::from_value(&serde_json::Value::from(content))
}

/// The row of an execution that completed.
#[must_use]
pub fn finished(number: u64) -> Finished {
    let row = format!("row {number}").into_bytes();
    Finished { execution: ExecutionId(stream(number)), mishap: None, row }
}

pub(super) fn snapshot(number: u64, sequence: u64, length: usize) -> Snapshot {
    let byte = u8::try_from(number % 251).unwrap_or(0);
    Snapshot { stream: stream(number), sequence, bytes: vec![byte; length] }
}

pub(super) async fn acquire(store: &dyn EventStore) -> Epoch {
    store.acquire().await.expect("the store can be acquired")
}

pub(super) async fn append(
    store: &dyn EventStore,
    epoch: Epoch,
    batch: Vec<Transition>,
) -> Vec<Appended> {
    store.append(epoch, batch).await.expect("the batch is taken")
}

pub(super) async fn log(store: &dyn EventStore) -> Vec<Record> {
    store.read_log(1, usize::MAX).await.expect("the log can be read")
}

pub(super) async fn history(store: &dyn EventStore, number: u64) -> Vec<Record> {
    store.read_history(stream(number), 1..u64::MAX).await.expect("the history can be read")
}

pub(super) async fn checkpoint(store: &dyn EventStore, checkpoint: Checkpoint) {
    store.write_checkpoint(checkpoint).await.expect("the checkpoint is written");
}

pub(super) fn ended(numbers: impl IntoIterator<Item = u64>) -> Checkpoint {
    Checkpoint { finished: numbers.into_iter().map(finished).collect(), ..Checkpoint::default() }
}

fn expected(batch: &[Transition], mut position: Position) -> Vec<Record> {
    let mut records = Vec::new();
    for transition in batch {
        for (event, sequence) in transition.events.iter().zip(transition.first_sequence..) {
            let Transition { stream, time, .. } = *transition;
            records.push(Record {
                stream,
                sequence,
                position,
                time,
                event: Arc::new(event.clone()),
            });
            position += 1;
        }
    }
    records
}

/// Runs every promise that needs no reopening, each on a store of its own.
pub async fn run_all<F: Fn() -> Arc<dyn EventStore>>(make: F) {
    starts_empty(&*make()).await;
    gives_back_what_it_took(&*make()).await;
    refuses_only_the_transition_that_conflicts(&*make()).await;
    takes_several_transitions_of_one_history_in_a_batch(&*make()).await;
    keeps_positions_dense_over_many_batches(&*make()).await;
    reads_from_anywhere_and_no_more_than_asked(&*make()).await;
    reads_a_range_of_a_history(&*make()).await;
    tells_where_an_only_record_is(&*make()).await;
    keeps_large_events(&*make()).await;
    fences_older_epochs(&*make()).await;
    keeps_the_newest_snapshots(&*make()).await;
    lists_finished_executions_newest_first(&*make()).await;
    mishap_suite::lists_those_that_ended_with_a_mishap(&*make()).await;
    finds_executions_by_their_names(&*make()).await;
    appends_to_a_finished_history_only_where_it_ends(&*make()).await;
    never_covers_more_than_the_log(&*make()).await;
    delete_suite::run_all(&make).await;
    reads_while_others_append(make()).await;
}

/// A new store has nothing, and says so without errors.
pub async fn starts_empty(store: &dyn EventStore) {
    assert_eq!(store.last_position(), 0);
    assert!(log(store).await.is_empty());
    assert!(history(store, 1).await.is_empty());
    assert_eq!(store.read_checkpoint().await.expect("readable"), (Vec::new(), 1));
    assert!(store.list_finished(None, 10).await.expect("readable").is_empty());
    assert_eq!(store.find_finished(ExecutionId(stream(1))).await.expect("readable"), None);
    let epoch = acquire(store).await;
    assert!(append(store, epoch, Vec::new()).await.is_empty());
    assert_eq!(store.last_position(), 0);
}

/// Records come back in order, with the ids, times and events that went in.
pub async fn gives_back_what_it_took(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    let batch = vec![started(1, 10), transition(2, 1, 3), transition(1, 2, 2), transition(3, 1, 1)];
    let appended = append(store, epoch, batch.clone()).await;
    assert_eq!(appended, [1, 2, 5, 7].map(Appended::At));
    assert_eq!(store.last_position(), 7);
    let all = expected(&batch, 1);
    assert_eq!(log(store).await, all);
    for number in 1..=3 {
        let own = all.iter().filter(|record| record.stream == stream(number));
        assert!(history(store, number).await.iter().eq(own), "history {number}");
    }
}

/// An index tells where a history's only record is, and of others never what is wrong.
pub async fn tells_where_an_only_record_is(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, vec![transition(1, 1, 3), started(2, 100)]).await;
    append(store, epoch, vec![transition(3, 1, 1), started(4, 100), transition(3, 2, 2)]).await;
    append(store, epoch, vec![deleted(4, 2)]).await;
    for record in log(store).await {
        let told = store.position_of(record.stream, record.sequence).expect("readable");
        assert!(told.is_none_or(|position| position == record.position), "{record:?}: {told:?}");
    }
    assert_eq!(store.position_of(stream(2), 1).expect("readable"), Some(4));
    for (number, sequence) in [(1, 0), (1, 4), (2, 0), (2, 2), (4, 1), (4, 2), (9, 1)] {
        let told = store.position_of(stream(number), sequence).expect("readable");
        assert_eq!(told, None, "{sequence} of {number}");
    }
}

/// A transition that does not fit its history leaves no trace; the others of its batch do.
pub async fn refuses_only_the_transition_that_conflicts(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, vec![transition(1, 1, 2)]).await;
    let batch = vec![
        transition(1, 2, 1),
        transition(2, 1, 1),
        transition(1, 4, 1),
        transition(3, 2, 1),
        transition(1, 3, 1),
        transition(4, 0, 1),
        transition(5, 1, 0),
    ];
    let conflict = |last_sequence| Appended::Conflict { last_sequence };
    let verdicts = [
        conflict(2),
        Appended::At(3),
        conflict(2),
        conflict(0),
        Appended::At(4),
        conflict(0),
        conflict(0),
    ];
    assert_eq!(append(store, epoch, batch).await, verdicts);
    assert_eq!(store.last_position(), 4);
    let kept: Vec<(Stream, u64)> =
        log(store).await.iter().map(|record| (record.stream, record.sequence)).collect();
    assert_eq!(kept, [(stream(1), 1), (stream(1), 2), (stream(2), 1), (stream(1), 3)]);
    assert_eq!(append(store, epoch, vec![transition(9, 5, 1)]).await, [conflict(0)]);
    assert_eq!(store.last_position(), 4);
}

/// Transitions of a batch see those before them.
pub async fn takes_several_transitions_of_one_history_in_a_batch(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    let batch = vec![
        transition(1, 1, 2),
        transition(1, 3, 3),
        transition(2, 1, 1),
        transition(1, 6, 1),
        transition(1, 6, 1),
    ];
    let appended = append(store, epoch, batch).await;
    let at = [1, 3, 6, 7].map(Appended::At);
    assert_eq!(appended, [&at[..], &[Appended::Conflict { last_sequence: 6 }]].concat());
    let sequences: Vec<u64> = history(store, 1).await.iter().map(|r| r.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
}

/// 10,000 transitions over 100 histories stand in the log without gap and in order.
pub async fn keeps_positions_dense_over_many_batches(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    let mut all = Vec::new();
    for round in 0..100u64 {
        let count = |number: u64| 1 + number % 2;
        let batch: Vec<Transition> = (0..100)
            .map(|number| transition(number, 1 + round * count(number), count(number)))
            .collect();
        let first = store.last_position() + 1;
        let appended = append(store, epoch, batch.clone()).await;
        assert!(appended.iter().all(|appended| matches!(appended, Appended::At(_))));
        all.extend(expected(&batch, first));
    }
    assert_eq!(store.last_position(), 15_000);
    assert!(log(store).await == all, "the log is not what was appended");
    for number in [0, 1, 57, 99] {
        let own = all.iter().filter(|record| record.stream == stream(number));
        assert!(history(store, number).await.iter().eq(own), "history {number}");
    }
}

/// `read_log` begins where asked, ends at the limit, and is empty past the end.
pub async fn reads_from_anywhere_and_no_more_than_asked(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    for round in 0..20 {
        append(store, epoch, (0..5).map(|n| transition(n, 1 + round * 3, 3)).collect()).await;
    }
    let all = log(store).await;
    assert_eq!(all.len(), 300);
    for (from, limit) in [(0, 3), (1, 1), (2, 50), (16, 300), (150, 7), (300, 9), (301, 9), (7, 0)]
    {
        let read = store.read_log(from, limit).await.expect("readable");
        let own = all.iter().filter(|record| record.position >= from).take(limit);
        assert!(read.iter().eq(own), "from {from}, limit {limit}");
    }
}

/// `read_history` gives the sequences of the range and no others.
pub async fn reads_a_range_of_a_history(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    for round in 0..10 {
        let batch = vec![transition(1, 1 + round * 3, 3), transition(2, 1 + round, 1)];
        append(store, epoch, batch).await;
    }
    let all = history(store, 1).await;
    assert_eq!(all.len(), 30);
    for range in [0..2, 1..2, 2..5, 3..4, 7..31, 29..99, 30..31, 31..40, 5..5] {
        let read = store.read_history(stream(1), range.clone()).await.expect("readable");
        let own = all.iter().filter(|record| range.contains(&record.sequence));
        assert!(read.iter().eq(own), "{range:?}");
    }
    assert!(store.read_history(stream(99), 1..9).await.expect("readable").is_empty());
}

/// Events of up to a megabyte come back whole, among small ones.
pub async fn keeps_large_events(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    let sizes = [0, 100, 3400, 3500, 3600, 4000, 4096, 5000, 8192, 100_000, 1_000_000];
    let batch: Vec<Transition> =
        (1..).zip(sizes).flat_map(|(n, size)| [started(n, size), transition(n, 2, 2)]).collect();
    append(store, epoch, batch.clone()).await;
    let all = expected(&batch, 1);
    assert!(log(store).await == all, "the log is not what was appended");
    for number in 1..=sizes.len() as u64 {
        assert_eq!(history(store, number).await.len(), 3);
    }
    let read = store.read_log(31, 1).await.expect("readable");
    assert!(read.first() == all.get(30), "a large event cannot be read alone");
}

/// Only the newest epoch may append; being refused does not stop the newest.
pub async fn fences_older_epochs(store: &dyn EventStore) {
    let old = acquire(store).await;
    append(store, old, vec![transition(1, 1, 1)]).await;
    let new = acquire(store).await;
    assert!(new > old);
    for epoch in [old, Epoch(new.0 + 1)] {
        let error = store.append(epoch, vec![transition(1, 2, 1)]).await.expect_err("fenced");
        assert!(matches!(error, Error::Fenced), "{error}");
    }
    assert_eq!(append(store, new, vec![transition(1, 2, 1)]).await, [Appended::At(2)]);
}

/// A checkpoint holds the last snapshot of each live history, whatever its size.
pub async fn keeps_the_newest_snapshots(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, (1..=3).map(|n| transition(n, 1, 2)).collect()).await;
    let first = Checkpoint {
        snapshots: vec![snapshot(1, 1, 90_000), snapshot(2, 2, 0)],
        complete_to: Some(4),
        ..Checkpoint::default()
    };
    checkpoint(store, first).await;
    let second = Checkpoint {
        snapshots: vec![snapshot(1, 2, 10), snapshot(3, 2, 5000)],
        ..Checkpoint::default()
    };
    checkpoint(store, second).await;
    let (snapshots, from) = store.read_checkpoint().await.expect("readable");
    assert_eq!(from, 5);
    assert!(snapshots == [snapshot(1, 2, 10), snapshot(2, 2, 0), snapshot(3, 2, 5000)]);
    append(store, epoch, vec![completed(1, 3)]).await;
    checkpoint(store, Checkpoint { complete_to: Some(7), ..ended([1]) }).await;
    let (snapshots, from) = store.read_checkpoint().await.expect("readable");
    assert_eq!(from, 8);
    assert!(snapshots == [snapshot(2, 2, 0), snapshot(3, 2, 5000)]);
}

/// A name leads to the execution that was last written under it.
pub async fn finds_executions_by_their_names(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, vec![transition(1, 1, 1), transition(2, 1, 1)]).await;
    let (one, other) = (NameKey::of("w", "one"), NameKey::of("w", "other"));
    assert_eq!(store.find_named(one).await.expect("readable"), None);
    let (old, new) = (ExecutionId(stream(1)), ExecutionId(stream(2)));
    checkpoint(store, Checkpoint { names: vec![(one, old)], ..Checkpoint::default() }).await;
    checkpoint(store, Checkpoint { names: vec![(one, new)], ..Checkpoint::default() }).await;
    assert_eq!(store.find_named(one).await.expect("readable"), Some(new));
    assert_eq!(store.find_named(other).await.expect("readable"), None);
    assert_ne!(NameKey::of("ab", "c"), NameKey::of("a", "bc"));
}

/// Rows of ended executions come newest first, page by page, and one by one.
pub async fn lists_finished_executions_newest_first(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, (1..=25).map(|n| completed(n, 1)).collect()).await;
    let mut large = finished(7);
    large.row = vec![9; 20_000];
    checkpoint(store, ended(11..=25)).await;
    let mut older = ended((1..=10).filter(|number| *number != 7));
    older.finished.push(large.clone());
    checkpoint(store, older).await;
    let mut rows: Vec<Finished> = (1..=25).rev().map(finished).collect();
    rows.iter_mut().filter(|row| row.execution == large.execution).for_each(|row| {
        row.row.clone_from(&large.row);
    });
    let mut read: Vec<Finished> = Vec::new();
    loop {
        let before = read.last().map(|row| row.execution);
        let page = store.list_finished(before, 4).await.expect("readable");
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert!(read == rows, "the rows are not what was written");
    let found = store.find_finished(large.execution).await.expect("readable");
    assert!(found == Some(large), "the row is not what was written");
    assert_eq!(store.find_finished(ExecutionId(stream(99))).await.expect("readable"), None);
}

/// An ended history that only the checkpoint remembers still has its end; work on it again takes
/// its row away.
pub async fn appends_to_a_finished_history_only_where_it_ends(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, vec![transition(1, 1, 3), transition(2, 1, 1), completed(1, 4)]).await;
    checkpoint(store, ended([1])).await;
    assert_eq!(history(store, 1).await.len(), 4);
    let appended = append(store, epoch, vec![transition(1, 1, 1), transition(1, 5, 2)]).await;
    assert_eq!(appended, [Appended::Conflict { last_sequence: 4 }, Appended::At(6)]);
    let sequences: Vec<u64> = history(store, 1).await.iter().map(|r| r.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    assert!(store.list_finished(None, 9).await.expect("readable").is_empty());
    assert_eq!(store.find_finished(ExecutionId(stream(1))).await.expect("readable"), None);
    append(store, epoch, vec![completed(1, 7)]).await;
    checkpoint(store, ended([1])).await;
    assert_eq!(store.list_finished(None, 9).await.expect("readable"), [finished(1)]);
    assert_eq!(history(store, 1).await.len(), 7);
}

/// A checkpoint that claims more than the log has covers only the log.
pub async fn never_covers_more_than_the_log(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, vec![transition(1, 1, 2)]).await;
    checkpoint(store, Checkpoint { complete_to: Some(9), ..Checkpoint::default() }).await;
    assert_eq!(store.read_checkpoint().await.expect("readable").1, 3);
}

/// Readers on other threads see a log that only grows, with whole transitions.
pub async fn reads_while_others_append(store: Arc<dyn EventStore>) {
    let epoch = acquire(&*store).await;
    let reader = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let mut seen = 0;
            while seen < 600 {
                let records = log(&*store).await;
                assert!(records.len() >= seen, "the log became shorter");
                assert_eq!(records.len() % 3, 0, "half a transition was seen");
                let own = history(&*store, 1).await;
                assert!(own.len() >= records.len() / 4, "a history is behind the log");
                seen = records.len();
                tokio::task::yield_now().await;
            }
        }
    });
    for round in 0..50 {
        let batch = (1..=4).map(|n| transition(n, 1 + round * 3, 3)).collect();
        append(&*store, epoch, batch).await;
        tokio::task::yield_now().await;
    }
    reader.await.expect("the reader is content");
}

/// An event over the store's limit is an error, leaves nothing, and stops the store.
pub async fn refuses_an_event_over_its_limit(store: &dyn EventStore, limit: usize) {
    let epoch = acquire(store).await;
    let batch = vec![transition(1, 1, 1), started(2, limit)];
    let error = store.append(epoch, batch).await.expect_err("too large");
    assert!(matches!(error, Error::TooLarge { limit: known, .. } if known == limit), "{error}");
    assert!(log(store).await.is_empty());
    let error = store.append(epoch, vec![transition(1, 1, 1)]).await.expect_err("stopped");
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
}

/// Runs every promise about what is still there after the store was closed and opened again.
/// `make_place` gives, for each promise, a new place: a function that opens the store there.
pub async fn run_reopening<P, O>(make_place: P)
where
    P: Fn() -> O,
    O: Fn() -> Arc<dyn EventStore>,
{
    keeps_everything_over_a_reopening(&make_place()).await;
    gives_greater_epochs_after_a_reopening(&make_place()).await;
    finds_the_ends_of_histories_again(&make_place()).await;
    delete_suite::goes_on_with_a_compaction_that_was_cut_off(&make_place()).await;
}

/// Log, histories, snapshots and rows are as before.
pub async fn keeps_everything_over_a_reopening(open: &dyn Fn() -> Arc<dyn EventStore>) {
    let store = open();
    let epoch = acquire(&*store).await;
    let batch: Vec<Transition> =
        (1..=50).flat_map(|n| [started(n, 300), transition(n, 2, 3)]).collect();
    append(&*store, epoch, batch).await;
    append(&*store, epoch, vec![completed(1, 5), started(60, 50_000)]).await;
    let snapshots = vec![snapshot(2, 4, 30_000)];
    checkpoint(&*store, Checkpoint { snapshots, complete_to: Some(100), ..ended([1]) }).await;
    append(&*store, epoch, vec![transition(3, 5, 1)]).await;
    let before = log(&*store).await;
    drop(store);
    for _ in 0..2 {
        let store = open();
        assert_eq!(store.last_position(), before.len() as u64);
        assert!(log(&*store).await == before, "the log has changed");
        assert_eq!(history(&*store, 1).await.len(), 5);
        let (snapshots, from) = store.read_checkpoint().await.expect("readable");
        assert!(from == 101 && snapshots == [snapshot(2, 4, 30_000)]);
        assert_eq!(store.list_finished(None, 9).await.expect("readable"), [finished(1)]);
    }
}

/// Epochs rise over reopenings, so that a writer from before is fenced.
pub async fn gives_greater_epochs_after_a_reopening(open: &dyn Fn() -> Arc<dyn EventStore>) {
    let store = open();
    let old = acquire(&*store).await;
    drop(store);
    let store = open();
    let new = acquire(&*store).await;
    assert!(new > old);
    let error = store.append(old, vec![transition(1, 1, 1)]).await.expect_err("fenced");
    assert!(matches!(error, Error::Fenced), "{error}");
}

/// Appends after a reopening go on where each history ended, checkpointed or not.
pub async fn finds_the_ends_of_histories_again(open: &dyn Fn() -> Arc<dyn EventStore>) {
    let store = open();
    let epoch = acquire(&*store).await;
    let batch = vec![transition(1, 1, 2), transition(2, 1, 1), completed(1, 3), completed(3, 1)];
    append(&*store, epoch, batch).await;
    checkpoint(&*store, ended([1])).await;
    append(&*store, epoch, vec![transition(2, 2, 2), transition(4, 1, 1)]).await;
    drop(store);
    let store = open();
    let epoch = acquire(&*store).await;
    let stale = vec![transition(1, 3, 1), transition(2, 2, 1), transition(3, 1, 1)];
    let conflicts = [3, 3, 1].map(|last_sequence| Appended::Conflict { last_sequence });
    assert_eq!(append(&*store, epoch, stale).await, conflicts);
    let next = vec![transition(1, 4, 1), transition(2, 4, 1), transition(4, 2, 1)];
    assert_eq!(append(&*store, epoch, next).await, [9, 10, 11].map(Appended::At));
    for (number, length) in [(1, 4), (2, 4), (3, 1), (4, 2)] {
        let own = history(&*store, number).await;
        assert!(own.iter().map(|r| r.sequence).eq(1..=length), "history {number}: {own:?}");
    }
}
