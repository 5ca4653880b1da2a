//! Records in their frames, frames in chunks. `docs/EVENT_FORMAT.md` describes the bytes.

use std::ops::Range;

use uuid::Uuid;

use super::codec::{CODEC_BINCODE, MAX_BODY_BYTES};
use super::{Position, Stream};

/// The largest value of the log's tree: sled moves pages over a quarter of a segment into files of
/// their own that it never syncs, and a page holds up to 17 values.
pub(crate) const CHUNK_BYTES: usize = 4096;

/// A record over this size gets a chunk of its own, and parts.
const SPLIT_BYTES: usize = 3584;

const FRAME_VERSION: u8 = 1;
const HEADER_BYTES: usize = 16;
const CHECKED_BYTES: usize = 12;
const IDS_BYTES: usize = 48;

/// How much of a split record's body stands beside its header.
const FIRST_PART_BYTES: usize = CHUNK_BYTES - HEADER_BYTES - IDS_BYTES;

const LAST: u8 = 1;
const CONTINUES: u8 = 2;
const SAME_IDS: u8 = 4;
const GAP: u8 = 8;

/// A gap says its first and its last position.
const GAP_BYTES: usize = 16;
const GAP_LENGTH: u32 = 16;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    /// Its history.
    pub(crate) stream: Stream,
    /// Its place there.
    pub(crate) sequence: u64,
    /// Its place in the log.
    pub(crate) position: Position,
    /// When it was decided.
    pub(crate) time: u64,
    /// The first record of the transition before, in the same history; 0 when there is none.
    pub(crate) previous: Position,
}

impl Ids {
    fn to_bytes(self) -> [u8; IDS_BYTES] {
        let mut bytes = [0; IDS_BYTES];
        let (stream, numbers) = bytes.split_at_mut(16);
        stream.copy_from_slice(self.stream.as_bytes());
        let values = [self.sequence, self.position, self.time, self.previous];
        for (place, value) in numbers.chunks_exact_mut(8).zip(values) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        Some(Self {
            stream: Uuid::from_bytes(take(rest)?),
            sequence: u64::from_le_bytes(take(rest)?),
            position: u64::from_le_bytes(take(rest)?),
            time: u64::from_le_bytes(take(rest)?),
            previous: u64::from_le_bytes(take(rest)?),
        })
    }

    fn next(self) -> Option<Self> {
        Some(Self {
            sequence: self.sequence.checked_add(1)?,
            position: self.position.checked_add(1)?,
            ..self
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (&bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(bytes)
}

fn checksum(header: &[u8; CHECKED_BYTES], ids: &Ids, body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(header);
    let crc = crc32c::crc32c_append(crc, &ids.to_bytes());
    crc32c::crc32c_append(crc, body)
}

/// Positions whose records were deleted and taken away. Stated, so that they are not taken for lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first of them.
    pub(crate) first: Position,
    /// The last of them.
    pub(crate) last: Position,
}

impl Gap {
    fn to_bytes(self) -> [u8; HEADER_BYTES + GAP_BYTES] {
        let mut header = [0; CHECKED_BYTES];
        let length = GAP_LENGTH.to_le_bytes();
        for (place, byte) in header.iter_mut().zip([FRAME_VERSION, GAP]) {
            *place = byte;
        }
        if let Some(place) = header.last_chunk_mut::<4>() {
            *place = length;
        }
        let mut positions = [0; GAP_BYTES];
        for (place, position) in positions.chunks_exact_mut(8).zip([self.first, self.last]) {
            place.copy_from_slice(&position.to_le_bytes());
        }
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header), &positions);
        let mut bytes = [0; HEADER_BYTES + GAP_BYTES];
        let parts = header.into_iter().chain(crc.to_le_bytes()).chain(positions);
        bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
        bytes
    }
}

/// What a chunk is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// A record.
    Record(Frame<'a>),
    /// Records that were deleted; and where that statement ends in its chunk.
    Gap(Gap, usize),
}

impl Piece<'_> {
    /// The positions that it is about, the first and the last.
    pub(crate) fn span(&self) -> (Position, Position) {
        match self {
            Self::Record(frame) => (frame.ids.position, frame.ids.position),
            Self::Gap(gap, _) => (gap.first, gap.last),
        }
    }
}

