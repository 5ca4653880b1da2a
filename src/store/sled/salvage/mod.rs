//! Salvage: what can be read of a damaged log goes into a new one, and what was lost is said.
//!
//! Works on a copy, so that the damaged folder stays as it is. What sled still gives is taken
//! first; then the file itself is searched for records by their checksums, for what sled lost. Of
//! each history the part before its first hole is kept, whole transitions only.

use std::fs;
use std::path::Path;

use super::super::{Appended, Error, Position, Stream, Transition, codec};
use super::{Head, Inner, SledOptions, SledStore, files};
use crate::engine::event::ExecutionSetAside;
use crate::engine::{Event, Timestamp};

mod find;
mod judge;
#[cfg(test)]
mod tests;

use find::Log;
use judge::judge;

/// Transitions that are written in one batch.
const BATCH: usize = 256;

/// Positions next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Span {
    /// The first.
    pub first: Position,
    /// The last.
    pub last: Position,
}

/// Records that moved by the same distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Moved {
    /// The first of their positions in the damaged log.
    pub old_first: Position,
    /// The last of them.
    pub old_last: Position,
    /// Where the first of them is now.
    pub new_first: Position,
}

/// Which part of a history is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LostPart {
    /// The end.
    Tail,
    /// A part between, and so all after it.
    Middle,
    /// All of it.
    All,
    /// Nothing; but an execution that it began is lost, and would begin anew.
    Child,
    /// Perhaps the end: positions after its last event are lost, and nobody knows whose they were.
    Unknown,
}

/// A history that is not whole any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostHistory {
    /// Which.
    pub stream: Stream,
    /// Whether it is an execution's, and not a workflow's.
    pub is_execution: bool,
    /// How many of its events were kept, from the first.
    pub kept: u64,
    /// How many are lost or cannot be kept, at least.
    pub lost: u64,
    /// Which part that is.
    pub part: LostPart,
    /// Whether it was set aside in the new log: it had not ended.
    pub set_aside: bool,
}

/// What a salvage found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Records that were kept.
    pub events: u64,
    /// Histories that are whole.
    pub whole: u64,
    /// Histories that are not.
    pub lost: Vec<LostHistory>,
    /// Deleted histories, which were left out.
    pub deleted: u64,
    /// Workflows some of whose versions are lost; the others have moved up.
    pub renumbered: Vec<Stream>,
    /// Positions of which nothing is left.
    pub lost_positions: Vec<Span>,
    /// Where the records that were kept are now.
    pub moved: Vec<Moved>,
    /// Why sled could not be asked, or not for all, in its words.
    pub sled_said: Option<String>,
    /// Records that only the search of the file found.
    pub found_in_file: u64,
}

impl Salvaged {
    /// Whether nothing was lost.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.lost_positions.is_empty() && self.renumbered.is_empty()
    }
}

/// Copies what can be read of the damaged log in `damaged` into a new one in `to`, which must not
/// exist or be empty. Nothing is written to `damaged`.
///
/// # Errors
/// [`Error::Locked`] when a process has the damaged log open; [`Error::Damaged`] when nothing of it
/// can be read; what the file system says.
pub fn salvage(damaged: &Path, to: &Path) -> Result<Salvaged, Error> {
    let io = |operation| move |error: std::io::Error| Error::io(operation, &error);
    let _held = files::check_unlocked(damaged)?;
    files::create_folder(to).map_err(io("making of the new folder"))?;
    if !files::list(to).map_err(io("reading of the new folder"))?.is_empty() {
        let error = std::io::Error::from(std::io::ErrorKind::DirectoryNotEmpty);
        return Err(Error::io("salvage into a folder that is not empty", &error));
    }
    let copy = to.join("salvage.tmp");
    let result = copy_log(damaged, &copy)
        .map_err(io("copying of the damaged log"))
        .and_then(|()| Log::find(&copy, damaged))
        .and_then(|log| rescue(&log, to));
    let removed = fs::remove_dir_all(&copy).map_err(io("removal of the copy"));
    let salvaged = result?;
    removed?;
    Ok(salvaged)
}

