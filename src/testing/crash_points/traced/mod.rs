//! Crash points below sled itself: a client works in a real folder, all that sled does to its files
//! is written down, and is done again up to any moment without whatever the disk need not have kept.
//!
//! A shim between the program and the C library writes it down, see `tests/disk_shim/`. What sled's
//! threads do when is theirs, so a seed does not lead to the same twice: the folder of a fault is
//! kept.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::client::Client;
use super::ground::Ground;
use super::history::History;
use super::judge::{judge, text};
use super::{Crash, Fault, Found, LIVES, Random, Setting};
use crate::store::{Check, Error, SledOptions, SledStore};
use crate::testing::image::Image;

mod files;
mod pages;
mod trace;

use files::Files;
use trace::Act;

/// How much more the client does than on a simulated disk: a segment of sled has half a mebibyte, and
/// only a log of many lets sled use one again.
const SCALE: u64 = 4;

const LOG: &str = "log/db";
const INDEX: &str = "index";
const SEGMENT: usize = 512 * 1024;

/// Where it all is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// A folder for this alone. The shim watches `live` in it.
    pub folder: &'p Path,
    /// The file to which the shim writes.
    pub trace: &'p Path,
}

impl Place<'_> {
    /// The folder that the shim watches.
    #[must_use]
    pub fn live(&self) -> PathBuf {
        self.folder.join("live")
    }

    /// Puts an image into that folder. It is where what comes next begins, and no part of it.
    fn put(&self, image: &Image) -> Result<(), String> {
        let live = self.live();
        remove(&live).and_then(|()| image.write(&live)).map_err(text)?;
        File::create(self.trace).map(drop).map_err(text)
    }

    /// All that was done there since, if it keeps what every trace must.
    fn acts(&self) -> Result<Vec<(u64, Act)>, String> {
        let acts = trace::read(self.trace).map_err(text)?;
        check_spans(&acts)?;
        check_removals(&acts)?;
        Ok(acts)
    }
}

/// A folder, as a client has it.
struct Folder {
    path: PathBuf,
    trace: Option<PathBuf>,
}

impl Ground for Folder {
    fn open(&self, check: Check) -> Result<SledStore, Error> {
        SledStore::open(&self.path, SledOptions { check, ..SledOptions::default() })
    }

    fn steps(&self) -> u64 {
        // A trace that cannot be read is noticed when it is.
        self.trace.as_ref().and_then(|trace| fs::metadata(trace).ok()).map_or(0, |of| of.len())
    }

    fn scale(&self) -> u64 {
        SCALE
    }

    fn doom(&self, _: u64, _: &mut Random) -> bool {
        false
    }

    fn make_room(&self) {}

    fn restarted(&self, _: &mut Random) -> Box<dyn Ground> {
        Box::new(Self { path: self.path.clone(), trace: None })
    }
}

/// Runs the workload of a seed and looks at so many crashes of it.
#[must_use]
pub fn run(seed: u64, points: u64, place: Place<'_>, setting: Setting<'_>) -> Found {
    let mut random = Random::new(seed);
    let mut found = Found::default();
    let mut left = (Image::default(), History::default());
    for number in 0..LIVES {
        let life = Life { seed, number, place, points: points / LIVES, setting };
        match life.live(left, &mut random, &mut found) {
            Ok(next) if found.faults.is_empty() => left = next,
            Ok(_) => return found,
            Err(what) => {
                found.faults.push(life.fault(0, Crash::Killed, what));
                return found;
            }
        }
    }
    found
}

/// A data folder in which another process works below the shim, until the power is cut.
#[derive(Debug)]
pub struct PowerCuts {
    /// What was there when the process began.
    image: Image,
    random: Random,
}

impl PowerCuts {
    /// Of a folder that is not there yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { image: Image::default(), random: Random::new(seed) }
    }

    /// Puts in the place of the folder what a power cut leaves of it, at the moment at which the
    /// process was killed. What was done to it before is then forgotten.
    ///
    /// # Errors
    /// What is wrong: with the trace, or with what was written between two syncs.
    pub fn cut(&mut self, place: Place<'_>) -> Result<(), String> {
        let mut files = Files::new(&self.image, false);
        place.acts()?.iter().try_for_each(|(_, act)| files.take(act))?;
        let crash = if self.random.one_in(3) { Crash::PowerCut } else { Crash::Scrambled };
        self.image = files.crash(crash, &mut self.random);
        place.put(&self.image)
    }
}

