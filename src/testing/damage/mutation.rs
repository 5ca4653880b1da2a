//! What is done to a folder: one damage, drawn from a seed, and told in words.

use std::sync::Arc;

use super::super::image::{Image, used};
use super::Random;
use super::base::Base;

/// The kinds of damages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One to eight bits of a file are flipped.
    Flip,
    /// A range of a file is zero.
    Zero,
    /// A range of a file is noise.
    Noise,
    /// A range of a file is there twice, over another one or before it.
    Repeat,
    /// Two ranges of a file have changed places.
    Swap,
    /// A range is taken out of a file.
    Gap,
    /// A file is cut.
    Cut,
    /// A file goes on with noise.
    Extend,
    /// A file is gone, or a folder.
    Remove,
    /// A file is empty.
    Empty,
    /// A file or a folder is as it was earlier.
    Older,
    /// A file or a folder is that of another log.
    Other,
    /// Files are there that are not the store's.
    Stray,
    /// The log says that it has another format.
    Format,
    /// A value of a tree is changed, gone or elsewhere, on a simulated disk.
    Value,
    /// A chunk of the log is gone, on a simulated disk: whom it hits must be named.
    Chunk,
}

/// A damage.
pub(super) struct Mutation {
    pub(super) kind: Kind,
    /// What was done to which file, at which offset.
    pub(super) what: String,
}

/// Draws a damage and does it to `image`, which is a copy of that of `base`.
pub(super) fn mutate(
    image: &mut Image,
    base: &Base,
    other: &Base,
    random: &mut Random,
) -> Mutation {
    let (kind, what) = match random.below(100) {
        0..=79 => in_file(image, random),
        80..=83 => remove(image, random),
        84..=88 => {
            let older = random.pick(&base.older).map_or(&base.image, |older| older);
            replaced(image, older, random, Kind::Older)
        }
        89..=93 => replaced(image, &other.image, random, Kind::Other),
        94..=97 => stray(image, random),
        _ => match random.pick(&base.formats) {
            None => (Kind::Format, "nothing".to_owned()),
            Some((format, with)) => {
                image.take_from(with, "log");
                (Kind::Format, format!("the log has the format {format:?}"))
            }
        },
    };
    Mutation { kind, what }
}

/// A file, those more often that hold more.
fn pick_file(image: &Image, random: &mut Random) -> Option<String> {
    let wanted = match random.below(20) {
        0..=10 => "log/db",
        11..=14 => "index/db",
        15 => "log/",
        16 => "index/",
        17..=18 => "high-water",
        _ => "lock",
    };
    let names: Vec<&String> = image.files.keys().filter(|name| name.starts_with(wanted)).collect();
    random.pick(&names).map(|name| (*name).clone())
}

fn in_file(image: &mut Image, random: &mut Random) -> (Kind, String) {
    let Some(name) = pick_file(image, random) else { return (Kind::Flip, "nothing".to_owned()) };
    let mut bytes = image.bytes(&name).to_vec();
    let (kind, what) = change(&mut bytes, random);
    let what = format!("{name}: {what}");
    image.files.insert(name, Arc::new(bytes));
    (kind, what)
}

/// A range within what is used of a file, often such as disks have.
fn range(bytes: &[u8], random: &mut Random) -> (usize, usize) {
    let end = (used(bytes) + 64).min(bytes.len());
    let unit = random.pick(&[1usize, 1, 512, 4096, 4096, 65_536]).copied().unwrap_or(1);
    let at = random.index(end) / unit * unit;
    let length = if unit == 1 { 1 + random.index(3000) } else { unit * (1 + random.index(3)) };
    (at, length.min(bytes.len() - at))
}

