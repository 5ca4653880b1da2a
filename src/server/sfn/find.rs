//! What an ARN names, and how what there is is named.

use super::arn::{self, Arns, Resource};
use super::refusal::Refusal;
use crate::engine::{Execution, ExecutionId, Status};
use crate::runtime::{self, Summary};
use crate::server::http::App;

/// The execution that an ARN names.
///
/// # Errors
/// The ARN is none of an execution, or there is no such execution.
pub(super) async fn execution(app: &App, arn: &str) -> Result<Execution, Refusal> {
    let missing = || {
        let message = format!("Execution Does Not Exist: '{arn}'");
        Refusal::of("ExecutionDoesNotExist", message)
    };
    let (machine, id) = match arn::read(arn)? {
        Resource::Execution { machine, name } => {
            let named = app.engine.find_named(&machine, &name).await?;
            // One that nobody gave a name goes by its id.
            let id = named.or_else(|| name.parse().ok()).ok_or_else(missing)?;
            (machine, id)
        }
        Resource::Express { machine, id, .. } => (machine, id.parse().map_err(|_| missing())?),
        Resource::Machine { .. } | Resource::Activity { .. } | Resource::MapRun { .. } => {
            return Err(arn::invalid(arn));
        }
    };
    match app.engine.execution(id).await {
        Ok(found) if *found.workflow == *machine => Ok(found),
        Ok(_) | Err(runtime::Error::NoSuchExecution { .. } | runtime::Error::Deleted { .. }) => {
            Err(missing())
        }
        Err(error) => Err(error.into()),
    }
}

/// The name of an execution in its ARN: the one it was given, or its id. Names that executions give to
/// those they begin may be given again, so those go by their id too.
pub(super) fn name_of(id: ExecutionId, name: Option<&str>, has_parent: bool) -> String {
    name.filter(|_| !has_parent).map_or_else(|| id.to_string(), str::to_owned)
}

/// The ARN of an execution.
pub(super) fn arn_of(arns: &Arns, execution: &Execution) -> String {
    let has_parent = execution.parent.is_some();
    let name = name_of(execution.id, execution.name.as_deref(), has_parent);
    arns.execution(&execution.workflow, &name)
}

/// The ARN of an execution in a list.
pub(super) fn arn_of_row(arns: &Arns, row: &Summary) -> String {
    let name = name_of(row.id, row.name.as_deref(), row.parent.is_some());
    arns.execution(&row.workflow, &name)
}

/// What AWS calls a status.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Pending | Status::Running | Status::Cancelling => "RUNNING",
        Status::Completed | Status::CompletedWithErrors => "SUCCEEDED",
        Status::Failed => "FAILED",
        Status::Cancelled => "ABORTED",
        Status::TimedOut => "TIMED_OUT",
    }
}
