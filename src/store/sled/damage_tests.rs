//! What opening makes of folders that were cut, flipped, torn, taken or left half-made.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::store::Damage;
use crate::store::frame::{Chunks, Gap};
use crate::testing::store_suite::{compact_all, completed, deleted, started, stream, transition};

fn open(folder: &Path) -> Result<SledStore, Error> {
    SledStore::open(folder, SledOptions::default())
}

pub(super) fn damage(folder: &Path) -> Damage {
    match open(folder) {
        Err(Error::Damaged { damage }) => damage,
        other => panic!("not damaged: {other:?}"),
    }
}

/// A log of 40 rounds over 5 histories, 3 events each: 600 records, one batch to a round.
async fn fill(store: &SledStore) {
    let epoch = store.acquire().await.unwrap();
    for round in 0..40 {
        let batch = (1..=5).map(|n| transition(n, 1 + round * 3, 3)).collect();
        store.append(epoch, batch).await.unwrap();
    }
}

async fn filled() -> TempDir {
    let folder = TempDir::new().unwrap();
    fill(&open(folder.path()).unwrap()).await;
    folder
}

/// Changes the log's tree behind the store's back.
pub(super) fn tamper(folder: &Path, change: impl FnOnce(&::sled::Tree)) {
    let db = files::open_sled(&folder.join("log"), 1024 * 1024).unwrap();
    change(&db.open_tree("log").unwrap());
    db.flush().unwrap();
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files::list(from).unwrap() {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The folder as a crash right now would leave it, save for what is only in the system's memory.
pub(super) fn crash(folder: &Path) -> TempDir {
    let copied = TempDir::new().unwrap();
    copy(folder, copied.path());
    copied
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_after_a_crash() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let before = store.read_log(1, usize::MAX).await.unwrap();
    let crashed = crash(folder.path());
    let store = open(crashed.path()).unwrap();
    assert!(store.read_log(1, usize::MAX).await.unwrap() == before);
    assert_eq!(store.open_report(), OpenReport::default());
}

#[tokio::test]
async fn an_incomplete_transition_at_the_end_is_cut_and_reported() {
    for large in [false, true] {
        let folder = filled().await;
        let store = open(folder.path()).unwrap();
        let epoch = store.acquire().await.unwrap();
        let last = if large { started(9, 50_000) } else { transition(9, 1, 400) };
        store.append(epoch, vec![transition(1, 121, 2), last]).await.unwrap();
        drop(store);
        tamper(folder.path(), |tree| {
            let mut entries = tree.iter().rev().map(Result::unwrap);
            let (key, _) = entries.find(|(_, value)| !value.is_empty()).unwrap();
            tree.remove(key).unwrap();
        });
        assert!(damage(folder.path()).reason.contains("the tail is lost"));
        fs::remove_file(folder.path().join("high-water")).unwrap();
        let store = open(folder.path()).unwrap();
        assert_eq!(store.open_report().torn_tail_after, Some(602));
        assert_eq!(store.read_log(1, usize::MAX).await.unwrap().len(), 602);
        let epoch = store.acquire().await.unwrap();
        let appended = store.append(epoch, vec![started(9, 10), transition(1, 123, 1)]).await;
        assert_eq!(appended.unwrap(), [603, 604].map(Appended::At));
        drop(store);
        let store = open(folder.path()).unwrap();
        assert_eq!(store.open_report(), OpenReport::default());
        assert_eq!(store.read_history(stream(1), 1..999).await.unwrap().len(), 123);
    }
}

#[tokio::test]
async fn a_flipped_bit_in_a_record_names_its_place_and_its_history() {
    let folder = filled().await;
    tamper(folder.path(), |tree| {
        // Round 21 begins at 301: its last record is the third of history 5.
        let mut value = tree.get(log::key(301)).unwrap().unwrap().to_vec();
        *value.last_mut().unwrap() ^= 4;
        tree.insert(log::key(301), value).unwrap();
    });
    let damage = damage(folder.path());
    assert_eq!((damage.position, &*damage.reason), (315, "checksum does not match"));
    assert_eq!(damage.streams, [stream(5)]);
}

#[tokio::test]
async fn a_missing_chunk_names_the_histories_that_were_in_it() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![transition(8, 1, 2), transition(7, 1, 2)]).await.unwrap();
    store.append(epoch, vec![transition(3, 121, 1), transition(8, 3, 1)]).await.unwrap();
    store.write_checkpoint(Checkpoint::default()).await.unwrap();
    drop(store);
    tamper(folder.path(), |tree| drop(tree.remove(log::key(601)).unwrap()));
    let damage = damage(folder.path());
    assert_eq!(damage.position, 601);
    assert_eq!(damage.streams, [stream(7), stream(8)], "{}", damage.reason);
}

