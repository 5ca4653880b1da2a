//! PURE. What the system believes about executions, and how that changes.
//!
//! ```text
//!   Command ──▶ decide ──▶ Event … ──▶ apply ──▶ Execution ──▶ pending_effects ──▶ Effect …
//! ```
//!
//! `decide` may refuse and evaluates expressions; `apply` does neither, so that a log replays the
//! same for ever. Nothing here reads a clock, draws a number, waits or touches a file: time, ids,
//! tokens and chance come in with commands.

mod apply;
pub mod catalogue;
pub mod child;
pub mod cleanup;
pub mod command;
pub mod decide;
pub mod effect;
pub mod event;
mod event_data;
mod event_kind;
mod event_table;
pub mod execution;
mod failure;
pub mod few;
pub mod held;
pub mod id;
pub mod invariants;
mod items;
pub mod kept;
pub mod limits;
pub mod mint;
pub mod own_jobs;
pub mod pace;
pub mod pause;
mod permits;
pub mod place;
pub mod program;
pub mod progress;
pub mod redrive;
pub mod rehearsal;
pub mod rejection;
#[cfg(test)]
mod replay_tests;
pub mod test_state;

#[cfg(test)]
mod tests;
mod worker_name;

pub use catalogue::Catalogue;
pub use child::{Child, ChildEnd, ChildWait, Ending, Link, Parent};
pub use cleanup::{Cleanup, EndSummary};
pub use command::{Command, StartExecution};
pub use decide::{DecisionInput, decide};
pub use effect::{Effect, effects_after, pending_effects};
pub use event::{Data, Event, Failure};
pub use execution::{Execution, Frame, Job, JobStatus, Status, Step, StepStatus, Timer};
pub use held::Held;
pub use id::{ExecutionId, FrameId, JobId, Timestamp, Token, short_handle};
pub use limits::EngineLimits;
pub use mint::{CallbackToken, Mint};
pub use pause::{Pause, PauseScope, PauseWish, Pauses};
pub use place::{Newcomer, Place};
pub use program::Program;
pub use redrive::{RedrivePlan, RedriveRequest};
pub use rejection::Rejection;
pub use test_state::{StateTest, TestedState, test_state};
pub use worker_name::{LEASED_WORKER, UNLEASED_WORKER, worker_name};
