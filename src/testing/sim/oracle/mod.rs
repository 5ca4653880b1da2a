//! The judge. It knows what clients and workers were told, and reads the log as anybody can, as
//! JSON; nothing of the engine is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Value, json};

use self::decay::{judge_damage, judge_set_aside};
use self::history::{ENDS, judge_history};

mod decay;
mod history;

/// What the log tells of one history.
#[derive(Default)]
struct History<'l> {
    records: Vec<&'l Value>,
    /// The sequence of its tombstone, when it was deleted.
    deleted: Option<u64>,
}

/// The log, by histories.
struct Log<'l> {
    histories: BTreeMap<&'l str, History<'l>>,
}

type Verdict = Result<(), String>;

/// Judges a life.
///
/// # Errors
/// What was promised and not kept.
pub(super) fn judge(story: &[Value], log: &[Value]) -> Verdict {
    if let Some(fault) = story.iter().find(|told| text(told, "call") == "fault") {
        return Err(text(fault, "what").to_owned());
    }
    let log = read(log)?;
    log.histories.iter().try_for_each(|(id, history)| judge_history(id, history, &log))?;
    judge_names(&log)?;
    for told in story {
        let verdict = match text(told, "call") {
            "start" => judge_start(told, &log),
            "given" => judge_given(told, &log),
            "finish" => judge_finish(told, &log),
            "forged" if text(told, "outcome") == "done" => Err("it was accepted".to_owned()),
            "show" => judge_shown(told, &log),
            "list" => judge_list(told, &log),
            _ if !told["by"].is_null() => judge_command(told, &log),
            _ => Ok(()),
        };
        verdict.map_err(|fault| format!("{fault}\n  of {told}"))?;
    }
    judge_starts_together(story, &log)?;
    judge_followed(story, &log)?;
    judge_workflow_pauses(story, &log)?;
    judge_looks(story)?;
    judge_tokens(story)?;
    judge_after_failure(story)?;
    judge_damage(story)?;
    judge_set_aside(story, &log)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or(0)
}

/// The name of a record's event.
fn name(record: &Value) -> &str {
    let event = record["event"].as_object();
    event.and_then(|event| event.keys().next()).map_or("", String::as_str)
}

/// What a record's event says.
fn body(record: &Value) -> &Value {
    record["event"].get(name(record)).unwrap_or(&Value::Null)
}

/// Positions rise, histories are dense; what is missing belongs to what was deleted.
fn read(log: &[Value]) -> Result<Log<'_>, String> {
    let mut histories: BTreeMap<&str, History<'_>> = BTreeMap::new();
    let mut last = 0;
    for record in log {
        let position = number(record, "position");
        if position <= last {
            return Err(format!("position {position} comes after {last}"));
        }
        last = position;
        let history = histories.entry(text(record, "stream")).or_default();
        history.records.push(record);
        if name(record) == "ExecutionDeleted" {
            history.deleted = Some(number(record, "sequence"));
        }
    }
    let mut may_be_missing = 0;
    for (id, history) in &histories {
        let sequences = || history.records.iter().map(|record| number(record, "sequence"));
        let there = history.records.len() as u64;
        match history.deleted {
            Some(end) if sequences().next_back() == Some(end) => may_be_missing += end - there,
            Some(_) => return Err(format!("{id} goes on after it was deleted")),
            None if !sequences().eq(1..=there) => {
                let sequences: Vec<u64> = sequences().collect();
                return Err(format!("the history of {id} is not dense: {sequences:?}"));
            }
            None => {}
        }
    }
    let missing = last - log.len() as u64;
    if missing != may_be_missing {
        return Err(format!("{missing} records are missing, {may_be_missing} were deleted"));
    }
    Ok(Log { histories })
}

/// What an execution began and waits for has ended before it does.
fn judge_children(parent: &str, end: &Value, log: &Log<'_>) -> Verdict {
    let at = number(end, "position");
    let abandoned = body(end)["abandoned"].as_array().cloned().unwrap_or_default();
    for (id, child) in &log.histories {
        let Some(start) = child.records.first().filter(|first| name(first) == "ExecutionStarted")
        else {
            continue;
        };
        let link = &body(start)["parent"];
        let is_waited_for =
            text(link, "execution") == parent && link["link"].get("Begun").is_none();
        if !is_waited_for || number(start, "position") > at || abandoned.contains(&json!(id)) {
            continue;
        }
        let before = child.records.iter().take_while(|record| number(record, "position") < at);
        let ended = before.filter(|record| ENDS.contains(&name(record))).count() > 0;
        let set_aside = child.records.iter().any(|record| name(record) == "ExecutionSetAside");
        if !ended && !set_aside {
            return Err(format!("{parent} ends at {at} before {id}, which it began"));
        }
    }
    Ok(())
}

