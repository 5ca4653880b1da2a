//! Whole systems, simulated: the real engine, store, shards, committer, timers, recovery, workers
//! and clients on one thread, under a virtual clock, in an order that a seed decides, with faults.
//!
//! ```text
//!  seed ─▶ plan ─▶ life: processes over one disk, clients, workers ─▶ story, log ─▶ oracle
//! ```
//!
//! The same seed lives the same life. The oracle knows what clients and workers were told, and reads
//! the log as JSON; it asks nothing of the engine.

mod calm;
mod clients;
mod clock;
mod decay;
mod disk;
mod inspect;
mod life;
mod oracle;
mod orders;
mod plan;
mod report;
mod scheduler;
mod shrink;
mod workers;
mod world;

pub use life::{Counts, Outcome, live};
pub use orders::{Order, Searched, search, small};
pub use plan::{Action, Faults, Plan, System, What};
pub use report::{Totals, live_safely, report};
pub use shrink::shrink;
