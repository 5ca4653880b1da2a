//! Trees of keys and values, as sled has them: the few calls of sled that the store makes, and the
//! same over a simulated disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::RangeBounds;
use std::path::Path;

use ::sled::IVec;

use super::super::super::Error;
use super::super::super::frame::CHUNK_BYTES;
use super::super::log::UNSYNCED_BYTES;
use super::super::{Barrier, files};
#[cfg(any(test, feature = "testing"))]
use super::simulated;

/// A database: trees that share a file.
pub(in super::super) enum Database {
    /// Of sled.
    Sled {
        /// Where its trees are.
        db: ::sled::Db,
        /// Our own handle to its file, to sync it with.
        file: File,
    },
    /// On a simulated disk.
    #[cfg(any(test, feature = "testing"))]
    Simulated(simulated::Handle),
}

impl Database {
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let db = files::open_sled(folder, cache_bytes)?;
        let file = files::data_file(folder)?;
        Ok(Self::Sled { db, file })
    }

    /// The tree of this name, which is made when it is not there.
    pub(in super::super) fn open_tree(&self, name: &str) -> ::sled::Result<Tree> {
        match self {
            Self::Sled { db, .. } => db.open_tree(name).map(Tree::Sled),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(handle) => Ok(Tree::Simulated(handle.tree(name))),
        }
    }

    /// Hands everything to the system. Not durable yet: sled does not sync.
    pub(in super::super) fn flush(&self) -> ::sled::Result<()> {
        match self {
            Self::Sled { db, .. } => db.flush().map(drop),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(handle) => handle.flush(),
        }
    }

    /// Makes durable what was flushed.
    pub(in super::super) fn sync(&self, barrier: &dyn Barrier) -> std::io::Result<()> {
        match self {
            Self::Sled { file, .. } => barrier.sync(file),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(handle) => handle.sync(),
        }
    }

    /// Whether work on it may take long, so that it should not be done on a thread of the runtime.
    /// What a simulated disk does must be done in its turn.
    pub(in super::super) fn may_block(&self) -> bool {
        match self {
            Self::Sled { .. } => true,
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(_) => false,
        }
    }
}

/// Keys in order, with values.
pub(in super::super) enum Tree {
    /// Of sled.
    Sled(::sled::Tree),
    /// On a simulated disk.
    #[cfg(any(test, feature = "testing"))]
    Simulated(simulated::Tree),
}

impl Tree {
    pub(in super::super) fn get(&self, key: impl AsRef<[u8]>) -> ::sled::Result<Option<IVec>> {
        match self {
            Self::Sled(tree) => tree.get(key),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(tree) => tree.get(key.as_ref()),
        }
    }

    /// Makes all changes, or none.
    pub(in super::super) fn apply_batch(&self, batch: Batch) -> ::sled::Result<()> {
        match self {
            Self::Sled(tree) => {
                let mut changes = ::sled::Batch::default();
                for (key, value) in batch.changes {
                    match value {
                        Some(value) => changes.insert(key, value),
                        None => changes.remove(key),
                    }
                }
                tree.apply_batch(changes)
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(tree) => tree.apply(batch.changes),
        }
    }

    pub(in super::super) fn insert(
        &self,
        key: impl Into<IVec>,
        value: impl Into<IVec>,
    ) -> ::sled::Result<()> {
        let mut batch = Batch::default();
        batch.insert(key, value);
        self.apply_batch(batch)
    }

    pub(in super::super) fn remove(&self, key: impl Into<IVec>) -> ::sled::Result<()> {
        let mut batch = Batch::default();
        batch.remove(key);
        self.apply_batch(batch)
    }

    pub(in super::super) fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Iter {
        match self {
            Self::Sled(tree) => Iter::Sled(tree.range(range)),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(tree) => {
                let bytes = |bound: std::ops::Bound<&K>| bound.map(|key| IVec::from(key.as_ref()));
                Iter::Simulated(tree.range(bytes(range.start_bound()), bytes(range.end_bound())))
            }
        }
    }

    pub(in super::super) fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Iter {
        match self {
            Self::Sled(tree) => Iter::Sled(tree.scan_prefix(prefix)),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(tree) => Iter::Simulated(tree.prefixed(prefix.as_ref())),
        }
    }

    pub(in super::super) fn iter(&self) -> Iter {
        self.range::<&[u8]>(..)
    }
}

/// What sled writes for a change beside its key and value, about.
const CHANGE_BYTES: usize = 64;

/// Changes that are made together.
#[derive(Debug, Default)]
pub(in super::super) struct Batch {
    changes: Vec<(IVec, Option<IVec>)>,
    bytes: usize,
}

impl Batch {
    pub(in super::super) fn insert(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        let (key, value) = (key.into(), value.into());
        self.bytes += key.len() + value.len() + CHANGE_BYTES;
        self.changes.push((key, Some(value)));
    }

    pub(in super::super) fn remove(&mut self, key: impl Into<IVec>) {
        let key = key.into();
        // sled writes the page anew in which it was, as for a value of this size.
        self.bytes += key.len() + CHUNK_BYTES;
        self.changes.push((key, None));
    }

    /// The same changes in the same order, in batches that sled makes as a whole.
    pub(in super::super) fn pieces(self) -> impl Iterator<Item = Self> {
        let mut changes = self.changes.into_iter();
        std::iter::from_fn(move || {
            let mut piece = Self::default();
            while piece.bytes < UNSYNCED_BYTES
                && let Some((key, value)) = changes.next()
            {
                match value {
                    Some(value) => piece.insert(key, value),
                    None => piece.remove(key),
                }
            }
            (piece.bytes > 0).then_some(piece)
        })
    }

    /// How many bytes it takes to write, about.
    pub(in super::super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the keys will have: of several changes of one the last counts.
    pub(in super::super) fn changes(&self) -> BTreeMap<&IVec, Option<&IVec>> {
        self.changes.iter().map(|(key, value)| (key, value.as_ref())).collect()
    }
}

/// A way through a tree. What is changed meanwhile may be seen or not.
pub(in super::super) enum Iter {
    /// Of sled.
    Sled(::sled::Iter),
    /// On a simulated disk.
    #[cfg(any(test, feature = "testing"))]
    Simulated(simulated::Iter),
}

type Item = ::sled::Result<(IVec, IVec)>;

impl Iter {
    pub(in super::super) fn keys(self) -> impl DoubleEndedIterator<Item = ::sled::Result<IVec>> {
        self.map(|entry| entry.map(|(key, _)| key))
    }

    pub(in super::super) fn values(self) -> impl DoubleEndedIterator<Item = ::sled::Result<IVec>> {
        self.map(|entry| entry.map(|(_, value)| value))
    }
}

impl Iterator for Iter {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        match self {
            Self::Sled(entries) => entries.next(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(entries) => entries.next(),
        }
    }
}

impl DoubleEndedIterator for Iter {
    fn next_back(&mut self) -> Option<Item> {
        match self {
            Self::Sled(entries) => entries.next_back(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(entries) => entries.next_back(),
        }
    }
}