/// A name belongs to one execution of a workflow until that is deleted.
fn judge_names(log: &Log<'_>) -> Verdict {
    let mut held: BTreeMap<(String, String), (u64, &str)> = BTreeMap::new();
    let mut starts: Vec<(&str, &Value)> = Vec::new();
    for (id, history) in &log.histories {
        if let Some(first) = history.records.first()
            && name(first) == "ExecutionStarted"
            && body(first)["parent"].is_null()
            && !body(first)["name"].is_null()
        {
            starts.push((id, first));
        }
    }
    starts.sort_by_key(|(_, start)| number(start, "position"));
    for (id, start) in starts {
        let key = (text(body(start), "workflow").to_owned(), text(body(start), "name").to_owned());
        let history = log.histories.get(id);
        let tombstone = history.filter(|history| history.deleted.is_some());
        let until = tombstone.and_then(|history| history.records.last());
        let until = until.map_or(u64::MAX, |record| number(record, "position"));
        if let Some((gone, holder)) = held.insert(key.clone(), (until, id))
            && gone > number(start, "position")
        {
            return Err(format!("{key:?} is the name of {holder} and of {id}"));
        }
    }
    Ok(())
}

impl<'l> Log<'l> {
    /// The history of an execution; none when it was deleted.
    fn history(&self, id: &str) -> Result<Option<&[&'l Value]>, String> {
        match self.histories.get(id) {
            None => Err(format!("execution {id} is not in the log")),
            Some(History { deleted: Some(_), .. }) => Ok(None),
            Some(History { records, deleted: None }) => Ok(Some(records)),
        }
    }

    fn is_deleted(&self, id: &str) -> bool {
        self.histories.get(id).is_some_and(|history| history.deleted.is_some())
    }
}

/// A start that was acknowledged is there, as it was asked for.
fn judge_start(told: &Value, log: &Log<'_>) -> Verdict {
    if text(told, "outcome") != "done" {
        return Ok(());
    }
    let Some(records) = log.history(text(told, "execution"))? else { return Ok(()) };
    let first = records.first().map_or(&Value::Null, |first| body(first));
    for key in ["workflow", "input", "name"] {
        if first[key] != told[key] {
            return Err(format!("the {key} is {}", first[key]));
        }
    }
    Ok(())
}

/// Each start without a name that was acknowledged began one execution, one that was refused none.
fn judge_starts_together(story: &[Value], log: &Log<'_>) -> Verdict {
    let mut begun: BTreeMap<&str, u64> = BTreeMap::new();
    for history in log.histories.values() {
        if let Some(first) =
            history.records.first().filter(|first| name(first) == "ExecutionStarted")
            && body(first)["parent"].is_null()
            && body(first)["rerun_of"].is_null()
        {
            *begun.entry(text(&body(first)["input"], "tag")).or_default() += 1;
        }
    }
    for told in story.iter().filter(|told| text(told, "call") == "start") {
        if !told["name"].is_null() || log.is_deleted(text(told, "execution")) {
            continue;
        }
        let count = begun.get(text(&told["input"], "tag")).copied().unwrap_or(0);
        let fits = match text(told, "outcome") {
            "done" => count == 1,
            "refused" => count == 0,
            _ => count <= 1,
        };
        if !fits {
            return Err(format!("{count} executions began with this start: {told}"));
        }
    }
    Ok(())
}

/// A command that leaves who asked in the log: once when acknowledged, never when refused.
fn judge_command(told: &Value, log: &Log<'_>) -> Verdict {
    let (call, by) = (text(told, "call"), text(told, "by"));
    let is_of_system = call.starts_with("Workflow") || call.starts_with("JobType");
    let matches = |record: &&&Value| name(record) == call && text(body(record), "by") == by;
    let on = text(told, "on");
    let count = if is_of_system {
        let all = log.histories.values().flat_map(|history| &history.records);
        all.filter(matches).count()
    } else {
        if log.is_deleted(on) && call != "ExecutionDeleted" {
            return Ok(());
        }
        let history = log.histories.get(on);
        history.map_or(0, |history| history.records.iter().filter(matches).count())
    };
    let fits = match text(told, "outcome") {
        "done" => count == 1 || (call == "CancelForced" && forced_at_once(on, by, log)),
        "refused" => count == 0,
        _ => count <= 1,
    };
    if fits { Ok(()) } else { Err(format!("the log has it {count} times")) }
}

