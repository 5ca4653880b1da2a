//! Reading: only what is durable, and never under a lock that an append holds while it syncs.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::super::frame::{Frames, Piece};
use super::super::{Error, Position, Record, Stream};
use super::Inner;

impl Inner {
    pub(super) fn read_log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        let mut reading = Reading {
            inner: self,
            next: from.max(1),
            last: self.last_position(),
            limit,
            records: Vec::new(),
        };
        // What was read is kept: a reading goes on where compaction disturbed it.
        self.undisturbed(|| reading.go_on())?;
        Ok(reading.records)
    }

    /// Reads, and again if it found damage while compaction was changing what is there.
    pub(super) fn undisturbed<T>(
        &self,
        mut read: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let before = self.rewrites.load(Ordering::Acquire);
            let result = read();
            let is_disturbed = before % 2 == 1 || self.rewrites.load(Ordering::Acquire) != before;
            if !(is_disturbed && matches!(result, Err(Error::Damaged { .. }))) {
                return result;
            }
            // A change takes some milliseconds.
            std::thread::yield_now();
        }
    }

    /// Leaves out what never was: a record that cannot be read may name anything.
    pub(super) fn known_only(&self, error: Error) -> Error {
        let Error::Damaged { mut damage } = error else { return error };
        let is_known = |stream: &Stream| self.find_head(*stream).is_ok_and(|head| head.is_some());
        damage.streams.retain(is_known);
        Error::Damaged { damage }
    }

    pub(super) fn read_history(
        &self,
        stream: Stream,
        range: Range<u64>,
    ) -> Result<Vec<Record>, Error> {
        self.undisturbed(|| self.follow_history(stream, &range, |_, _| {}))
    }

    /// Follows the links from the last transition of a history, or from a waypoint that is nearer,
    /// backward. Each chunk on the way is taken apart once, for all transitions that begin in it.
    /// `pass` is told of each where it begins in the log, and the sequence of its last record.
    pub(super) fn follow_history(
        &self,
        stream: Stream,
        range: &Range<u64>,
        mut pass: impl FnMut(Position, u64),
    ) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        let Some((mut at, last)) = self.way_back(stream, range.end)? else {
            return Ok(records);
        };
        let mut chunks = self.log.backward();
        let mut sequence_after = last.saturating_add(1);
        while at != 0 && sequence_after > range.start.max(1) {
            let missing = || Error::damaged(at, "records are missing", Some(stream));
            let (first, chunk) = chunks.chunk_with(at)?.ok_or_else(missing)?;
            let damaged = |reason| Error::damaged(at, reason, Some(stream));
            let pieces = Frames::new(&chunk).collect::<Result<Vec<_>, _>>().map_err(damaged)?;
            let walk = Walk { inner: self, stream, first, pieces: &pieces };
            while at >= first && sequence_after > range.start.max(1) {
                let transition = walk.transition(at, range)?;
                let broken = |at| Error::damaged(at, "a history's links are broken", Some(stream));
                if transition.after != sequence_after || transition.previous >= at {
                    return Err(broken(at));
                }
                pass(at, transition.after - 1);
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

/// A way through the log.
struct Reading<'a> {
    inner: &'a Inner,
    next: Position,
    last: Position,
    limit: usize,
    records: Vec<Record>,
}

impl Reading<'_> {
    fn is_done(&self) -> bool {
        self.next > self.last || self.records.len() == self.limit
    }

    fn go_on(&mut self) -> Result<(), Error> {
        let missing = |position| Error::damaged(position, "records are missing", None);
        if self.is_done() {
            return Ok(());
        }
        let log = &self.inner.log;
        let (first, _) = log.chunk_at(self.next)?.ok_or_else(|| missing(self.next))?;
        for chunk in log.chunks_from(first) {
            for piece in Frames::new(&chunk?.1) {
                let damaged = |reason| Error::damaged(self.next, reason, None);
                let piece = piece.map_err(damaged)?;
                let (begin, end) = piece.span();
                if end < self.next {
                    continue;
                }
                match piece {
                    Piece::Gap(..) if begin <= self.next => self.next = end.saturating_add(1),
                    Piece::Record(frame) if begin == self.next => {
                        let record = log.record(&frame);
                        self.records.push(record.map_err(|error| self.inner.known_only(error))?);
                        self.next += 1;
                    }
                    Piece::Gap(..) | Piece::Record(_) => return Err(missing(self.next)),
                }
                if self.is_done() {
                    return Ok(());
                }
            }
        }
        Err(missing(self.next))
    }
}

/// A chunk on the way through a history.
struct Walk<'w> {
    inner: &'w Inner,
    stream: Stream,
    /// The position of the chunk's first record.
    first: Position,
    pieces: &'w [Piece<'w>],
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
        let index = self.pieces.partition_point(|piece| piece.span().1 < at);
        for piece in self.pieces.iter().skip(index) {
            if self.take(piece, at, range, &mut found)? {
                return self.whole(at, found);
            }
        }
        // It goes on in the next chunks.
        for chunk in self.inner.log.chunks_from(self.first.saturating_add(1)) {
            for piece in Frames::new(&chunk?.1) {
                let damaged = |reason| Error::damaged(at, reason, Some(self.stream));
                if self.take(&piece.map_err(damaged)?, at, range, &mut found)? {
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
        piece: &Piece<'_>,
        at: Position,
        range: &Range<u64>,
        found: &mut Option<Found>,
    ) -> Result<bool, Error> {
        let damaged = |reason| Error::damaged(at, reason, Some(self.stream));
        let Piece::Record(frame) = piece else {
            return Err(damaged("a history that was not deleted has records taken away"));
        };
        let found = found.get_or_insert_with(|| Found {
            first: frame.ids.sequence,
            after: frame.ids.sequence,
            previous: frame.ids.previous,
            records: Vec::new(),
        });
        let next = (self.stream, found.after, at.wrapping_add(found.after - found.first));
        if (frame.ids.stream, frame.ids.sequence, frame.ids.position) != next {
            return Err(damaged("a history's links are broken"));
        }
        found.after = found.after.saturating_add(1);
        if range.contains(&frame.ids.sequence) {
            found.records.push(self.inner.log.record(frame)?);
        }
        Ok(frame.is_last())
    }
}
