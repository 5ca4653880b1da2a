//! What is still there of a damaged log: by sled, and in its file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use uuid::Uuid;

use super::super::super::codec::CODEC_BINCODE;
use super::super::super::frame::{CHUNK_BYTES, Frame, Frames, Gap, Piece};
use super::super::disk::Disk;
use super::super::guard::{Opening, guard};
use super::super::high_water::{self, HighWater};
use super::super::index::Index;
use super::super::log as tree;
use super::{Error, Event, Head, Position, Stream, codec};

/// How much of the file is looked at at once.
const BLOCK: usize = 4 * 1024 * 1024;

/// Memory for pages of the copy.
const CACHE: u64 = 16 * 1024 * 1024;

/// A record that can be read.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) stream: Stream,
    pub(super) sequence: u64,
    pub(super) time: u64,
    pub(super) previous: Position,
    pub(super) tag: u16,
    pub(super) schema: u16,
    /// Whether it is the last of its transition.
    pub(super) is_last: bool,
    place: Place,
}

/// Where the body of a record stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    body_of: Source,
    at: u64,
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// In what sled gave.
    Sled,
    /// In the damaged file.
    File,
}

/// Bodies that sled gave, in a file: of a damaged database it need not give the same a second time.
#[derive(Debug)]
struct Given {
    file: BufWriter<File>,
    length: u64,
}

impl Given {
    fn new(folder: &Path) -> std::io::Result<Self> {
        let options = File::options().read(true).write(true).create_new(true).clone();
        let file = BufWriter::new(options.open(folder.join("given"))?);
        Ok(Self { file, length: 0 })
    }

    fn keep(&mut self, body: &[u8]) -> std::io::Result<Place> {
        self.file.write_all(body)?;
        let place = Place { body_of: Source::Sled, at: self.length, length: body.len() };
        self.length += body.len() as u64;
        Ok(place)
    }
}

/// What is left of a log.
pub(super) struct Log {
    pub(super) records: BTreeMap<Position, Found>,
    /// Positions that were deleted, as is stated: the last by the first.
    pub(super) gaps: BTreeMap<Position, Position>,
    /// Where the index says that histories end, up to `heads_to`.
    pub(super) heads: HashMap<Stream, Head>,
    pub(super) heads_to: Position,
    /// The last position that was durable, as far as is known.
    pub(super) high_water: Position,
    pub(super) sled_said: Option<String>,
    pub(super) found_in_file: u64,
    given: Given,
    file: Option<File>,
}

impl Log {
    /// Looks for all that can be read: by sled in a copy, and in the damaged file itself.
    pub(super) fn find(copy: &Path, damaged: &Path) -> Result<Self, Error> {
        let _opening = Opening::begin();
        let io = |operation| move |error: std::io::Error| Error::io(operation, &error);
        let mut log = Self {
            records: BTreeMap::new(),
            gaps: BTreeMap::new(),
            heads: HashMap::new(),
            heads_to: 0,
            high_water: 0,
            sled_said: None,
            found_in_file: 0,
            given: Given::new(copy).map_err(io("making of a file of what is read"))?,
            file: None,
        };
        // Not that of the copy: sled cuts from that what it cannot read.
        log.file = File::open(damaged.join("log/db")).ok();
        let id = match open_tree(copy) {
            Ok((opened, id)) => {
                log.read_tree(&opened).map_err(io("keeping of what is read"))?;
                id
            }
            Err(error) => {
                log.sled_said = Some(error.to_string());
                None
            }
        };
        log.search_file().map_err(io("search of the damaged file"))?;
        log.join_gaps();
        let in_file = |(position, found): &(&Position, &Found)| {
            found.place.body_of == Source::File && !log.is_gone(**position)
        };
        log.found_in_file = log.records.iter().filter(in_file).count() as u64;
        log.read_marks(copy, id);
        Ok(log)
    }

    /// Makes one gap of those that overlap: older statements may still be in the file.
    fn join_gaps(&mut self) {
        let mut joined: BTreeMap<Position, Position> = BTreeMap::new();
        for (first, last) in std::mem::take(&mut self.gaps) {
            match joined.last_entry() {
                Some(mut before) if before.get().saturating_add(1) >= first => {
                    let end = last.max(*before.get());
                    before.insert(end);
                }
                _ => drop(joined.insert(first, last)),
            }
        }
        self.gaps = joined;
    }

    fn add_gap(&mut self, gap: Gap) {
        let last = self.gaps.entry(gap.first).or_insert(gap.last);
        *last = gap.last.max(*last);
    }