#[tokio::test]
async fn a_flipped_byte_of_the_file_never_changes_or_loses_a_record() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let before = store.read_log(1, usize::MAX).await.unwrap();
    let running = crash(folder.path());
    drop(store);
    let mut refused = 0;
    for (place, times) in [(folder.path(), 12u64), (running.path(), 12)] {
        let size = fs::metadata(place.join("log/db")).unwrap().len();
        let bytes = fs::read(place.join("log/db")).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
        assert!(used < size);
        for turn in 0..times {
            let damaged = crash(place);
            let mut bytes = bytes.clone();
            bytes[usize::try_from(used * (turn + 1) / (times + 1)).unwrap()] ^= 0x20;
            fs::write(damaged.path().join("log/db"), bytes).unwrap();
            match open(damaged.path()) {
                Ok(store) => assert!(store.read_log(1, usize::MAX).await.unwrap() == before),
                Err(Error::Damaged { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(refused > 0, "no flip hit anything");
}

#[tokio::test]
async fn a_cut_file_is_noticed() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let before = store.read_log(1, usize::MAX).await.unwrap();
    let bytes = fs::read(folder.path().join("log/db")).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    let mut refused = 0;
    for cut in [1, 20, 300, 2000, 20_000, used - 10, used] {
        let damaged = crash(folder.path());
        let file = File::options().write(true).open(damaged.path().join("log/db")).unwrap();
        file.set_len(used - cut).unwrap();
        match open(damaged.path()) {
            Ok(store) => assert!(store.read_log(1, usize::MAX).await.unwrap() == before, "{cut}"),
            Err(Error::Damaged { .. }) => refused += 1,
            Err(error) => panic!("{cut}: {error}"),
        }
    }
    assert!(refused > 3, "{refused}");
}

#[tokio::test]
async fn a_log_older_than_the_high_water_mark_is_refused() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let older = crash(folder.path());
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![transition(1, 121, 2)]).await.unwrap();
    fs::copy(folder.path().join("high-water"), older.path().join("high-water")).unwrap();
    let damage = damage(older.path());
    assert_eq!(damage.position, 601);
    assert!(damage.reason.contains("up to 602"), "{}", damage.reason);
}

#[tokio::test]
async fn leftovers_of_an_interrupted_start_are_removed() {
    let folder = filled().await;
    let leftovers: Vec<PathBuf> = ["log/snap.0000000000001234.generating", "log.new/db"]
        .map(|name| folder.path().join(name))
        .into();
    fs::create_dir(folder.path().join("log.new")).unwrap();
    for path in &leftovers {
        fs::write(path, b"half").unwrap();
    }
    let store = open(folder.path()).unwrap();
    assert!(store.open_report().removed_leftovers);
    assert_eq!(store.last_position(), 600);
    assert!(leftovers.iter().all(|path| !path.exists()));
}

#[tokio::test]
async fn a_damaged_index_is_thrown_away_and_filled_again() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![completed(1, 121)]).await.unwrap();
    let checkpoint = Checkpoint { complete_to: Some(601), ..Checkpoint::default() };
    store.write_checkpoint(checkpoint).await.unwrap();
    drop(store);
    let path = folder.path().join("index/db");
    let length = fs::read(&path).unwrap().len();
    fs::write(&path, vec![0x5a; length]).unwrap();
    let store = open(folder.path()).unwrap();
    assert!(store.open_report().rebuilt_index);
    assert_eq!(store.read_checkpoint().await.unwrap(), (Vec::new(), 1));
    assert_eq!(store.read_history(stream(1), 1..999).await.unwrap().len(), 121);
    let epoch = store.acquire().await.unwrap();
    let appended = store.append(epoch, vec![transition(1, 121, 1), transition(2, 121, 1)]).await;
    let conflict = Appended::Conflict { last_sequence: 121 };
    assert_eq!(appended.unwrap(), [conflict, Appended::At(602)]);
}

