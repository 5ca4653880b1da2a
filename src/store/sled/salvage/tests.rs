//! Damaged logs, and what is saved of them.

use tempfile::TempDir;

use super::super::damage_tests::{copy, tamper};
use super::super::{Check, EventStore, log};
use super::*;
use crate::engine::event::WorkflowPaused;
use crate::store::Record;
use crate::testing::store_suite::{compact_all, completed, deleted, started, stream, transition};

/// Forty rounds over five histories, the last of which has ended; one large record; a deleted one.
async fn filled() -> (TempDir, Vec<Record>) {
    let folder = TempDir::new().unwrap();
    let store = SledStore::open(folder.path(), SledOptions::default()).unwrap();
    let epoch = store.acquire().await.unwrap();
    store.append(epoch, vec![started(9, 20_000), completed(9, 2)]).await.unwrap();
    store.append(epoch, vec![started(8, 20), completed(8, 2), deleted(8, 3)]).await.unwrap();
    for round in 0..40 {
        let batch = (1..=5).map(|n| transition(n, 1 + round * 3, 3)).collect();
        store.append(epoch, batch).await.unwrap();
    }
    store.append(epoch, vec![completed(5, 121)]).await.unwrap();
    compact_all(&store, epoch, false).await;
    let records = store.read_log(1, usize::MAX).await.unwrap();
    (folder, records)
}

/// What a folder holds, to see that nothing in it changes.
fn bytes(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for path in files::list(folder).unwrap() {
        if path.is_dir() {
            all.extend(bytes(&path));
        } else {
            let content = fs::read(&path).unwrap();
            all.push((path, content));
        }
    }
    all.sort();
    all
}

struct Rescued {
    salvaged: Salvaged,
    store: SledStore,
    _folder: TempDir,
}

fn rescued(damaged: &Path) -> Rescued {
    let before = bytes(damaged);
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("new");
    let salvaged = salvage(damaged, &to).unwrap();
    assert!(bytes(damaged) == before, "the damaged folder was written to");
    assert!(!to.join("salvage.tmp").exists());
    let options = SledOptions { check: Check::All, ..SledOptions::default() };
    Rescued { salvaged, store: SledStore::open(&to, options).unwrap(), _folder: folder }
}

impl Rescued {
    async fn history(&self, number: u64) -> Vec<Record> {
        self.store.read_history(stream(number), 1..u64::MAX).await.unwrap()
    }

    fn lost(&self, number: u64) -> Option<(u64, u64, LostPart, bool)> {
        let lost = self.salvaged.lost.iter().find(|lost| lost.stream == stream(number))?;
        Some((lost.kept, lost.lost, lost.part, lost.set_aside))
    }

    /// That what was kept of a history is how it began.
    async fn is_prefix(&self, number: u64, before: &[Record]) -> usize {
        let kept = self.history(number).await;
        let set_aside = kept.last().is_some_and(|last| last.event.name() == "ExecutionSetAside");
        let own = kept.len() - usize::from(set_aside);
        let before = before.iter().filter(|record| record.stream == stream(number));
        let same = |(a, b): (&Record, &Record)| {
            (a.sequence, a.time, &a.event) == (b.sequence, b.time, &b.event)
        };
        assert!(kept[..own].iter().zip(before).all(same), "history {number} is another one");
        own
    }
}

#[tokio::test]
async fn a_sound_log_is_copied_whole_but_for_what_was_deleted() {
    let (folder, before) = filled().await;
    let rescued = rescued(folder.path());
    assert!(rescued.salvaged.is_whole(), "{:?}", rescued.salvaged);
    assert_eq!((rescued.salvaged.events, rescued.salvaged.deleted), (603, 1));
    assert_eq!(rescued.store.last_position(), 603);
    for number in [1, 2, 3, 4, 5, 9] {
        let own = before.iter().filter(|record| record.stream == stream(number)).count();
        assert_eq!(rescued.is_prefix(number, &before).await, own);
    }
    let moved = rescued.salvaged.moved.as_slice();
    let expected = [
        Moved { old_first: 1, old_last: 2, new_first: 1 },
        Moved { old_first: 6, old_last: 606, new_first: 3 },
    ];
    assert_eq!(moved, expected);
}

#[tokio::test]
async fn a_hole_in_the_middle_keeps_what_was_before_it() {
    let (folder, before) = filled().await;
    // Sled no longer has a chunk; nor is it in the file, once that is written anew.
    let clean = TempDir::new().unwrap();
    copy(folder.path(), clean.path());
    tamper(clean.path(), |tree| {
        let key = tree.get_lt(log::key(306)).unwrap().unwrap().0;
        tree.remove(&key).unwrap();
    });
    wipe_frames(clean.path(), 250, 306);
    let rescued = rescued(clean.path());
    // Of the large record sled may have lost the page, and the search finds no record with parts.
    let lost = rescued.salvaged.lost_positions.iter().filter(|span| span.first > 2);
    assert_eq!(lost.count(), 1, "{:?}", rescued.salvaged.lost_positions);
    for number in 1..=5 {
        let kept = rescued.is_prefix(number, &before).await as u64;
        let whole = if number == 5 { 121 } else { 120 };
        assert!((45..70).contains(&kept) && kept.is_multiple_of(3), "history {number}: {kept}");
        let expected = (kept, whole - kept, LostPart::Middle, true);
        assert_eq!(rescued.lost(number), Some(expected));
        let last = rescued.history(number).await.pop().unwrap();
        let Event::ExecutionSetAside(aside) = &*last.event else { panic!("{last:?}") };
        let reason = format!("salvaged: events {} to {whole} are lost", kept + 1);
        assert_eq!(&*aside.reason, reason);
    }
    let large = rescued.lost(9);
    assert!(large.is_none_or(|lost| lost == (0, 2, LostPart::All, false)), "{large:?}");
}