/// Whether a forced cancel of what nobody had asked to stop is there as an ordinary one.
fn forced_at_once(on: &str, by: &str, log: &Log<'_>) -> bool {
    let history = log.histories.get(on);
    history.is_some_and(|history| {
        let asked = |record: &&&Value| name(record) == "CancelRequested";
        history.records.iter().filter(asked).any(|record| text(body(record), "by") == by)
    })
}

/// Nothing reached a worker before it was durable.
fn judge_given(told: &Value, log: &Log<'_>) -> Verdict {
    let Some(records) = log.history(text(told, "on"))? else { return Ok(()) };
    let is_it = |record: &&Value| {
        let body = body(record);
        name(record) == "JobStarted"
            && body["job"] == told["job"]
            && body["attempt"] == told["attempt"]
    };
    if records.iter().copied().any(|record| is_it(&record)) {
        return Ok(());
    }
    Err("a worker was given what the log does not have".to_owned())
}

/// A result that was acknowledged is that of the attempt for which it was brought.
fn judge_finish(told: &Value, log: &Log<'_>) -> Verdict {
    if text(told, "outcome") != "done" {
        return Ok(());
    }
    let Some(records) = log.history(text(told, "on"))? else { return Ok(()) };
    let is_of_it = |record: &&&Value| {
        let body = body(record);
        body["job"] == told["job"]
            && (told["attempt"].is_null()
                || body["attempt"].is_null()
                || body["attempt"] == told["attempt"])
    };
    let failed = told["failed"] == json!(true);
    let is_end = |record: &&Value| match name(record) {
        "JobSucceeded" => !failed && body(record)["output"] == told["output"],
        // With a cancel under way only that it has ended counts.
        "CallbackAwaited" | "JobCancelled" => true,
        "JobFailed" => failed,
        _ => false,
    };
    if records.iter().filter(is_of_it).copied().any(|record| is_end(&record)) {
        return Ok(());
    }
    Err("the log does not have this result".to_owned())
}

