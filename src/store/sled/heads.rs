//! Ends of histories in memory: of those that live, and of those that the index does not have yet.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::super::Stream;
use super::Head;

/// There may be a million, and a checkpoint is written in many parts: so those that the index does
/// not have are known without a look at all of them.
#[derive(Debug, Default)]
pub(super) struct Heads {
    all: HashMap<Stream, Head>,
    unsaved: HashSet<Stream>,
}

impl Heads {
    /// Takes over what was found in the log.
    pub(super) fn of(mut all: HashMap<Stream, Head>) -> Self {
        all.retain(|_, head| !(head.saved && head.ended));
        let unsaved = all.iter().filter(|(_, head)| !head.saved).map(|(stream, _)| *stream);
        Self { unsaved: unsaved.collect(), all }
    }

    pub(super) fn get(&self, stream: &Stream) -> Option<&Head> {
        self.all.get(stream)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Histories have grown.
    pub(super) fn grown<'h>(&mut self, grown: impl Iterator<Item = (&'h Stream, &'h Head)>) {
        for (stream, head) in grown {
            self.all.insert(*stream, *head);
            self.unsaved.insert(*stream);
        }
    }

    pub(super) fn remove(&mut self, stream: &Stream) {
        self.all.remove(stream);
        self.unsaved.remove(stream);
    }

    /// Those that the index does not have yet.
    pub(super) fn unsaved(&self) -> Vec<(Stream, Head)> {
        let known =
            self.unsaved.iter().filter_map(|stream| Some((*stream, *self.all.get(stream)?)));
        known.collect()
    }

    /// The index has these: where one still ends there nothing is owed, and if it has ended it need
    /// not be known here.
    pub(super) fn note_saved(&mut self, saved: &[(Stream, Head)]) {
        for (stream, saved) in saved {
            if let Entry::Occupied(mut entry) = self.all.entry(*stream)
                && entry.get() == saved
            {
                self.unsaved.remove(stream);
                entry.get_mut().saved = true;
                if saved.ended {
                    entry.remove();
                }
            }
        }
        if self.unsaved.capacity() / 4 > self.unsaved.len() {
            self.unsaved.shrink_to_fit();
        }
        if self.all.capacity() / 4 > self.all.len() {
            self.all.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64, ended: bool) -> Head {
        Head { position: sequence, sequence, ended, ..Head::default() }
    }

    #[test]
    fn what_has_ended_is_forgotten_once_it_is_saved_and_what_grew_meanwhile_is_still_owed() {
        let [live, ended, grows] = [1, 2, 3].map(Stream::from_u128);
        let found = HashMap::from([(live, head(1, false)), (ended, head(2, true))]);
        let mut heads = Heads::of(found);
        heads.grown([(&grows, &head(3, false))].into_iter());
        let saved = heads.unsaved();
        assert_eq!(saved.len(), 3);
        heads.grown([(&grows, &head(4, true))].into_iter());
        heads.note_saved(&saved);
        assert_eq!(
            (heads.get(&live).map(|head| head.saved), heads.get(&ended)),
            (Some(true), None)
        );
        assert_eq!(heads.unsaved(), [(grows, head(4, true))]);
        let saved = heads.unsaved();
        heads.note_saved(&saved);
        assert_eq!((heads.len(), heads.unsaved().len()), (1, 0));
    }

    #[test]
    fn what_was_found_and_is_in_the_index_is_not_owed() {
        let saved = |ended| Head { saved: true, ..head(1, ended) };
        let [live, ended, gone] = [1, 2, 3].map(Stream::from_u128);
        let found = [(live, saved(false)), (ended, saved(true)), (gone, head(1, true))];
        let mut heads = Heads::of(HashMap::from(found));
        heads.remove(&gone);
        assert_eq!((heads.len(), heads.unsaved().len()), (1, 0));
    }
}
