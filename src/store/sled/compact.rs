//! Taking the records of deleted histories away.
//!
//! A deleted history is followed along its links from its tombstone back, which gives the places of
//! its transitions; the chunks there are packed again without them, from the first to the last. What
//! was taken is stated as a gap, so that it is never mistaken for a loss. Each change is made as a
//! whole, see `redo.rs`, and durable before the next begins: a crash leaves the old chunks or the new.
//!
//! All of it runs under the writer's lock, in slices, so nothing is appended meanwhile. Readers are
//! not held up: see `Inner::undisturbed`.

use std::collections::{BTreeSet, HashSet};
use std::sync::TryLockError;
use std::sync::atomic::Ordering;

use ::sled::IVec;

use super::super::frame::{CHUNK_BYTES, Chunks, Cut, Entry, Frame, Frames, Gap, Piece};
use super::super::{
    Checkpoint, Compacted, Compaction, Epoch, Error, NameKey, Position, Stream, codec,
};
use super::append::Writer;
use super::disk::Batch;
use super::log::{key, part_key};
use super::{Inner, lock};
use crate::engine::{Event, ExecutionId};

/// Histories that are taken away together, so that a chunk which several share is packed once.
const PLAN_HISTORIES: usize = 256;
/// Transitions of a plan after which it takes in no further history.
const PLAN_TRANSITIONS: usize = 65_536;
/// Links followed in one slice.
const SLICE_LINKS: usize = 512;
/// Chunks packed again in one slice, but for a transition that is longer.
const SLICE_CHUNKS: usize = 16;
/// Chunks packed together, but for a transition that is longer.
const RUN_CHUNKS: usize = 16;

/// A compaction that is under way.
#[derive(Default)]
pub(super) struct Plan {
    /// Histories whose transitions are not known yet.
    todo: Vec<Stream>,
    /// The one that is being followed, and its next transition.
    walk: Option<(Stream, Position)>,
    /// Those that are taken away.
    streams: HashSet<Stream>,
    /// The first records of their transitions.
    transitions: BTreeSet<Position>,
    /// What the index is told at the end: when each was deleted.
    taken: Vec<(u64, Stream)>,
    /// Whether it is their tombstones that go.
    forgets: bool,
}

/// Chunks next to each other that are packed anew.
struct Run {
    chunks: Vec<(Position, IVec)>,
    /// The position after the last.
    end: Position,
}

/// The change that a run leads to.
#[derive(Default)]
struct Change {
    batch: Batch,
    compacted: Compacted,
    /// Names of executions that began in it.
    names: Vec<(NameKey, ExecutionId)>,
}

impl Inner {
    pub(super) fn compact(&self, epoch: Epoch, compaction: Compaction) -> Result<Compacted, Error> {
        let mut writer = lock(&self.writer);
        writer.check_owner(epoch)?;
        let Some(mut plan) = writer.plan.take() else {
            let Some(is_done) = self.begin_plan(&mut writer, compaction)? else {
                return Ok(Compacted::default());
            };
            return Ok(Compacted { is_done, ..Compacted::default() });
        };
        if plan.walk.is_some() || !plan.todo.is_empty() {
            self.follow_links(&mut plan)?;
            writer.plan = Some(plan);
            return Ok(Compacted::default());
        }
        let compacted = self.take_some(&mut writer, &mut plan)?;
        if plan.transitions.is_empty() {
            self.end_plan(&plan)?;
        } else {
            writer.plan = Some(plan);
        }
        Ok(compacted)
    }

    /// Finds out what there is to do; whether that is nothing. None when a checkpoint is just being
    /// written: the writer must not wait for it.
    fn begin_plan(
        &self,
        writer: &mut Writer,
        compaction: Compaction,
    ) -> Result<Option<bool>, Error> {
        if writer.has_new_tombstones {
            let checkpointing = match self.checkpointing.try_lock() {
                Ok(checkpointing) => checkpointing,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return Ok(None),
            };
            self.save(Checkpoint::default(), &checkpointing)?;
            writer.has_new_tombstones = false;
        }
        let todo = self.index.deleted(PLAN_HISTORIES)?;
        if !todo.is_empty() {
            writer.plan = Some(Plan { todo, ..Plan::default() });
            return Ok(Some(false));
        }
        let before = compaction.forget_before.map_or(0, |before| before.0);
        let mut plan = Plan { forgets: true, ..Plan::default() };
        for (time, stream) in self.index.tombstones(before, PLAN_HISTORIES)? {
            let head = self.find_head(stream)?.filter(|head| head.deleted);
            // The last record of the log stays: it tells where the log ends.
            if head.is_some_and(|head| head.position == self.last_position()) {
                continue;
            }
            plan.transitions.extend(head.map(|head| head.position));
            plan.streams.insert(stream);
            plan.taken.push((time, stream));
        }
        if plan.streams.is_empty() {
            return Ok(Some(true));
        }
        // An older index would have rows of executions of which nothing else tells any more.
        self.log.raise_index_floor(self.index.heads_to()?)?;
        writer.plan = Some(plan);
        Ok(Some(false))
    }

