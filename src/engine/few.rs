//! A map of which nearly all hold one entry or none.
//!
//! An execution that waits has one open frame and at most one open job, and very many may wait. A
//! [`BTreeMap`] makes room for eleven entries with its first, and keeps that when its last has gone;
//! a single entry here takes no more than itself.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::iter::Chain;
use std::marker::PhantomData;
use std::option;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map in the order of its keys, small with one entry. Written as a map is.
#[derive(Clone, PartialEq, Eq)]
pub struct Few<K, V> {
    /// The entry, when there is one.
    one: Option<Box<(K, V)>>,
    /// The entries, when there are more. Never one: so two maps are equal when their entries are.
    many: BTreeMap<K, V>,
}

/// The entries, in the order of their keys.
pub type Entries<'f, K, V> = Chain<option::IntoIter<(&'f K, &'f V)>, btree_map::Iter<'f, K, V>>;

impl<K, V> Few<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self { one: None, many: BTreeMap::new() }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.one.is_some()) + self.many.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.one.is_none() && self.many.is_empty()
    }

    /// The entries, in the order of their keys.
    pub fn iter(&self) -> Entries<'_, K, V> {
        let one = self.one.as_deref().map(|(key, value)| (key, value));
        one.into_iter().chain(&self.many)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let one = self.one.as_deref_mut().map(|(_, value)| value);
        one.into_iter().chain(self.many.values_mut())
    }

    /// The entry with the greatest key.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<K: Ord, V> Few<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        match self.one.as_deref() {
            Some((own, value)) => (own == key).then_some(value),
            None => self.many.get(key),
        }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.one.as_deref_mut() {
            Some((own, value)) => (own == key).then_some(value),
            None => self.many.get_mut(key),
        }
    }

    /// Whether there is a value of this key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Takes an entry in; gives the value that the key had before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(before) = self.get_mut(&key) {
            return Some(std::mem::replace(before, value));
        }
        match self.one.take() {
            None if self.many.is_empty() => self.one = Some(Box::new((key, value))),
            one => {
                self.many.extend(one.map(|one| *one));
                self.many.insert(key, value);
            }
        }
        None
    }

    /// Forgets an entry; gives its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if let Some(one) = self.one.take_if(|one| one.0 == *key) {
            return Some(one.1);
        }
        let value = self.many.remove(key);
        if self.many.len() == 1 {
            self.one = std::mem::take(&mut self.many).pop_first().map(Box::new);
        }
        value
    }
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Few<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<'f, K, V> IntoIterator for &'f Few<K, V> {
    type Item = (&'f K, &'f V);
    type IntoIter = Entries<'f, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut few = Self::new();
        for (key, value) in entries {
            few.insert(key, value);
        }
        few
    }
}

#[cfg(test)]
impl<K: Ord, V> std::ops::Index<&K> for Few<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).unwrap()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Few<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, K, V> Deserialize<'de> for Few<K, V>
where
    K: Ord + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

/// Reads entries one by one, so that a single one never has room made for eleven.
struct Reader<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Reader<K, V>
where
    K: Ord + Deserialize<'de>,
    V: Deserialize<'de>,
{
    type Value = Few<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut few = Few::new();
        while let Some((key, value)) = entries.next_entry()? {
            few.insert(key, value);
        }
        Ok(few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random::Random;

    #[test]
    fn it_is_in_everything_as_a_map_that_takes_more_room() {
        for seed in 0..100 {
            let mut random = Random::new(seed);
            let (mut few, mut map) = (Few::new(), BTreeMap::new());
            for n in 0..200_u32 {
                let key = random.below(4);
                match random.below(3) {
                    0 => assert_eq!(few.remove(&key), map.remove(&key)),
                    _ => assert_eq!(few.insert(key, n), map.insert(key, n)),
                }
                if let Some(value) = few.get_mut(&key) {
                    *value += 1;
                    map.entry(key).and_modify(|value| *value += 1);
                }
                few.values_mut().for_each(|value| *value += 1);
                map.values_mut().for_each(|value| *value += 1);
                assert!(few.iter().eq(&map) && few.iter().rev().eq(map.iter().rev()));
                assert_eq!((few.len(), few.is_empty()), (map.len(), map.is_empty()));
                assert_eq!(
                    (few.get(&key), few.last_key_value()),
                    (map.get(&key), map.last_key_value())
                );
                assert_eq!(few, map.clone().into_iter().collect(), "however it came to be");
            }
        }
    }

    #[test]
    fn it_is_written_and_read_as_a_map_is() {
        for entries in 0..4_u32 {
            let map: BTreeMap<u32, u32> = (0..entries).map(|n| (n, n + 10)).collect();
            let few: Few<u32, u32> = map.clone().into_iter().collect();
            let text = serde_json::to_string(&map).unwrap();
            assert_eq!(serde_json::to_string(&few).unwrap(), text);
            assert_eq!(serde_json::from_str::<Few<u32, u32>>(&text).unwrap(), few);
        }
    }

    #[test]
    fn a_single_entry_takes_no_more_room_than_itself() {
        let mut few: Few<u32, [u8; 100]> = (0..3).map(|n| (n, [0; 100])).collect();
        few.remove(&0);
        few.remove(&2);
        assert!(few.one.is_some() && few.many == BTreeMap::new());
    }
}
