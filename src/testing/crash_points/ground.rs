//! What a made-up client's store stands on: a disk that counts its steps.

use super::{Crash, Random, SimDisk};
use crate::store::{Check, Error, SledOptions, SledStore};

/// Where a store is, and how much was done there.
pub(super) trait Ground {
    /// Opens the store.
    fn open(&self, check: Check) -> Result<SledStore, Error>;

    /// How much was done until now: a number that only grows.
    fn steps(&self) -> u64;

    /// How often more a client calls, and how much larger its batches are, than on a small disk.
    fn scale(&self) -> u64;

    /// Lets something go wrong within so many steps, or nothing. Whether it may.
    fn doom(&self, steps: u64, random: &mut Random) -> bool;

    /// Takes back that a disk is full.
    fn make_room(&self);

    /// What a restart finds, once nobody has the store any more.
    fn restarted(&self, random: &mut Random) -> Box<dyn Ground>;
}

impl Ground for SimDisk {
    fn open(&self, check: Check) -> Result<SledStore, Error> {
        SledStore::open_simulated(self, SledOptions { check, ..SledOptions::default() })
    }

    fn steps(&self) -> u64 {
        Self::steps(self)
    }

    fn scale(&self) -> u64 {
        1
    }

    fn doom(&self, steps: u64, random: &mut Random) -> bool {
        match random.below(5) {
            0 => return false,
            1 => self.fill_up_after(steps),
            2 => self.fail_sync_after(steps / 4),
            _ => self.cut_power_after(steps),
        }
        true
    }

    fn make_room(&self) {
        Self::make_room(self);
    }

    fn restarted(&self, random: &mut Random) -> Box<dyn Ground> {
        Box::new(self.crash(Crash::PowerCut, random))
    }
}
