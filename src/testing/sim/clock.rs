//! Time that passes when nobody has anything to do, and a wall clock that may jump.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::scheduler::lock;
use crate::engine::Timestamp;
use crate::runtime::Clock;
use crate::worker::BoxFuture;

/// When every life begins: some seconds before the moment for which generated states wait.
const START: u64 = 1_704_067_190_000;

/// The clock of a life. Sleep is measured by time that only goes on, as in a real process; what the
/// wall clock shows may be set.
#[derive(Clone, Default)]
pub(super) struct SimClock(Arc<Mutex<Time>>);

#[derive(Default)]
struct Time {
    /// Milliseconds since the beginning.
    passed: u64,
    /// How far the wall clock has been set forward.
    ahead: u64,
    /// How far it has been set back.
    behind: u64,
    sleepers: BTreeMap<(u64, u64), Option<Waker>>,
    slept: u64,
}

impl SimClock {
    /// Milliseconds since the beginning.
    pub(super) fn passed(&self) -> u64 {
        lock(&self.0).passed
    }

    /// Sets the wall clock forward, or back.
    pub(super) fn jump(&self, ms: u64, back: bool) {
        let mut time = lock(&self.0);
        if back {
            time.behind += ms;
        } else {
            time.ahead += ms;
        }
    }

    /// The wall clock is set to a time that is not before the true one.
    pub(super) fn set_right(&self) {
        lock(&self.0).behind = 0;
    }

    /// Lets time pass; who has slept long enough wakes.
    pub(super) fn pass(&self, ms: u64) {
        let mut time = lock(&self.0);
        time.passed += ms;
        let later = time.passed + 1;
        let asleep = time.sleepers.split_off(&(later, 0));
        let woken = std::mem::replace(&mut time.sleepers, asleep);
        drop(time);
        woken.into_values().flatten().for_each(Waker::wake);
    }

    /// Lets time pass until somebody wakes; whether anybody sleeps.
    pub(super) fn pass_until_somebody_wakes(&self) -> bool {
        let first = {
            let time = lock(&self.0);
            time.sleepers.keys().next().map(|(due, _)| due.saturating_sub(time.passed))
        };
        first.inspect(|ms| self.pass(*ms)).is_some()
    }

    /// Sleeps for some milliseconds, at least one.
    pub(super) fn rest(&self, ms: u64) -> BoxFuture<'static, ()> {
        let mut time = lock(&self.0);
        time.slept += 1;
        let key = (time.passed + ms.max(1), time.slept);
        time.sleepers.insert(key, None);
        Box::pin(Sleep { clock: self.clone(), key })
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let time = lock(&self.0);
        Timestamp((START + time.passed + time.ahead).saturating_sub(time.behind))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.rest(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4))
    }
}

struct Sleep {
    clock: SimClock,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match lock(&self.clock.0).sleepers.get_mut(&self.key) {
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        lock(&self.clock.0).sleepers.remove(&self.key);
    }
}