    /// Tells the index. It may be told again after a crash: nothing is then found to do.
    fn end_plan(&self, plan: &Plan) -> Result<(), Error> {
        if !plan.forgets {
            return self.index.note_taken(&plan.taken);
        }
        self.index.forget(&plan.taken)?;
        let mut heads = lock(&self.heads);
        for stream in &plan.streams {
            heads.remove(stream);
        }
        Ok(())
    }

    /// Finds the transitions of the histories that are to go.
    fn follow_links(&self, plan: &mut Plan) -> Result<(), Error> {
        for _ in 0..SLICE_LINKS {
            let Some((stream, at)) = plan.walk.take() else {
                if plan.transitions.len() > PLAN_TRANSITIONS {
                    plan.todo.clear();
                }
                let Some(stream) = plan.todo.pop() else { return Ok(()) };
                self.begin_walk(plan, stream)?;
                continue;
            };
            let Some((_, previous)) = self.transition_at(stream, at)? else { continue };
            plan.transitions.insert(at);
            plan.walk = (previous != 0).then_some((stream, previous));
        }
        Ok(())
    }

    /// Goes from the tombstone, which stays, to the transition before it.
    fn begin_walk(&self, plan: &mut Plan, stream: Stream) -> Result<(), Error> {
        let head = self.find_head(stream)?;
        let found = match head {
            Some(head) if head.deleted => self.transition_at(stream, head.position)?,
            Some(_) => return Ok(()),
            None => None,
        };
        let Some((time, previous)) = found else {
            // Even the tombstone is gone: a crash has taken back only that the index knew so.
            plan.taken.push((0, stream));
            return Ok(());
        };
        plan.streams.insert(stream);
        plan.taken.push((time, stream));
        plan.walk = (previous != 0).then_some((stream, previous));
        Ok(())
    }

    /// The time of a transition, and the transition before it; none when it is gone already.
    fn transition_at(
        &self,
        stream: Stream,
        at: Position,
    ) -> Result<Option<(u64, Position)>, Error> {
        let damaged = |reason| Error::damaged(at, reason, Some(stream));
        let (_, chunk) = self.log.chunk_at(at)?.ok_or_else(|| damaged("records are missing"))?;
        for piece in Frames::new(&chunk) {
            let piece = piece.map_err(damaged)?;
            let (first, last) = piece.span();
            if !(first..=last).contains(&at) {
                continue;
            }
            return match piece {
                Piece::Gap(..) => Ok(None),
                Piece::Record(frame) if frame.ids.stream == stream && frame.ids.previous < at => {
                    Ok(Some((frame.ids.time, frame.ids.previous)))
                }
                Piece::Record(_) => Err(damaged("a history's links are broken")),
            };
        }
        Err(damaged("records are missing"))
    }

    /// Packs some chunks again.
    fn take_some(&self, writer: &mut Writer, plan: &mut Plan) -> Result<Compacted, Error> {
        let mut compacted = Compacted::default();
        let mut left = SLICE_CHUNKS;
        while left > 0
            && let Some(first) = plan.transitions.first().copied()
        {
            let run = self.gather(plan, first)?;
            left = left.saturating_sub(run.chunks.len());
            let change = self.pack(writer, plan, &run)?;
            plan.transitions = plan.transitions.split_off(&run.end);
            if change.compacted.events == 0 {
                continue;
            }
            for (name, execution) in change.names {
                self.index.free_name(name, execution)?;
            }
            compacted.add(change.compacted);
            self.rewrites.fetch_add(1, Ordering::AcqRel);
            let changed = self.log.change(first, change.batch, &|| self.sync());
            self.rewrites.fetch_add(1, Ordering::AcqRel);
            writer.stopping(changed)?;
        }
        Ok(compacted)
    }

    /// The chunk with the transition at `first`, and those after it that are packed with it: what
    /// the transition goes on in, what is to be taken next, and small neighbours on both sides.
    fn gather(&self, plan: &Plan, first: Position) -> Result<Run, Error> {
        let missing = || Error::damaged(first, "records are missing", None);
        let (start, chunk) = self.log.chunk_at(first)?.ok_or_else(missing)?;
        let mut run = Run { chunks: Vec::new(), end: start };
        if start > 1
            && let Some(before) = self.log.chunk_at(start - 1)?
            && joins(&before.1)?
        {
            run.end = before.0;
            run.add(before)?;
        }
        run.add((start, chunk))?;
        for next in self.log.chunks_from(start + 1) {
            let next = next?;
            let goes_on = run.is_within(plan)?;
            let wanted = plan.transitions.range(run.end..).next();
            let wanted = wanted.is_some_and(|position| holds(&next, *position));
            let room = run.chunks.len() < RUN_CHUNKS;
            let takes = goes_on || (room && (wanted || joins(&next.1)?));
            if next.0 != run.end || !takes {
                break;
            }
            run.add(next)?;
        }
        Ok(run)
    }

