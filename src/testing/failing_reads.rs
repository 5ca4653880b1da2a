//! A disk that can no longer be read, as a system says with an input/output error: at every single
//! read of what a store does, it says so, and never gives a wrong value for that.

use super::store_suite::{completed, deleted, snapshot, started, stream, transition};
use super::{SimDisk, at_once};
use crate::engine::ExecutionId;
use crate::store::{
    Check, Checkpoint, Compaction, Error, EventStore, Finished, Mishap, NameKey, SledOptions,
    SledStore,
};

/// More reads than anything here does.
const MOST_READS: u64 = 10_000;

type Look = (&'static str, fn(&SledStore) -> Result<String, Error>);

/// All that can be looked at, as text.
const LOOKS: [Look; 11] = [
    ("the log", |store| text(at_once(store.read_log(1, 99)))),
    ("a history", |store| text(at_once(store.read_history(stream(1), 1..99)))),
    ("a live history", |store| text(at_once(store.read_history(stream(2), 1..99)))),
    ("an end", |store| text(store.last_sequence(stream(1)))),
    ("a position", |store| text(store.position_of(stream(4), 1))),
    ("a tombstone", |store| text(at_once(store.find_tombstone(stream(3))))),
    ("a checkpoint", |store| text(at_once(store.read_checkpoint()))),
    ("rows", |store| text(at_once(store.list_finished(None, 99)))),
    ("rows of mishaps", |store| text(at_once(store.list_mishaps(&Mishap::ALL, None, 99)))),
    ("a row", |store| text(at_once(store.find_finished(ExecutionId(stream(1)))))),
    ("a name", |store| text(at_once(store.find_named(NameKey::of("suite", "one"))))),
];

fn text(value: Result<impl std::fmt::Debug, Error>) -> Result<String, Error> {
    value.map(|value| format!("{value:?}"))
}

fn open(disk: &SimDisk, check: Check) -> Result<SledStore, Error> {
    SledStore::open_simulated(disk, SledOptions { check, ..SledOptions::default() })
}

/// One history that has ended, one that lives, and one that was deleted, with a checkpoint of them
/// and some that came after it.
fn disk() -> SimDisk {
    let disk = SimDisk::new();
    let store = open(&disk, Check::All).unwrap();
    let epoch = at_once(store.acquire()).unwrap();
    let append = |batch| at_once(store.append(epoch, batch)).unwrap();
    append(vec![started(1, 9000), transition(1, 2, 3), completed(1, 5)]);
    append(vec![started(2, 100), started(3, 100), transition(3, 2, 2), completed(3, 4)]);
    append(vec![deleted(3, 5)]);
    let execution = ExecutionId(stream(1));
    let checkpoint = Checkpoint {
        snapshots: vec![snapshot(2, 1, 40)],
        finished: vec![Finished {
            execution,
            mishap: Some(Mishap::Failed),
            row: b"a row".to_vec(),
        }],
        names: vec![(NameKey::of("suite", "one"), execution)],
        complete_to: Some(store.last_position()),
    };
    at_once(store.write_checkpoint(checkpoint)).unwrap();
    append(vec![transition(2, 2, 4), started(4, 100)]);
    drop(store);
    disk
}

/// That an error is the disk's, and not, say, damage of what is whole.
fn is_of_the_disk(what: &str, reads: u64, error: &Error) {
    let code = error.code();
    assert!(["STORE_IO", "STORE_STOPPED"].contains(&code), "{what} after {reads} reads: {error}");
}

/// Tries after no read, after one, and so on, until all of them work.
fn each_read(mut attempt: impl FnMut(u64) -> bool) {
    let whole = (0..MOST_READS).find(|reads| attempt(*reads));
    assert!(whole.is_some_and(|reads| reads > 3), "{whole:?}: no read was made to fail");
}

#[test]
fn an_opening_that_cannot_read_says_so_and_harms_nothing() {
    for check in [Check::All, Check::Tail] {
        let sound = disk();
        let truth = LOOKS.map(|(_, look)| look(&open(&sound.fork(), check).unwrap()).unwrap());
        each_read(|reads| {
            let disk = sound.fork();
            disk.fail_reads_after(reads);
            let opened = open(&disk, check);
            if let Err(error) = &opened {
                is_of_the_disk("opening", reads, error);
            }
            let is_whole = opened.is_ok();
            drop(opened);
            disk.mend_reads();
            let store = open(&disk, check).unwrap();
            for ((what, look), expected) in LOOKS.iter().zip(&truth) {
                assert_eq!(look(&store).unwrap(), *expected, "{what} after {reads} reads");
            }
            is_whole
        });
    }
}

#[test]
fn a_read_that_fails_gives_an_error_and_no_wrong_value() {
    let sound = disk();
    for (what, look) in LOOKS {
        let truth = look(&open(&sound.fork(), Check::Tail).unwrap()).unwrap();
        let whole = (0..MOST_READS).find(|reads| {
            let disk = sound.fork();
            let store = open(&disk, Check::Tail).unwrap();
            disk.fail_reads_after(*reads);
            let looked = look(&store);
            match &looked {
                Ok(value) => assert_eq!(*value, truth, "{what} after {reads} reads"),
                Err(error) => is_of_the_disk(what, *reads, error),
            }
            disk.mend_reads();
            assert_eq!(look(&store).unwrap(), truth, "{what} once it can be read again");
            looked.is_ok()
        });
        assert!(whole.is_some(), "{what}: it never worked");
    }
}

#[test]
fn a_write_that_cannot_read_what_it_needs_is_whole_or_is_not_acknowledged() {
    let sound = disk();
    let before = open(&sound.fork(), Check::All).unwrap().last_position();
    each_read(|reads| {
        let disk = sound.fork();
        let store = open(&disk, Check::Tail).unwrap();
        let epoch = at_once(store.acquire()).unwrap();
        disk.fail_reads_after(reads);
        // Of the first the index has to be asked where it ends; that is so long ago.
        let batch = vec![deleted(1, 6), transition(2, 6, 2), started(5, 10)];
        let appended = at_once(store.append(epoch, batch));
        let compacted = at_once(store.compact(epoch, Compaction::default()));
        for error in [appended.as_ref().err(), compacted.as_ref().err()].into_iter().flatten() {
            is_of_the_disk("writing", reads, error);
        }
        disk.mend_reads();
        drop(store);
        let store = open(&disk, Check::All).unwrap();
        let expected = if appended.is_ok() { before + 4 } else { before };
        assert_eq!(store.last_position(), expected, "after {reads} reads");
        assert!(at_once(store.read_log(1, 99)).is_ok());
        appended.is_ok() && compacted.is_ok()
    });
}
