//! The events of one execution.

use std::collections::VecDeque;

use super::super::http::{Access, Answer, Call, Given, Kind, Param, Role, Route, items};
use super::execution::history;
use crate::runtime::Record;
use crate::view::{EventDocument, Places, Told};

/// Events of a page when nobody says how many.
const USUAL_EVENTS: usize = 200;
/// The most events of a page.
const MOST_EVENTS: u64 = 1000;
/// The longest list of names.
const MOST_TEXT: usize = 1024;

const QUERY: &[Param] = &[
    Param::new("after", Kind::Number(u64::MAX), "Only events with a higher sequence."),
    Param::new(
        "before",
        Kind::Number(u64::MAX),
        "Only events with a lower sequence; without `after` the newest of them.",
    ),
    Param::new("limit", Kind::Number(MOST_EVENTS), "How many events at most; 200 unless said."),
    Param::new(
        "type",
        Kind::Text(MOST_TEXT),
        "Only events of these names, as `JobFailed,JobTimedOut`.",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            Access::Role(Role::Viewer),
            "/api/v1/executions/{id}/events",
            "list_events",
            list,
        )
        .about(
            "The events of an execution, in order. `next_cursor` is the value of `after` for the next \
             page.",
        )
        .query(QUERY)
        .gives(Given::Items("everstep.events/v1")),
    ]
}

async fn list(call: Call) -> Answer {
    let id = call.execution().await?;
    let (after, before) = (call.query.number("after"), call.query.number("before"));
    let limit = call.query.count("limit", USUAL_EVENTS);
    let types = call.query.words("type");
    let history = history(&call, id).await?;
    let mut places = Places::default();
    let mut found: VecDeque<(&Record, Told)> = VecDeque::new();
    let is_wanted = |record: &Record| {
        after.is_none_or(|after| record.sequence > after)
            && before.is_none_or(|before| record.sequence < before)
            && (types.is_empty() || types.contains(&record.event.name()))
    };
    let takes_newest = after.is_none() && before.is_some();
    let mut next = None;
    for record in &history {
        if !is_wanted(record) {
            // Where things are follows from all that was before.
            places.place(&record.event);
            continue;
        }
        if found.len() == limit {
            if !takes_newest {
                next = found.back().map(|(record, _)| record.sequence.to_string());
                break;
            }
            found.pop_front();
        }
        found.push_back((record, Told::of(record, &mut places)));
    }
    let documents: Vec<EventDocument> =
        found.into_iter().map(|(record, told)| EventDocument::of(record, told)).collect();
    items("everstep.events/v1", &documents, next)
}
