//! What is kept beside the log so that it need not be read whole: where each history ends,
//! snapshots, rows of executions that have ended.
//!
//! All of it is a projection in a sled database of its own, never ahead of the log. If it is
//! damaged it is thrown away and filled again from the log.

use std::collections::HashMap;
use std::sync::Mutex;

use ::sled::IVec;
use uuid::Uuid;

use super::super::frame::CHUNK_BYTES;
use super::super::{Checkpoint, Error, NameKey, Position, Snapshot, Stream};
use super::digest::Digest;
use super::disk::{Batch, Database, Disk, Tree};
use super::guard::guard;
use super::{Fdatasync, Head, lock, rows};
use crate::engine::ExecutionId;

/// Raised when the keys below change their meaning; another number means "begin anew".
const FORMAT: u32 = 3;

/// Where the index is.
const FOLDER: &str = "index";

const IDENTITY: &[u8] = b"i";
const COMPLETE_TO: &[u8] = b"c";
const HEADS_TO: &[u8] = b"t";
const DIGEST: &[u8] = b"x";
const HEAD: u8 = b'h';
const SNAPSHOT: u8 = b's';
pub(super) const FINISHED: u8 = b'f';
const NAMED: u8 = b'n';
/// See `waypoints.rs`.
pub(super) const WAYPOINT: u8 = b'w';
/// Deleted histories of which records may still be in the log.
const DELETED: u8 = b'd';
/// Tombstones that are all that is left of their histories, by their time.
const TOMBSTONE: u8 = b'g';

/// A kind and an id: the beginning of a key.
pub(super) type Name = [u8; 17];

/// The database of the index.
pub(super) struct Index {
    pub(super) tree: Tree,
    db: Database,
    /// One writer at a time, because old parts of a value are looked up before they are replaced.
    pub(super) writing: Mutex<()>,
    /// Of all entries. Changes together with them.
    digest: Mutex<Digest>,
}

pub(super) fn name(kind: u8, id: Uuid) -> Name {
    let mut name = [kind; 17];
    if let Some(place) = name.last_chunk_mut::<16>() {
        *place = id.into_bytes();
    }
    name
}

pub(super) fn damaged(reason: impl Into<String>) -> Error {
    Error::damaged(0, format!("the index: {}", reason.into()), None)
}

/// Splits a value, so that no page of sled grows too large: see `frame.rs`.
pub(super) fn put(batch: &mut Batch, name: &[u8], value: &[u8]) {
    let mut whole = Vec::with_capacity(value.len() + 12);
    whole.extend_from_slice(&(value.len() as u64).to_le_bytes());
    whole.extend_from_slice(&crc32c::crc32c(value).to_le_bytes());
    whole.extend_from_slice(value);
    for (part, piece) in (0u32..).zip(whole.chunks(CHUNK_BYTES)) {
        batch.insert([name, &part.to_be_bytes()].concat(), piece);
    }
}

/// Joins what [`put`] split.
pub(super) fn join<'a>(parts: impl IntoIterator<Item = &'a IVec>) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    parts.into_iter().for_each(|part| whole.extend_from_slice(part));
    let (length, rest) = whole.split_first_chunk::<8>()?;
    let (crc, value) = rest.split_first_chunk::<4>()?;
    let sound = u64::from_le_bytes(*length) == value.len() as u64
        && u32::from_le_bytes(*crc) == crc32c::crc32c(value);
    sound.then(|| value.to_vec())
}

/// A checksum of a small value and its key. Not the CRC as it is: behind what it is of it would make
/// the CRC of the whole depend on the length alone, and the digest of all entries rests on that.
fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value).wrapping_mul(0x9e37_79b1)
}

/// A small value with a checksum of itself and its key: what is read while the index is in use may
/// have changed since it was opened.
fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    [value, &checksum(key, value).to_le_bytes()].concat()
}

/// What [`seal`] sealed under this key.
fn unseal<'v>(key: &[u8], sealed: &'v [u8]) -> Option<&'v [u8]> {
    let (value, crc) = sealed.split_last_chunk::<4>()?;
    (checksum(key, value) == u32::from_le_bytes(*crc)).then_some(value)
}

fn put_sealed(batch: &mut Batch, key: &[u8], value: &[u8]) {
    batch.insert(key, seal(key, value));
}

fn read_head(key: &[u8], sealed: &[u8]) -> Option<Head> {
    Head::from_bytes(unseal(key, sealed)?)
}

pub(super) fn is_first_part(key: &[u8]) -> bool {
    key.ends_with(&[0; 4])
}

/// The id in a key that [`name`] began.
pub(super) fn id(key: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(key.get(1..17)?).ok()
}

