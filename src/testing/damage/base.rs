//! Sound data folders with a history of their own, to be damaged; and what their client knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

use super::super::crash_points::client::{begin, further};
use super::super::crash_points::history::{is_end, is_tombstone, records};
use super::super::crash_points::own::{Own, checkpoint};
use super::super::image::Image;
use super::super::store_suite::{completed, deleted, stream};
use super::copies::Copies;
use super::place::Place;
use super::{Random, at_once, text};
use crate::engine::Timestamp;
use crate::store::{
    Appended, Check, Checkpoint, Compaction, Epoch, EventStore, Position, Record, SimDisk,
    SledStore, Stream, Transition,
};

/// What the client of a folder was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    /// What was appended, in order: each transition as the records that it became.
    pub(super) transitions: Vec<Vec<Record>>,
    /// Whether compaction may have taken records of deleted histories, and tombstones.
    pub(super) compacts: bool,
    pub(super) forgets: bool,
    pub(super) checkpoints: Vec<Checkpoint>,
    /// All histories, and those that were deleted.
    streams: BTreeSet<Stream>,
    deleted: BTreeSet<Stream>,
}

impl Truth {
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.transitions.iter().flatten()
    }

    /// Takes note of a transition.
    fn add(&mut self, records: Vec<Record>) {
        self.streams.extend(records.iter().map(|record| record.stream));
        let tombstones = records.iter().filter(|record| is_tombstone(record));
        self.deleted.extend(tombstones.map(|record| record.stream));
        self.transitions.push(records);
    }

    /// The histories that were deleted.
    pub(super) fn deleted(&self) -> &BTreeSet<Stream> {
        &self.deleted
    }

    /// Histories that a store must name when some positions are lost: what comes after them tells of
    /// it, or the last checkpoint.
    pub(super) fn hit(&self, lost: &Range<Position>) -> BTreeSet<Stream> {
        let saved_to = self.checkpoints.last().and_then(|one| one.complete_to).unwrap_or(0);
        let mut ends: BTreeMap<Stream, Position> = BTreeMap::new();
        let mut hit = BTreeSet::new();
        let firsts = self.transitions.iter().filter_map(|transition| transition.first());
        for first in firsts {
            let before = ends.insert(first.stream, first.position);
            if before.is_some_and(|before| lost.contains(&before)) && first.position >= lost.end {
                hit.insert(first.stream);
            }
        }
        let ends = ends.into_iter().filter(|(_, end)| lost.contains(end) && *end <= saved_to);
        hit.extend(ends.map(|(stream, _)| stream));
        // Of a deleted history nothing need be left.
        hit.retain(|stream| !self.deleted.contains(stream));
        hit
    }

    /// All histories.
    pub(super) fn streams(&self) -> &BTreeSet<Stream> {
        &self.streams
    }
}

/// A sound folder.
pub(super) struct Base {
    pub(super) image: Image,
    /// The same folder at earlier moments.
    pub(super) older: Vec<Image>,
    /// The folder `log` with other formats.
    pub(super) formats: Vec<(Vec<u8>, Image)>,
    pub(super) truth: Truth,
    /// Where the records stand in the log's file.
    pub(super) copies: Copies,
}

/// How a folder was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Closed,
    Crashed,
    /// In the midst of a compaction.
    Compacting,
}

struct Author<'r> {
    place: Place,
    store: Option<SledStore>,
    epoch: Epoch,
    own: BTreeMap<u64, Own>,
    truth: Truth,
    random: &'r mut Random,
    older: Vec<Moment>,
}

/// How a place was at some moment.
enum Moment {
    Folder(Image),
    Disk(SimDisk),
}

/// Folders of a seed, below `place`, which is left empty.
pub(super) fn bases(place: &Path, random: &mut Random) -> Result<Vec<Base>, String> {
    let endings = [Ending::Closed, Ending::Crashed, Ending::Compacting, Ending::Crashed];
    let calls = [40, 60, 60, 260];
    let mut bases = Vec::new();
    for (ending, calls) in endings.into_iter().zip(calls) {
        let folder = place.join("base");
        let mut author = Author::new(Place::Folder(folder.clone()), random)?;
        let left = author.live(calls, ending)?;
        bases.push(Base::new(left, author, &place.join("look"))?);
        fs::remove_dir_all(&folder).map_err(text)?;
    }
    Ok(bases)
}