/// A record in its frame, the body still encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    header: [u8; CHECKED_BYTES],
    flags: u8,
    crc: u32,
    /// Which event.
    pub(crate) tag: u16,
    /// In which schema version.
    pub(crate) schema: u16,
    /// Where it stands.
    pub(crate) ids: Ids,
    /// The length of the whole body in bytes.
    pub(crate) length: usize,
    /// The body, or its first part.
    pub(crate) body: &'a [u8],
    /// Where the frame ends in its chunk.
    pub(crate) end: usize,
}

impl Frame<'_> {
    /// Whether it is the last record of its transition.
    pub(crate) fn is_last(&self) -> bool {
        self.flags & LAST != 0
    }

    /// How many bytes of the log it takes, with all parts of its body.
    pub(crate) fn bytes(&self) -> usize {
        let ids = if self.flags & SAME_IDS == 0 { IDS_BYTES } else { 0 };
        HEADER_BYTES + ids + self.length
    }

    /// How many further parts the body has, each under a key of its own.
    pub(crate) fn parts(&self) -> u16 {
        let rest = self.length.saturating_sub(self.body.len());
        u16::try_from(rest.div_ceil(CHUNK_BYTES)).unwrap_or(u16::MAX)
    }

    /// Whether `body` is what was written, in this place.
    pub(crate) fn matches(&self, body: &[u8]) -> bool {
        body.len() == self.length && checksum(&self.header, &self.ids, body) == self.crc
    }
}

/// The frames of one chunk, in order. Checksums are not looked at here, because a body may have
/// parts elsewhere: see [`Frame::matches`].
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    chunk: &'a [u8],
    rest: &'a [u8],
    before: Option<Ids>,
}

impl<'a> Frames<'a> {
    /// The frames of `chunk`.
    pub(crate) fn new(chunk: &'a [u8]) -> Self {
        Self { chunk, rest: chunk, before: None }
    }

    fn read(&mut self) -> Result<Piece<'a>, &'static str> {
        let short = "a frame is cut short";
        let rest = &mut self.rest;
        let header: [u8; CHECKED_BYTES] = take(rest).ok_or(short)?;
        let crc = u32::from_le_bytes(take(rest).ok_or(short)?);
        let [version, flags, t0, t1, s0, s1, codec, _, l0, l1, l2, l3] = header;
        if (version, flags) == (FRAME_VERSION, GAP) {
            let first = u64::from_le_bytes(take(rest).ok_or(short)?);
            let last = u64::from_le_bytes(take(rest).ok_or(short)?);
            let gap = Gap { first, last };
            let (written, end) = (gap.to_bytes(), self.chunk.len() - rest.len());
            let found = end.checked_sub(written.len()).and_then(|start| self.chunk.get(start..end));
            if found != Some(&written[..]) || first > last {
                return Err("checksum does not match");
            }
            self.before = None;
            return Ok(Piece::Gap(gap, end));
        }
        if version != FRAME_VERSION || codec != CODEC_BINCODE {
            return Err("a frame has an unknown version");
        }
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3]))
            .ok()
            .filter(|length| *length <= MAX_BODY_BYTES)
            .ok_or("a frame has an impossible length")?;
        let ids = if flags & SAME_IDS == 0 {
            Ids::take(rest).ok_or(short)?
        } else {
            self.before.and_then(Ids::next).ok_or("a frame leaves out ids that were not given")?
        };
        let here = if flags & CONTINUES == 0 { length } else { rest.len() };
        let (body, after) = rest.split_at_checked(here).ok_or(short)?;
        *rest = after;
        self.before = (flags & LAST == 0).then_some(ids);
        Ok(Piece::Record(Frame {
            header,
            flags,
            crc,
            tag: u16::from_le_bytes([t0, t1]),
            schema: u16::from_le_bytes([s0, s1]),
            ids,
            length,
            body,
            end: self.chunk.len() - after.len(),
        }))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Piece<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let piece = self.read();
        if piece.is_err() {
            self.rest = &[];
        }
        Some(piece)
    }
}

/// One value of the log's tree: a chunk, or a part of a record that did not fit one.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The first position of the chunk, or that of the record.
    pub(crate) position: Position,
    /// 0 for a chunk, else the number of the part.
    pub(crate) part: u16,
    /// Where the value stands in [`Chunks::bytes`].
    pub(crate) range: Range<usize>,
}

