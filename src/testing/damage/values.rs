//! Damages that no file of sled has by itself, because its pages have checksums: values that are
//! another, gone or under another key, on a simulated disk. What is seen of them is the store's own
//! work, and they are quickly made.

use std::ops::{Bound, Range};

use ::sled::IVec;

use super::Random;
use super::base::DiskBase;
use super::mutation::{Kind, Mutation};
use crate::store::{Entries, Position, SimDisk};

/// Takes a chunk out of the log of `disk`, which is a copy of that of `base`, and nothing else; the
/// positions that were in it.
pub(super) fn take_a_chunk(
    disk: &SimDisk,
    random: &mut Random,
) -> Option<(Mutation, Range<Position>)> {
    let entries = disk.entries("log", "log");
    let keys =
        entries.keys().filter_map(|key| Some(Position::from_be_bytes((**key).try_into().ok()?)));
    let keys: Vec<Position> = keys.collect();
    let at = random.index(keys.len());
    let first = *keys.get(at)?;
    let end = keys.get(at + 1).copied().unwrap_or(Position::MAX);
    disk.tamper("log", "log", |entries| drop(entries.remove(&first.to_be_bytes()[..])));
    let what = format!("log: the chunk of {first} to {end} is gone");
    Some((Mutation { kind: Kind::Chunk, what }, first..end))
}

/// Draws a damage and does it to `disk`, which is a copy of that of `base`.
pub(super) fn mutate(disk: &SimDisk, base: &DiskBase, random: &mut Random) -> Mutation {
    let files = ["log", "log", "log", "index", "index", "high-water"];
    let file = random.pick(&files).copied().unwrap_or("log");
    let trees = disk.trees(file);
    let Some((tree, _)) = random.pick(&trees).filter(|_| !random.one_in(20)) else {
        let has_rotted = disk.rot(file, random);
        let what = format!("a bit of {file} is flipped: {has_rotted}");
        return Mutation { kind: Kind::Value, what };
    };
    let older = random.pick(&base.older).map(|older| older.entries(file, tree)).unwrap_or_default();
    let mut what = String::new();
    disk.tamper(file, tree, |entries| what = change(entries, &older, random));
    Mutation { kind: Kind::Value, what: format!("{file}, tree {tree}: {what}") }
}

fn pick(entries: &Entries, random: &mut Random) -> Option<(IVec, IVec)> {
    let (key, value) = entries.iter().nth(random.index(entries.len()))?;
    Some((key.clone(), value.clone()))
}

fn change(entries: &mut Entries, older: &Entries, random: &mut Random) -> String {
    let Some((key, value)) = pick(entries, random) else { return "nothing".to_owned() };
    let Some((other_key, other)) = pick(entries, random) else { return "nothing".to_owned() };
    match random.below(12) {
        0..=2 => {
            let mut bytes = value.to_vec();
            for _ in 0..=random.below(4) {
                let at = random.index(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            entries.insert(key.clone(), bytes.into());
            format!("the value of {key:?} is flipped")
        }
        3 => {
            let bytes = random.mutated(&value);
            let what = format!("the value of {key:?} is mutated, {} bytes", bytes.len());
            entries.insert(key, bytes.into());
            what
        }
        4..=5 => {
            entries.remove(&key);
            format!("{key:?} is gone")
        }
        6 => {
            entries.insert(key.clone(), other);
            entries.insert(other_key.clone(), value);
            format!("the values of {key:?} and {other_key:?} have changed places")
        }
        7 => {
            entries.insert(key.clone(), other);
            format!("the value of {other_key:?} is that of {key:?} too")
        }
        8 => {
            let mut moved = key.to_vec();
            let at = random.index(moved.len());
            if let Some(byte) = moved.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            entries.remove(&key);
            entries.insert(moved.clone().into(), value);
            format!("what was under {key:?} is under {moved:?}")
        }
        9 => {
            entries.clear();
            "all is gone".to_owned()
        }
        _ => {
            // As when sled goes back to an older page.
            let (from, to) = if key <= other_key { (key, other_key) } else { (other_key, key) };
            let range = (Bound::Included(from.clone()), Bound::Included(to.clone()));
            entries.retain(|key, _| *key < from || *key > to);
            let again = older.range::<IVec, _>(range);
            entries.extend(again.map(|(key, value)| (key.clone(), value.clone())));
            format!("what is from {from:?} to {to:?} is as it was earlier")
        }
    }
}