/// Every execution that is there is in the list, once, the newest first.
fn judge_list(told: &Value, log: &Log<'_>) -> Verdict {
    let listed = told["listed"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let listed: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
    if listed.windows(2).any(|pair| pair.first() <= pair.last()) {
        return Err("the list is not in order".to_owned());
    }
    let known: BTreeSet<&str> = listed.iter().copied().collect();
    for (id, history) in &log.histories {
        let begins = history.records.first().is_some_and(|first| name(first) == "ExecutionStarted");
        if begins && history.deleted.is_none() && !known.contains(id) {
            return Err(format!("{id} is not in the list"));
        }
    }
    let unknown = known.iter().find(|id| !log.histories.contains_key(*id));
    unknown.map_or(Ok(()), |id| Err(format!("{id} is in the list and not in the log")))
}

/// Whoever follows the log sees what is there, each record once, in order.
fn judge_followed(story: &[Value], log: &Log<'_>) -> Verdict {
    let all = log.histories.values().flat_map(|history| &history.records);
    let at: BTreeMap<u64, &Value> =
        all.map(|record| (number(record, "position"), *record)).collect();
    let mut last = 0;
    for told in story.iter().filter(|told| text(told, "call") == "followed") {
        let position = number(told, "position");
        let record = at.get(&position);
        let is_it = record.is_some_and(|record| {
            record["stream"] == told["on"]
                && record["sequence"] == told["sequence"]
                && name(record) == text(told, "event")
        });
        let is_gone = record.is_none() && log.is_deleted(text(told, "on"));
        if !(is_it || is_gone) {
            return Err(format!("the log now has {record:?} in the place of {told}"));
        }
        let passed_over = (last + 1..position).find(|position| at.contains_key(position));
        if position <= last || passed_over.is_some() {
            return Err(format!("after {last} was seen {told}"));
        }
        last = position;
    }
    Ok(())
}

/// Once the pause of a workflow was acknowledged, or a process has begun that knows of it, no job of
/// its executions begins until it is resumed.
fn judge_workflow_pauses(story: &[Value], log: &Log<'_>) -> Verdict {
    let mut controls: Vec<&Value> =
        log.histories.values().flat_map(|h| &h.records).copied().collect();
    controls.retain(|record| matches!(name(record), "WorkflowPaused" | "WorkflowResumed"));
    controls.sort_by_key(|record| number(record, "position"));
    for (at, pause) in controls.iter().enumerate() {
        let workflow = text(body(pause), "workflow");
        if name(pause) != "WorkflowPaused" {
            continue;
        }
        let mut later = controls.iter().skip(at + 1);
        let end = later.find(|record| text(body(record), "workflow") == workflow);
        let end = end.map_or(u64::MAX, |record| number(record, "position"));
        let held = number(pause, "position")..end;
        let is_known = |told: &&Value| {
            let paused = text(told, "call") == "WorkflowPaused" && text(told, "on") == workflow;
            (paused || text(told, "world") == "it serves") && told["position"].is_u64()
        };
        let known = story.iter().filter(is_known).map(|told| number(told, "position"));
        let Some(from) = known.filter(|position| held.contains(position)).min() else { continue };
        for (id, history) in &log.histories {
            judge_held(id, history, workflow, from..end)?;
        }
    }
    Ok(())
}

/// No job of this execution begins between these positions, if it is of the workflow and not ending.
fn judge_held(id: &str, history: &History<'_>, workflow: &str, held: Range<u64>) -> Verdict {
    let mut ends = true;
    for record in &history.records {
        match name(record) {
            "ExecutionStarted" => ends = text(body(record), "workflow") != workflow,
            "CancelRequested" | "ExecutionClosing" => ends = true,
            "JobStarted" if !ends && number(record, "position") > held.start => {
                let position = number(record, "position");
                if held.contains(&position) {
                    return Err(format!(
                        "{id}: a job begins at {position}; {workflow} is paused {held:?}"
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What was shown is durable.
fn judge_shown(told: &Value, log: &Log<'_>) -> Verdict {
    if text(told, "outcome") != "done" {
        return Ok(());
    }
    let Some(records) = log.history(text(told, "on"))? else { return Ok(()) };
    let shown = number(&told["shown"], "sequence");
    if shown > records.len() as u64 {
        return Err(format!("it was shown, and the log has {} events", records.len()));
    }
    Ok(())
}

/// Whoever looks later sees no less, and an end that was told once never changes.
fn judge_looks(story: &[Value]) -> Verdict {
    let mut newest: BTreeMap<&str, Vec<(u64, u64, &Value)>> = BTreeMap::new();
    let mut ends: BTreeMap<(&str, u64), &Value> = BTreeMap::new();
    let done = |told: &&Value| text(told, "call") == "show" && text(told, "outcome") == "done";
    for told in story.iter().filter(done) {
        let (id, shown) = (text(told, "on"), &told["shown"]);
        let (began, sequence) = (number(told, "began"), number(shown, "sequence"));
        let earlier = newest.entry(id).or_default();
        if let Some((_, _, before)) =
            earlier.iter().find(|(ended, seen, _)| *ended < began && *seen > sequence)
        {
            return Err(format!("more was seen before:\n  {before}\n  {told}"));
        }
        earlier.push((number(told, "at"), sequence, told));
        if shown["ended"] != json!(true) {
            continue;
        }
        let end = ends.entry((id, number(shown, "redrives"))).or_insert(shown);
        for key in ["status", "output", "failure"] {
            if end[key] != shown[key] {
                return Err(format!("the end of {id} was {end}, and then {shown}"));
            }
        }
    }
    Ok(())
}

/// A token is good for one result, and an attempt is given to one worker.
fn judge_tokens(story: &[Value]) -> Verdict {
    let mut used = BTreeSet::new();
    let mut given = BTreeSet::new();
    for told in story {
        match text(told, "call") {
            "finish" if text(told, "outcome") == "done" && !used.insert(text(told, "token")) => {
                return Err(format!("a second result was taken: {told}"));
            }
            "given" => {
                let attempt = (text(told, "on"), number(told, "job"), number(told, "attempt"));
                if !given.insert(attempt) {
                    return Err(format!("the attempt was given to two workers: {told}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Once the store has failed nothing that was asked for later is acknowledged.
fn judge_after_failure(story: &[Value]) -> Verdict {
    let mut failed_at = None;
    for told in story {
        match text(told, "world") {
            "its store has failed" => failed_at = Some(number(told, "at")),
            "a process begins" => failed_at = None,
            _ => {}
        }
        let changes = text(told, "call") == "start" || !told["by"].is_null();
        if let Some(failed) = failed_at
            && changes
            && text(told, "outcome") == "done"
            && number(told, "began") > failed
        {
            return Err(format!("after the store had failed at {failed}: {told}"));
        }
    }
    Ok(())
}
