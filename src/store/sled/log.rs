//! The log's tree: chunks under the position of their first record, and parts of large records.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use ::sled::{Db, IVec, Tree};

use super::super::frame::{CHUNK_BYTES, Chunks, Cut, Frame};
use super::super::{Error, Position, Record, codec};
use super::guard::guard;
use crate::engine::Timestamp;

/// The sled database of the log.
pub(super) struct Log {
    pub(super) tree: Tree,
    pub(super) meta: Tree,
    pub(super) db: Db,
    /// Our own handle to sled's file, to sync it with.
    pub(super) file: File,
}

/// The key of the chunk that begins at `position`.
pub(super) fn key(position: Position) -> [u8; 8] {
    position.to_be_bytes()
}

fn part_key(position: Position, part: u16) -> [u8; 10] {
    let mut bytes = [0; 10];
    let (head, tail) = bytes.split_at_mut(8);
    head.copy_from_slice(&key(position));
    tail.copy_from_slice(&part.to_be_bytes());
    bytes
}

/// From this many values on, a batch is worth its spacers.
const SPACED_FROM: usize = 8;

/// Spacers after the last value of a batch: enough to fill sled's last page alone.
const SPACERS_AT_END: u8 = 16;

/// A key with an empty value, right after the value it is named for. It sorts pages, nothing more:
/// readers pass over it.
fn spacer_key(cut: &Cut, number: u8) -> [u8; 11] {
    let mut bytes = [number; 11];
    let (head, _) = bytes.split_at_mut(10);
    head.copy_from_slice(&part_key(cut.position, cut.part));
    bytes
}

/// The position of a chunk's key; none for the keys of parts and spacers.
pub(super) fn chunk_position(key: &[u8]) -> Option<Position> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

impl Log {
    /// Puts what `chunks` holds into the tree, all or nothing. Not durable yet.
    pub(super) fn insert(&self, chunks: &mut Chunks, position: Position) -> Result<(), Error> {
        let cuts = chunks.cuts();
        if cuts.len() >= SPACED_FROM {
            guard("append to the log", position, || self.insert_spacers(cuts))?;
        }
        let mut batch = ::sled::Batch::default();
        for (&Cut { position, part, .. }, value) in chunks.finish() {
            if part == 0 {
                batch.insert(&key(position), value);
            } else {
                batch.insert(&part_key(position, part), value);
            }
        }
        guard("append to the log", position, || self.tree.apply_batch(batch))
    }

    /// Makes sled divide its pages before the values come, while that costs little.
    ///
    /// sled writes a page anew with every tenth change, and both halves of one that has more than
    /// 16 keys: a log appended plainly is written four times over. The halves get nine and eight
    /// keys. So three empty keys for every two values leave pages with nine of them, to which at
    /// most seven values come: too few for either. The empty keys after the last value are there
    /// so that no value is in the page that the next batch divides.
    fn insert_spacers(&self, cuts: &[Cut]) -> ::sled::Result<()> {
        for (index, cut) in cuts.iter().enumerate() {
            self.tree.insert(spacer_key(cut, 1), &[])?;
            if index % 2 == 0 {
                self.tree.insert(spacer_key(cut, 2), &[])?;
            }
        }
        if let Some(last) = cuts.last() {
            for number in 0..SPACERS_AT_END {
                self.tree.insert(spacer_key(last, 16 + number), &[])?;
            }
        }
        Ok(())
    }

    /// Hands everything to the system. Not durable yet: sled does not sync.
    pub(super) fn flush(&self, position: Position) -> Result<(), Error> {
        guard("write of the log", position, || self.db.flush()).map(drop)
    }

    /// The chunk that holds `position`, if the tree has one at or before it.
    pub(super) fn chunk_at(&self, position: Position) -> Result<Option<(Position, IVec)>, Error> {
        guard("read of the log", position, || {
            for entry in self.tree.range(..=key(position)).rev() {
                let (found, value) = entry?;
                if let Some(first) = chunk_position(&found) {
                    return Ok(Some((first, value)));
                }
                // A part or a spacer: its chunk stands under the key's beginning. A spacer that an
                // interrupted append left may have none.
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
