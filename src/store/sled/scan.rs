//! The look through the log when it is opened: is it whole, and where does each history end?

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::sled::IVec;

use super::super::frame::{Frame, Frames, Gap, Ids, Piece};
use super::super::{Error, Position, Stream, codec};
use super::disk::Batch;
use super::guard::guard;
use super::index::Index;
use super::log::{Log, Sync, key};
use super::{Check, Head};

/// How many ends of histories are held before they are written to the index.
const SPILL_HEADS: usize = 50_000;

/// What the look found.
pub(super) struct Scanned {
    /// The last position.
    pub(super) last: Position,
    /// Ends of histories that the index does not have, and those of live ones met on the way.
    pub(super) heads: HashMap<Stream, Head>,
    /// Whether an incomplete transition was cut off the end.
    pub(super) torn: bool,
}

/// A place at which the look cannot go on.
struct Fault {
    reason: String,
    stream: Option<Stream>,
    /// Whether it is only incomplete, as a write that was cut off leaves it.
    incomplete: bool,
}

impl Fault {
    fn new(reason: impl Into<String>, stream: Option<Stream>) -> Self {
        Self { reason: reason.into(), stream, incomplete: false }
    }
}

struct Scan<'a> {
    log: &'a Log,
    /// Makes durable what was flushed.
    sync: Sync<'a>,
    index: &'a Index,
    /// Ends of histories up to here are in the index already.
    heads_to: Position,
    heads: HashMap<Stream, Head>,
    /// What compaction took away, by the first position.
    gaps: BTreeMap<Position, Position>,
    /// Histories of which a part is gone, with the first record after that: a tombstone must follow.
    orphans: HashMap<Stream, Position>,
    next: Position,
    /// The first and the last record so far of the transition that is open.
    open: Option<(Ids, Ids)>,
    /// The last position of the last whole transition.
    sound_to: Position,
    /// The chunk in which that transition ends, and where.
    sound_end: Option<(Position, usize)>,
}

pub(super) fn scan(
    log: &Log,
    sync: Sync<'_>,
    index: &Index,
    (check, high_water): (Check, Position),
) -> Result<Scanned, Error> {
    let heads_to = index.heads_to()?;
    let start = match check {
        Check::All => 1,
        Check::Tail => log.chunk_at(heads_to)?.map_or(1, |(position, _)| position),
    };
    let mut scan = Scan {
        log,
        sync,
        index,
        heads_to,
        heads: HashMap::new(),
        gaps: BTreeMap::new(),
        orphans: HashMap::new(),
        next: start,
        open: None,
        sound_to: start - 1,
        sound_end: None,
    };
    let upper = high_water.max(heads_to);
    let torn = scan.run(upper)?;
    if scan.sound_to < high_water {
        let first = scan.sound_to + 1;
        let reason = format!("the tail is lost: positions up to {high_water} were durable");
        let streams = index.streams_between(&(first..Position::MAX));
        return Err(Error::damaged(first, reason, streams));
    }
    if let Some(position) = scan.orphans.values().min() {
        let reason = "a part of a history is gone that was not deleted";
        return Err(Error::damaged(*position, reason, scan.orphans.keys().copied()));
    }
    if torn {
        scan.cut()?;
    }
    Ok(Scanned { last: scan.sound_to, heads: scan.heads, torn })
}

