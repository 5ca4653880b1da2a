//! Changes of what is in the log already, which must be made as a whole however large they are.
//!
//! sled makes a batch as a whole only up to a size, see [`UNSYNCED_BYTES`]. A larger change is first
//! noted, durably, and then made in pieces. Where a crash comes between them, the note is found when
//! the log is opened, and all of it is done again: each piece says what a key is to have, so nothing
//! depends on how far it had come.

use ::sled::IVec;

use super::super::frame::CHUNK_BYTES;
use super::super::{Error, Position};
use super::disk::Batch;
use super::guard::guard;
use super::log::{Log, Sync, UNSYNCED_BYTES};

/// The key of the note's end in the tree `redo`: how many bytes there are, and their checksum. It is
/// written when all parts are durable.
const END: &[u8] = b"end";

/// The length of a value that stands for none.
const GONE: u32 = u32::MAX;

const COMPACTION: &str = "compaction of the log";

impl Log {
    /// Changes what is in the log, as a whole. Durable on return.
    pub(super) fn change(&self, at: Position, batch: Batch, sync: Sync<'_>) -> Result<(), Error> {
        let is_whole_alone = batch.bytes() <= UNSYNCED_BYTES;
        if !is_whole_alone {
            self.note(at, &batch, sync)?;
        }
        self.write(COMPACTION, at, &self.tree, batch, sync)?;
        if is_whole_alone {
            return Ok(());
        }
        // Durable with what is written next, which must not be undone by it.
        guard(COMPACTION, at, || self.redo.remove(END))
    }

    /// Makes a change again that a crash has cut off. Whether there was one.
    pub(super) fn finish_change(&self, sync: Sync<'_>) -> Result<bool, Error> {
        let Some(batch) = self.noted()? else { return Ok(false) };
        self.write(COMPACTION, 0, &self.tree, batch, sync)?;
        guard("repair of the log", 0, || self.redo.remove(END))?;
        self.flush(0)?;
        sync()?;
        Ok(true)
    }

    fn note(&self, at: Position, batch: &Batch, sync: Sync<'_>) -> Result<(), Error> {
        let bytes = to_bytes(batch);
        let parts = (0u32..).zip(bytes.chunks(CHUNK_BYTES));
        let mut note = Batch::default();
        for (number, part) in parts {
            note.insert(&number.to_be_bytes(), part);
        }
        self.write(COMPACTION, at, &self.redo, note, sync)?;
        let mut end = Batch::default();
        let crc = crc32c::crc32c(&bytes);
        end.insert(END, [&(bytes.len() as u64).to_le_bytes()[..], &crc.to_le_bytes()].concat());
        self.write(COMPACTION, at, &self.redo, end, sync)
    }

    /// The change that is noted, if it is noted as a whole.
    fn noted(&self) -> Result<Option<Batch>, Error> {
        let damaged = || Error::damaged(0, "what a compaction noted cannot be read", None);
        guard("read of the log", 0, || {
            let Some(end) = self.redo.get(END)? else { return Ok(None) };
            let mut bytes = Vec::new();
            for entry in self.redo.range::<&[u8]>(..) {
                let (key, part) = entry?;
                if key.len() == 4 {
                    bytes.extend_from_slice(&part);
                }
            }
            Ok(Some((end, bytes)))
        })?
        .map(|(end, bytes)| from_bytes(&end, &bytes).ok_or_else(damaged))
        .transpose()
    }
}

/// Each change as its key and value, with their lengths before them.
fn to_bytes(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in batch.changes() {
        bytes.extend_from_slice(&[u8::try_from(key.len()).unwrap_or(u8::MAX)]);
        bytes.extend_from_slice(key);
        let length = value.map_or(GONE, |value| u32::try_from(value.len()).unwrap_or(GONE));
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(value.map_or(&[][..], |value| value));
    }
    bytes
}

/// What [`to_bytes`] wrote, after which there may be parts of an older note.
fn from_bytes(end: &IVec, bytes: &[u8]) -> Option<Batch> {
    let (length, crc) = end.split_first_chunk::<8>()?;
    let mut rest = bytes.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    if u32::from_le_bytes(crc.try_into().ok()?) != crc32c::crc32c(rest) {
        return None;
    }
    let mut batch = Batch::default();
    while let Some((key_length, after)) = rest.split_first() {
        let (key, after) = after.split_at_checked(usize::from(*key_length))?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        rest = after;
        if length == GONE {
            batch.remove(key);
            continue;
        }
        let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        batch.insert(key, value);
        rest = after;
    }
    Some(batch)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Fdatasync;
    use super::super::disk::Disk;
    use super::*;
    use crate::store::{Crash, SimDisk};
    use crate::testing::random::Random;

    fn log(disk: &SimDisk) -> Log {
        Log::of(Disk::Simulated(disk.clone()).open("log", 1024 * 1024).unwrap()).unwrap()
    }

    fn change() -> Batch {
        let mut batch = Batch::default();
        for number in 0..40u64 {
            batch.insert(&number.to_be_bytes(), vec![7; 3000]);
            batch.remove(&(number + 100).to_be_bytes());
        }
        batch
    }

    fn entries(log: &Log) -> Vec<(IVec, IVec)> {
        log.tree.iter().map(Result::unwrap).collect()
    }

    fn sync(log: &Log) -> Result<(), Error> {
        log.db.sync(&Fdatasync).map_err(|error| Error::io("sync", &error))
    }

    #[test]
    fn a_large_change_is_there_as_a_whole_wherever_a_crash_cuts_it_off() {
        let made = SimDisk::new();
        let base = log(&made);
        for number in 0..150u64 {
            base.tree.insert(&number.to_be_bytes(), vec![1; 10]).unwrap();
        }
        base.flush(0).unwrap();
        let (old, mut found) = (entries(&base), BTreeSet::new());
        for steps in 0.. {
            let mut random = Random::new(steps);
            let disk = made.crash(Crash::Killed, &mut random);
            let before = log(&disk);
            disk.cut_power_after(steps);
            let changed = before.change(1, change(), &|| sync(&before));
            let after = log(&disk.crash(Crash::PowerCut, &mut random));
            let was_cut_off = after.finish_change(&|| sync(&after)).unwrap();
            let entries = entries(&after);
            let is_new = entries != old;
            if is_new {
                let large = entries.iter().filter(|(_, value)| value.len() == 3000);
                assert_eq!((entries.len(), large.count()), (110, 40), "after {steps} steps");
            }
            assert!(is_new || changed.is_err(), "after {steps} steps");
            found.insert((is_new, was_cut_off));
            if changed.is_ok() {
                break;
            }
        }
        assert!(found.contains(&(false, false)) && found.contains(&(true, true)), "{found:?}");
    }

    #[test]
    fn a_note_that_is_damaged_is_refused_and_not_made() {
        let disk = SimDisk::new();
        let log = log(&disk);
        log.note(1, &change(), &|| Ok(())).unwrap();
        log.redo.insert(&2u32.to_be_bytes(), vec![0; 10]).unwrap();
        assert_eq!(log.finish_change(&|| Ok(())).unwrap_err().code(), "STORE_DAMAGED");
        assert!(entries(&log).is_empty());
    }
}
