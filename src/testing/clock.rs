//! Time that stands still until a test moves it, and ids that come again with their seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::random::Random;
use crate::engine::{ExecutionId, Timestamp, Token};
use crate::runtime::{Clock, IdSource, next_id};
use crate::worker::BoxFuture;

/// A clock that is moved by hand. Who sleeps wakes when the clock has been moved far enough.
#[derive(Debug)]
pub struct VirtualClock {
    now: watch::Sender<Timestamp>,
    /// The moments until which somebody sleeps.
    sleepers: Arc<watch::Sender<Vec<Timestamp>>>,
    /// Milliseconds that pass with every look at the clock.
    tick: AtomicU64,
}

impl VirtualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: watch::Sender::new(start),
            sleepers: Arc::new(watch::Sender::new(Vec::new())),
            tick: AtomicU64::new(0),
        }
    }

    /// Lets `ms` milliseconds pass with every look at the clock, as if looking took that long.
    pub fn tick(&self, ms: u64) {
        self.tick.store(ms, Ordering::SeqCst);
    }

    /// Moves the clock on; everybody whose time has come wakes.
    pub fn advance(&self, duration: Duration) {
        let ms = whole_ms(duration);
        self.now.send_modify(|now| *now = now.plus_ms(ms));
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.now.send_replace(now);
    }

    /// Waits until somebody sleeps for `duration`, counted from now.
    pub async fn somebody_sleeps(&self, duration: Duration) {
        let until = self.now.borrow().plus_ms(whole_ms(duration));
        let mut sleepers = self.sleepers.subscribe();
        // The sender is ours, so waiting cannot fail.
        drop(sleepers.wait_for(|sleepers| sleepers.contains(&until)).await);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        match self.tick.load(Ordering::SeqCst) {
            0 => *self.now.borrow(),
            ms => {
                self.now.send_modify(|now| *now = now.plus_ms(ms));
                *self.now.borrow()
            }
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut now = self.now.subscribe();
        let until = now.borrow().plus_ms(whole_ms(duration));
        let asleep = Asleep::new(self.sleepers.clone(), until);
        Box::pin(async move {
            // The whole of it, so that it counts as asleep until this future ends.
            let asleep = asleep;
            // Without a clock no time passes any more.
            if now.wait_for(|now| *now >= asleep.until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Somebody who sleeps, until dropped.
struct Asleep {
    sleepers: Arc<watch::Sender<Vec<Timestamp>>>,
    until: Timestamp,
}

impl Asleep {
    fn new(sleepers: Arc<watch::Sender<Vec<Timestamp>>>, until: Timestamp) -> Self {
        sleepers.send_modify(|all| all.push(until));
        Self { sleepers, until }
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        self.sleepers.send_modify(|all| {
            if let Some(at) = all.iter().position(|until| *until == self.until) {
                all.swap_remove(at);
            }
        });
    }
}

/// Ids, tokens and seeds from a seed: the same in every run of a test.
#[derive(Debug)]
pub struct SeededIds {
    random: Mutex<Random>,
    last: Mutex<u128>,
}

impl SeededIds {
    /// The ids of `seed`. A system that is opened anew needs another seed, or it gives the same
    /// ids again.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Mutex::new(Random::new(seed)), last: Mutex::default() }
    }

    fn draw(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).draw()
    }

    fn draw_bytes<const N: usize>(&self) -> [u8; N] {
        let mut drawn = [0; N];
        for places in drawn.chunks_mut(8) {
            for (place, byte) in places.iter_mut().zip(self.draw().to_le_bytes()) {
                *place = byte;
            }
        }
        drawn
    }
}

impl IdSource for SeededIds {
    fn execution_id(&self, now: Timestamp) -> ExecutionId {
        // The last bytes decide on the shard: they must be drawn as well.
        let random = self.draw_bytes();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        next_id(&mut last, now, random)
    }

    fn token(&self) -> Token {
        Token(self.draw_bytes())
    }

    fn seed(&self) -> u64 {
        self.draw()
    }

    fn mint_key(&self) -> [u8; 32] {
        self.draw_bytes()
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn executions_with_seeded_ids_are_of_all_shards() {
        let ids = SeededIds::new(1);
        let low_half = |_| ids.execution_id(Timestamp(1000)).0.as_u64_pair().1;
        let shards: BTreeSet<u64> = (0..100).map(low_half).map(|random| random % 4).collect();
        assert_eq!(shards.len(), 4);
    }

    #[tokio::test]
    async fn sleepers_wake_when_the_clock_has_been_moved_far_enough() {
        let clock = Arc::new(VirtualClock::new(Timestamp(1000)));
        let sleep = clock.sleep(Duration::from_secs(2));
        let sleeper = tokio::spawn(sleep);
        clock.somebody_sleeps(Duration::from_secs(2)).await;
        clock.advance(Duration::from_millis(1999));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_millis(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now(), Timestamp(3000));
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (one, other) = (SeededIds::new(3), SeededIds::new(3));
        assert_eq!(one.execution_id(Timestamp(5)), other.execution_id(Timestamp(5)));
        assert_eq!(one.token(), other.token());
        assert_ne!(one.token(), one.token());
    }
}