/// A sound store on a simulated disk.
pub(super) struct DiskBase {
    pub(super) disk: SimDisk,
    /// The same disk at earlier moments.
    pub(super) older: Vec<SimDisk>,
    pub(super) truth: Truth,
}

/// Disks of a seed.
pub(super) fn disk_bases(random: &mut Random) -> Result<Vec<DiskBase>, String> {
    let mut bases = Vec::new();
    for (ending, calls) in [(Ending::Crashed, 40), (Ending::Compacting, 50), (Ending::Closed, 90)] {
        let mut author = Author::new(Place::Disk(SimDisk::new()), random)?;
        let left = author.live(calls, ending)?;
        let older = author.older.into_iter().filter_map(Moment::disk).collect();
        let disk = left.disk().ok_or("a disk is no folder")?;
        bases.push(DiskBase { disk, older, truth: author.truth });
    }
    Ok(bases)
}

impl Moment {
    fn disk(self) -> Option<SimDisk> {
        match self {
            Self::Disk(disk) => Some(disk),
            Self::Folder(_) => None,
        }
    }

    fn image(self) -> Option<Image> {
        match self {
            Self::Folder(image) => Some(image),
            Self::Disk(_) => None,
        }
    }
}

impl Base {
    fn new(left: Moment, author: Author<'_>, elsewhere: &Path) -> Result<Self, String> {
        let image = left.image().ok_or("a folder is no disk")?;
        let formats = formats(&image, elsewhere)?;
        let copies = Copies::find(&image, elsewhere)?;
        let older = author.older.into_iter().filter_map(Moment::image).collect();
        Ok(Self { image, older, formats, truth: author.truth, copies })
    }
}

impl<'r> Author<'r> {
    fn new(place: Place, random: &'r mut Random) -> Result<Self, String> {
        let store = place.open(Check::All).map_err(text)?;
        let epoch = at_once(store.acquire()).map_err(text)?;
        Ok(Self {
            place,
            store: Some(store),
            epoch,
            own: BTreeMap::new(),
            truth: Truth::default(),
            random,
            older: Vec::new(),
        })
    }

    fn store(&self) -> Result<&SledStore, String> {
        self.store.as_ref().ok_or_else(|| "the store is closed".to_owned())
    }

    fn now(&self) -> Result<Moment, String> {
        match &self.place {
            Place::Folder(folder) => Image::read(folder).map(Moment::Folder).map_err(text),
            Place::Disk(disk) => Ok(Moment::Disk(disk.fork())),
        }
    }

    /// Works for so many calls; how the place is then left.
    fn live(&mut self, calls: u64, ending: Ending) -> Result<Moment, String> {
        for call in 0..calls {
            self.call()?;
            if [calls / 3, calls * 2 / 3].contains(&call) {
                self.older.push(self.now()?);
            }
        }
        if ending == Ending::Compacting {
            self.end_and_delete()?;
            let slices = 1 + self.random.below(3);
            self.compact(slices, false)?;
        }
        if ending == Ending::Closed {
            self.store = None;
        }
        let left = self.now()?;
        self.store = None;
        Ok(left)
    }

    fn call(&mut self) -> Result<(), String> {
        match self.random.below(24) {
            0..=5 => {
                let begun = begin(self.own.len() as u64, self.random);
                self.append(vec![begun])
            }
            6..=14 => self.go_on(),
            15..=16 => self.delete_some(),
            17 => {
                let (slices, forgets) = (1 + self.random.below(8), self.random.one_in(3));
                self.compact(slices, forgets)
            }
            18..=21 => self.checkpoint(),
            22 => {
                self.epoch = at_once(self.store()?.acquire()).map_err(text)?;
                Ok(())
            }
            _ => self.reopen(),
        }
    }

