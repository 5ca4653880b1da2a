//! Decay: a disk that cannot be read for a while, and bits that become others by themselves; and an
//! operator with a copy, which is put back when the system says that there is damage.
//!
//! A bit changes in a value as the store reads it, so sled's own checksums are not what notices it.

use serde_json::json;

use super::world::World;
use crate::store::{Crash, SimDisk};
use crate::testing::random::Random;

/// What may rot: twice what there is most of.
const FILES: [&str; 5] = ["log", "log", "index", "index", "high-water"];
/// Steps for which a disk cannot be read at most.
const UNREADABLE: u64 = 500;
/// Reads that still work at most.
const LAST_READS: u64 = 40;
/// One in how many restarts finds a bit changed that was right when the process ended.
const WHILE_DOWN: u64 = 8;

/// What becomes of a disk by itself. It has chance of its own: a life in which none of it happens
/// is the one that it was without.
pub(super) struct Decay {
    random: Random,
    /// From which step on everything can be read again.
    mended_at: Option<u64>,
    /// The disk as it would be if no bit had changed, up to what `disk` has recorded since.
    copy: Option<SimDisk>,
    /// The file in which a bit has changed.
    file: &'static str,
    /// Whether the copy is to be put back before the next process begins.
    wants_copy: bool,
}

impl Decay {
    pub(super) fn new(seed: u64) -> Self {
        let random = Random::new(seed ^ 0x00de_ca7e_d000);
        Self { random, mended_at: None, copy: None, file: "", wants_copy: false }
    }

    /// Whether there is a bit that has changed.
    pub(super) fn has_rotten(&self) -> bool {
        self.copy.is_some()
    }

    /// A step of the life.
    pub(super) fn go_on(&mut self, disk: &SimDisk, world: &World) {
        let step = world.step();
        if self.mended_at.is_some_and(|at| at <= step) {
            self.mend(disk, world);
        }
        if world.is_calm() {
            return;
        }
        if self.mended_at.is_none() && self.hits(world.plan.faults.failing_reads) {
            let reads = self.random.below(LAST_READS);
            disk.fail_reads_after(reads);
            self.mended_at = Some(step + 1 + self.random.below(UNREADABLE));
            world.count("failing_reads");
            world.tell(json!({"world": "the disk cannot be read", "after": reads}));
        }
        if self.hits(world.plan.faults.bit_rot) {
            self.rot(disk, world);
        }
    }

    fn hits(&mut self, rate: u64) -> bool {
        rate > 0 && self.random.one_in(rate)
    }

    /// Everything can be read again.
    pub(super) fn mend(&mut self, disk: &SimDisk, world: &World) {
        if self.mended_at.take().is_some() {
            disk.mend_reads();
            world.tell(json!({"world": "the disk can be read again"}));
        }
    }

    /// A bit changes, if all others are right.
    fn rot(&mut self, disk: &SimDisk, world: &World) {
        let file = self.random.pick(&FILES).copied().unwrap_or("log");
        let copy = disk.fork();
        if self.copy.is_some() || !disk.rot(file, &mut self.random) {
            return;
        }
        disk.record();
        (self.copy, self.file) = (Some(copy), file);
        world.count("bit_rot");
        world.tell(json!({"world": "a bit rots", "file": file}));
    }

    /// Somebody was told that there is damage; whether there is any. The operator tries another start
    /// first, or puts the copy back with it.
    pub(super) fn hear_of_damage(&mut self, world: &World) -> bool {
        self.wants_copy |= world.is_calm() || self.random.one_in(2);
        self.copy.is_some()
    }

    /// A process has found the disk sound: what stands beside the log is begun anew, or was not needed.
    pub(super) fn was_opened(&mut self) {
        if self.file != "log" {
            (self.copy, self.wants_copy) = (None, false);
        }
    }

    /// The copy goes the way of the disk, up to the same crash.
    pub(super) fn crash(&mut self, disk: &SimDisk, crash: Crash, mut random: Random) {
        let Some(copy) = &self.copy else { return };
        // Where a step cannot be done again, the copy is of another disk, which the judge will see.
        disk.take_recorded().iter().for_each(|step| drop(copy.redo(step)));
        self.copy = Some(copy.crash(crash, &mut random));
    }

    /// What the next process finds, where the one before left `kept`.
    pub(super) fn between_processes(&mut self, kept: SimDisk, world: &World) -> SimDisk {
        if std::mem::take(&mut self.wants_copy)
            && let Some(copy) = self.copy.take()
        {
            world.tell(json!({"world": "the copy is put back"}));
            self.mend(&copy, world);
            return copy;
        }
        if self.mended_at.is_some() {
            kept.fail_reads_after(0);
        }
        if self.copy.is_some() {
            kept.record();
        } else if !world.is_calm()
            && world.plan.faults.bit_rot > 0
            && self.random.one_in(WHILE_DOWN)
        {
            self.rot(&kept, world);
        }
        kept
    }
}
