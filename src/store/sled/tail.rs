//! The end of the log's file as it was before sled opened it.
//!
//! sled reads its file up to the first message that it cannot read, and writes zeros over what comes
//! after: that is how it takes back what a crash has left half-written. Where a bit has flipped
//! instead, this destroys everything that stands behind it, and only afterwards is it noticed that
//! something is lost. So the segments that sled may write to are kept, and put back when the opening
//! fails: what is not readable then is still there for a salvage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// sled's own, which [`super::files::open_sled`] leaves as it is.
const SEGMENT_BYTES: usize = 512 * 1024;
const SEGMENT: u64 = SEGMENT_BYTES as u64;

/// The most segments that are kept: 64 MiB. The end that sled reads anew has only a few.
const MOST_SEGMENTS: usize = 128;

/// A file of so many segments is kept whole, 16 MiB: where damage has changed what sled's recovery
/// rests on, sled takes the end to be elsewhere than the headers tell.
const WHOLE_SEGMENTS: usize = 32;

const HEADER_BYTES: usize = 20;

/// Segments of a file, as they were.
#[derive(Debug)]
pub(super) struct Tail {
    file: File,
    length: u64,
    segments: Vec<(u64, Vec<u8>)>,
    /// Where those are in which there is nothing.
    empty: Vec<u64>,
    has_bad_header: bool,
}

/// What the header of a segment says.
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Where it stands among everything that sled ever wrote.
    begin: u64,
    /// Up to where that was durable when the segment was begun.
    stable_to: u64,
}

impl Tail {
    /// Keeps what sled may write to when it opens the database in `folder`; none where there is no
    /// file.
    pub(super) fn keep(folder: &Path) -> io::Result<Option<Self>> {
        let file = match File::options().read(true).write(true).open(folder.join("db")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let mut headers = Vec::new();
        for at in (0..length).step_by(SEGMENT_BYTES) {
            headers.push((at, header(&file, at)?));
        }
        let found = headers.iter().filter_map(|(_, header)| *header);
        let stable_to = found.map(|header| header.stable_to).max().unwrap_or(0);
        let from = stable_to / SEGMENT * SEGMENT;
        let is_small = headers.len() <= WHOLE_SEGMENTS;
        // One whose header cannot be read is free for sled, and the next to be written.
        let wanted =
            |header: &Option<Header>| is_small || header.is_none_or(|header| header.begin >= from);
        let mut tail =
            Self { file, length, segments: Vec::new(), empty: Vec::new(), has_bad_header: false };
        for (at, header) in headers.iter().filter(|(_, header)| wanted(header)) {
            let bytes = read(&tail.file, *at, SEGMENT_BYTES)?;
            let begins_with_something = bytes.iter().take(HEADER_BYTES).any(is_set);
            tail.has_bad_header |= header.is_none() && begins_with_something;
            if !bytes.iter().any(is_set) {
                tail.empty.push(*at);
            } else if tail.segments.len() < MOST_SEGMENTS {
                tail.segments.push((*at, bytes));
            }
        }
        Ok(Some(tail))
    }

    /// Whether a segment has a header that cannot be read. sled takes it for free and writes to it
    /// once it is open, so what stood there must be missed before that.
    pub(super) fn has_bad_header(&self) -> bool {
        self.has_bad_header
    }

    /// Puts the file back, durably, once sled has let go of it.
    pub(super) fn put_back(self) -> io::Result<()> {
        let Self { file, length, segments, empty, .. } = self;
        super::files::wait_for(&file)?;
        let mut has_changed = file.metadata()?.len() != length;
        file.set_len(length)?;
        // A disk that cannot be read may have made sled clear what it could not read.
        for (at, bytes) in &segments {
            if read(&file, *at, bytes.len()).ok().as_ref() != Some(bytes) {
                file.write_all_at(bytes, *at)?;
                has_changed = true;
            }
        }
        for at in empty {
            let bytes = read(&file, at, SEGMENT_BYTES).ok();
            if bytes.as_ref().is_none_or(|bytes| bytes.iter().any(is_set)) {
                let room = usize::try_from(length.saturating_sub(at)).unwrap_or(SEGMENT_BYTES);
                file.write_all_at(&vec![0; room.min(SEGMENT_BYTES)], at)?;
                has_changed = true;
            }
        }
        if has_changed {
            file.sync_all()?;
        }
        Ok(())
    }
}

/// Bytes at a place, fewer where the file ends.
fn read(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64)? {
            0 => break,
            more => done += more,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

/// The header of the segment at a place, if it is whole.
fn header(file: &File, at: u64) -> io::Result<Option<Header>> {
    let bytes = read(file, at, HEADER_BYTES)?;
    let parse = || {
        let (crc, numbers) = bytes.split_first_chunk::<4>()?;
        let (begin, stable_to) = numbers.split_first_chunk::<8>()?;
        // Before anything was durable it says -1.
        let number = |bytes: [u8; 8]| u64::try_from(i64::from_le_bytes(bytes) ^ i64::MAX);
        // The checksum of sled, which is not the one of our frames.
        let is_whole = !u32::from_le_bytes(*crc) == crc32fast::hash(numbers);
        let stable_to = number(stable_to.try_into().ok()?).unwrap_or(0);
        is_whole.then_some(Header { begin: number(*begin).ok()?, stable_to })
    };
    Ok(parse())
}

fn is_set(byte: &u8) -> bool {
    *byte != 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_headers_of_sled_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let db = super::super::files::open_sled(folder.path(), 1024 * 1024).unwrap();
        for number in 0..4000u32 {
            db.insert(number.to_be_bytes(), vec![7; 400]).unwrap();
        }
        db.flush().unwrap();
        let file = File::open(folder.path().join("db")).unwrap();
        let length = file.metadata().unwrap().len();
        let headers = (0..length / SEGMENT).map(|n| header(&file, n * SEGMENT).unwrap());
        let headers: Vec<Header> = headers.map_while(|header| header).collect();
        assert!(headers.len() > 2, "{headers:?}");
        // A segment that sled has emptied meanwhile is used again, with a later beginning.
        for (number, header) in (0..).zip(&headers) {
            assert!(header.begin >= number * SEGMENT && header.begin % SEGMENT == 0, "{header:?}");
            assert!(header.stable_to <= header.begin, "{header:?}");
        }
        let begins: BTreeSet<u64> = headers.iter().map(|header| header.begin).collect();
        assert_eq!(begins.len(), headers.len(), "{headers:?}");
    }
}
