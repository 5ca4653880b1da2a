//! The events of one execution.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::http::{Access, Answer, Call, Given, Kind, Param, Problem, Role, Route, items};
use crate::engine::ExecutionId;
use crate::runtime::{Orchestrator, Record};
use crate::view::{EventDocument, Places, Told};

/// Events of a page when nobody says how many.
const USUAL_EVENTS: usize = 200;
/// The most events of a page.
const MOST_EVENTS: u64 = 1000;
/// Events that one page looks at, however few of them fit.
const MOST_READ: u64 = 20_000;
/// Events read at once: about as many as lie between the places from which a long history is read.
const READ: u64 = 4096;
/// The longest list of names.
const MOST_TEXT: usize = 1024;
/// The longest text that is searched for.
const MOST_SEARCHED: usize = 256;

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
    Param::new(
        "q",
        Kind::Text(MOST_SEARCHED),
        "Only events that have this text in their name, their sentence, their state's name or their \
         data as JSON, whatever the case.",
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
             page; of the newest before one it is the value of `before` for those that came earlier. \
             A page looks at no more than 20,000 events, so it can be short, even empty, and still \
             have a cursor, when `type` or `q` fit hardly any.",
        )
        .query(QUERY)
        .gives(Given::Items("everstep.events/v1")),
    ]
}

async fn list(call: Call) -> Answer {
    let id = call.execution().await?;
    let wanted = Wanted::of(&call);
    let engine = &call.app.engine;
    let (after, before) = (call.query.number("after"), call.query.number("before"));
    let page = match (after, before) {
        (None, Some(before)) => newest(engine, id, &wanted, before).await?,
        _ => {
            let range = after.unwrap_or(0)..before.unwrap_or(u64::MAX);
            following(engine, id, &wanted, range).await?
        }
    };
    let documents: Vec<EventDocument> =
        page.found.into_iter().map(|(record, told)| EventDocument::of(&record, told)).collect();
    items("everstep.events/v1", &documents, page.next.map(|next| next.to_string()))
}

/// Which events are asked for, and how many.
struct Wanted<'c> {
    types: Vec<&'c str>,
    /// In small letters.
    text: Option<String>,
    limit: usize,
}

impl<'c> Wanted<'c> {
    fn of(call: &'c Call) -> Self {
        let text = call.query.text("q").filter(|text| !text.is_empty());
        Self {
            types: call.query.words("type"),
            text: text.map(str::to_lowercase),
            limit: call.query.count("limit", USUAL_EVENTS),
        }
    }

    fn many(&self) -> u64 {
        u64::try_from(self.limit).unwrap_or(MOST_EVENTS)
    }

    /// Whether all events are wanted.
    fn is_all(&self) -> bool {
        self.types.is_empty() && self.text.is_none()
    }

    fn has(&self, record: &Record, told: &Told) -> bool {
        let has_type = self.types.is_empty() || self.types.contains(&record.event.name());
        let text = self.text.as_deref();
        has_type
            && text.is_none_or(|text| told.shows(record, |one| one.to_lowercase().contains(text)))
    }
}

/// Events that were found, in order, and where to go on.
#[derive(Default)]
struct Page {
    found: VecDeque<(Record, Told)>,
    next: Option<u64>,
}

/// The first that are wanted, after one event and before another.
async fn following(
    engine: &Orchestrator,
    id: ExecutionId,
    wanted: &Wanted<'_>,
    range: Range<u64>,
) -> Result<Page, Problem> {
    let mut reader = Reader::after(engine, id, range.start).await?;
    let last = range.start.saturating_add(MOST_READ);
    let end = match wanted.is_all() {
        // One more tells whether there are more.
        true => range.end.min(range.start.saturating_add(wanted.many()).saturating_add(2)),
        false => range.end,
    };
    let mut page = Page::default();
    loop {
        let records = reader.read(end).await?;
        if records.is_empty() {
            return Ok(page);
        }
        for record in records {
            let sequence = record.sequence;
            let told = Told::of(&record, &mut reader.places);
            if sequence > range.start && wanted.has(&record, &told) {
                if page.found.len() == wanted.limit {
                    page.next = page.found.back().map(|(record, _)| record.sequence);
                    return Ok(page);
                }
                page.found.push_back((record, told));
            }
            if sequence >= last {
                page.next = Some(sequence);
                return Ok(page);
            }
        }
    }
}

/// The last that are wanted before an event.
async fn newest(
    engine: &Orchestrator,
    id: ExecutionId,
    wanted: &Wanted<'_>,
    before: u64,
) -> Result<Page, Problem> {
    let end = before.min(engine.last_sequence(id)?.saturating_add(1));
    let many = match wanted.is_all() {
        true => wanted.many(),
        false => MOST_READ,
    };
    let after = end.saturating_sub(many.saturating_add(1));
    let mut reader = Reader::after(engine, id, after).await?;
    let mut page = Page { next: (after > 0).then_some(after.saturating_add(1)), ..Page::default() };
    loop {
        let records = reader.read(end).await?;
        if records.is_empty() {
            return Ok(page);
        }
        for record in records {
            let told = Told::of(&record, &mut reader.places);
            if record.sequence > after && wanted.has(&record, &told) {
                page.found.push_back((record, told));
            }
            if page.found.len() > wanted.limit {
                page.found.pop_front();
                page.next = page.found.front().map(|(record, _)| record.sequence);
            }
        }
    }
}

/// Reads a history from the nearest place on its way from which it is known where things are.
struct Reader<'e> {
    engine: &'e Orchestrator,
    id: ExecutionId,
    places: Places,
    next: u64,
}

impl<'e> Reader<'e> {
    /// One that gives all events after the one with this sequence, and perhaps some before.
    async fn after(
        engine: &'e Orchestrator,
        id: ExecutionId,
        sequence: u64,
    ) -> Result<Self, Problem> {
        let near = engine.execution_near(id, sequence).await?;
        Ok(Self { engine, id, places: Places::of(&near), next: near.sequence.saturating_add(1) })
    }

    /// The next of them, of those before `end`; none when there are no more.
    async fn read(&mut self, end: u64) -> Result<Vec<Record>, Problem> {
        let range = self.next..self.next.saturating_add(READ).min(end).max(self.next);
        let records = self.engine.history_part(self.id, range).await?;
        self.next = records.last().map_or(self.next, |last| last.sequence.saturating_add(1));
        Ok(records)
    }
}