/// What is about to be framed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Tag and schema version.
    pub(crate) kind: (u16, u16),
    /// Whether it is the last record of its transition.
    pub(crate) last: bool,
    /// Where it stands.
    pub(crate) ids: Ids,
    /// The encoded event.
    pub(crate) body: &'a [u8],
}

/// Packs records into chunks. Its memory is used again from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    bytes: Vec<u8>,
    cuts: Vec<Cut>,
    open_at: usize,
    open_position: Position,
    before: Option<Ids>,
}

impl Chunks {
    /// Forgets everything, and gives back memory that only a very large batch needed.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(4 * 1024 * 1024);
        self.cuts.clear();
        self.open_at = 0;
        self.before = None;
    }

    /// Adds a record.
    ///
    /// # Errors
    /// Its body has more than [`MAX_BODY_BYTES`].
    pub(crate) fn push(&mut self, entry: &Entry<'_>) -> Result<(), super::Error> {
        let bytes = entry.body.len();
        let length = u32::try_from(bytes)
            .ok()
            .filter(|_| bytes <= MAX_BODY_BYTES)
            .ok_or(super::Error::TooLarge { bytes, limit: MAX_BODY_BYTES })?;
        let size = HEADER_BYTES + IDS_BYTES + bytes;
        let split = size > SPLIT_BYTES;
        let mut same = self.before.is_some_and(|before| before.next() == Some(entry.ids));
        let needed = if same { size - IDS_BYTES } else { size };
        if split || self.bytes.len() - self.open_at + needed > CHUNK_BYTES {
            self.close();
            same = false;
        }
        if self.bytes.len() == self.open_at {
            self.open_position = entry.ids.position;
        }
        let continues = size > CHUNK_BYTES;
        self.put_header(entry, length, (continues, same));
        let (first, rest) = if continues {
            entry.body.split_at_checked(FIRST_PART_BYTES).unwrap_or((entry.body, &[]))
        } else {
            (entry.body, &[] as &[u8])
        };
        self.bytes.extend_from_slice(first);
        self.before = (!entry.last).then_some(entry.ids);
        if split {
            self.close();
            self.put_parts(entry.ids.position, rest);
        }
        Ok(())
    }

    /// Adds the statement that records were deleted.
    pub(crate) fn push_gap(&mut self, gap: Gap) {
        let bytes = gap.to_bytes();
        if self.bytes.len() - self.open_at + bytes.len() > CHUNK_BYTES {
            self.close();
        }
        if self.bytes.len() == self.open_at {
            self.open_position = gap.first;
        }
        self.bytes.extend_from_slice(&bytes);
        self.before = None;
    }

    fn put_header(&mut self, entry: &Entry<'_>, length: u32, (continues, same): (bool, bool)) {
        let mut flags = 0;
        for (flag, set) in [(LAST, entry.last), (CONTINUES, continues), (SAME_IDS, same)] {
            flags |= if set { flag } else { 0 };
        }
        let [t0, t1] = entry.kind.0.to_le_bytes();
        let [s0, s1] = entry.kind.1.to_le_bytes();
        let [l0, l1, l2, l3] = length.to_le_bytes();
        let header = [FRAME_VERSION, flags, t0, t1, s0, s1, CODEC_BINCODE, 0, l0, l1, l2, l3];
        self.bytes.extend_from_slice(&header);
        let crc = checksum(&header, &entry.ids, entry.body);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        if !same {
            self.bytes.extend_from_slice(&entry.ids.to_bytes());
        }
    }

    fn put_parts(&mut self, position: Position, rest: &[u8]) {
        for (part, piece) in (1..).zip(rest.chunks(CHUNK_BYTES)) {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(piece);
            self.cuts.push(Cut { position, part, range: start..self.bytes.len() });
        }
        self.open_at = self.bytes.len();
    }

    /// Ends the open chunk, if there is one.
    fn close(&mut self) {
        if self.bytes.len() > self.open_at {
            let range = self.open_at..self.bytes.len();
            self.cuts.push(Cut { position: self.open_position, part: 0, range });
        }
        self.open_at = self.bytes.len();
        self.before = None;
    }

    /// Ends the last chunk; what there is to write.
    pub(crate) fn finish(&mut self) -> impl Iterator<Item = (&Cut, &[u8])> {
        self.close();
        let bytes = &self.bytes;
        self.cuts.iter().filter_map(move |cut| Some((cut, bytes.get(cut.range.clone())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(position: Position) -> Ids {
        Ids { stream: Uuid::from_u128(7), sequence: position, position, time: 5, previous: 0 }
    }

    fn pack(bodies: &[usize]) -> Chunks {
        let mut chunks = Chunks::default();
        for (position, length) in (1..).zip(bodies) {
            let body = vec![b'x'; *length];
            let last = position == bodies.len() as u64;
            chunks.push(&Entry { kind: (3, 1), last, ids: ids(position), body: &body }).unwrap();
        }
        chunks
    }

    #[test]
    fn records_of_a_transition_share_their_ids_in_a_chunk() {
        let mut chunks = pack(&[10, 10, 10]);
        let values: Vec<(u64, Vec<u8>)> =
            chunks.finish().map(|(cut, value)| (cut.position, value.to_vec())).collect();
        assert_eq!(values.len(), 1);
        assert_eq!(values[0].1.len(), 3 * (16 + 10) + 48);
        let frames: Vec<Frame<'_>> = records(&values[0].1).collect();
        assert_eq!(frames.iter().map(|f| f.ids.position).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(frames.iter().map(Frame::is_last).collect::<Vec<_>>(), [false, false, true]);
        assert!(frames.iter().all(|frame| frame.matches(frame.body)));
    }

    #[test]
    fn no_value_is_larger_than_a_chunk() {
        for length in [0, 1, 3519, 3520, 3521, 4032, 4033, 4096, 8128, 8129, 1_000_000] {
            let mut chunks = pack(&[100, length, 100]);
            let mut total = 0;
            for (_, value) in chunks.finish() {
                assert!(!value.is_empty() && value.len() <= CHUNK_BYTES, "{length}");
                total += value.len();
            }
            assert!(total >= length + 200);
        }
    }

    fn records(chunk: &[u8]) -> impl Iterator<Item = Frame<'_>> {
        Frames::new(chunk).map(|piece| match piece.unwrap() {
            Piece::Record(frame) => frame,
            Piece::Gap(gap, _) => panic!("{gap:?}"),
        })
    }

    #[test]
    fn a_gap_stands_between_records_and_ends_what_they_share() {
        let entry = |position, last, body| Entry { kind: (3, 1), last, ids: ids(position), body };
        let mut chunks = Chunks::default();
        chunks.push(&entry(1, true, b"a")).unwrap();
        chunks.push_gap(Gap { first: 2, last: 900 });
        chunks.push(&entry(901, false, b"b")).unwrap();
        chunks.push(&entry(902, true, b"c")).unwrap();
        let value = chunks.finish().next().unwrap().1.to_vec();
        let spans: Vec<_> = Frames::new(&value).map(|piece| piece.unwrap().span()).collect();
        assert_eq!(spans, [(1, 1), (2, 900), (901, 901), (902, 902)]);
        assert_eq!(value.len(), 4 * 16 + 2 * 48 + 16 + 3, "a gap takes 32 bytes");
    }

    #[test]
    fn every_flipped_bit_of_a_gap_is_noticed() {
        let gap = Gap { first: 7, last: 12 };
        let bytes = gap.to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let read = Frames::new(&changed).next().unwrap();
            let is_sound = match read {
                Ok(Piece::Gap(..)) => true,
                Ok(Piece::Record(frame)) => frame.matches(frame.body),
                Err(_) => false,
            };
            assert!(!is_sound, "bit {bit}");
        }
        assert!(
            matches!(Frames::new(&bytes).next(), Some(Ok(Piece::Gap(read, 32))) if read == gap)
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut chunks = pack(&[40, 40]);
        let value = chunks.finish().next().unwrap().1.to_vec();
        let sound = |bytes: &[u8]| {
            Frames::new(bytes).all(|piece| match piece {
                Ok(Piece::Record(frame)) => frame.matches(frame.body),
                Ok(Piece::Gap(..)) | Err(_) => false,
            })
        };
        assert!(sound(&value));
        for bit in 0..value.len() * 8 {
            let mut changed = value.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!sound(&changed), "bit {bit}");
        }
    }

    #[test]
    fn a_chunk_cut_anywhere_but_between_frames_is_noticed() {
        let mut chunks = pack(&[40, 40]);
        let value = chunks.finish().next().unwrap().1.to_vec();
        for end in 1..value.len() {
            let whole = Frames::new(&value[..end]).all(|frame| frame.is_ok());
            assert_eq!(whole, end == 16 + 48 + 40, "{end}");
        }
    }
}
