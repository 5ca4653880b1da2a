//! Damage: what a store makes of folders whose files were cut, flipped, zeroed, mixed up or lost.
//!
//! Sound folders with a history of their own are made; each mutant is a copy of one with one damage,
//! drawn from a seed. It is opened, read, written to and salvaged, and what comes of that is judged
//! by what the client of the sound folder was told: a record is the one that was written, or it is
//! said that there is damage.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::at_once;
use super::image::Image;
use super::random::Random;
use crate::store::{Position, SimDisk};

mod base;
mod copies;
mod judge;
mod mutation;
mod place;
mod salvage;
mod values;

use base::{Base, DiskBase};
use copies::LOG;
pub use mutation::Kind;
use mutation::mutate;
use place::Place;

pub use super::crash_points::Verify;

/// After how many faults the folders of a seed are given up.
const FAULTS: usize = 5;
/// Every how many mutants a salvage is tried though nothing was noticed.
const SALVAGES: u64 = 16;

/// How a damage was noticed; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was not, and all is there.
    Harmless,
    /// All is there; what was repaired or begun anew is told in the report of the opening.
    Reported,
    /// After more was written.
    Later,
    /// When it was read.
    AtRead,
    /// When it was opened.
    AtOpen,
}

/// A mutant with which something is not as it must be.
#[derive(Debug, Clone)]
pub struct Fault {
    /// From which the folders were made.
    pub seed: u64,
    /// Which of its mutants.
    pub mutant: u64,
    /// What was done to which file.
    pub done: String,
    /// What is wrong.
    pub what: String,
    /// Where the damaged folder is, before anything opened it.
    pub kept: Option<PathBuf>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, mutant, done, what, kept } = self;
        write!(f, "EVERSTEP_SEED={seed}, mutant {mutant}: {done}: {what}")?;
        kept.iter().try_for_each(|kept| write!(f, "; the folder is in {}", kept.display()))
    }
}

/// What was done, and found.
#[derive(Debug, Default)]
pub struct Found {
    /// Mutants by what was done and how it was noticed.
    pub outcomes: BTreeMap<(Kind, Outcome), u64>,
    /// Mutants that were refused with the names of histories that are hit.
    pub named: u64,
    /// Salvages.
    pub salvages: u64,
    /// Records that were in the folders which were salvaged, and how many of them were kept.
    pub salvaged: (u64, u64),
    /// Mutants with which something is wrong.
    pub faults: Vec<Fault>,
}

impl Found {
    /// How many mutants were looked at.
    #[must_use]
    pub fn mutants(&self) -> u64 {
        self.outcomes.values().sum()
    }

    fn count(&mut self, kind: Kind, judged: &judge::Found) {
        *self.outcomes.entry((kind, judged.outcome)).or_default() += 1;
        self.named += u64::from(!judged.named.is_empty());
    }

    /// Counts another one in.
    pub fn add(&mut self, other: Self) {
        for (key, count) in other.outcomes {
            *self.outcomes.entry(key).or_default() += count;
        }
        self.named += other.named;
        self.salvages += other.salvages;
        self.salvaged.0 += other.salvaged.0;
        self.salvaged.1 += other.salvaged.1;
        self.faults.extend(other.faults);
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes = [
            Outcome::Harmless,
            Outcome::Reported,
            Outcome::Later,
            Outcome::AtRead,
            Outcome::AtOpen,
        ];
        write!(f, "{:10}", "")?;
        outcomes.iter().try_for_each(|outcome| write!(f, "{:>10}", format!("{outcome:?}")))?;
        let kinds: std::collections::BTreeSet<Kind> =
            self.outcomes.keys().map(|(kind, _)| *kind).collect();
        for kind in kinds {
            write!(f, "\n{:10}", format!("{kind:?}"))?;
            for outcome in outcomes {
                let count = self.outcomes.get(&(kind, outcome)).copied().unwrap_or(0);
                write!(f, "{count:>10}")?;
            }
        }
        let (written, kept) = self.salvaged;
        write!(
            f,
            "\n{} mutants, of which {} were refused with names; {} salvages kept {kept} of {written} records",
            self.mutants(),
            self.named,
            self.salvages
        )
    }
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Setting<'s> {
    /// An empty folder, best in memory.
    pub place: &'s Path,
    /// Looks at a log that was salvaged; gives what is wrong with it.
    pub verify: Verify<'s>,
    /// Is told of each mutant before it is looked at.
    pub begins: &'s (dyn Fn(&str) + Sync),
}