    /// Packs a run without what is to be taken.
    fn pack(&self, writer: &mut Writer, plan: &Plan, run: &Run) -> Result<Change, Error> {
        let mut change = Change::default();
        let mut packed = Packed { chunks: &mut writer.chunks, gap: None };
        packed.chunks.clear();
        for (position, chunk) in &run.chunks {
            for piece in Frames::new(chunk) {
                let damaged = |reason| Error::damaged(*position, reason, None);
                let frame = match piece.map_err(damaged)? {
                    Piece::Gap(gap, _) => {
                        packed.leave_out(gap);
                        continue;
                    }
                    Piece::Record(frame) => frame,
                };
                let ids = frame.ids;
                let body = self.log.body(&frame)?;
                let body = body.filter(|body| frame.matches(body));
                let body = body.ok_or_else(|| {
                    let reason = "checksum does not match";
                    self.known_only(Error::damaged(ids.position, reason, Some(ids.stream)))
                })?;
                if self.goes(plan, &frame) {
                    change.take(&frame, &body);
                    packed.leave_out(Gap { first: ids.position, last: ids.position });
                } else {
                    let (kind, last) = ((frame.tag, frame.schema), frame.is_last());
                    packed.keep(&Entry { kind, last, ids, body: &body })?;
                }
            }
        }
        packed.close_gap();
        let mut old: BTreeSet<Position> = run.chunks.iter().map(|chunk| chunk.0).collect();
        for (&Cut { position, part, .. }, value) in writer.chunks.finish() {
            if part == 0 {
                old.remove(&position);
                change.batch.insert(&key(position), value);
            } else {
                change.batch.insert(&part_key(position, part), value);
            }
        }
        old.iter().for_each(|position| change.batch.remove(&key(*position)));
        Ok(change)
    }

    fn goes(&self, plan: &Plan, frame: &Frame<'_>) -> bool {
        let is_tombstone = codec::deletes_history(frame.tag);
        let is_last = frame.ids.position == self.last_position();
        plan.streams.contains(&frame.ids.stream) && is_tombstone == plan.forgets && !is_last
    }
}

/// Records that stay, and what was between them.
struct Packed<'c> {
    chunks: &'c mut Chunks,
    /// What was left out since the last record that stays.
    gap: Option<Gap>,
}

impl Packed<'_> {
    fn leave_out(&mut self, more: Gap) {
        match &mut self.gap {
            Some(gap) => gap.last = more.last,
            None => self.gap = Some(more),
        }
    }

    fn close_gap(&mut self) {
        if let Some(gap) = self.gap.take() {
            self.chunks.push_gap(gap);
        }
    }

    fn keep(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        self.close_gap();
        self.chunks.push(entry)
    }
}

impl Change {
    fn take(&mut self, frame: &Frame<'_>, body: &[u8]) {
        let ids = frame.ids;
        self.compacted.events += 1;
        self.compacted.bytes += frame.bytes() as u64;
        for part in 1..=frame.parts() {
            self.batch.remove(&part_key(ids.position, part));
        }
        if codec::begins_execution(frame.tag)
            && let Ok(Event::ExecutionStarted(started)) =
                codec::decode_body(frame.tag, frame.schema, body)
            && let Some(name) = &started.name
        {
            let key = NameKey::of(&started.workflow, name);
            self.names.push((key, ExecutionId(ids.stream)));
        }
    }
}

impl Run {
    fn add(&mut self, chunk: (Position, IVec)) -> Result<(), Error> {
        let at = self.end;
        for piece in Frames::new(&chunk.1) {
            let (first, last) = piece.map_err(|reason| Error::damaged(at, reason, None))?.span();
            if first != self.end {
                return Err(Error::damaged(self.end, "records are missing", None));
            }
            self.end = last.saturating_add(1);
        }
        self.chunks.push(chunk);
        Ok(())
    }

    /// Whether a transition that is to be taken goes on after it.
    fn is_within(&self, plan: &Plan) -> Result<bool, Error> {
        let Some((_, chunk)) = self.chunks.last() else { return Ok(false) };
        match Frames::new(chunk).last().transpose() {
            Ok(Some(Piece::Record(frame))) => {
                Ok(!frame.is_last() && plan.streams.contains(&frame.ids.stream))
            }
            Ok(_) => Ok(false),
            Err(reason) => Err(Error::damaged(self.end, reason, None)),
        }
    }
}

/// Whether a chunk is small enough to be packed with its neighbours, and holds no part of a larger
/// record.
fn joins(chunk: &[u8]) -> Result<bool, Error> {
    if chunk.len() > CHUNK_BYTES / 2 {
        return Ok(false);
    }
    for piece in Frames::new(chunk) {
        match piece.map_err(|reason| Error::damaged(0, reason, None))? {
            Piece::Record(frame) if frame.parts() > 0 => return Ok(false),
            Piece::Record(_) | Piece::Gap(..) => {}
        }
    }
    Ok(true)
}

/// Whether a chunk holds a position.
fn holds((_, chunk): &(Position, IVec), position: Position) -> bool {
    let mut spans = Frames::new(chunk).map_while(Result::ok).map(|piece| piece.span());
    spans.any(|(first, last)| (first..=last).contains(&position))
}