    fn go_on(&mut self) -> Result<(), String> {
        let mut batch = Vec::new();
        let live = self.own.iter().filter(|(_, own)| !own.has_ended && !own.is_deleted);
        let live: Vec<(u64, u64)> = live.map(|(number, own)| (*number, own.last)).collect();
        for (number, last) in live {
            if !self.random.one_in(3) {
                continue;
            }
            let next = last + 1;
            if last % 2 == 1 && self.random.one_in(3) {
                batch.push(completed(number, next));
                continue;
            }
            let count = if self.random.one_in(12) { 40 } else { 1 + self.random.below(5) };
            batch.push(further(number, next, count, self.random));
        }
        self.append(batch)
    }

    fn delete_some(&mut self) -> Result<(), String> {
        let Self { own, random, .. } = self;
        let ended = own.iter().filter(|(_, own)| own.has_ended && !own.is_deleted);
        let some = ended.filter(|_| random.one_in(2));
        let batch = some.map(|(number, own)| deleted(*number, own.last + 1)).collect();
        self.append(batch)
    }

    /// Lets there be something to compact.
    fn end_and_delete(&mut self) -> Result<(), String> {
        let live = self.own.iter().filter(|(_, own)| !own.has_ended && own.last % 2 == 1);
        let live: Vec<(u64, u64)> = live.map(|(number, own)| (*number, own.last)).collect();
        let ends = live.iter().map(|(number, last)| completed(*number, last + 1)).collect();
        self.append(ends)?;
        let tombstones = live.iter().map(|(number, last)| deleted(*number, last + 2)).collect();
        self.append(tombstones)
    }

    fn append(&mut self, batch: Vec<Transition>) -> Result<(), String> {
        let mut next = self.store()?.last_position() + 1;
        let appended = at_once(self.store()?.append(self.epoch, batch.clone())).map_err(text)?;
        for (transition, appended) in batch.iter().zip(appended) {
            if appended != Appended::At(next) {
                return Err(format!("a sound store appended at {appended:?} and not at {next}"));
            }
            let records = records(transition, next);
            next += records.len() as u64;
            let number = (0..=self.own.len() as u64).find(|n| stream(*n) == transition.stream);
            let own = self.own.entry(number.ok_or("an unknown history")?).or_default();
            own.last += records.len() as u64;
            own.has_ended = records.last().is_some_and(is_end);
            own.is_deleted = records.last().is_some_and(is_tombstone);
            self.truth.add(records);
        }
        Ok(())
    }

    fn compact(&mut self, slices: u64, forgets: bool) -> Result<(), String> {
        self.truth.compacts = true;
        self.truth.forgets |= forgets;
        let forget_before = forgets.then_some(Timestamp(u64::MAX));
        for _ in 0..slices {
            let compaction = Compaction { forget_before };
            at_once(self.store()?.compact(self.epoch, compaction)).map_err(text)?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        let mut checkpoint = checkpoint(&self.own, self.random);
        checkpoint.complete_to = Some(self.store()?.last_position());
        at_once(self.store()?.write_checkpoint(checkpoint.clone())).map_err(text)?;
        self.truth.checkpoints.push(checkpoint);
        self.own.values_mut().for_each(|own| own.saved = own.last);
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), String> {
        self.store = None;
        let store = self.place.open(Check::All).map_err(text)?;
        self.epoch = at_once(store.acquire()).map_err(text)?;
        self.store = Some(store);
        Ok(())
    }
}

/// The log as programs with other formats would have left it.
fn formats(image: &Image, place: &Path) -> Result<Vec<(Vec<u8>, Image)>, String> {
    let mut formats = Vec::new();
    let known = [0u32, 2, 7, u32::MAX].map(|format| format.to_le_bytes().to_vec());
    for format in known.into_iter().chain([vec![1, 0, 0], Vec::new()]) {
        image.write(place).map_err(text)?;
        crate::store::write_format(place, &format).map_err(text)?;
        formats.push((format, Image::read(place).map_err(text)?));
        fs::remove_dir_all(place).map_err(text)?;
    }
    Ok(formats)
}