/// Looks at so many mutants of the folders of a seed.
#[must_use]
pub fn run(seed: u64, mutants: u64, setting: Setting<'_>) -> Found {
    let mut found = Found::default();
    let mut random = Random::new(seed);
    let bases = match base::bases(setting.place, &mut random) {
        Ok(bases) => bases,
        Err(what) => {
            found.faults.extend(unsound(seed, [Err(what)]));
            return found;
        }
    };
    let sound = bases.iter().map(|base| {
        let place = Place::Folder(setting.place.join("sound"));
        let written = base.image.write(&setting.place.join("sound")).map_err(text);
        let judged = written.and_then(|()| is_sound(&place, &base.truth));
        place.clear();
        judged
    });
    found.faults.extend(unsound(seed, sound));
    for mutant in 0..mutants {
        let mut random = Random::new(seed.rotate_left(32) ^ (mutant + 1));
        let which = random.index(bases.len());
        let (base, other) = (bases.get(which), bases.get((which + 1) % bases.len().max(1)));
        if let (Some(base), Some(other)) = (base, other) {
            let fault = look(base, other, &mut random, setting, &mut found);
            if let Err((done, what, kept)) = fault {
                let done = format!("folder {which}: {done}");
                found.faults.push(Fault { seed, mutant, done, what, kept });
                if found.faults.len() >= FAULTS {
                    return found;
                }
            }
        }
    }
    found
}

/// What is not damaged must not be said to be.
fn is_sound(place: &Place, truth: &base::Truth) -> Result<(), String> {
    let judged = judge::Judge::new(place, truth, &mut Random::new(1)).judge()?;
    match judged.reason {
        None => Ok(()),
        Some(reason) => Err(format!("it is said to be damaged: {reason}")),
    }
}

/// The faults of what is sound.
fn unsound(
    seed: u64,
    sound: impl IntoIterator<Item = Result<(), String>>,
) -> impl Iterator<Item = Fault> {
    let done = "nothing, it is sound";
    let fault = move |what| Fault { seed, mutant: 0, done: done.to_owned(), what, kept: None };
    sound.into_iter().filter_map(Result::err).map(fault)
}

/// Looks at so many mutants of simulated disks of a seed, on which values of trees are changed.
/// `begins` is told of each before it is looked at.
#[must_use]
pub fn run_simulated(seed: u64, mutants: u64, begins: &(dyn Fn(&str) + Sync)) -> Found {
    let mut found = Found::default();
    let bases = match base::disk_bases(&mut Random::new(seed)) {
        Ok(bases) => bases,
        Err(what) => {
            found.faults.extend(unsound(seed, [Err(what)]));
            return found;
        }
    };
    let sound = bases.iter().map(|base| is_sound(&Place::Disk(base.disk.fork()), &base.truth));
    found.faults.extend(unsound(seed, sound));
    for mutant in 0..mutants {
        let mut random = Random::new(seed.rotate_left(32) ^ (mutant + 1));
        let which = random.index(bases.len());
        let Some(base) = bases.get(which) else { continue };
        let disk = base.disk.fork();
        let taken = random.one_in(8).then(|| values::take_a_chunk(&disk, &mut random)).flatten();
        let (mutation, lost) = match taken {
            Some((mutation, lost)) => (mutation, Some(lost)),
            None => (values::mutate(&disk, base, &mut random), None),
        };
        begins(&mutation.what);
        match look_at_disk(disk, base, lost, &mut random) {
            Ok(judged) => found.count(mutation.kind, &judged),
            Err(what) => {
                let done = format!("disk {which}: {}", mutation.what);
                found.faults.push(Fault { seed, mutant, done, what, kept: None });
                if found.faults.len() >= FAULTS {
                    return found;
                }
            }
        }
    }
    found
}

fn look_at_disk(
    disk: SimDisk,
    base: &DiskBase,
    lost: Option<Range<Position>>,
    random: &mut Random,
) -> Result<judge::Found, String> {
    let whole = lost.map(|lost| (Place::Disk(disk.fork()), base.truth.hit(&lost)));
    let place = Place::Disk(disk);
    let judge = judge::Judge::new(&place, &base.truth, random).may_be_newer(true);
    // A panic in here is one that escaped the store.
    let judged = catch_unwind(AssertUnwindSafe(|| {
        if let Some((place, hit)) = whole {
            judge::names(&place, &hit)?;
        }
        judge.judge()
    }));
    judged.unwrap_or_else(|_| Err("it panics".to_owned()))
}

type Wrong = (String, String, Option<PathBuf>);

