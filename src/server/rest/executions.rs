//! Lists of executions.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::super::http::{
    Access, Answer, Call, CountsOfAll, Given, Kind, Param, Problem, Role, Route, counted_items,
};
use super::rows::{ExecutionRow, labels_of};
use crate::engine::{ExecutionId, Status, Timestamp};
use crate::runtime::{Filter, MOST_ROWS, Orchestrator, Rows};

/// Rows of a page when nobody says how many.
const USUAL_ROWS: usize = 50;
/// The longest name, text to search for, or id.
const MOST_TEXT: usize = 256;

/// Words for statuses; `unfinished` stands for all that have not ended.
const STATUSES: &[&str] = &[
    "unfinished",
    "pending",
    "running",
    "cancelling",
    "completed",
    "completed_with_errors",
    "failed",
    "cancelled",
    "timed_out",
];
/// Every status.
pub(crate) const EVERY_STATUS: [Status; 8] = [
    Status::Pending,
    Status::Running,
    Status::Cancelling,
    Status::Completed,
    Status::CompletedWithErrors,
    Status::Failed,
    Status::Cancelled,
    Status::TimedOut,
];

const QUERY: &[Param] = &[
    Param::new("status", Kind::Words(STATUSES), "Only those in one of these statuses."),
    Param::new("workflow", Kind::Text(MOST_TEXT), "Only those of this workflow."),
    Param::new(
        "parent",
        Kind::Text(MOST_TEXT),
        "Only those that this one began; `none` for those that no other began; `any` for all, parts \
         of distributed Maps too.",
    ),
    Param::new(
        "q",
        Kind::Text(MOST_TEXT),
        "Only those with this text in the name, handle, workflow, step, message or error.",
    ),
    Param::new(
        "since",
        Kind::Text(MOST_TEXT),
        "Only those that began at this time, in RFC 3339, or later.",
    ),
    Param::new(
        "totals",
        Kind::Flag,
        "Whether to count those of all pages, by status, too: `totals`. Of those that have ended, the \
         newest 10,000 are counted; where there are more, `is_exact` is false.",
    ),
    Param::new("limit", Kind::Number(MOST_ROWS as u64), "How many rows at most; 50 unless said."),
    Param::new("cursor", Kind::Text(MOST_TEXT), "What `next_cursor` of the page before said."),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            Access::Role(Role::Viewer),
            "/api/v1/executions",
            "list_executions",
            list,
        )
        .about(
            "Executions, the newest first. Pages do not overlap, whatever begins or ends meanwhile; \
             the last one has no `next_cursor`, and one with it may be short.",
        )
        .query(QUERY)
        .gives(Given::Items("everstep.executions/v1")),
    ]
}

async fn list(call: Call) -> Answer {
    let engine = &call.app.engine;
    let rows = match call.query.text("parent") {
        None => Rows::Own,
        Some("none") => Rows::Started,
        Some("any") => Rows::All,
        Some(parent) => Rows::BegunBy(engine.find(parent).await?),
    };
    let words = call.query.words("status");
    let is_wanted = |status: &&Status| {
        words.contains(&status.as_str()) || (words.contains(&"unfinished") && !status.is_terminal())
    };
    let filter = Filter {
        rows,
        statuses: EVERY_STATUS.iter().filter(is_wanted).copied().collect(),
        workflow: call.query.text("workflow").map(str::to_owned),
        text: call.query.text("q").filter(|text| !text.is_empty()).map(str::to_owned),
        since: call.query.text("since").map(time).transpose()?,
    };
    let seal = seal(&filter);
    let before = call.query.text("cursor").map(|cursor| place(cursor, seal)).transpose()?;
    let totals = match call.query.flag("totals") {
        true => Some(totals(engine, &filter).await?),
        false => None,
    };
    let page = engine.page(filter, before, call.query.count("limit", USUAL_ROWS)).await?;
    let next = page.next.map(|next| cursor(next, seal));
    let rows: Vec<ExecutionRow<'_>> =
        page.rows.iter().map(|row| ExecutionRow::of(row, labels_of(engine, row))).collect();
    counted_items("everstep.executions/v1", &rows, next, totals)
}

/// How many there are on all pages, and of other statuses.
async fn totals(engine: &Orchestrator, filter: &Filter) -> Result<CountsOfAll, Problem> {
    let of_all = Filter { statuses: Vec::new(), ..filter.clone() };
    let totals = engine.totals(of_all).await?;
    let counts = totals.by_status();
    let by_status: BTreeMap<_, _> = EVERY_STATUS
        .iter()
        .map(|status| (status.as_str(), counts.get(status.as_str()).copied().unwrap_or(0)))
        .collect();
    let is_wanted =
        |status: &&Status| filter.statuses.is_empty() || filter.statuses.contains(status);
    let wanted = EVERY_STATUS.iter().filter(is_wanted);
    let total = wanted.filter_map(|status| by_status.get(status.as_str())).sum();
    Ok(CountsOfAll { total, is_exact: totals.is_exact, by_status })
}

/// A time as people and programs write it.
fn time(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::from_rfc_3339(text)
        .ok_or_else(|| Problem::bad_request(format!("since: {text:?} is no time in RFC 3339")))
}

/// What a cursor goes with: one of another list has its place in that one only.
fn seal(filter: &Filter) -> [u8; 4] {
    let digest = Sha256::digest(format!("{filter:?}"));
    [0, 1, 2, 3].map(|place| digest.get(place).copied().unwrap_or_default())
}

fn cursor(next: ExecutionId, seal: [u8; 4]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([&seal[..], next.0.as_bytes()].concat())
}

fn place(cursor: &str, seal: [u8; 4]) -> Result<ExecutionId, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let id = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&seal));
    let id = id.and_then(|id| uuid::Uuid::from_slice(id).ok()).map(ExecutionId);
    id.ok_or_else(|| {
        let detail = "the cursor is not one of this list";
        Problem::bad_request(detail).hint("ask with the parameters of the page that it came with")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let filter =
            |text: Option<&str>| Filter { text: text.map(str::to_owned), ..Filter::default() };
        let id = ExecutionId(uuid::Uuid::from_u128(7));
        let text = cursor(id, seal(&filter(None)));
        assert_eq!(place(&text, seal(&filter(None))).unwrap(), id);
        assert!(place(&text, seal(&filter(Some("x")))).is_err());
        assert!(place("", seal(&filter(None))).is_err());
        assert!(place("AAAA", seal(&filter(None))).is_err());
    }

    #[test]
    fn every_status_has_its_word() {
        assert!(EVERY_STATUS.iter().all(|status| STATUSES.contains(&status.as_str())));
        assert_eq!(STATUSES.len(), EVERY_STATUS.len() + 1);
    }
}