    /// Reads what sled gives, and goes on after what it cannot give.
    fn read_tree(&mut self, opened: &tree::Log) -> std::io::Result<()> {
        let mut from: Position = 1;
        let mut step: Position = 1;
        loop {
            let mut failed = None;
            for chunk in opened.chunks_from(from) {
                match chunk {
                    Ok((position, chunk)) => {
                        (from, step) = (position.saturating_add(1), 1);
                        self.read_chunk(opened, &chunk)?;
                    }
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            let Some(error) = failed else { break };
            self.sled_said.get_or_insert_with(|| error.to_string());
            // A page that cannot be read holds some chunks only.
            let Some(next) = from.checked_add(step) else { break };
            (from, step) = (next, step.saturating_mul(2));
        }
        self.given.file.flush()
    }

    fn read_chunk(&mut self, opened: &tree::Log, chunk: &[u8]) -> std::io::Result<()> {
        for piece in Frames::new(chunk).map_while(Result::ok) {
            match piece {
                Piece::Gap(gap, _) => self.add_gap(gap),
                Piece::Record(frame) => {
                    let body = opened.body(&frame).ok().flatten();
                    if let Some(body) = body.filter(|body| frame.matches(body)) {
                        let place = self.given.keep(&body)?;
                        self.add(&frame, &body, place);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a record in that can be decoded.
    fn add(&mut self, frame: &Frame<'_>, body: &[u8], place: Place) {
        if codec::decode_body(frame.tag, frame.schema, body).is_err() {
            return;
        }
        let ids = frame.ids;
        let found = Found {
            stream: ids.stream,
            sequence: ids.sequence,
            time: ids.time,
            previous: ids.previous,
            tag: frame.tag,
            schema: frame.schema,
            is_last: frame.is_last(),
            place,
        };
        self.records.entry(ids.position).or_insert(found);
    }

    /// Searches the file for frames, whose checksums tell them from all else. What was cut off a log
    /// and written again may be there twice; what sled gives goes first.
    fn search_file(&mut self) -> std::io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut bytes = Vec::new();
        let mut start = 0u64;
        let mut reader = &file;
        loop {
            let before = bytes.len();
            Read::by_ref(&mut reader).take(BLOCK as u64).read_to_end(&mut bytes)?;
            let is_end = bytes.len() == before;
            // A chunk that goes over the end of the block is looked at with the next.
            let end = if is_end { bytes.len() } else { bytes.len().saturating_sub(CHUNK_BYTES) };
            let mut at = 0;
            while at < end {
                at += self.search_at(&bytes, at, start).max(1);
            }
            if is_end {
                break;
            }
            let rest = bytes.split_off(at.min(bytes.len()));
            start += at.min(bytes.len()) as u64;
            bytes = rest;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Takes the frames that begin at a place; how many bytes they have.
    fn search_at(&mut self, bytes: &[u8], at: usize, start: u64) -> usize {
        let Some(chunk) = bytes.get(at..bytes.len().min(at + CHUNK_BYTES)) else { return 1 };
        let [1, flags, _, _, _, _, codec, 0, ..] = chunk else { return 1 };
        if *flags >= 16 || (*codec != CODEC_BINCODE && *codec != 0) {
            return 1;
        }
        let mut used = 0;
        for piece in Frames::new(chunk).map_while(Result::ok) {
            match piece {
                Piece::Gap(gap, end) => {
                    self.add_gap(gap);
                    used = end;
                }
                Piece::Record(frame) if frame.parts() == 0 && frame.matches(frame.body) => {
                    let place = Place {
                        body_of: Source::File,
                        at: start + (at + frame.end - frame.body.len()) as u64,
                        length: frame.body.len(),
                    };
                    self.add(&frame, frame.body, place);
                    used = frame.end;
                }
                Piece::Record(_) => break,
            }
        }
        used
    }

    /// Reads where the log and its histories ended, as far as that is known beside the log.
    fn read_marks(&mut self, copy: &Path, id: Option<Uuid>) {
        self.high_water = HighWater::read_any(&copy.join(high_water::NAME)).unwrap_or(0);
        let Some(id) = id else { return };
        // One that is damaged is begun anew, in the copy, and says nothing.
        let Ok((index, false)) = Index::open(&Disk::folder(copy), CACHE, id) else { return };
        if let (Ok(heads), Ok(heads_to)) = (index.heads(), index.heads_to()) {
            (self.heads, self.heads_to) = (heads, heads_to);
        }
    }

    /// Whether a position is stated to be deleted.
    pub(super) fn is_gone(&self, position: Position) -> bool {
        let before = self.gaps.range(..=position).next_back();
        before.is_some_and(|(_, last)| position <= *last)
    }

    /// The event of a record.
    pub(super) fn event(&self, position: Position, found: &Found) -> Result<Event, Error> {
        let Place { body_of, at, length } = found.place;
        let file = match body_of {
            Source::Sled => Some(self.given.file.get_ref()),
            Source::File => self.file.as_ref(),
        };
        let gone = || Error::damaged(position, "a record is gone", [found.stream]);
        let mut body = vec![0; length];
        file.ok_or_else(gone)?
            .read_exact_at(&mut body, at)
            .map_err(|error| Error::io("reading of a record that was found", &error))?;
        codec::decode_body(found.tag, found.schema, &body)
            .map_err(|error| Error::from_codec(error, position, Some(found.stream)))
    }
}

/// Opens the copy of a log as far as sled will, and reads its id.
fn open_tree(folder: &Path) -> Result<(tree::Log, Option<Uuid>), Error> {
    if !folder.join("log/db").is_file() {
        return Err(Error::damaged(1, "the log's file is not there", None));
    }
    let log = tree::Log::of(Disk::folder(folder).open("log", CACHE)?)?;
    let id = guard("reading of the log's identity", 0, || log.meta.get("log"));
    let id = id.ok().flatten().and_then(|bytes| Uuid::from_slice(&bytes).ok());
    Ok((log, id))
}
