//! Where the bytes of each record stand in a log's file: what of it is still there after a damage can
//! then be told without asking the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::Path;

use super::super::image::Image;
use super::text;
use crate::store::frame::{Frames, Piece};
use crate::store::{Position, values};

/// The bytes by which the beginning of a chunk's transition is found: its header and its ids.
const HEAD_BYTES: usize = 64;

/// The file in which records stand.
pub(super) const LOG: &str = "log/db";

/// Copies of records: sled writes a page again when it has changed.
#[derive(Debug, Default)]
pub(super) struct Copies(BTreeMap<Position, Vec<Range<usize>>>);

/// A record with what it needs to be read: the frames from the one with the ids of its transition on.
struct Needed {
    position: Position,
    bytes: Vec<u8>,
}

impl Copies {
    /// Looks at a folder, by a copy of it in `place`.
    pub(super) fn find(image: &Image, place: &Path) -> Result<Self, String> {
        image.write(place).map_err(text)?;
        let chunks = values(place).map_err(text)?;
        fs::remove_dir_all(place).map_err(text)?;
        let mut wanted: HashMap<Vec<u8>, Vec<Needed>> = HashMap::new();
        for (_, chunk) in chunks {
            for needed in needed(&chunk) {
                let head = needed.bytes.get(..HEAD_BYTES).unwrap_or_default().to_vec();
                wanted.entry(head).or_default().push(needed);
            }
        }
        let file = image.bytes(LOG);
        let mut copies = Self::default();
        for (at, head) in file.windows(HEAD_BYTES).enumerate() {
            if head.first() != Some(&1) {
                continue;
            }
            for needed in wanted.get(head).into_iter().flatten() {
                let range = at..at + needed.bytes.len();
                if file.get(range.clone()) == Some(&needed.bytes) {
                    copies.0.entry(needed.position).or_default().push(range);
                }
            }
        }
        Ok(copies)
    }

    /// Records of which a copy is untouched in a damaged file.
    pub(super) fn intact(&self, before: &[u8], after: &[u8]) -> BTreeSet<Position> {
        let same = |range: &Range<usize>| {
            before.get(range.clone()).is_some_and(|bytes| after.get(range.clone()) == Some(bytes))
        };
        let intact = self.0.iter().filter(|(_, ranges)| ranges.iter().any(same));
        intact.map(|(position, _)| *position).collect()
    }
}

/// The records of a chunk that stand in it whole.
fn needed(chunk: &[u8]) -> Vec<Needed> {
    let (mut all, mut start, mut begins) = (Vec::new(), 0, true);
    let mut end = 0;
    for piece in Frames::new(chunk).map_while(Result::ok) {
        let frame = match piece {
            Piece::Record(frame) => frame,
            Piece::Gap(_, after) => {
                (end, begins) = (after, true);
                continue;
            }
        };
        if begins {
            start = end;
        }
        end = frame.end;
        begins = frame.is_last();
        if frame.parts() == 0 {
            let bytes = chunk.get(start..end).unwrap_or_default().to_vec();
            all.push(Needed { position: frame.ids.position, bytes });
        }
    }
    all
}
