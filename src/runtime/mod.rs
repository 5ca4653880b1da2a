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

mod align;
mod archive;
mod aside;
mod attempt;
mod builder;
mod callbacks;
mod cancel;
mod catalogue;
mod checkpoint;
mod children;
mod clock;
mod committer;
mod controls;
mod definitions;
mod delete;
mod dispatch;
mod ended;
mod ends;
mod error;
mod events;
mod figures;
pub mod find;
mod limits;
mod names;
mod orchestrator;
mod page;
mod pauses;
mod places;
mod queues;
mod read;
mod recent;
mod recovery;
mod remote;
mod results;
mod retry;
mod saving;
mod shard;
mod shards;
mod slot;
mod slots;
mod span;
mod starting;
mod summary;
mod tasks;
mod told;
mod totals;

pub use archive::Archive;
pub use builder::Builder;
#[cfg(any(test, feature = "testing"))]
pub(crate) use clock::next_id;
pub use clock::{Clock, IdSource, RandomIds, SystemClock};
pub use committer::Accepted;
pub use delete::{Delete, Deleted, Janitor, Kept, Refused};
pub use dispatch::TraceParents;
pub use error::Error;
pub use events::Events;
pub use figures::{CommitFigures, Histogram, JobTypeFigures, SystemFigures, Unfinished};
pub use limits::Limits;
pub use orchestrator::{Deployed, Orchestrator, Outcome, Start};
pub use page::{Filter, MOST_ROWS, Page};
pub use pauses::Paused;
pub use places::PlaceQueue;
pub use queues::Queues;
pub use read::{read_execution, read_execution_at};
pub use recovery::RecoveryReport;
pub use remote::{
    LONGEST_LEASE_SECONDS, LONGEST_POLL, MOST_POLLED, MOST_POLLED_TYPES, MOST_UNANSWERED, Poll,
    Polled, RemoteJob, RemoteOutcome, SHORTEST_LEASE_SECONDS, Standing, USUAL_LEASE_SECONDS,
    WorkerFigures,
};
pub use retry::Rerun;
pub use slots::{FullSlots, JobQueue};
pub use starting::Begun;
pub use summary::{Rows, Summary};
pub use tasks::Spawn;
pub use totals::{ByStatus, Totals};
// Part of the handle's own interface: what `history`, `log` and `events` give.
pub use crate::store::{Compacted, Compaction, Record};