fn noise(length: usize, random: &mut Random) -> Vec<u8> {
    (0..length).map(|_| random.draw().to_le_bytes()[0]).collect()
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) -> (Kind, String) {
    let (at, length) = range(bytes, random);
    let (to, _) = range(bytes, random);
    let taken = bytes.get(at..at + length).unwrap_or_default().to_vec();
    match random.below(40) {
        0..=17 => flip(bytes, random),
        18..=22 => {
            bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = 0);
            (Kind::Zero, format!("{length} bytes at {at} are zero"))
        }
        23..=26 => {
            let noise = noise(length, random);
            bytes.iter_mut().skip(at).zip(noise).for_each(|(byte, noise)| *byte = noise);
            (Kind::Noise, format!("{length} bytes at {at} are noise"))
        }
        27..=28 => {
            bytes.iter_mut().skip(to).zip(taken).for_each(|(byte, taken)| *byte = taken);
            (Kind::Repeat, format!("{length} bytes of {at} are at {to} too, over what was there"))
        }
        29 => {
            let rest = bytes.split_off(to.min(bytes.len()));
            bytes.extend(taken);
            bytes.extend(rest);
            (Kind::Repeat, format!("{length} bytes of {at} are at {to} too, before what was there"))
        }
        30..=32 => {
            let there: Vec<u8> = bytes.iter().skip(to).take(length).copied().collect();
            bytes.iter_mut().skip(to).zip(taken).for_each(|(byte, taken)| *byte = taken);
            bytes.iter_mut().skip(at).zip(there).for_each(|(byte, there)| *byte = there);
            (Kind::Swap, format!("{length} bytes at {at} and at {to} have changed places"))
        }
        33..=34 => {
            drop(bytes.drain(at..at + length));
            (Kind::Gap, format!("{length} bytes at {at} are taken out"))
        }
        35..=37 => {
            bytes.truncate(at);
            (Kind::Cut, format!("it is cut at {at}"))
        }
        38 => {
            let more = random.pick(&[1usize, 20, 4096, 600_000]).copied().unwrap_or(1);
            bytes.extend(noise(more, random));
            (Kind::Extend, format!("{more} bytes of noise follow"))
        }
        _ => {
            bytes.clear();
            (Kind::Empty, "it is empty".to_owned())
        }
    }
}

fn flip(bytes: &mut [u8], random: &mut Random) -> (Kind, String) {
    let end = used(bytes);
    let mut what = Vec::new();
    let near = random.one_in(2);
    let first = random.index(end);
    for _ in 0..=random.below(8) * random.below(2) {
        let at = if near { first + random.index(16) } else { random.index(end) };
        let bit = random.below(8);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
            what.push(format!("{at}.{bit}"));
        }
    }
    (Kind::Flip, format!("the bits {} are flipped", what.join(", ")))
}

/// Files and folders of which each may be lost or put back.
fn place(image: &Image, random: &mut Random) -> String {
    let places = ["log", "index", "log/db", "index/db", "high-water", "log/conf", "log/", "index/"];
    let place = random.pick(&places).copied().unwrap_or("log");
    if !place.ends_with('/') {
        return place.to_owned();
    }
    let names: Vec<&String> = image.files.keys().filter(|name| name.starts_with(place)).collect();
    random.pick(&names).map_or_else(|| "lock".to_owned(), |name| (*name).clone())
}

fn remove(image: &mut Image, random: &mut Random) -> (Kind, String) {
    let name = place(image, random);
    image.remove(&name);
    (Kind::Remove, format!("{name} is gone"))
}

fn replaced(image: &mut Image, by: &Image, random: &mut Random, kind: Kind) -> (Kind, String) {
    let name = place(by, random);
    image.take_from(by, &name);
    let whose = if kind == Kind::Older { "as it was earlier" } else { "that of another log" };
    (kind, format!("{name} is {whose}"))
}

fn stray(image: &mut Image, random: &mut Random) -> (Kind, String) {
    let names = [
        "notes.txt",
        "log/db.bak",
        "log/snap.0000000000000001",
        "log/snap.00000000FFFFFFFF",
        "log/snap.000000000000FFFF.generating",
        "index/snap.zzz",
        "index/notes",
        "log/blobs/12",
        "index/blobs/12",
        "log.new/db",
        "log.old/db",
        "salvage.tmp/log/db",
    ];
    let name = random.pick(&names).copied().unwrap_or("notes.txt");
    let length = random.index(300);
    image.files.insert(name.to_owned(), Arc::new(noise(length, random)));
    (Kind::Stray, format!("{name} is there, {length} bytes of noise"))
}