/// Looks at one mutant of a folder.
fn look(
    base: &Base,
    other: &Base,
    random: &mut Random,
    setting: Setting<'_>,
    found: &mut Found,
) -> Result<(), Wrong> {
    let mut image = base.image.clone();
    let mutation = mutate(&mut image, base, other, random);
    let folder = setting.place.join("mutant");
    let place = Place::Folder(folder.clone());
    (setting.begins)(&mutation.what);
    // A panic in here is one that escaped the store.
    let judged = catch_unwind(AssertUnwindSafe(|| {
        image.write(&folder).map_err(text)?;
        let judge = judge::Judge::new(&place, &base.truth, random);
        let judged = judge.may_be_newer(mutation.kind == Kind::Format).judge()?;
        if judged.outcome == Outcome::AtOpen {
            is_left_alone(&image, &folder)?;
        }
        let mut rescued = None;
        let is_noticed = judged.outcome > Outcome::Reported;
        // What is salvaged of another log is that log.
        if mutation.kind != Kind::Other && (is_noticed || random.one_in(SALVAGES)) {
            // What opens without a word may be written to, and what was only left over in the file, of
            // pages that sled has written anew, is then no longer there.
            if judged.outcome != Outcome::AtOpen {
                place.clear();
                image.write(&folder).map_err(text)?;
            }
            let saved = salvage::judge(base, &image, &folder, setting.verify);
            let noticed = |what| format!("{what}; noticed: {:?}", judged.outcome);
            rescued = Some(saved.map_err(noticed)?);
        }
        Ok((judged, rescued))
    }));
    place.clear();
    match judged.unwrap_or_else(|_| Err("it panics".to_owned())) {
        Ok((judged, rescued)) => {
            found.count(mutation.kind, &judged);
            if let Some(rescued) = rescued {
                found.salvages += 1;
                found.salvaged.0 += rescued.written;
                found.salvaged.1 += rescued.kept;
            }
            Ok(())
        }
        Err(what) => {
            let kept = setting.place.join(format!("faulty-{}", found.mutants()));
            let is_kept = image.write(&kept).is_ok();
            Err((mutation.what, what, is_kept.then_some(kept)))
        }
    }
}

/// A log that was refused when it was opened must be as it was.
fn is_left_alone(image: &Image, folder: &Path) -> Result<(), String> {
    match std::fs::read(folder.join(LOG)) {
        Ok(bytes) if bytes == image.bytes(LOG) => Ok(()),
        Ok(_) => Err("an opening that was refused changed the log's file".to_owned()),
        Err(_) if !image.files.contains_key(LOG) => Ok(()),
        Err(error) => Err(format!("after a refused opening: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Timestamp;

    fn judged(disk: &SimDisk, truth: &base::Truth) -> Result<judge::Found, String> {
        let place = Place::Disk(disk.fork());
        judge::Judge::new(&place, truth, &mut Random::new(1)).judge()
    }

    #[test]
    fn a_store_that_gives_one_wrong_value_is_found_out() {
        for base in base::disk_bases(&mut Random::new(7)).unwrap() {
            let sound = judged(&base.disk, &base.truth).unwrap();
            assert_eq!((sound.outcome, sound.reason), (Outcome::Harmless, None));
            let kept =
                |record: &&mut crate::store::Record| !base.truth.deleted().contains(&record.stream);
            let mut other = base.truth.clone();
            let record = other.transitions.iter_mut().flatten().filter(kept).nth(5).unwrap();
            record.time = Timestamp(record.time.0 + 1);
            let what = judged(&base.disk, &other).err().unwrap();
            assert!(what.starts_with("read was"), "{what}");
        }
    }

    #[test]
    fn a_store_that_has_lost_an_acknowledged_record_without_a_word_is_found_out() {
        for base in base::disk_bases(&mut Random::new(8)).unwrap() {
            let mut more = base.truth.clone();
            let is_kept = |one: &&Vec<crate::store::Record>| {
                !base.truth.deleted().contains(&one.first().unwrap().stream)
            };
            let mut last = more.transitions.iter().rfind(is_kept).unwrap().clone();
            last.iter_mut().for_each(|record| record.position += 1_000_000);
            more.transitions.push(last);
            let what = judged(&base.disk, &more).err().unwrap();
            assert!(what.starts_with("lost without a word"), "{what}");
            let mut fewer = base.truth.clone();
            fewer.transitions.pop();
            let what = judged(&base.disk, &fewer).err().unwrap();
            assert!(what.starts_with("nobody wrote"), "{what}");
        }
    }

    #[test]
    fn a_salvage_that_keeps_less_than_is_intact_or_something_else_is_found_out() {
        let place = tempfile::tempdir().unwrap();
        let bases = base::bases(place.path(), &mut Random::new(9)).unwrap();
        let base = bases.into_iter().next().unwrap();
        let folder = place.path().join("sound");
        base.image.write(&folder).unwrap();
        let verify = |_: &[crate::store::Record]| Ok(());
        salvage::judge(&base, &base.image, &folder, &verify).unwrap();
        // Its file is said to be sound, and is cut.
        let mut cut = base.image.clone();
        let log = cut.files.get_mut(LOG).unwrap();
        let half = super::super::image::used(log) / 2;
        std::sync::Arc::make_mut(log).truncate(half);
        std::fs::remove_dir_all(&folder).unwrap();
        cut.write(&folder).unwrap();
        let what = salvage::judge(&base, &base.image, &folder, &verify).err().unwrap();
        assert!(what.contains("are intact") || what.contains("are there"), "{what}");
    }
}
