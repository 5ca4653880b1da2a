//! How much of one client the server bears: requests in a second, and streams at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Clients that are remembered; more than that are forgotten together, which makes them full again.
const MOST_CLIENTS: usize = 10_000;

/// A bucket of permits for each client, filled again as time goes by.
pub(super) struct Rates<K> {
    per_second: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    permits: f64,
    since: Instant,
}

impl<K: Eq + Hash> Rates<K> {
    /// Buckets that hold the permits of two seconds.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second.max(1)), buckets: Mutex::default() }
    }

    /// Takes a permit, if there is one.
    pub(super) fn take(&self, client: K) -> bool {
        let now = Instant::now();
        let full = self.per_second * 2.0;
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= MOST_CLIENTS && !buckets.contains_key(&client) {
            buckets.clear();
        }
        let bucket = buckets.entry(client).or_insert(Bucket { permits: full, since: now });
        let passed = now.saturating_duration_since(bucket.since).as_secs_f64();
        bucket.permits = (bucket.permits + passed * self.per_second).min(full);
        bucket.since = now;
        let may = bucket.permits >= 1.0;
        bucket.permits -= f64::from(u8::from(may));
        may
    }
}

/// Seats for what stays: streams, and polls.
#[derive(Clone)]
pub(in crate::server) struct Seats {
    inner: Arc<Mutex<Taken>>,
    most: usize,
    most_of_one: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<Arc<str>, usize>,
}

/// A seat; dropping it gives it back.
pub(in crate::server) struct Seat {
    seats: Seats,
    who: Arc<str>,
}

impl Seats {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { inner: Arc::default(), most, most_of_one }
    }

    /// Takes a seat, if there is one.
    pub(in crate::server) fn take(&self, who: &Arc<str>) -> Option<Seat> {
        let mut taken = lock(&self.inner);
        let of_one = taken.of.get(who).copied().unwrap_or(0);
        if taken.all >= self.most || of_one >= self.most_of_one {
            return None;
        }
        taken.all += 1;
        taken.of.insert(who.clone(), of_one + 1);
        Some(Seat { seats: self.clone(), who: who.clone() })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        lock(&self.inner).all
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.seats.inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_one) = taken.of.get_mut(&self.who) {
            *of_one = of_one.saturating_sub(1);
            if *of_one == 0 {
                taken.of.remove(&self.who);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn permits_come_back_with_time_and_clients_do_not_share_them() {
        let rates = Rates::new(5);
        assert_eq!((0..20).filter(|_| rates.take("a")).count(), 10, "those of two seconds");
        assert!(!rates.take("a") && rates.take("b"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..20).filter(|_| rates.take("a")).count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_does_not_grow_with_the_number_of_clients() {
        let rates = Rates::new(5);
        (0..MOST_CLIENTS * 3).for_each(|client| assert!(rates.take(client)));
        assert!(lock(&rates.buckets).len() <= MOST_CLIENTS);
    }

    #[test]
    fn seats_are_given_back() {
        let seats = Seats::new(3, 2);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let (first, _second) = (seats.take(&a).unwrap(), seats.take(&a).unwrap());
        assert!(seats.take(&a).is_none(), "one client has all of its seats");
        let _third = seats.take(&b).unwrap();
        assert!(seats.take(&b).is_none(), "all are taken");
        drop(first);
        assert!(seats.take(&b).is_some());
        assert_eq!(lock(&seats.inner).of.len(), 2);
    }
}
