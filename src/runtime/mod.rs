//! The imperative shell: everything that waits, reads a clock or touches the world.
//!
//! ```text
//!  handle ─▶ shard (decide, apply) ─▶ committer (append, fdatasync) ─▶ replies, effects
//!              ▲  ▲                                                        │
//!    timers ───┘  └───────────── workers ◀── dispatch ◀────────────────────┘
//! ```
//!
//! A shard is the only task that touches its executions; the committer is the only thread that
//! writes the log; nothing leaves before it is durable. No decision about workflows is made here.

mod archive;
mod attempt;
mod builder;
mod callbacks;
mod cancel;
mod checkpoint;
mod children;
mod clock;
mod committer;
mod definitions;
mod dispatch;
mod error;
mod events;
pub mod find;
mod limits;
mod names;
mod orchestrator;
mod recent;
mod recovery;
mod results;
mod shard;
mod shards;
mod slot;
mod summary;
mod tasks;

pub use archive::Archive;
pub use builder::Builder;
pub use clock::{Clock, IdSource, RandomIds, SystemClock};
pub use committer::Accepted;
pub use error::Error;
pub use events::Events;
pub use limits::Limits;
pub use orchestrator::{Deployed, Orchestrator, Outcome, Start, read_execution};
pub use recovery::RecoveryReport;
pub use summary::{Rows, Summary};
// Part of the handle's own interface: what `history`, `log` and `events` give.
pub use crate::store::Record;
