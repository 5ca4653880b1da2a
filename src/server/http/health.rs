//! Whether the server lives, and whether it is ready for work.

use axum::http::StatusCode;

use super::problem::Problem;
use super::reply::of_type;
use super::route::{Access, Answer, Call, Given, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Open, "/healthz", "health", health)
            .about("Whether the process answers at all.")
            .gives(Given::Other("text/plain")),
        Route::get(Access::Open, "/readyz", "readiness", readiness)
            .about(
                "Whether the engine takes commands: its log can be written, and it does not stop.",
            )
            .gives(Given::Other("text/plain")),
    ]
}

async fn health(_: Call) -> Answer {
    Ok(of_type("text/plain", "ok\n"))
}

async fn readiness(call: Call) -> Answer {
    match call.app.engine.ready() {
        Ok(()) => Ok(of_type("text/plain", "ready\n")),
        Err(error) => {
            // Why is nothing that everybody may know.
            tracing::debug!(%error, "not ready");
            let detail = "the engine takes no commands";
            Err(Problem::new("NOT_READY", StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1))
        }
    }
}