#[tokio::test]
async fn an_index_of_another_log_is_not_used() {
    let folder = filled().await;
    let other = TempDir::new().unwrap();
    let store = open(other.path()).unwrap();
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![transition(1, 1, 2)]).await.unwrap();
    store.write_checkpoint(Checkpoint::default()).await.unwrap();
    drop(store);
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    copy(&other.path().join("index"), &folder.path().join("index"));
    let store = open(folder.path()).unwrap();
    assert!(store.open_report().rebuilt_index);
    assert_eq!(store.read_history(stream(1), 1..999).await.unwrap().len(), 120);
}

#[tokio::test]
async fn a_log_of_a_newer_format_is_refused() {
    let folder = filled().await;
    {
        let db = files::open_sled(&folder.path().join("log"), 1024 * 1024).unwrap();
        db.open_tree("meta").unwrap().insert("format", &7u32.to_le_bytes()).unwrap();
    }
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 7, known: 1 }), "{error}");
}

#[tokio::test]
async fn a_log_that_is_open_is_locked_and_says_by_whom() {
    let folder = filled().await;
    let store = open(folder.path()).unwrap();
    let error = open(folder.path()).unwrap_err();
    let own = std::process::id();
    assert!(matches!(error, Error::Locked { pid: Some(pid), .. } if pid == own), "{error}");
    drop(store);
    assert!(open(folder.path()).is_ok());
}

