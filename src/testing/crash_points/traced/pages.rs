//! A file, as a system with a page cache has it: what is durable, and what was written since.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Crash, Random};

/// What the system writes at once.
const PAGE: usize = 4096;
/// What the disk writes at once.
const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Arc<[u8]> },
    Length(usize),
}

#[derive(Debug, Default)]
pub(super) struct Pages {
    durable: Vec<u8>,
    /// What was done since the last sync, in order.
    pending: Vec<Change>,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes: written } => {
            let end = at + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let Some(place) = bytes.get_mut(*at..end) {
                place.copy_from_slice(written);
            }
        }
        Change::Length(length) => bytes.resize(*length, 0),
    }
}

impl Pages {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { durable: bytes.to_vec(), pending: Vec::new() }
    }

    pub(super) fn write(&mut self, at: usize, bytes: Arc<[u8]>) {
        self.pending.push(Change::Write { at, bytes });
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.pending.push(Change::Length(length));
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    /// What a restart finds.
    pub(super) fn crash(&self, crash: Crash, random: &mut Random) -> Vec<u8> {
        match crash {
            Crash::Killed => self.with_first(self.pending.len()),
            Crash::PowerCut => self.torn(random),
            Crash::Scrambled => self.scrambled(random),
        }
    }

    fn with_first(&self, count: usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in self.pending.iter().take(count) {
            apply(&mut bytes, change);
        }
        bytes
    }

    /// A beginning of what was done, the last of it perhaps in part.
    fn torn(&self, random: &mut Random) -> Vec<u8> {
        let count = random.index(self.pending.len() + 1);
        let mut bytes = self.with_first(count);
        if let Some(Change::Write { at, bytes: written }) = self.pending.get(count) {
            let kept = random.index(written.len() / SECTOR + 1) * SECTOR;
            let part = written.get(..kept).unwrap_or(written);
            apply(&mut bytes, &Change::Write { at: *at, bytes: part.into() });
        }
        bytes
    }

    /// Each page as it was at some moment since the last sync, and so the length.
    fn scrambled(&self, random: &mut Random) -> Vec<u8> {
        let manner = random.below(4);
        let chosen = random.draw();
        let mut pages: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
        for change in &self.pending {
            match change {
                Change::Write { at, bytes } => {
                    for page in at / PAGE..(at + bytes.len()).div_ceil(PAGE) {
                        pages.entry(page).or_default().push(change);
                    }
                }
                Change::Length(_) => pages.values_mut().for_each(|changes| changes.push(change)),
            }
        }
        let mut whole = self.lengths(random);
        let count = pages.len() as u64;
        for (index, (page, changes)) in (0u64..).zip(pages) {
            let is_chosen = index == chosen % count;
            let kept = match manner {
                0 => random.index(changes.len() + 1),
                1 if random.one_in(2) => changes.len(),
                2 if !is_chosen => changes.len(),
                3 if is_chosen => changes.len(),
                _ => 0,
            };
            self.put(&mut whole, page, changes.get(..kept).unwrap_or_default());
        }
        whole
    }

    /// What was durable, with a length that the file had at some moment since.
    fn lengths(&self, random: &mut Random) -> Vec<u8> {
        let moment = random.index(self.pending.len() + 1);
        let mut whole = self.durable.clone();
        for change in self.pending.iter().take(moment) {
            match change {
                Change::Write { at, bytes } => {
                    let end = at + bytes.len();
                    if whole.len() < end {
                        whole.resize(end, 0);
                    }
                }
                Change::Length(length) => whole.resize(*length, 0),
            }
        }
        whole
    }

    /// Puts a page with these changes into the file, as far as it reaches.
    fn put(&self, whole: &mut [u8], page: usize, changes: &[&Change]) {
        let begin = page * PAGE;
        let mut bytes: Vec<u8> = self.durable.iter().skip(begin).take(PAGE).copied().collect();
        bytes.resize(PAGE, 0);
        for change in changes {
            match change {
                Change::Write { at, bytes: written } => {
                    let skipped = begin.saturating_sub(*at);
                    let to = at.saturating_sub(begin);
                    let part = written.iter().skip(skipped);
                    for (place, byte) in bytes.iter_mut().skip(to).zip(part) {
                        *place = *byte;
                    }
                }
                Change::Length(length) => {
                    bytes.iter_mut().skip(length.saturating_sub(begin)).for_each(|byte| *byte = 0);
                }
            }
        }
        for (place, byte) in whole.iter_mut().skip(begin).zip(bytes) {
            *place = byte;
        }
    }
}
