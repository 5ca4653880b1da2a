//! Damage: what a store makes of folders whose files were cut, flipped, zeroed, mixed up or lost.
//!
//! Sound folders with a history of their own are made; each mutant is a copy of one with one damage,
//! drawn from a seed. It is opened, read, written to and salvaged, and what comes of that is judged
//! by what the client of the sound folder was told: a record is the one that was written, or it is
//! said that there is damage.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::at_once;
use super::random::Random;
use crate::store::SimDisk;

mod base;
mod copies;
mod image;
mod judge;
mod mutation;
mod place;
mod salvage;
mod values;

use base::{Base, DiskBase};
pub use mutation::Kind;
use mutation::mutate;
use place::Place;

pub use super::crash_points::Verify;

/// After how many faults the folders of a seed are given up.
const FAULTS: usize = 20;
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
        let outcomes =
            [Outcome::Harmless, Outcome::Reported, Outcome::Later, Outcome::AtRead, Outcome::AtOpen];
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
            let done = "nothing, it is sound".to_owned();
            found.faults.push(Fault { seed, mutant: 0, done, what, kept: None });
            return found;
        }
    };
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

/// Looks at so many mutants of simulated disks of a seed, on which values of trees are changed.
#[must_use]
pub fn run_simulated(seed: u64, mutants: u64) -> Found {
    let mut found = Found::default();
    let bases = match base::disk_bases(&mut Random::new(seed)) {
        Ok(bases) => bases,
        Err(what) => {
            let done = "nothing, it is sound".to_owned();
            found.faults.push(Fault { seed, mutant: 0, done, what, kept: None });
            return found;
        }
    };
    for mutant in 0..mutants {
        let mut random = Random::new(seed.rotate_left(32) ^ (mutant + 1));
        let which = random.index(bases.len());
        let Some(base) = bases.get(which) else { continue };
        let disk = base.disk.fork();
        let mutation = values::mutate(&disk, base, &mut random);
        match look_at_disk(disk, base, &mut random) {
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
    random: &mut Random,
) -> Result<judge::Found, String> {
    let place = Place::Disk(disk);
    let judge = judge::Judge::new(&place, &base.truth, random).may_be_newer(true);
    // A panic in here is one that escaped the store.
    let judged = catch_unwind(AssertUnwindSafe(|| judge.judge()));
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
        let mut rescued = None;
        let is_noticed = judged.outcome > Outcome::Reported;
        // What is salvaged of another log is that log.
        if mutation.kind != Kind::Other && (is_noticed || random.one_in(SALVAGES)) {
            // Where it was only looked at, all that can be read must still be there.
            if !is_noticed {
                place.clear();
                image.write(&folder).map_err(text)?;
            }
            rescued = Some(salvage::judge(base, &image, &folder, setting.verify)?);
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
