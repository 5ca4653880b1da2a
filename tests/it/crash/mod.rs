//! `kill -9` of the real program at random moments, judged from outside: by its log, by what it
//! printed, and by a file in which its jobs note that they ran.
//!
//! `EVERSTEP_SEED` chooses the moments, `EVERSTEP_KILLS` how many there are. A failure prints the
//! seed; as the moments are of real time, the same seed makes the same failure likely, not certain.
#![expect(clippy::indexing_slicing, reason = "of JSON; what lacks is a failure like any other")]

mod chain;
mod chance;
mod children;
mod cleanup;
mod compact;
pub(crate) mod history;
mod import;
mod load;
mod pause;
pub(crate) mod place;
mod retry;
mod run;
mod serve;
mod startup;
mod stop;

use std::time::{Duration, Instant};

/// How long anything may take that is waited for: many times what it does on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until there is something, and gives it.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look)
}

/// The same, for so long at most.
#[expect(clippy::disallowed_methods, reason = "other processes take real time")]
fn until_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited for {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
