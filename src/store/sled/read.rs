//! Reading: only what is durable, and never under a lock that an append holds while it syncs.

use std::ops::Range;

use super::super::frame::{Frame, Frames};
use super::super::{Error, Position, Record, Stream};
use super::Inner;

impl Inner {
    pub(super) fn read_log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        let last = self.last_position();
        let mut next = from.max(1);
        let mut records = Vec::new();
        if next > last || limit == 0 {
            return Ok(records);
        }
        let missing = |position| Error::damaged(position, "records are missing", None);
        let (first, _) = self.log.chunk_at(next)?.ok_or_else(|| missing(next))?;
        for chunk in self.log.chunks_from(first) {
            for frame in Frames::new(&chunk?.1) {
                let frame = frame.map_err(|reason| Error::damaged(next, reason, None))?;
                if frame.ids.position < next && records.is_empty() {
                    continue;
                }
                if frame.ids.position != next {
                    return Err(missing(next));
                }
                records.push(self.log.record(&frame)?);
                if next == last || records.len() == limit {
                    return Ok(records);
                }
                next += 1;
            }
        }
        Err(missing(next))
    }

    /// Follows the links from the last transition of a history backward. Each chunk on the way is
    /// taken apart once, for all transitions that begin in it.
    pub(super) fn read_history(
        &self,
        stream: Stream,
        range: Range<u64>,
    ) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        let Some(head) = self.find_head(stream)? else {
            return Ok(records);
        };
        let mut chunks = self.log.backward();
        let mut at = head.position;
        let mut sequence_after = head.sequence.saturating_add(1);
        while at != 0 && sequence_after > range.start.max(1) {
            let missing = || Error::damaged(at, "records are missing", Some(stream));
            let (first, chunk) = chunks.chunk_with(at)?.ok_or_else(missing)?;
            let damaged = |reason| Error::damaged(at, reason, Some(stream));
            let frames = Frames::new(&chunk).collect::<Result<Vec<_>, _>>().map_err(damaged)?;
            let walk = Walk { inner: self, stream, first, frames: &frames };
            while at >= first && sequence_after > range.start.max(1) {
                let transition = walk.transition(at, &range)?;
                let broken = |at| Error::damaged(at, "a history's links are broken", Some(stream));
                if transition.after != sequence_after || transition.previous >= at {
                    return Err(broken(at));
                }
                records.extend(transition.records.into_iter().rev());
                sequence_after = transition.first;
                if transition.previous == 0 && sequence_after != 1 {
                    return Err(broken(at));
                }
                at = transition.previous;
            }
        }
        records.reverse();
        Ok(records)
    }
}

/// A chunk on the way through a history.
struct Walk<'w> {
    inner: &'w Inner,
    stream: Stream,
    /// The position of the chunk's first record.
    first: Position,
    frames: &'w [Frame<'w>],
}

struct Found {
    /// The sequence of the transition's first record.
    first: u64,
    /// One more than the sequence of its last record.
    after: u64,
    previous: Position,
    records: Vec<Record>,
}

impl Walk<'_> {
    /// The transition whose first record is at `at` in this chunk; of its records those in `range`.
    fn transition(&self, at: Position, range: &Range<u64>) -> Result<Found, Error> {
        let mut found = None;
        let index = usize::try_from(at - self.first).unwrap_or(usize::MAX);
        for frame in self.frames.iter().skip(index) {
            if self.take(frame, at, range, &mut found)? {
                return self.whole(at, found);
            }
        }
        // It goes on in the next chunks.
        for chunk in self.inner.log.chunks_from(self.first.saturating_add(1)) {
            for frame in Frames::new(&chunk?.1) {
                let damaged = |reason| Error::damaged(at, reason, Some(self.stream));
                if self.take(&frame.map_err(damaged)?, at, range, &mut found)? {
                    return self.whole(at, found);
                }
            }
        }
        self.whole(at, found)
    }

    fn whole(&self, at: Position, found: Option<Found>) -> Result<Found, Error> {
        found.ok_or_else(|| Error::damaged(at, "records are missing", Some(self.stream)))
    }

    /// Takes the next record of the transition; whether that was its last.
    fn take(
        &self,
        frame: &Frame<'_>,
        at: Position,
        range: &Range<u64>,
        found: &mut Option<Found>,
    ) -> Result<bool, Error> {
        let found = found.get_or_insert_with(|| Found {
            first: frame.ids.sequence,
            after: frame.ids.sequence,
            previous: frame.ids.previous,
            records: Vec::new(),
        });
        let next = (self.stream, found.after, at.wrapping_add(found.after - found.first));
        if (frame.ids.stream, frame.ids.sequence, frame.ids.position) != next {
            return Err(Error::damaged(at, "a history's links are broken", Some(self.stream)));
        }
        found.after = found.after.saturating_add(1);
        if range.contains(&frame.ids.sequence) {
            found.records.push(self.inner.log.record(frame)?);
        }
        Ok(frame.is_last())
    }
}
