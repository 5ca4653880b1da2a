//! Tasks: what becomes of a job that somebody has, told by its token.

use serde_json::json;

use super::operation::{Member, Operation, Output, Request, Shape};
use super::refusal::Refusal;
use crate::engine::Rejection;
use crate::language::Json;
use crate::runtime::{self, RemoteOutcome};
use crate::server::http::Role;
use crate::worker::JobError;

const TOKEN: Member = Member::required("taskToken", Shape::Text(1, 2048));
const SUCCESS: &[Member] = &[TOKEN, Member::required("output", Shape::Text(0, 262_144))];
const FAILURE: &[Member] = &[
    TOKEN,
    Member::new("error", Shape::Text(0, 256)),
    Member::new("cause", Shape::Text(0, 32_768)),
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::does("SendTaskSuccess", Role::Worker, SUCCESS, succeed).refuses(&[
            "InvalidOutput",
            "InvalidToken",
            "TaskDoesNotExist",
            "TaskTimedOut",
        ]),
        Operation::does("SendTaskFailure", Role::Worker, FAILURE, fail).refuses(&[
            "InvalidToken",
            "TaskDoesNotExist",
            "TaskTimedOut",
        ]),
        Operation::does("SendTaskHeartbeat", Role::Worker, &[TOKEN], heartbeat).refuses(&[
            "InvalidToken",
            "TaskDoesNotExist",
            "TaskTimedOut",
        ]),
    ]
}

async fn succeed(request: Request) -> Output {
    let output = Json::parse(request.input.need("output"))
        .map_err(|error| Refusal::of("InvalidOutput", format!("Invalid Output: '{error}'")))?;
    finish(&request, RemoteOutcome::Completed { output, errors: 0 }).await
}

async fn fail(request: Request) -> Output {
    let text = |name: &str| request.input.text(name).unwrap_or_default();
    let failure = JobError::new(text("error"), text("cause"));
    finish(&request, RemoteOutcome::Failed(failure)).await
}

/// Ends a job that somebody has, or that waits for a callback.
async fn finish(request: &Request, outcome: RemoteOutcome) -> Output {
    let token = request.input.need("taskToken");
    request.app().engine.finish_job(token, outcome).await.map_err(refused)?;
    Ok(json!({}))
}

async fn heartbeat(request: Request) -> Output {
    let (engine, token) = (&request.app().engine, request.input.need("taskToken"));
    match engine.heartbeat_job(token) {
        // A worker that is asked to stop learns it so: there is no other word for it.
        Ok(standing) if standing.cancel => Err(gone()),
        Ok(_) => Ok(json!({})),
        Err(_) => {
            engine.callback_heartbeat(token).await.map_err(refused)?;
            Ok(json!({}))
        }
    }
}

fn gone() -> Refusal {
    Refusal::of("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
}

/// Tokens are never repeated: whoever reads a log could answer with them.
fn refused(error: runtime::Error) -> Refusal {
    match error {
        runtime::Error::BadToken => Refusal::of("InvalidToken", "Invalid Token: 'Invalid token'"),
        runtime::Error::NoSuchExecution { .. } | runtime::Error::Deleted { .. } => {
            Refusal::of("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist'")
        }
        runtime::Error::Rejected(
            Rejection::JobNotOpen { .. }
            | Rejection::StaleToken { .. }
            | Rejection::NotInStatus { .. }
            | Rejection::AlreadyCancelling { .. }
            | Rejection::Ending { .. },
        ) => gone(),
        runtime::Error::Rejected(Rejection::TooLarge { .. }) => {
            Refusal::of("InvalidOutput", format!("Invalid Output: '{error}'"))
        }
        error => error.into(),
    }
}
