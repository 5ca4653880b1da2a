//! What is in the files of a simulated disk: as the process sees it, and what of that is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::sled::IVec;

use super::Crash;

/// Keys and values of a tree, in order.
pub(crate) type Entries = BTreeMap<IVec, IVec>;

/// A write.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Changes of a tree, of which all are made or none.
    Batch { tree: Arc<str>, entries: Arc<[(IVec, Option<IVec>)]> },
    /// Bytes of a small file, of which only the first may be written.
    Bytes { at: usize, bytes: Arc<[u8]> },
}

/// The trees of a database, or the bytes of a small file.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) trees: BTreeMap<Arc<str>, Arc<Entries>>,
    pub(super) bytes: Vec<u8>,
}

impl Content {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Batch { tree, entries } => {
                let there = Arc::make_mut(self.trees.entry(Arc::clone(tree)).or_default());
                for (key, value) in entries.iter() {
                    match value {
                        Some(value) => drop(there.insert(key.clone(), value.clone())),
                        None => drop(there.remove(key)),
                    }
                }
            }
            Change::Bytes { at, bytes } => {
                let end = at.saturating_add(bytes.len());
                if self.bytes.len() < end {
                    self.bytes.resize(end, 0);
                }
                if let Some(place) = self.bytes.get_mut(*at..end) {
                    place.copy_from_slice(bytes);
                }
            }
        }
    }

    pub(super) fn change(&mut self, tree: &str, change: impl FnOnce(&mut Entries)) {
        change(Arc::make_mut(self.trees.entry(tree.into()).or_default()));
    }
}

/// A file of a simulated disk.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    /// What the process sees.
    pub(super) seen: Content,
    durable: Content,
    /// What was written since the last sync, in order.
    pending: Vec<Change>,
    /// How many of those the system has.
    flushed: usize,
    /// Whether a sync has failed: the system then takes what it could not write for written.
    pub(super) is_broken: bool,
}

impl File {
    pub(super) fn write(&mut self, change: Change) {
        self.seen.apply(&change);
        let is_bytes = matches!(change, Change::Bytes { .. });
        self.pending.push(change);
        if is_bytes {
            self.flush();
        }
    }

    pub(super) fn flush(&mut self) {
        self.flushed = self.pending.len();
    }

    pub(super) fn sync(&mut self) {
        if self.is_broken {
            return;
        }
        for change in self.pending.drain(..self.flushed) {
            self.durable.apply(&change);
        }
        self.flushed = 0;
    }

    /// Changes a bit of a value, or of the bytes, that is durable; whether there was one. The process
    /// sees it unless it has written something else there since: what is not on the disk yet does
    /// not rot.
    pub(super) fn rot(&mut self, draw: &mut dyn FnMut(usize) -> usize) -> bool {
        let trees = self.durable.trees.iter();
        let entries =
            trees.flat_map(|(tree, entries)| entries.iter().map(move |entry| (tree, entry)));
        let chosen = draw(entries.clone().count());
        let Some((tree, (key, value))) = entries.clone().nth(chosen) else {
            return self.rot_bytes(draw);
        };
        let (tree, key, value) = (Arc::clone(tree), key.clone(), value.clone());
        let mut rotten = value.to_vec();
        let has_rotted = flip(&mut rotten, draw).is_some();
        for content in [&mut self.durable, &mut self.seen] {
            content.change(&tree, |entries| {
                if let Some(there) = entries.get_mut(&key).filter(|there| **there == value) {
                    *there = IVec::from(rotten.as_slice());
                }
            });
        }
        has_rotted
    }

    fn rot_bytes(&mut self, draw: &mut dyn FnMut(usize) -> usize) -> bool {
        let Some((at, before)) = flip(&mut self.durable.bytes, draw) else { return false };
        let now = self.durable.bytes.get(at).copied().unwrap_or(before);
        if let Some(byte) = self.seen.bytes.get_mut(at).filter(|byte| **byte == before) {
            *byte = now;
        }
        true
    }

    pub(super) fn tamper(&mut self, change: impl FnOnce(&mut Content)) {
        change(&mut self.seen);
        self.durable = self.seen.clone();
        self.pending.clear();
        self.flushed = 0;
    }

    /// What a restart finds of it.
    pub(super) fn crash(&self, crash: Crash, draw: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut durable = self.durable.clone();
        let length = self.pending.len();
        let certain = if crash == Crash::Killed { self.flushed } else { 0 };
        // Nothing and all are what is most often found, and a part what most often breaks.
        let kept = match draw(4) {
            0 => certain,
            1 => length,
            _ => certain + draw(length - certain + 1),
        };
        for (index, change) in self.pending.iter().enumerate() {
            match crash {
                Crash::Scrambled if draw(length + 1) >= kept => {}
                Crash::Killed | Crash::PowerCut if index >= kept => {}
                Crash::Killed | Crash::PowerCut | Crash::Scrambled => {
                    durable.apply(&torn(change, crash, draw));
                }
            }
        }
        Self { seen: durable.clone(), durable, ..Self::default() }
    }
}

/// Changes a bit; where, and what the byte was.
fn flip(bytes: &mut [u8], draw: &mut dyn FnMut(usize) -> usize) -> Option<(usize, u8)> {
    let at = draw(bytes.len());
    let byte = bytes.get_mut(at)?;
    let before = *byte;
    *byte ^= 1_u8.rotate_left(u32::try_from(draw(8)).unwrap_or(0));
    Some((at, before))
}

/// What the disk has of a write of bytes when the power is cut in it; a batch is whole or not there.
fn torn(change: &Change, crash: Crash, draw: &mut dyn FnMut(usize) -> usize) -> Change {
    match change {
        Change::Bytes { at, bytes } if crash != Crash::Killed && draw(2) == 0 => {
            let kept = bytes.get(..draw(bytes.len() + 1)).unwrap_or(bytes);
            Change::Bytes { at: *at, bytes: kept.into() }
        }
        change => change.clone(),
    }
}
