//! Appending: plan the whole batch, write it, make it durable, only then let it be seen.

use std::collections::HashMap;

use super::super::frame::{Chunks, Entry, Ids};
use super::super::{Appended, Epoch, Error, Position, Stream, Transition, codec};
use super::compact::Plan;
use super::heads::Heads;
use super::high_water::HighWater;
use super::{Head, Inner, lock};

/// What only the one writer touches.
pub(super) struct Writer {
    pub(super) epoch: u64,
    /// Whether this process has acquired the log.
    pub(super) acquired: bool,
    /// The first error of a write. After it nothing more is taken.
    pub(super) stopped: Option<String>,
    pub(super) next: Position,
    pub(super) high_water: HighWater,
    pub(super) chunks: Chunks,
    pub(super) body: Vec<u8>,
    /// Where the histories of the open batch will end.
    pub(super) heads: HashMap<Stream, Head>,
    /// Whether there are tombstones that the index may not know of.
    pub(super) has_new_tombstones: bool,
    /// The compaction that is under way.
    pub(super) plan: Option<Plan>,
}

impl Writer {
    fn check_running(&self) -> Result<(), Error> {
        match &self.stopped {
            Some(first) => Err(Error::Stopped { first: first.clone() }),
            None => Ok(()),
        }
    }

    /// That whoever has `epoch` may write.
    pub(super) fn check_owner(&self, epoch: Epoch) -> Result<(), Error> {
        self.check_running()?;
        if self.acquired && epoch.0 == self.epoch { Ok(()) } else { Err(Error::Fenced) }
    }

    /// After a write that failed nothing more is written: another sync might say that this one was
    /// durable.
    pub(super) fn stopping<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.stopped = Some(error.to_string());
        }
        result
    }
}

impl Inner {
    pub(super) fn acquire(&self) -> Result<Epoch, Error> {
        let mut writer = lock(&self.writer);
        writer.check_running()?;
        let epoch = writer.epoch.saturating_add(1);
        let written = self.write_epoch(epoch);
        writer.stopping(written)?;
        writer.epoch = epoch;
        writer.acquired = true;
        Ok(Epoch(epoch))
    }

    pub(super) fn append(
        &self,
        epoch: Epoch,
        batch: &[Transition],
    ) -> Result<Vec<Appended>, Error> {
        let mut writer = lock(&self.writer);
        writer.check_owner(epoch)?;
        let appended = self.append_batch(&mut writer, batch);
        writer.stopping(appended)
    }

    fn append_batch(
        &self,
        writer: &mut Writer,
        batch: &[Transition],
    ) -> Result<Vec<Appended>, Error> {
        writer.chunks.clear();
        writer.heads.clear();
        let first = writer.next;
        let mut appended = Vec::with_capacity(batch.len());
        {
            let heads = lock(&self.heads);
            for transition in batch {
                appended.push(self.plan(writer, &heads, transition)?);
            }
        }
        if writer.next > first {
            self.commit(writer, first)?;
            self.publish(writer);
        }
        Ok(appended)
    }

    /// Frames one transition, if it fits its history.
    fn plan(
        &self,
        writer: &mut Writer,
        heads: &Heads,
        transition: &Transition,
    ) -> Result<Appended, Error> {
        let Transition { stream, first_sequence, time, ref events } = *transition;
        let head = match writer.heads.get(&stream).or_else(|| heads.get(&stream)) {
            Some(head) => *head,
            None => self.index.head(stream)?.unwrap_or_default(),
        };
        let follows = head.sequence.checked_add(1) == Some(first_sequence) && !head.deleted;
        if !follows || !transition.is_sound() {
            return Ok(Appended::Conflict { last_sequence: head.sequence });
        }
        let first = writer.next;
        let mut ids = Ids {
            stream,
            sequence: first_sequence,
            position: first,
            time: time.0,
            previous: head.position,
        };
        let (mut ended, mut deleted) = (false, false);
        for (left, event) in (0..events.len()).rev().zip(events) {
            writer.body.clear();
            let kind = codec::encode_body(event, &mut writer.body)
                .map_err(|error| Error::from_codec(error, ids.position, Some(stream)))?;
            let bytes = writer.body.len();
            if bytes > self.options.max_event_bytes {
                return Err(Error::TooLarge { bytes, limit: self.options.max_event_bytes });
            }
            writer.chunks.push(&Entry { kind, last: left == 0, ids, body: &writer.body })?;
            ended = codec::ends_history(kind.0);
            deleted = codec::deletes_history(kind.0);
            ids.sequence += 1;
            ids.position += 1;
        }
        writer.body.shrink_to(1024 * 1024);
        writer.next = ids.position;
        let sequence = ids.sequence - 1;
        let head = Head { position: first, sequence, ended, deleted, saved: false };
        writer.heads.insert(stream, head);
        Ok(Appended::At(first))
    }

    /// Makes the planned batch durable. Whatever fails here is never tried again: after a failed
    /// sync the system may have dropped the very pages that were not written.
    fn commit(&self, writer: &mut Writer, first: Position) -> Result<(), Error> {
        self.log.insert(&mut writer.chunks, first, || self.sync())?;
        writer
            .high_water
            .write(writer.next - 1)
            .map_err(|error| Error::io("write of the high-water mark", &error))
    }

    fn publish(&self, writer: &mut Writer) {
        writer.has_new_tombstones |= writer.heads.values().any(|head| head.deleted);
        let mut heads = lock(&self.heads);
        heads.grown(writer.heads.iter());
        self.set_last_position(writer.next - 1);
    }
}
