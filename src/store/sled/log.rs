//! The log's tree: chunks under the position of their first record, and parts of large records.

use std::borrow::Cow;
use std::iter::Rev;
use std::sync::Arc;

use ::sled::IVec;

use super::super::frame::{CHUNK_BYTES, Chunks, Cut, Frame};
use super::super::{Error, Position, Record, codec};
use super::disk::{Batch, Database, Iter, Tree};
use super::guard::guard;
use crate::engine::Timestamp;

/// The database of the log.
pub(super) struct Log {
    pub(super) tree: Tree,
    pub(super) meta: Tree,
    /// See `redo.rs`.
    pub(super) redo: Tree,
    pub(super) db: Database,
}

/// How many bytes are written at most before they are synced.
///
/// sled's batches are whole after a power cut, and nothing is there without what was written before
/// it, only while what is not durable spans at most two segments of its file: of what lies further
/// back it takes for granted that it was written. See docs/decisions/0014-unsynced-bytes.md.
pub(super) const UNSYNCED_BYTES: usize = 32 * 1024;

/// Makes durable what was flushed.
pub(super) type Sync<'s> = &'s dyn Fn() -> Result<(), Error>;

/// In the tree `meta`.
const INDEX_FLOOR: &str = "index";

/// The key of the chunk that begins at `position`.
pub(super) fn key(position: Position) -> [u8; 8] {
    position.to_be_bytes()
}

pub(super) fn part_key(position: Position, part: u16) -> [u8; 10] {
    let mut bytes = [0; 10];
    let (head, tail) = bytes.split_at_mut(8);
    head.copy_from_slice(&key(position));
    tail.copy_from_slice(&part.to_be_bytes());
    bytes
}

/// The position of a chunk's key; none for the keys of parts.
pub(super) fn chunk_position(key: &[u8]) -> Option<Position> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

impl Log {
    pub(super) fn of(db: Database) -> Result<Self, Error> {
        guard("opening of the log", 0, || {
            let (tree, meta) = (db.open_tree("log")?, db.open_tree("meta")?);
            let redo = db.open_tree("redo")?;
            Ok(Self { tree, meta, redo, db })
        })
    }

    /// Puts what `chunks` holds into the tree, in pieces: each is there as a whole or not at all, and
    /// durable before the next is begun.
    pub(super) fn insert(
        &self,
        chunks: &mut Chunks,
        position: Position,
        sync: impl Fn() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut batch = Batch::default();
        for (&Cut { position, part, .. }, value) in chunks.finish() {
            if part == 0 {
                batch.insert(&key(position), value);
            } else {
                batch.insert(&part_key(position, part), value);
            }
        }
        self.write("append to the log", position, &self.tree, batch, &sync)
    }

    /// Makes changes of a tree in pieces, each as a whole and durable before the next is begun.
    pub(super) fn write(
        &self,
        operation: &'static str,
        at: Position,
        tree: &Tree,
        batch: Batch,
        sync: Sync<'_>,
    ) -> Result<(), Error> {
        batch.pieces().try_for_each(|piece| {
            guard(operation, at, || tree.apply_batch(piece))?;
            self.flush(at)?;
            sync()
        })
    }

    /// Hands everything to the system. Not durable yet: sled does not sync.
    pub(super) fn flush(&self, position: Position) -> Result<(), Error> {
        guard("write of the log", position, || self.db.flush())
    }

    /// The position up to which an index must know where histories end, to be used.
    pub(super) fn index_floor(&self) -> Result<Position, Error> {
        let floor = guard("read of the log", 0, || self.meta.get(INDEX_FLOOR))?;
        let floor = floor.and_then(|bytes| (*bytes).try_into().ok());
        Ok(floor.map_or(0, u64::from_le_bytes))
    }

    /// An index that knows less is not used any more: the log is about to forget what it would need.
    /// Durable together with what is then written to the log.
    pub(super) fn raise_index_floor(&self, to: Position) -> Result<(), Error> {
        guard("write of the log", to, || self.meta.insert(INDEX_FLOOR, &to.to_le_bytes()))
    }

