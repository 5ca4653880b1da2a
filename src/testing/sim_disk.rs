//! What tests do to a simulated disk: crashes, faults and decay, by chance.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::random::Random;
use crate::store::{Crash, SimDisk};

impl SimDisk {
    /// What a restart finds after a crash right now. This disk stays as it is.
    #[must_use]
    pub fn crash(&self, crash: Crash, random: &mut Random) -> Self {
        self.crash_by(crash, &mut |end| random.index(end))
    }

    /// After `steps` more steps nothing can be read or written any more: the moment of a crash
    /// within a call. What a restart finds is what [`SimDisk::crash`] then says.
    pub fn cut_power_after(&self, steps: u64) {
        self.set_faults(|faults| faults.power_off_in = Some(steps));
    }

    /// The disk is full after `writes` more writes, until there is room again.
    pub fn fill_up_after(&self, writes: u64) {
        self.set_faults(|faults| faults.full_in = Some(writes));
    }

    /// A full disk has room again.
    pub fn make_room(&self) {
        self.set_faults(|faults| faults.full_in = None);
    }

    /// After `syncs` that work one fails. Whatever was not durable by then never becomes so, though
    /// later syncs say that all is well, as a system does that forgets which pages it did not write.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.set_faults(|faults| faults.sync_fails_in = Some(syncs));
    }

    /// After `reads` more reads nothing can be read, until the disk is mended: what the system calls
    /// an input/output error. A read that finds nothing counts too.
    pub fn fail_reads_after(&self, reads: u64) {
        self.set_faults(|faults| faults.reads_fail_in = Some(reads));
    }

    /// Everything can be read again.
    pub fn mend_reads(&self) {
        self.set_faults(|faults| faults.reads_fail_in = None);
    }

    /// From now on syncs say that all is well and do nothing: a store that acknowledges what is not
    /// durable. A test of crashes that does not notice this tests nothing.
    pub fn ignore_syncs(&self) {
        self.set_faults(|faults| faults.ignores_syncs = true);
    }

    /// Changes a bit of a value in `log` or `index`, or of the small file `high-water`, that is
    /// durable. Whether there was one.
    pub fn rot(&self, file: &str, random: &mut Random) -> bool {
        self.rot_by(file, &mut |end| random.index(end))
    }
}

/// What a future gives that has nothing to wait for, as those of a store on a simulated disk.
///
/// # Panics
/// It waits for something.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a store on a simulated disk has nothing to wait for"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Check, EventStore, SledOptions, SledStore};
    use crate::testing::store_suite::{self, started, transition};

    fn open(disk: &SimDisk) -> SledStore {
        SledStore::open_simulated(disk, SledOptions::default()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_store_on_a_simulated_disk_keeps_every_promise() {
        store_suite::run_all(|| Arc::new(open(&SimDisk::new()))).await;
    }

    #[tokio::test]
    async fn the_store_on_a_simulated_disk_keeps_every_promise_over_reopening() {
        for check in [Check::All, Check::Tail] {
            store_suite::run_reopening(|| {
                let disk = SimDisk::new();
                move || -> Arc<dyn EventStore> {
                    let options = SledOptions { check, ..SledOptions::default() };
                    Arc::new(SledStore::open_simulated(&disk, options).unwrap())
                }
            })
            .await;
        }
    }

    #[test]
    fn what_was_acknowledged_is_there_after_any_crash_and_only_whole_transitions() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let disk = SimDisk::new();
            let store = open(&disk);
            let epoch = at_once(store.acquire()).unwrap();
            at_once(store.append(epoch, vec![started(1, 9000), transition(1, 2, 2)])).unwrap();
            disk.cut_power_after(random.below(4));
            let second = at_once(store.append(epoch, vec![started(2, 9000), transition(2, 2, 2)]));
            for crash in [Crash::Killed, Crash::PowerCut, Crash::Scrambled] {
                let store = open(&disk.crash(crash, &mut random));
                let records = at_once(store.read_log(1, 99)).unwrap();
                let expected = if second.is_ok() { &[6][..] } else { &[3, 6] };
                assert!(expected.contains(&records.len()), "seed {seed}: {}", records.len());
            }
        }
    }

    #[test]
    fn a_disk_that_ignores_syncs_loses_what_was_acknowledged() {
        let disk = SimDisk::new();
        let store = open(&disk);
        let epoch = at_once(store.acquire()).unwrap();
        disk.ignore_syncs();
        at_once(store.append(epoch, vec![transition(1, 1, 2)])).unwrap();
        let mut random = Random::new(1);
        // Where the mark of what was durable is still there, the loss is even noticed.
        let mut found = [0, 2].map(|last| (last, 0));
        let mut refused = 0;
        for _ in 0..60 {
            let crashed = disk.crash(Crash::PowerCut, &mut random);
            match SledStore::open_simulated(&crashed, SledOptions::default()) {
                Ok(store) => {
                    let found = found.iter_mut().find(|(last, _)| *last == store.last_position());
                    found.unwrap().1 += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0 && found.iter().all(|(_, times)| *times > 0), "{found:?}");
    }

    #[test]
    fn nothing_is_acknowledged_after_a_failed_sync_or_on_a_full_disk() {
        for full in [false, true] {
            let disk = SimDisk::new();
            let store = open(&disk);
            let epoch = at_once(store.acquire()).unwrap();
            match full {
                true => disk.fill_up_after(0),
                false => disk.fail_sync_after(0),
            }
            let error = at_once(store.append(epoch, vec![transition(1, 1, 2)])).unwrap_err();
            assert_eq!(error.code(), if full { "STORE_DISK_FULL" } else { "STORE_IO" });
            disk.make_room();
            let error = at_once(store.append(epoch, vec![transition(1, 1, 2)])).unwrap_err();
            assert_eq!(error.code(), "STORE_STOPPED");
            assert_eq!(store.last_position(), 0);
        }
    }

    #[test]
    fn steps_that_are_done_again_on_a_copy_lead_to_the_same_disk() {
        let disk = SimDisk::new();
        let copy = disk.fork();
        disk.record();
        let store = open(&disk);
        let epoch = at_once(store.acquire()).unwrap();
        at_once(store.append(epoch, vec![started(1, 9000), transition(1, 2, 2)])).unwrap();
        let before = at_once(store.read_log(1, 99)).unwrap();
        drop(store);
        let steps = disk.take_recorded();
        assert_eq!(disk.steps(), steps.len() as u64);
        for step in &steps {
            copy.redo(step).unwrap();
        }
        assert_eq!(at_once(open(&copy).read_log(1, 99)).unwrap(), before);
    }

    #[test]
    fn a_bit_that_rots_in_the_log_is_noticed() {
        let disk = SimDisk::new();
        let store = open(&disk);
        let epoch = at_once(store.acquire()).unwrap();
        at_once(store.append(epoch, vec![started(1, 9000), transition(1, 2, 2)])).unwrap();
        let before = at_once(store.read_log(1, 99)).unwrap();
        drop(store);
        let mut refused = 0;
        for seed in 0..50 {
            let rotten = disk.fork();
            assert!(rotten.rot("log", &mut Random::new(seed)));
            match SledStore::open_simulated(&rotten, SledOptions::default()) {
                Ok(store) => assert_eq!(at_once(store.read_log(1, 99)).unwrap(), before),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 20, "{refused}");
    }
}