impl Scan<'_> {
    /// Looks at every chunk; whether the log ends in an incomplete transition.
    fn run(&mut self, upper: Position) -> Result<bool, Error> {
        let log = self.log;
        for chunk in log.chunks_from(self.next) {
            let (position, chunk) = match chunk {
                Ok(chunk) => chunk,
                Err(Error::Damaged { damage }) => {
                    return Err(self.explain(Fault::new(damage.reason, None), upper));
                }
                Err(error) => return Err(error),
            };
            if let Err(fault) = self.chunk(position, &chunk)? {
                if fault.incomplete && log.chunks_from(position + 1).next().is_none() {
                    return Ok(true);
                }
                return Err(self.explain(fault, upper));
            }
            if self.heads.len() > SPILL_HEADS && self.open.is_none() {
                self.spill()?;
            }
        }
        Ok(self.open.is_some())
    }

    fn chunk(&mut self, start: Position, chunk: &IVec) -> Result<Result<(), Fault>, Error> {
        if start != self.next {
            let reason = format!("records from {} to {} are missing", self.next, start - 1);
            return Ok(Err(Fault::new(reason, None)));
        }
        for piece in Frames::new(chunk) {
            let frame = match piece {
                Ok(Piece::Record(frame)) => frame,
                Ok(Piece::Gap(gap, end)) => {
                    if let Err(fault) = self.gap(gap) {
                        return Ok(Err(fault));
                    }
                    self.sound_end = Some((start, end));
                    continue;
                }
                Err(reason) => return Ok(Err(Fault::new(reason, None))),
            };
            if let Err(fault) = self.frame(&frame)? {
                return Ok(Err(fault));
            }
            if frame.is_last() {
                self.sound_to = frame.ids.position;
                self.sound_end = Some((start, frame.end));
            }
        }
        Ok(Ok(()))
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<Result<(), Fault>, Error> {
        let ids = frame.ids;
        let fault = |reason: &str| Ok(Err(Fault::new(reason, Some(ids.stream))));
        let Some(body) = self.log.body(frame)? else {
            let reason = "a part of a record is missing".to_owned();
            let stream = self.known(ids.stream)?;
            return Ok(Err(Fault { reason, stream, incomplete: true }));
        };
        if !frame.matches(&body) {
            return Ok(Err(Fault::new("checksum does not match", self.known(ids.stream)?)));
        }
        if ids.position != self.next {
            return fault("a position is out of order");
        }
        let first = match self.open {
            None => ids,
            Some((first, before)) => {
                let follows = before.sequence.checked_add(1) == Some(ids.sequence);
                if !follows || (ids.stream, ids.previous) != (first.stream, first.previous) {
                    return fault("a transition is not whole");
                }
                first
            }
        };
        if self.open.is_none() && ids.position > self.heads_to {
            let head = match self.heads.get(&ids.stream) {
                Some(head) => *head,
                None => self.index.head(ids.stream)?.unwrap_or_default(),
            };
            let next = head.sequence.checked_add(1);
            let follows = (next, head.position) == (Some(ids.sequence), ids.previous);
            if !follows && !self.is_gone(ids.previous) {
                return fault("a history's links are broken");
            }
            if codec::deletes_history(frame.tag) {
                self.orphans.remove(&ids.stream);
            } else if !follows {
                self.orphans.entry(ids.stream).or_insert(ids.position);
            }
        }
        self.open = (!frame.is_last()).then_some((first, ids));
        if frame.is_last() && ids.position > self.heads_to {
            let ended = codec::ends_history(frame.tag);
            let deleted = codec::deletes_history(frame.tag);
            let (position, sequence) = (first.position, ids.sequence);
            let head = Head { position, sequence, ended, deleted, saved: false };
            self.heads.insert(ids.stream, head);
        }
        self.next = ids.position.saturating_add(1);
        Ok(Ok(()))
    }

    /// A history that a record names which cannot be read, if there is such a one.
    fn known(&self, stream: Stream) -> Result<Option<Stream>, Error> {
        let is_known = self.heads.contains_key(&stream) || self.index.head(stream)?.is_some();
        Ok(is_known.then_some(stream))
    }

    /// Takes note of records that compaction took.
    fn gap(&mut self, gap: Gap) -> Result<(), Fault> {
        if let Some((first, _)) = self.open {
            return Err(Fault::new("a transition is not whole", Some(first.stream)));
        }
        if gap.first != self.next {
            return Err(Fault::new("a position is out of order", None));
        }
        match self.gaps.last_entry() {
            Some(mut before) if before.get().saturating_add(1) == gap.first => {
                before.insert(gap.last);
            }
            _ => drop(self.gaps.insert(gap.first, gap.last)),
        }
        self.sound_to = gap.last;
        self.next = gap.last.saturating_add(1);
        Ok(())
    }

    /// Whether the record at a position was taken by compaction.
    fn is_gone(&self, position: Position) -> bool {
        let before = self.gaps.range(..=position).next_back();
        before.is_some_and(|(_, last)| position <= *last)
    }

    /// Moves the ends of histories to the index; only live ones are kept here too.
    fn spill(&mut self) -> Result<(), Error> {
        let unsaved = self.heads.iter().filter(|(_, head)| !head.saved);
        self.index.save_heads(unsaved.map(|(stream, head)| (*stream, *head)), self.sound_to)?;
        self.heads.clear();
        Ok(())
    }

    /// Removes everything after the last whole transition.
    fn cut(&self) -> Result<(), Error> {
        let after = self.sound_to + 1;
        let shortened = match self.sound_end {
            None => None,
            Some((chunk, end)) => {
                let value = guard("repair of the log", after, || self.log.tree.get(key(chunk)))?;
                let value = value.as_deref().and_then(|value| value.get(..end).map(<[u8]>::to_vec));
                value.map(|value| (chunk, value))
            }
        };
        // From the end, so that a crash leaves no hole.
        let range = self.log.tree.range(key(after)..).keys();
        let keys = guard("repair of the log", after, || range.collect::<Result<Vec<_>, _>>())?;
        let mut batch = Batch::default();
        keys.into_iter().rev().for_each(|key| batch.remove(key));
        self.log.write("repair of the log", after, &self.log.tree, batch, self.sync)?;
        shortened.map_or(Ok(()), |(chunk, value)| {
            guard("repair of the log", after, || self.log.tree.insert(&key(chunk), value))
        })
    }

    /// Names the histories that a damage at `next` hits: those whose later records link into the
    /// unreadable range, and those known to end in it.
    fn explain(&self, fault: Fault, upper: Position) -> Error {
        let start = self.open.map_or(self.next, |(first, _)| first.position);
        let mut streams: BTreeSet<Stream> = fault.stream.into_iter().collect();
        streams.extend(self.open.map(|(first, _)| first.stream));
        let end = self.next_readable(upper);
        let lost = start..end.unwrap_or(Position::MAX);
        streams.extend(self.index.streams_between(&lost));
        if let Some(end) = end {
            for chunk in self.log.chunks_from(end).map_while(Result::ok) {
                let pieces = Frames::new(&chunk.1).map_while(Result::ok);
                let frames = pieces.filter_map(|piece| match piece {
                    Piece::Record(frame) => Some(frame),
                    Piece::Gap(..) => None,
                });
                for frame in frames {
                    if lost.contains(&frame.ids.previous) {
                        streams.insert(frame.ids.stream);
                    }
                }
            }
        }
        Error::damaged(self.next, fault.reason, streams)
    }

    /// The first position after the damage at which the log can be read again.
    fn next_readable(&self, upper: Position) -> Option<Position> {
        let probe = |from: Position| match self.log.chunks_from(from).next() {
            Some(Ok((position, _))) => Ok(Some(position)),
            Some(Err(_)) => Err(()),
            None => Ok(None),
        };
        let mut step = 1;
        let mut unreadable = self.next;
        let (mut found, mut high) = loop {
            let from = self.next.saturating_add(step);
            match probe(from) {
                Ok(position) => break (position?, from),
                Err(()) if from <= upper => {
                    unreadable = from;
                    step *= 2;
                }
                Err(()) => return None,
            }
        };
        // Looking from `unreadable` on fails; looking from `high` on gives `found`.
        while unreadable + 1 < high {
            let middle = unreadable + (high - unreadable) / 2;
            match probe(middle) {
                Ok(position) => (found, high) = (position.unwrap_or(found), middle),
                Err(()) => unreadable = middle,
            }
        }
        Some(found)
    }
}