    /// The chunk that holds `position`, if the tree has one at or before it.
    pub(super) fn chunk_at(&self, position: Position) -> Result<Option<(Position, IVec)>, Error> {
        guard("read of the log", position, || {
            for entry in self.tree.range(..=key(position)).rev() {
                let (found, value) = entry?;
                if let Some(first) = chunk_position(&found) {
                    return Ok(Some((first, value)));
                }
                // A part: its chunk stands under the key's beginning.
                if let Some(&start) = found.first_chunk::<8>()
                    && let Some(value) = self.tree.get(start)?
                {
                    return Ok(Some((u64::from_be_bytes(start), value)));
                }
            }
            Ok(None)
        })
    }

    /// Chunks in order, beginning with the first whose key is at or after `from`.
    pub(super) fn chunks_from(
        &self,
        from: Position,
    ) -> impl Iterator<Item = Result<(Position, IVec), Error>> + '_ {
        let mut entries = self.tree.range(key(from)..);
        let mut at = from;
        std::iter::from_fn(move || {
            loop {
                match guard("read of the log", at, || entries.next().transpose()) {
                    Ok(None) => return None,
                    Ok(Some((key, value))) => {
                        if let Some(position) = chunk_position(&key) {
                            at = position;
                            return Some(Ok((position, value)));
                        }
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// A way backward through the chunks.
    pub(super) fn backward(&self) -> Backward<'_> {
        Backward { log: self, entries: None }
    }

    /// The whole body of a record; none when a part is missing.
    pub(super) fn body<'a>(&self, frame: &Frame<'a>) -> Result<Option<Cow<'a, [u8]>>, Error> {
        let parts = frame.parts();
        if parts == 0 {
            return Ok(Some(Cow::Borrowed(frame.body)));
        }
        // The length is not trusted for an allocation before its parts are seen.
        let mut body = Vec::with_capacity(frame.length.min(64 * CHUNK_BYTES));
        body.extend_from_slice(frame.body);
        for part in 1..=parts {
            let key = part_key(frame.ids.position, part);
            let value = guard("read of the log", frame.ids.position, || self.tree.get(key))?;
            let Some(value) = value else {
                return Ok(None);
            };
            body.extend_from_slice(&value);
        }
        Ok(Some(Cow::Owned(body)))
    }

    /// The record in a frame.
    pub(super) fn record(&self, frame: &Frame<'_>) -> Result<Record, Error> {
        let ids = frame.ids;
        let damaged = |reason: &str| Error::damaged(ids.position, reason, Some(ids.stream));
        let body = self.body(frame)?.ok_or_else(|| damaged("a part of a record is missing"))?;
        if !frame.matches(&body) {
            return Err(damaged("checksum does not match"));
        }
        let event = codec::decode_body(frame.tag, frame.schema, &body)
            .map_err(|error| Error::from_codec(error, ids.position, Some(ids.stream)))?;
        Ok(Record {
            stream: ids.stream,
            sequence: ids.sequence,
            position: ids.position,
            time: Timestamp(ids.time),
            event: Arc::new(event),
        })
    }
}

/// Finds chunks further and further back: one that is near by stepping there, any other by its key.
pub(super) struct Backward<'l> {
    log: &'l Log,
    entries: Option<Rev<Iter>>,
}

impl Backward<'_> {
    /// Steps that cost less than to find a key.
    const NEAR: usize = 8;

    /// The chunk that holds `position`, if the tree has one at or before it. Positions must fall.
    pub(super) fn chunk_with(
        &mut self,
        position: Position,
    ) -> Result<Option<(Position, IVec)>, Error> {
        for _ in 0..Self::NEAR {
            let Some(entries) = &mut self.entries else { break };
            let next = guard("read of the log", position, || entries.next().transpose())?;
            let Some((key, value)) = next else { break };
            if let Some(first) = chunk_position(&key).filter(|first| *first <= position) {
                return Ok(Some((first, value)));
            }
        }
        let found = self.log.chunk_at(position)?;
        self.entries = found.as_ref().map(|(first, _)| self.log.tree.range(..key(*first)).rev());
        Ok(found)
    }
}
