//! Job types: who serves them, and what they have to do.

use serde::Serialize;

use super::super::http::{Access, Answer, Call, Given, Role, Route, items};

#[derive(Serialize)]
struct JobType {
    #[serde(rename = "type")]
    job_type: std::sync::Arc<str>,
    /// How many attempts may run at once.
    slots: usize,
    /// How many run.
    running: usize,
    /// How many wait for a slot.
    waiting: usize,
    /// How long the oldest of those has waited.
    oldest_waits_seconds: Option<f64>,
    /// Whether anybody serves it.
    served: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/api/v1/job-types", "list_job_types", list)
            .about("The job types that have a worker or want one, with what they have to do.")
            .gives(Given::Items("everstep.job_types/v1")),
    ]
}

async fn list(call: Call) -> Answer {
    let figures = call.app.engine.job_type_figures().into_iter();
    let types: Vec<JobType> = figures
        .map(|of| JobType {
            job_type: of.job_type,
            slots: of.slots,
            running: of.running,
            waiting: of.waiting,
            oldest_waits_seconds: of.oldest.map(|age| age.as_secs_f64()),
            served: of.is_served,
        })
        .collect();
    items("everstep.job_types/v1", &types, None)
}