/// One process on a folder.
struct Life<'l> {
    seed: u64,
    number: u64,
    place: Place<'l>,
    points: u64,
    setting: Setting<'l>,
}

impl Life<'_> {
    fn fault(&self, step: usize, crash: Crash, what: String) -> Fault {
        // Only one crash is looked at after a step.
        Fault { seed: self.seed, life: self.number, step, crash: (crash, 0), what }
    }

    /// Works on what is left of the life before; what is left of this one after a crash.
    fn live(
        &self,
        (image, history): (Image, History),
        random: &mut Random,
        found: &mut Found,
    ) -> Result<(Image, History), String> {
        self.place.put(&image)?;
        let folder = Folder { path: self.place.live(), trace: Some(self.place.trace.to_owned()) };
        let history = Client::new(&folder, history, random)?.work(&folder)?;
        let acts = self.place.acts()?;
        if acts.is_empty() {
            return Err("nothing was written down: is the shim there?".to_owned());
        }
        let last = random.index(acts.len());
        let mut files = Files::new(&image, self.setting.ignores_syncs);
        let mut left = None;
        let one_in = (acts.len() as u64 / self.points.max(1)).max(1);
        for (step, (end, act)) in acts.iter().enumerate() {
            files.take(act)?;
            if random.one_in(one_in) {
                self.look(step, (*end, act), (&files, &history), (random, found))?;
            }
            if step == last {
                let image = files.crash(draw(random), random);
                left = Some((image, history.cut(*end).after_crash()));
            }
        }
        left.ok_or_else(|| "the crash was after the end".to_owned())
    }

    /// Looks at one crash.
    fn look(
        &self,
        step: usize,
        (end, act): (u64, &Act),
        (files, history): (&Files, &History),
        (random, found): (&mut Random, &mut Found),
    ) -> Result<(), String> {
        let crash = draw(random);
        let image = files.crash(crash, random);
        let judged = self.place.folder.join("judged");
        remove(&judged).and_then(|()| image.write(&judged)).map_err(text)?;
        let known = history.until(end);
        found.points += 1;
        found.steps += 1;
        let folder = Folder { path: judged, trace: None };
        if let Err(what) = judge(&folder, &known, random, self.setting) {
            let kept = self.place.folder.join(format!("fault-{}-{step}", self.seed));
            image.write(&kept).map_err(text)?;
            let what = format!("after {act}: {what}; the folder is in {}", kept.display());
            found.faults.push(self.fault(step, crash, what));
        }
        Ok(())
    }
}

/// That the log is synced before sled has written more than a segment: see
/// docs/decisions/0014-unsynced-bytes.md. What it clears when it is opened is nothing but zeros.
fn check_spans(acts: &[(u64, Act)]) -> Result<(), String> {
    let mut unsynced = 0;
    for (_, act) in acts {
        match act {
            Act::Write { path, bytes, .. }
                if path == LOG && bytes.iter().any(|byte| *byte != 0) =>
            {
                unsynced += bytes.len();
            }
            Act::Sync { path } if path == LOG => unsynced = 0,
            _ => {}
        }
        if unsynced > SEGMENT {
            return Err(format!("{unsynced} bytes of the log were written without a sync"));
        }
    }
    Ok(())
}

/// That an index which was thrown away is durably gone before there is another: it may have been
/// ahead of a log that was put back from a copy, and would fit it again once that has grown.
fn check_removals(acts: &[(u64, Act)]) -> Result<(), String> {
    let mut is_open = false;
    for (_, act) in acts {
        match act {
            Act::Remove { path } if path == INDEX => is_open = true,
            Act::Sync { path } if path.is_empty() => is_open = false,
            Act::Folder { path } if path == INDEX && is_open => {
                return Err("an index was begun anew, and the old one may come back".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

/// A crash of some kind; most often that which breaks most.
fn draw(random: &mut Random) -> Crash {
    let crashes = [Crash::Killed, Crash::PowerCut, Crash::Scrambled, Crash::Scrambled];
    random.pick(&crashes).copied().unwrap_or(Crash::Killed)
}

fn remove(folder: &Path) -> io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}
