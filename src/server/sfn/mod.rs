//! The Step Functions wire API: `POST /` in awsJson1.0, so that unmodified AWS SDKs drive the engine.
//!
//! ```text
//!  POST / ─▶ the operation that X-Amz-Target names ─▶ gate (who, whether, what) ─▶ its handler
//! ```
//!
//! There is one table, [`operations`]: nothing can be asked that is not in it, and no operation can be
//! in it without a role. To add a family, write its file, with a function `operations` that says for
//! each operation who may ask for it and which members it has, and name it in [`operations`]. What an operation
//! refuses is a [`Refusal`], by the names that AWS gives them.

mod aborted;
mod activities;
mod aliases;
mod arn;
mod executions;
mod find;
#[cfg(any(test, feature = "testing"))]
pub(in crate::server) mod fuzz;
mod history;
mod input;
mod machine;
mod machines;
mod map_runs;
mod names;
mod operation;
mod page;
mod refusal;
mod reply;
mod settle;
mod starting;
mod sync;
mod tags;
mod tasks;
mod test_state;
mod validate;
mod versions;

use std::collections::BTreeMap;

use axum::http::HeaderMap;

pub(in crate::server) use self::arn::Arns;
pub(in crate::server) use self::operation::Operation;
pub(in crate::server) use self::refusal::Refusal;

use super::http::{Role, Route};

/// What every target begins with.
const PREFIX: &str = "AWSStepFunctions.";
/// The header that names the operation.
const TARGET: &str = "x-amz-target";

/// Every operation, by family.
pub(in crate::server) fn operations() -> Vec<Operation> {
    [
        machines::operations(),
        settle::operations(),
        versions::operations(),
        aliases::operations(),
        executions::operations(),
        starting::operations(),
        activities::operations(),
        tasks::operations(),
        tags::operations(),
        history::operations(),
        map_runs::operations(),
        validate::operations(),
        test_state::operations(),
        sync::operations(),
    ]
    .concat()
}

/// The ways into all operations, and into what is none.
pub(in crate::server) struct Targets {
    routes: BTreeMap<&'static str, Route>,
    unknown: Route,
}

impl Targets {
    /// All there are.
    pub(in crate::server) fn new() -> Self {
        let routes = operations().into_iter().map(|one| (one.name, one.into_route())).collect();
        let unknown = Operation::shows("UnknownOperation", Role::Viewer, &[], |_| async {
            Err(Refusal::of("UnknownOperationException", ""))
        });
        Self { routes, unknown: unknown.into_route() }
    }

    /// The way that a request takes, by its headers.
    pub(in crate::server) fn route(&self, headers: &HeaderMap) -> &Route {
        let mut given = headers.get_all(TARGET).iter();
        let one = given.next().filter(|_| given.next().is_none());
        let name = one.and_then(|target| target.to_str().ok()?.strip_prefix(PREFIX));
        name.and_then(|name| self.routes.get(name)).unwrap_or(&self.unknown)
    }
}
