//! What can be asked over HTTP below `/api/v1`: one file for each kind of thing.
//!
//! To add one, write its file, with a function `routes` that says for each route who may take it and
//! which parameters it has, and name it in `routes` here. Everything else (who is let in, limits,
//! checks of parameters, the documentation) follows from what the routes say.

mod actions;
mod again;
mod delete;
mod events;
mod execution;
mod executions;
mod job_types;
mod jobs;
mod log;
mod me;
mod pauses;
mod rows;
mod sides;
mod start;
mod stream;
mod validate;
mod why;
mod workers;
mod workflows;

use super::http::Route;

pub(crate) use executions::EVERY_STATUS;
#[cfg(any(test, feature = "testing"))]
pub(in crate::server) use jobs::check_reports;
pub use pauses::PauseRow;
pub use rows::ExecutionRow;
pub(in crate::server) use rows::labels_of;

/// Every route below `/api/v1`.
pub(super) fn routes() -> Vec<Route> {
    [
        workflows::routes(),
        validate::routes(),
        executions::routes(),
        start::routes(),
        execution::routes(),
        events::routes(),
        why::routes(),
        sides::routes(),
        actions::routes(),
        pauses::routes(),
        job_types::routes(),
        jobs::routes(),
        workers::routes(),
        log::routes(),
        me::routes(),
        stream::routes(),
    ]
    .concat()
}