pub(super) fn tombstone_key(time: u64, stream: Stream) -> Vec<u8> {
    [&[TOMBSTONE][..], &time.to_be_bytes(), stream.as_bytes()].concat()
}

pub(super) fn read_tombstone(key: &[u8]) -> Option<(u64, Stream)> {
    let (time, stream) = key.get(1..)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*time), Uuid::from_slice(stream).ok()?))
}

impl Head {
    pub(super) fn to_bytes(self) -> [u8; 17] {
        let state = if self.deleted { 2 } else { u8::from(self.ended) };
        let mut bytes = [state; 17];
        for (place, number) in bytes.chunks_exact_mut(8).zip([self.position, self.sequence]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (position, rest) = bytes.split_first_chunk::<8>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let position = u64::from_le_bytes(*position);
        let sequence = u64::from_le_bytes(*sequence);
        let deleted = rest == [2];
        Some(Self { position, sequence, ended: rest == [1] || deleted, deleted, saved: true })
    }
}

impl Index {
    /// Opens the index of the log with this id, or begins a new one; whether it is new.
    pub(super) fn open(disk: &Disk, cache: u64, log: Uuid) -> Result<(Self, bool), Error> {
        match Self::try_open(disk, cache).and_then(|index| index.check(log).map(|()| index)) {
            Ok(index) => Ok((index, false)),
            Err(Error::Damaged { damage }) => {
                tracing::debug!(reason = %damage.reason, "the index is begun anew");
                Self::begin(disk, cache, log).map(|index| (index, true))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether there is an index of the log with this id.
    pub(super) fn is_of(disk: &Disk, cache: u64, log: Uuid) -> Result<bool, Error> {
        if !disk.has(FOLDER) {
            return Ok(false);
        }
        match Self::try_open(disk, cache).and_then(|index| index.check(log)) {
            Ok(()) => Ok(true),
            Err(Error::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Throws away what is there.
    pub(super) fn begin(disk: &Disk, cache: u64, log: Uuid) -> Result<Self, Error> {
        disk.remove(FOLDER).map_err(|error| Error::io("removal of the index", &error))?;
        let index = Self::try_open(disk, cache)?;
        let identity = [&FORMAT.to_le_bytes()[..], log.as_bytes()].concat();
        let mut batch = Batch::default();
        batch.insert(IDENTITY, identity);
        index.apply("write of the index", batch)?;
        guard("write of the index", 0, || index.db.flush())?;
        Ok(index)
    }

    fn try_open(disk: &Disk, cache: u64) -> Result<Self, Error> {
        let db = disk.open(FOLDER, cache)?;
        let tree = guard("opening of the index", 0, || db.open_tree("index"))?;
        Ok(Self { tree, db, writing: Mutex::default(), digest: Mutex::default() })
    }

    /// That the index is of this log and whole: sled may have lost entries of it, or gone back to
    /// older ones, and say nothing.
    fn check(&self, log: Uuid) -> Result<(), Error> {
        let identity = self.get(IDENTITY)?.unwrap_or_default();
        if *identity != [&FORMAT.to_le_bytes()[..], log.as_bytes()].concat() {
            return Err(damaged("it is of another log or format"));
        }
        let mut digest = Digest::default();
        guard("check of the index", 0, || {
            self.tree.iter().try_for_each(|entry| {
                let (key, value) = entry?;
                if *key != *DIGEST {
                    digest.add(&key, &value);
                }
                Ok(())
            })
        })?;
        if self.get(DIGEST)?.as_deref() != Some(&digest.to_bytes()) {
            return Err(damaged("it is not what was written"));
        }
        *lock(&self.digest) = digest;
        Ok(())
    }

    /// Makes all changes, or none, and the digest follows. Not durable.
    pub(super) fn apply(&self, operation: &'static str, mut batch: Batch) -> Result<(), Error> {
        let mut digest = lock(&self.digest);
        let mut next = *digest;
        guard(operation, 0, || {
            for (key, value) in batch.changes() {
                if let Some(before) = self.tree.get(key)? {
                    next.remove(key, &before);
                }
                if let Some(value) = value {
                    next.add(key, value);
                }
            }
            batch.insert(DIGEST, &next.to_bytes());
            self.tree.apply_batch(batch)
        })?;
        *digest = next;
        Ok(())
    }

    /// Makes durable what was written.
    fn sync(&self) -> Result<(), Error> {
        guard("write of the index", 0, || self.db.flush())?;
        self.db.sync(&Fdatasync).map_err(|error| Error::io("sync of the index", &error))
    }

    fn get(&self, key: &[u8]) -> Result<Option<IVec>, Error> {
        guard("read of the index", 0, || self.tree.get(key))
    }

    fn number(&self, key: &[u8]) -> Result<u64, Error> {
        match self.get(key)? {
            None => Ok(0),
            Some(sealed) => unseal(key, &sealed)
                .and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes))
                .ok_or_else(|| damaged("a number is damaged")),
        }
    }

    /// The position up to which every history's end is here.
    pub(super) fn heads_to(&self) -> Result<Position, Error> {
        self.number(HEADS_TO)
    }

    /// Where a history ends, as far as is known here.
    pub(super) fn head(&self, stream: Stream) -> Result<Option<Head>, Error> {
        let key = name(HEAD, stream);
        match self.get(&key)? {
            None => Ok(None),
            Some(sealed) => read_head(&key, &sealed)
                .map(Some)
                .ok_or_else(|| damaged("the end of a history is damaged")),
        }
    }

    /// Where every history ends, as far as is known here.
    pub(super) fn heads(&self) -> Result<HashMap<Stream, Head>, Error> {
        guard("read of the index", 0, || {
            let entries = self.tree.scan_prefix([HEAD]);
            let read = |entry: ::sled::Result<(IVec, IVec)>| {
                let (key, value) = entry?;
                Ok(id(&key).zip(read_head(&key, &value)))
            };
            entries.map(read).filter_map(Result::transpose).collect()
        })
    }

    /// Histories whose last transition begins in `range`, as far as is known here.
    pub(super) fn streams_between(&self, range: &std::ops::Range<Position>) -> Vec<Stream> {
        let mut streams = Vec::new();
        // Only for the report of a damage: what cannot be read is left out.
        let scanned: Result<(), Error> = guard("read of the index", 0, || {
            for entry in self.tree.scan_prefix([HEAD]) {
                let (key, value) = entry?;
                if read_head(&key, &value).is_some_and(|head| range.contains(&head.position)) {
                    streams.extend(id(&key));
                }
            }
            Ok(())
        });
        drop(scanned);
        streams
    }

    /// Writes ends of histories outside of a checkpoint. Not durable.
    pub(super) fn save_heads(
        &self,
        heads: impl IntoIterator<Item = (Stream, Head)>,
        heads_to: Position,
    ) -> Result<(), Error> {
        let mut batch = Batch::default();
        for (stream, head) in heads {
            self.put_head(&mut batch, stream, head)?;
        }
        put_sealed(&mut batch, HEADS_TO, &heads_to.to_le_bytes());
        self.apply("write of the index", batch)
    }

    /// Writes a checkpoint, whole or not at all, and syncs it.
    pub(super) fn write(
        &self,
        checkpoint: &Checkpoint,
        heads: &[(Stream, Head)],
        heads_to: Position,
    ) -> Result<(), Error> {
        let _writing = lock(&self.writing);
        let mut batch = Batch::default();
        for snapshot in &checkpoint.snapshots {
            let name = name(SNAPSHOT, snapshot.stream);
            self.remove(&mut batch, &name)?;
            self.remove_row(&mut batch, snapshot.stream)?;
            let value = [&snapshot.sequence.to_le_bytes()[..], &snapshot.bytes].concat();
            put(&mut batch, &name, &value);
        }
        for finished in &checkpoint.finished {
            self.remove_row(&mut batch, finished.execution.0)?;
            self.remove(&mut batch, &name(SNAPSHOT, finished.execution.0))?;
            rows::put_row(&mut batch, finished);
        }
        for (key, execution) in &checkpoint.names {
            let name = name(NAMED, Uuid::from_bytes(key.0));
            put_sealed(&mut batch, &name, execution.0.as_bytes());
        }
        for (stream, head) in heads {
            self.put_head(&mut batch, *stream, *head)?;
        }
        put_sealed(&mut batch, HEADS_TO, &heads_to.to_le_bytes());
        if let Some(position) = checkpoint.complete_to {
            put_sealed(&mut batch, COMPLETE_TO, &position.min(heads_to).to_le_bytes());
        }
        self.apply("write of the checkpoint", batch)?;
        self.sync()
    }

    /// Of a deleted history nothing but its end stays here, and that it is to be taken away.
    fn put_head(&self, batch: &mut Batch, stream: Stream, head: Head) -> Result<(), Error> {
        put_sealed(batch, &name(HEAD, stream), &head.to_bytes());
        if head.deleted {
            self.remove_row(batch, stream)?;
            self.remove(batch, &name(SNAPSHOT, stream))?;
            self.remove(batch, &name(WAYPOINT, stream))?;
            batch.insert(&name(DELETED, stream), &[]);
        }
        Ok(())
    }

    /// Deleted histories of which records may still be in the log, at most `limit`.
    pub(super) fn deleted(&self, limit: usize) -> Result<Vec<Stream>, Error> {
        guard("read of the index", 0, || {
            let keys = self.tree.scan_prefix([DELETED]).keys().take(limit);
            keys.map(|key| Ok(id(&key?))).filter_map(Result::transpose).collect()
        })
    }

    /// Tombstones written before a moment whose histories are taken away, at most `limit`.
    pub(super) fn tombstones(
        &self,
        before: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Stream)>, Error> {
        let end = [&[TOMBSTONE][..], &before.to_be_bytes()].concat();
        guard("read of the index", 0, || {
            let keys = self.tree.range(vec![TOMBSTONE]..end).keys().take(limit);
            keys.map(|key| Ok(read_tombstone(&key?))).filter_map(Result::transpose).collect()
        })
    }

    /// Notes that nothing but their tombstones is left of some histories.
    pub(super) fn note_taken(&self, taken: &[(u64, Stream)]) -> Result<(), Error> {
        let mut batch = Batch::default();
        for (time, stream) in taken {
            batch.remove(&name(DELETED, *stream));
            batch.insert(tombstone_key(*time, *stream), &[]);
        }
        self.apply("write of the index", batch)
    }

    /// Forgets histories of which nothing is left.
    pub(super) fn forget(&self, gone: &[(u64, Stream)]) -> Result<(), Error> {
        let mut batch = Batch::default();
        for (time, stream) in gone {
            batch.remove(tombstone_key(*time, *stream));
            batch.remove(&name(HEAD, *stream));
        }
        self.apply("write of the index", batch)
    }

    /// Frees a name, if it is still that of this execution.
    pub(super) fn free_name(&self, key: NameKey, execution: ExecutionId) -> Result<(), Error> {
        if self.find_named(key)? == Some(execution) {
            let mut batch = Batch::default();
            batch.remove(&name(NAMED, Uuid::from_bytes(key.0)));
            self.apply("write of the index", batch)?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, batch: &mut Batch, name: &Name) -> Result<(), Error> {
        guard("read of the index", 0, || {
            self.tree.scan_prefix(name).keys().try_for_each(|key| {
                batch.remove(key?);
                Ok(())
            })
        })
    }

    /// Every snapshot, and the position up to which they are complete.
    pub(super) fn checkpoint(&self) -> Result<(Vec<Snapshot>, Position), Error> {
        let _writing = lock(&self.writing);
        let mut snapshots = Vec::new();
        let mut parts: Vec<IVec> = Vec::new();
        let mut open: Option<Stream> = None;
        let mut entries = self.tree.scan_prefix([SNAPSHOT]);
        loop {
            let entry = guard("read of a snapshot", 0, || entries.next().transpose())?;
            let first = entry.as_ref().is_none_or(|(key, _)| is_first_part(key));
            if first && let Some(stream) = open.take() {
                let value = join(&parts).ok_or_else(|| damaged("a snapshot is damaged"))?;
                let (sequence, bytes) =
                    value.split_first_chunk::<8>().ok_or_else(|| damaged("a snapshot is short"))?;
                let sequence = u64::from_le_bytes(*sequence);
                snapshots.push(Snapshot { stream, sequence, bytes: bytes.to_vec() });
                parts.clear();
            }
            let Some((key, value)) = entry else {
                return Ok((snapshots, self.number(COMPLETE_TO)?));
            };
            open = id(&key);
            parts.push(value);
        }
    }

    pub(super) fn find_named(&self, key: NameKey) -> Result<Option<ExecutionId>, Error> {
        let name = name(NAMED, Uuid::from_bytes(key.0));
        let found = guard("read of a name", 0, || self.tree.get(name))?;
        let read = |sealed: IVec| {
            let named = unseal(&name, &sealed).and_then(|value| Uuid::from_slice(value).ok());
            named.ok_or_else(|| damaged("a name is damaged"))
        };
        Ok(found.map(read).transpose()?.map(ExecutionId))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_all_entries_notices_a_sealed_value_that_is_another() {
        let digest = |value: &[u8]| {
            let mut digest = Digest::default();
            digest.add(b"key", &seal(b"key", value));
            digest.to_bytes()
        };
        assert_ne!(digest(b"value 1"), digest(b"value 2"));
    }

    #[test]
    fn a_sealed_value_is_read_under_its_own_key_alone() {
        let sealed = seal(b"key", b"value");
        assert_eq!(unseal(b"key", &sealed), Some(&b"value"[..]));
        assert_eq!(unseal(b"kez", &sealed), None);
    }
}