#[tokio::test]
async fn a_hole_among_the_pauses_of_the_system_does_not_keep_the_rest_from_being_saved() {
    let folder = TempDir::new().unwrap();
    let store = SledStore::open(folder.path(), SledOptions::default()).unwrap();
    let epoch = store.acquire().await.unwrap();
    let controls = uuid::Builder::from_custom_bytes([7; 16]).into_uuid();
    for (sequence, workflow) in (1..).zip(["a", "b", "c"]) {
        let event = WorkflowPaused { workflow: workflow.into(), by: "me".into(), reason: None };
        let (first_sequence, time, events) = (sequence, Timestamp(sequence), vec![event.into()]);
        let pause = Transition { stream: controls, first_sequence, time, events };
        store.append(epoch, vec![pause]).await.unwrap();
    }
    store.append(epoch, vec![started(1, 20)]).await.unwrap();
    drop(store);
    let clean = TempDir::new().unwrap();
    copy(folder.path(), clean.path());
    tamper(clean.path(), |tree| drop(tree.remove(log::key(2)).unwrap().unwrap()));
    wipe_frames(clean.path(), 2, 2);
    let rescued = rescued(clean.path());
    let pauses = rescued.store.read_history(controls, 1..u64::MAX).await.unwrap();
    let told = pauses.iter().map(|record| match &*record.event {
        Event::WorkflowPaused(body) => (record.sequence, &*body.workflow),
        event => panic!("{event:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [(1, "a"), (2, "c")]);
    assert_eq!(rescued.history(1).await.len(), 1);
}

/// Makes every copy of the frames of some positions in the file unreadable.
fn wipe_frames(folder: &Path, from: u64, to: u64) {
    let path = folder.join("log/db");
    let mut bytes = fs::read(&path).unwrap();
    let mut at = 0;
    while at + 64 < bytes.len() {
        let position = u64::from_le_bytes(bytes[at + 40..at + 48].try_into().unwrap());
        if bytes[at] == 1
            && bytes[at + 6] == 1
            && bytes[at + 7] == 0
            && (from..=to).contains(&position)
        {
            bytes[at + 12] ^= 0xff;
        }
        at += 1;
    }
    fs::write(&path, bytes).unwrap();
}

#[tokio::test]
async fn a_tail_that_sled_lost_is_found_in_the_file_or_said_to_be_lost() {
    let (folder, before) = filled().await;
    let cut = TempDir::new().unwrap();
    copy(folder.path(), cut.path());
    let path = cut.path().join("log/db");
    let content = fs::read(&path).unwrap();
    let used = content.iter().rposition(|byte| *byte != 0).unwrap();
    fs::write(&path, &content[..used * 2 / 3]).unwrap();
    let rescued = rescued(cut.path());
    assert!(!rescued.salvaged.is_whole());
    let mut kept = 0;
    for number in 1..=5 {
        kept += rescued.is_prefix(number, &before).await;
        let (_, _, _, aside) = rescued.lost(number).unwrap();
        let ended = rescued.history(number).await.last().is_some_and(|r| r.event.is_end());
        assert_eq!(aside, !ended && !rescued.history(number).await.is_empty());
    }
    assert!(kept > 100, "only {kept} of 601 events were kept");
    let last = rescued.salvaged.lost_positions.last().unwrap();
    assert_eq!(last.last, 606, "the high-water mark says where the log ended");
}

#[tokio::test]
async fn what_sled_cannot_open_is_searched_for_records() {
    let (folder, before) = filled().await;
    let path = folder.path().join("log/db");
    let mut content = fs::read(&path).unwrap();
    // Every tenth page of 4 KiB is noise, and so is all that sled says of itself.
    for page in content.chunks_mut(4096).step_by(10) {
        page.fill(0x5a);
    }
    fs::write(&path, &content).unwrap();
    for snapshot in files::list(&folder.path().join("log")).unwrap() {
        if snapshot.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
            fs::write(snapshot, b"noise").unwrap();
        }
    }
    let rescued = rescued(folder.path());
    assert!(rescued.salvaged.found_in_file > 0, "{:?}", rescued.salvaged);
    let mut kept = 0;
    for number in [1, 2, 3, 4, 5, 9] {
        kept += rescued.is_prefix(number, &before).await;
    }
    assert_eq!(kept as u64, rescued.salvaged.events);
    assert!(kept > 50, "only {kept} events were kept: {:?}", rescued.salvaged);
}

#[tokio::test]
async fn a_log_in_use_and_a_folder_in_use_are_refused() {
    let (folder, _) = filled().await;
    let to = TempDir::new().unwrap();
    let held = SledStore::open(folder.path(), SledOptions::default()).unwrap();
    let error = salvage(folder.path(), &to.path().join("new")).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    drop(held);
    fs::write(to.path().join("mine"), b"mine").unwrap();
    assert!(salvage(folder.path(), to.path()).is_err());
    assert_eq!(fs::read(to.path().join("mine")).unwrap(), b"mine");
    let empty = TempDir::new().unwrap();
    let error = salvage(empty.path(), &to.path().join("other")).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}