#[tokio::test]
async fn pages_outside_of_the_file_are_refused() {
    let folder = filled().await;
    fs::create_dir_all(folder.path().join("log/blobs")).unwrap();
    fs::write(folder.path().join("log/blobs/17"), b"page").unwrap();
    assert!(damage(folder.path()).reason.contains("blobs"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_says_so() {
    // Not even root may make folders here.
    let error = open(Path::new("/sys/kernel/everstep-test")).unwrap_err();
    assert_eq!(error.code(), "STORE_READ_ONLY", "{error}");
}

/// The log of [`fill`] without histories 2 and 4, of which only tombstones are left.
async fn compacted() -> TempDir {
    let folder = filled().await;
    let store = open(folder.path()).unwrap();
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![deleted(2, 121), deleted(4, 121)]).await.unwrap();
    assert_eq!(compact_all(&store, epoch, false).await.events, 240);
    folder
}

fn forget_index(folder: &Path) {
    fs::remove_dir_all(folder.join("index")).unwrap();
}

#[tokio::test]
async fn a_log_with_gaps_is_whole_with_and_without_its_index() {
    let folder = compacted().await;
    for _ in 0..2 {
        for check in [Check::All, Check::Tail] {
            let options = SledOptions { check, ..SledOptions::default() };
            let store = SledStore::open(folder.path(), options).unwrap();
            assert_eq!(store.last_position(), 602);
            assert_eq!(store.read_log(1, usize::MAX).await.unwrap().len(), 362);
            assert_eq!(store.read_history(stream(3), 1..999).await.unwrap().len(), 120);
            assert!(store.read_history(stream(2), 1..999).await.unwrap().is_empty());
            assert!(store.find_tombstone(stream(2)).await.unwrap().is_some());
            let epoch = store.acquire().await.unwrap();
            let late = store.append(epoch, vec![transition(2, 122, 1)]).await.unwrap();
            assert_eq!(late, [Appended::Conflict { last_sequence: 121 }]);
        }
        forget_index(folder.path());
    }
}

#[tokio::test]
async fn a_gap_that_is_lost_or_flipped_is_damage() {
    let folder = compacted().await;
    let lost = crash(folder.path());
    tamper(lost.path(), |tree| {
        let middle = tree.iter().keys().map(Result::unwrap).nth(3).unwrap();
        tree.remove(middle).unwrap();
    });
    assert!(damage(lost.path()).reason.contains("are missing"));
    tamper(folder.path(), |tree| {
        let mut changed = 0;
        for entry in tree.iter() {
            let (key, value) = entry.unwrap();
            let mut value = value.to_vec();
            // The flags of a gap: the last byte of its second position is part of it.
            if let Some(at) = value.windows(12).position(|head| head[..2] == [1, 8]) {
                value[at + 24] ^= 1;
                tree.insert(key, value).unwrap();
                changed += 1;
                break;
            }
        }
        assert_eq!(changed, 1);
    });
    assert_eq!(damage(folder.path()).reason, "checksum does not match");
}

#[tokio::test]
async fn records_of_a_history_that_lives_cannot_be_gone() {
    for whole in [true, false] {
        let folder = filled().await;
        tamper(folder.path(), |tree| {
            // Rounds 21 and 22, or all up to there.
            let first = if whole { 1 } else { 301 };
            let mut chunks = Chunks::default();
            chunks.push_gap(Gap { first, last: 330 });
            let gap = chunks.finish().next().unwrap().1.to_vec();
            let keys: Vec<_> = tree.range(log::key(first)..log::key(331)).keys().collect();
            keys.into_iter().for_each(|key| drop(tree.remove(key.unwrap()).unwrap()));
            tree.insert(log::key(first), gap).unwrap();
        });
        let damage = damage(folder.path());
        assert_eq!(damage.position, 331);
        assert_eq!(damage.reason, "a part of a history is gone that was not deleted");
        assert_eq!(damage.streams.len(), 5);
    }
}

#[tokio::test]
async fn whatever_a_crash_leaves_of_a_compaction_reads_the_same() {
    let folder = filled().await;
    let store = open(folder.path()).unwrap();
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![deleted(1, 121), deleted(2, 121), deleted(5, 121)]).await.unwrap();
    let kept = |records: Vec<Record>| -> Vec<Record> {
        let stays = |record: &Record| [stream(3), stream(4)].contains(&record.stream);
        records.into_iter().filter(stays).collect()
    };
    let before = kept(store.read_log(1, usize::MAX).await.unwrap());
    loop {
        let crashed = crash(folder.path());
        for lost in [false, true] {
            if lost {
                forget_index(crashed.path());
            }
            let store = open(crashed.path()).unwrap();
            assert!(kept(store.read_log(1, usize::MAX).await.unwrap()) == before);
            let epoch = store.acquire().await.unwrap();
            compact_all(&store, epoch, false).await;
            assert_eq!(store.read_log(1, usize::MAX).await.unwrap().len(), 243);
        }
        if store.compact(epoch, Compaction::default()).await.unwrap().is_done {
            break;
        }
    }
}

#[tokio::test]
async fn a_log_that_is_gone_beside_its_mark_is_not_begun_anew() {
    let folder = filled().await;
    fs::remove_dir_all(folder.path().join("log")).unwrap();
    assert!(damage(folder.path()).reason.contains("its folder is not"));
    assert!(!folder.path().join("log").exists());
}

#[tokio::test]
async fn a_log_of_another_folder_is_refused_and_a_mark_of_another_does_no_harm() {
    let (folder, other) = (filled().await, filled().await);
    let mark = folder.path().join("high-water");
    fs::copy(other.path().join("high-water"), mark).unwrap();
    assert_eq!(open(folder.path()).unwrap().last_position(), 600);
    let mark = crash(other.path());
    fs::remove_dir_all(mark.path().join("log")).unwrap();
    copy(&folder.path().join("log"), &mark.path().join("log"));
    for _ in 0..2 {
        assert!(damage(mark.path()).reason.contains("another one"));
    }
}

/// Two histories of which one is deleted, and then nothing of it is left; the index as it was before
/// that, with a row for both.
async fn forgotten() -> (TempDir, TempDir) {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![started(1, 10), completed(1, 2), transition(2, 1, 3)]).await.unwrap();
    let execution = ExecutionId(stream(1));
    let finished = vec![Finished { execution, mishap: Some(Mishap::Failed), row: b"row".to_vec() }];
    let checkpoint = Checkpoint { finished, complete_to: Some(5), ..Checkpoint::default() };
    store.write_checkpoint(checkpoint).await.unwrap();
    assert!(store.find_finished(execution).await.unwrap().is_some());
    let older = crash(folder.path());
    store.append(epoch, vec![deleted(1, 3), transition(2, 4, 1)]).await.unwrap();
    compact_all(&store, epoch, true).await;
    (folder, older)
}

