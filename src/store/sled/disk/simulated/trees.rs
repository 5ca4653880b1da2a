//! Trees on a simulated disk, and ways through them.

use std::ops::Bound;
use std::sync::Arc;

use ::sled::IVec;

use super::Handle;
use super::content::{Change, Entries};

/// A tree of a database.
#[derive(Debug, Clone)]
pub(in super::super::super) struct Tree {
    database: Handle,
    name: Arc<str>,
}

impl Tree {
    pub(super) fn new(database: Handle, name: Arc<str>) -> Self {
        Self { database, name }
    }

    fn look<T>(&self, look: impl FnOnce(&Entries) -> Option<T>) -> ::sled::Result<Option<T>> {
        let found =
            self.database.look(|content| content.trees.get(&self.name).and_then(|tree| look(tree)));
        Ok(found?.flatten())
    }

    pub(in super::super) fn get(&self, key: &[u8]) -> ::sled::Result<Option<IVec>> {
        self.look(|entries| entries.get(key).cloned())
    }

    pub(in super::super) fn apply(&self, entries: Vec<(IVec, Option<IVec>)>) -> ::sled::Result<()> {
        let tree = Arc::clone(&self.name);
        Ok(self.database.write(Change::Batch { tree, entries: entries.into() })?)
    }

    pub(in super::super) fn range(&self, front: Bound<IVec>, back: Bound<IVec>) -> Iter {
        Iter { tree: self.clone(), front, back }
    }

    pub(in super::super) fn prefixed(&self, prefix: &[u8]) -> Iter {
        // The first key after all with the prefix: without its last bytes that cannot be raised.
        let mut after = prefix.to_vec();
        while after.pop_if(|last| *last == u8::MAX).is_some() {}
        let back = match after.last_mut() {
            None => Bound::Unbounded,
            Some(last) => {
                *last += 1;
                Bound::Excluded(IVec::from(after))
            }
        };
        self.range(Bound::Included(IVec::from(prefix)), back)
    }
}

/// A way through a tree, from both ends. It sees what is changed while it goes.
#[derive(Debug, Clone)]
pub(in super::super::super) struct Iter {
    tree: Tree,
    front: Bound<IVec>,
    back: Bound<IVec>,
}

impl Iter {
    fn is_over(&self) -> bool {
        match (&self.front, &self.back) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(front), Bound::Included(back)) => front > back,
            (
                Bound::Included(front) | Bound::Excluded(front),
                Bound::Included(back) | Bound::Excluded(back),
            ) => front >= back,
        }
    }

    fn look(
        &self,
        take: impl FnOnce(std::collections::btree_map::Range<'_, IVec, IVec>) -> Option<(IVec, IVec)>,
    ) -> ::sled::Result<Option<(IVec, IVec)>> {
        if self.is_over() {
            return Ok(None);
        }
        let range = (self.front.clone(), self.back.clone());
        self.tree.look(|entries| take(entries.range(range)))
    }
}

fn owned((key, value): (&IVec, &IVec)) -> (IVec, IVec) {
    (key.clone(), value.clone())
}

impl Iterator for Iter {
    type Item = ::sled::Result<(IVec, IVec)>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.look(|mut entries| entries.next().map(owned)).transpose()?;
        if let Ok((key, _)) = &next {
            self.front = Bound::Excluded(key.clone());
        }
        Some(next)
    }
}

impl DoubleEndedIterator for Iter {
    fn next_back(&mut self) -> Option<Self::Item> {
        let next = self.look(|mut entries| entries.next_back().map(owned)).transpose()?;
        if let Ok((key, _)) = &next {
            self.back = Bound::Excluded(key.clone());
        }
        Some(next)
    }
}