fn copy_log(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for path in files::list(from)? {
        let Some(name) = path.file_name() else { continue };
        // Only what is ours: other things may be in the folder, and be large.
        if path.is_dir() && (name == "log" || name == "index" || name == "blobs") {
            copy_log(&path, &to.join(name))?;
        } else if path.is_file() && !name.to_string_lossy().ends_with(".generating") {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Writes what is to be kept into a new store.
fn rescue(log: &Log, to: &Path) -> Result<Salvaged, Error> {
    if log.records.is_empty() {
        let reason = log.sled_said.clone().unwrap_or_else(|| "it holds no record".to_owned());
        return Err(Error::damaged(1, format!("nothing can be read of the log: {reason}"), None));
    }
    let mut judged = judge(log);
    judged.set_aside_parents(log)?;
    let store = SledStore::open(to, SledOptions::default())?;
    let mut writer = Writer {
        inner: &store.inner,
        batch: Vec::new(),
        old: Vec::new(),
        moved: Vec::new(),
        epoch: store.inner.acquire()?,
    };
    for (first, count) in std::mem::take(&mut judged.transitions) {
        let Some(found) = log.records.get(&first) else { continue };
        let sequence = judged.next_sequence(found);
        writer.add(log, first, count, sequence)?;
    }
    writer.flush()?;
    for (stream, sequence, time, reason) in judged.set_aside {
        let event: Event = ExecutionSetAside { reason: reason.into() }.into();
        let transition = Transition { stream, first_sequence: sequence, time, events: vec![event] };
        writer.batch.push(transition);
        writer.old.push(0);
        if writer.batch.len() >= BATCH {
            writer.flush()?;
        }
    }
    writer.flush()?;
    let mut salvaged = judged.salvaged;
    salvaged.moved = writer.moved;
    salvaged.sled_said.clone_from(&log.sled_said);
    salvaged.found_in_file = log.found_in_file;
    Ok(salvaged)
}

/// Writes transitions, and notes where they go.
struct Writer<'s> {
    inner: &'s Inner,
    epoch: super::Epoch,
    batch: Vec<Transition>,
    /// The old positions of the transitions of the batch; 0 for what is new.
    old: Vec<Position>,
    moved: Vec<Moved>,
}

impl Writer<'_> {
    fn add(
        &mut self,
        log: &Log,
        first: Position,
        count: u64,
        first_sequence: u64,
    ) -> Result<(), Error> {
        let mut events = Vec::new();
        let mut place = None;
        for position in first..first.saturating_add(count) {
            let found = log.records.get(&position);
            let found = found.ok_or_else(|| Error::damaged(position, "a record is gone", None))?;
            place.get_or_insert((found.stream, Timestamp(found.time)));
            events.push(log.event(position, found)?);
        }
        if let Some((stream, time)) = place {
            self.batch.push(Transition { stream, first_sequence, time, events });
            self.old.push(first);
        }
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        let appended = self.inner.append(self.epoch, &batch)?;
        for ((transition, appended), old) in batch.iter().zip(appended).zip(self.old.drain(..)) {
            let Appended::At(new) = appended else {
                let reason = "a salvaged history does not fit the new log";
                return Err(Error::damaged(old, reason, [transition.stream]));
            };
            if old > 0 {
                note_move(&mut self.moved, old, new, transition.events.len() as u64);
            }
        }
        Ok(())
    }
}

fn note_move(moved: &mut Vec<Moved>, old: Position, new: Position, count: u64) {
    if let Some(last) = moved.last_mut()
        && last.old_last + 1 == old
        && last.new_first + (old - last.old_first) == new
    {
        last.old_last += count;
        return;
    }
    moved.push(Moved { old_first: old, old_last: old + count - 1, new_first: new });
}

/// Joins positions to spans.
fn spans(positions: impl IntoIterator<Item = Position>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for position in positions {
        match spans.last_mut() {
            Some(span) if span.last + 1 == position => span.last = position,
            _ => spans.push(Span { first: position, last: position }),
        }
    }
    spans
}
