//! The whole log: as a feed, as a file, and whether it is sound.

use axum::body::Bytes;
use axum::http::{Method, StatusCode, header};

use super::super::http::{
    Access, Answer, Call, Given, Kind, Outlet, Param, Problem, Role, Route, Size, Taken, channel,
    document, items, of_type, with,
};
use crate::runtime::{Orchestrator, Record};
use crate::view::{EventDocument, Only, Places, Told, Verifier, export_line};

/// Events of a page when nobody says how many.
const USUAL_EVENTS: usize = 200;
/// The most events of a page.
const MOST_EVENTS: u64 = 1000;
/// Events that one page looks at, however few of them fit.
const MOST_READ: usize = 20_000;
/// Events read at once.
const READ: usize = 512;
/// Pieces of an export that may wait for the reader.
const WAITING: usize = 4;
/// Histories of which a reader of the log remembers where things are.
pub(super) const MOST_FOLLOWED: usize = 10_000;
/// The longest list of names, or id.
const MOST_TEXT: usize = 1024;

const FEED: &[Param] = &[
    Param::new("after", Kind::Number(u64::MAX), "Only events with a higher position."),
    Param::new("limit", Kind::Number(MOST_EVENTS), "How many events at most; 200 unless said."),
    Param::new(
        "type",
        Kind::Text(MOST_TEXT),
        "Only events of these names, as `JobFailed,JobTimedOut`.",
    ),
];
const EXPORT: &[Param] = &[
    Param::new("from", Kind::Number(u64::MAX), "The first position; 1 unless said."),
    Param::new(
        "to",
        Kind::Number(u64::MAX),
        "The last position; what is the last now unless said.",
    ),
    Param::new("execution", Kind::Text(MOST_TEXT), "Only events of this execution."),
];

pub(super) fn routes() -> Vec<Route> {
    let viewer = Access::Role(Role::Viewer);
    vec![
        Route::get(viewer, "/api/v1/log", "list_log", feed)
            .about(
                "Events of the whole log, in order. `next_cursor` is the value of `after` with which \
                 to go on, and is always there: the log has no end.",
            )
            .query(FEED)
            .gives(Given::Items("everstep.events/v1")),
        Route::get(viewer, "/api/v1/log/export", "export_log", export)
            .about("Events as lines of JSON, without tokens: what `everstep --file` reads.")
            .query(EXPORT)
            .gives(Given::Other("application/x-ndjson")),
        Route::new(
            Method::POST,
            Access::Role(Role::Operator),
            "/api/v1/log/verify",
            "verify_log",
            verify,
        )
        .about("Folds every history again and checks it. One at a time; it may take minutes.")
        .takes(Taken::Fields(&[]), Size::Document)
        .gives(Given::Document("everstep.verification/v1")),
    ]
}

async fn feed(call: Call) -> Answer {
    let engine = &call.app.engine;
    let limit = call.query.count("limit", USUAL_EVENTS);
    let types = call.query.words("type");
    let mut after = call.query.number("after").unwrap_or(0);
    let mut found = Vec::new();
    let mut read = 0;
    while found.len() < limit && read < MOST_READ && after < engine.last_position() {
        let records = engine.log(after.saturating_add(1), READ).await?;
        if records.is_empty() {
            break;
        }
        for record in records {
            (after, read) = (record.position, read + 1);
            if types.is_empty() || types.contains(&record.event.name()) {
                // Only of a history that is read from its beginning it is known where things are.
                let told = Told::of(&record, &mut Places::default());
                found.push(EventDocument::of(&record, told));
            }
            if found.len() == limit {
                break;
            }
        }
    }
    items("everstep.events/v1", &found, Some(after.to_string()))
}

async fn export(call: Call) -> Answer {
    let engine = call.app.engine.clone();
    let seat = call.app.seats.take(&call.principal.name).ok_or_else(no_seat)?;
    let only = match call.query.text("execution") {
        Some(text) => Some(Only::of(&engine.execution(engine.find(text).await?).await?)),
        None => None,
    };
    let from = call.query.number("from").unwrap_or(1).max(1);
    let last = engine.last_position();
    let to = call.query.number("to").unwrap_or(last).min(last);
    let (outlet, body) = channel(WAITING);
    let app = call.app.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = write(&engine, only, (from, to), &outlet) => {}
            // Also while nothing is found that the reader wants.
            () = outlet.closed() => {}
            () = app.stopped() => {}
        }
        drop(seat);
    });
    let response = of_type("application/x-ndjson", body);
    Ok(with(response, header::CONTENT_DISPOSITION, "attachment; filename=\"everstep-log.ndjson\""))
}

/// Writes part of the log, no faster than it is read. What breaks off is seen by its last line.
async fn write(
    engine: &Orchestrator,
    only: Option<Only>,
    (mut from, to): (u64, u64),
    outlet: &Outlet,
) {
    while from <= to {
        let records = match engine.log(from, READ).await {
            Ok(records) if !records.is_empty() => records,
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                return;
            }
        };
        let mut lines = String::new();
        for record in &records {
            from = record.position.saturating_add(1);
            let is_wanted = only.is_none_or(|only| only.has(record));
            if record.position <= to && is_wanted {
                lines.push_str(&export_line(record).unwrap_or_default());
            }
        }
        if !lines.is_empty() && outlet.send(Ok(Bytes::from(lines))).await.is_err() {
            // Whoever reads may go whenever they like.
            return;
        }
    }
}

/// All seats for streams are taken.
pub(super) fn no_seat() -> Problem {
    let detail = "too many streams are open";
    Problem::new("TOO_MANY_STREAMS", StatusCode::TOO_MANY_REQUESTS, detail).retry_after(5)
}

async fn verify(call: Call) -> Answer {
    let Ok(_permit) = call.app.verifying.clone().try_acquire_owned() else {
        let detail = "the log is being verified for somebody else";
        return Err(Problem::new("BUSY", StatusCode::TOO_MANY_REQUESTS, detail).retry_after(5));
    };
    let engine = &call.app.engine;
    let last = engine.last_position();
    let (mut verifier, mut next) = (Verifier::default(), 1);
    while next <= last {
        let records: Vec<Record> = engine.log(next, READ).await?;
        let Some(newest) = records.last().map(|record| record.position) else { break };
        next = newest.saturating_add(1);
        let wanted = records.iter().filter(|record| record.position <= last);
        wanted.for_each(|record| verifier.take(record));
        tokio::task::yield_now().await;
    }
    document("everstep.verification/v1", &verifier.finish().verification())
}