#[tokio::test]
async fn an_index_older_than_what_the_log_has_forgotten_is_begun_anew() {
    let (folder, older) = forgotten().await;
    let sound = crash(folder.path());
    assert!(!open(sound.path()).unwrap().open_report().rebuilt_index);
    forget_index(folder.path());
    copy(&older.path().join("index"), &folder.path().join("index"));
    let store = open(folder.path()).unwrap();
    assert!(store.open_report().rebuilt_index);
    assert_eq!(store.find_finished(ExecutionId(stream(1))).await.unwrap(), None);
    assert_eq!(store.read_history(stream(2), 1..99).await.unwrap().len(), 4);
}

#[tokio::test]
async fn an_index_of_which_an_entry_is_lost_or_older_is_begun_anew() {
    for lost in [true, false] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).unwrap();
        fill(&store).await;
        store.write_checkpoint(Checkpoint::default()).await.unwrap();
        drop(store);
        {
            let db = files::open_sled(&folder.path().join("index"), 1024 * 1024).unwrap();
            let tree = db.open_tree("index").unwrap();
            let head = index::name(b'h', stream(3));
            let mut value = tree.remove(head).unwrap().unwrap().to_vec();
            if !lost {
                // As if its last transition were the one before.
                value[8] -= 3;
                tree.insert(head, value).unwrap();
            }
            db.flush().unwrap();
        }
        let store = open(folder.path()).unwrap();
        assert!(store.open_report().rebuilt_index);
        assert_eq!(store.last_sequence(stream(3)).unwrap(), 120);
        assert_eq!(store.read_history(stream(3), 1..999).await.unwrap().len(), 120);
    }
}

#[tokio::test]
async fn an_opening_that_fails_destroys_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let crashed = crash(folder.path());
    let path = crashed.path().join("log/db");
    let mut bytes = fs::read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used / 3] ^= 4;
    fs::write(&path, &bytes).unwrap();
    for _ in 0..2 {
        damage(crashed.path());
        assert!(fs::read(&path).unwrap() == bytes, "what stands behind a flipped bit is gone");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_names_no_history_that_never_was() {
    for check in [Check::All, Check::Tail] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).unwrap();
        fill(&store).await;
        store.write_checkpoint(Checkpoint::default()).await.unwrap();
        drop(store);
        tamper(folder.path(), |tree| {
            let mut value = tree.get(log::key(301)).unwrap().unwrap().to_vec();
            // The last byte of the first record's stream.
            value[16 + 15] ^= 0x40;
            tree.insert(log::key(301), value).unwrap();
        });
        let options = SledOptions { check, ..SledOptions::default() };
        let error = match SledStore::open(folder.path(), options) {
            Err(error) => error,
            Ok(store) => store.read_log(1, usize::MAX).await.unwrap_err(),
        };
        let Error::Damaged { damage } = error else { panic!("{error}") };
        let known = (1..=5).map(stream).collect::<Vec<_>>();
        assert!(damage.streams.iter().all(|stream| known.contains(stream)), "{damage:?}");
    }
}

#[tokio::test]
async fn a_log_with_a_segment_that_sled_takes_for_free_is_looked_at_whole() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).unwrap();
    fill(&store).await;
    let complete_to = Some(store.last_position());
    store.write_checkpoint(Checkpoint { complete_to, ..Checkpoint::default() }).await.unwrap();
    drop(store);
    tamper(folder.path(), |tree| drop(tree.remove(log::key(1)).unwrap()));
    let options = SledOptions { check: Check::Tail, ..SledOptions::default() };
    drop(SledStore::open(folder.path(), options).unwrap());
    let path = folder.path().join("log/db");
    let mut bytes = fs::read(&path).unwrap();
    bytes.resize(bytes.len().next_multiple_of(512 * 1024), 0);
    bytes.resize(bytes.len() + 4096, 0x11);
    fs::write(&path, &bytes).unwrap();
    let error = SledStore::open(folder.path(), options).unwrap_err();
    assert_eq!(error.code(), "STORE_DAMAGED", "{error}");
    assert!(fs::read(&path).unwrap() == bytes, "it was written to");
}
