//! The highest durable position, kept outside of sled: sled may silently drop the end of a file
//! that was cut or damaged there, and this is how that is noticed.
//!
//! Two slots are written in turn, so that a torn write leaves the other. The file is only synced
//! at checkpoints: after a power cut it may name an older position, never one that was not
//! durable, because it is written after the log was synced.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::super::Position;
use super::disk::{Disk, SmallFile};

/// The file's name.
pub(super) const NAME: &str = "high-water";

const SLOT_BYTES: usize = 32;

/// The file, and whose turn it is.
#[derive(Debug)]
pub(super) struct HighWater {
    file: SmallFile,
    log: [u8; 8],
    generation: u64,
    /// Whether it holds positions of another log, and none of this one.
    is_of_another: bool,
}

impl HighWater {
    /// Opens or makes the file of the log with this id; gives the position that it holds, 0 when
    /// it holds none of this log.
    pub(super) fn open(disk: &Disk, log: [u8; 8]) -> io::Result<(Self, Position)> {
        let file = disk.small_file(NAME)?;
        let (mut newest, mut others) = (None, 0);
        for offset in [0, SLOT_BYTES as u64] {
            let mut slot = [0; SLOT_BYTES];
            match file.read_exact_at(&mut slot, offset) {
                Ok(()) => match read(&slot) {
                    Some((of, found)) if of == log => newest = newest.max(Some(found)),
                    Some(_) => others += 1,
                    None => {}
                },
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
        }
        let is_of_another = newest.is_none() && others > 0;
        let (generation, position) = newest.unwrap_or_default();
        Ok((Self { file, log, generation, is_of_another }, position))
    }

    /// The position that the file holds, of whatever log it is.
    pub(super) fn read_any(path: &Path) -> io::Result<Position> {
        let mut bytes = Vec::new();
        // What else a file of this name may hold is nothing to us.
        File::open(path)?.take(2 * SLOT_BYTES as u64).read_to_end(&mut bytes)?;
        let slots = bytes.chunks_exact(SLOT_BYTES).filter_map(|slot| {
            let (_, found) = read(slot.try_into().ok()?)?;
            Some(found)
        });
        Ok(slots.max().map_or(0, |(_, position)| position))
    }

    /// Whether the file was of another log when it was opened.
    pub(super) fn is_of_another(&self) -> bool {
        self.is_of_another
    }

    /// Notes that everything up to `position` is durable.
    pub(super) fn write(&mut self, position: Position) -> io::Result<()> {
        self.generation = self.generation.wrapping_add(1);
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend_from_slice(&position.to_le_bytes());
        slot.extend_from_slice(&self.generation.to_le_bytes());
        slot.extend_from_slice(&self.log);
        slot.extend_from_slice(&[0; 4]);
        slot.extend_from_slice(&crc32c::crc32c(&slot).to_le_bytes());
        self.file.write_all_at(&slot, (self.generation % 2) * SLOT_BYTES as u64)
    }

    /// A second handle, to sync the file with.
    pub(super) fn handle(&self) -> io::Result<SmallFile> {
        self.file.try_clone()
    }
}

/// Of which log a slot is, its generation and its position, when it is whole.
pub(super) fn read(slot: &[u8; SLOT_BYTES]) -> Option<([u8; 8], (u64, Position))> {
    let (content, crc) = slot.split_last_chunk::<4>()?;
    let (position, rest) = content.split_first_chunk::<8>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (log, _) = rest.split_first_chunk::<8>()?;
    let sound = crc32c::crc32c(content) == u32::from_le_bytes(*crc);
    sound.then(|| (*log, (u64::from_le_bytes(*generation), u64::from_le_bytes(*position))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_slot_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let disk = Disk::folder(folder.path());
        let (mut high_water, position) = HighWater::open(&disk, [1; 8]).unwrap();
        assert_eq!(position, 0);
        for position in [5, 6, 9] {
            high_water.write(position).unwrap();
        }
        assert_eq!(HighWater::open(&disk, [1; 8]).unwrap().1, 9);
        assert_eq!(HighWater::open(&disk, [2; 8]).unwrap().1, 0);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[SLOT_BYTES] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(HighWater::open(&disk, [1; 8]).unwrap().1, 6);
    }
}
