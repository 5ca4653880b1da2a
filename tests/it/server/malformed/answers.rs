//! What may be answered to a request that may be wrong.

use serde_json::Value;

/// Whether an answer goes on for as long as somebody listens.
pub(super) fn is_endless(told: &[u8]) -> bool {
    told.starts_with(b"HTTP/1.1 200") && find(told, b"content-type: text/event-stream").is_some()
}

/// How many answers there were, and how many of them tell that something was done.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) answered: u64,
    pub(super) done: u64,
}

/// Checks all answers to a request.
pub(super) fn check(request: &[u8], told: &[u8]) -> Result<Tally, String> {
    let (mut rest, mut tally) = (told, Tally::default());
    while !rest.is_empty() {
        let show = || String::from_utf8_lossy(rest).chars().take(400).collect::<String>();
        // One that is cut off is of a client that has hung up.
        let Some(end) = find(rest, b"\r\n\r\n") else { break };
        let head = std::str::from_utf8(&rest[..end]).map_err(|_| format!("a head: {}", show()))?;
        let status = status(head).ok_or_else(|| format!("no status: {}", show()))?;
        rest = &rest[end + 4..];
        if status < 200 {
            continue;
        }
        tally.answered += 1;
        tally.done += u64::from(status < 300);
        if status >= 500 {
            return Err(format!("status {status}: {head} {}", show()));
        }
        let is_for_head = tally.answered == 1 && request.starts_with(b"HEAD ");
        if field(head, "transfer-encoding").is_some() {
            // Only what goes well is told in parts, and nothing comes after it here.
            return if status < 300 { Ok(tally) } else { Err(format!("in parts: {head}")) };
        }
        let length = field(head, "content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.map_err(|_| format!("no length: {head}"))?;
        let Some(body) = rest.get(..length).filter(|_| !is_for_head) else { break };
        rest = &rest[length..];
        if status >= 400 {
            refusal(status, body).map_err(|fault| format!("{fault}: {head}"))?;
        }
    }
    Ok(tally)
}

fn find(within: &[u8], part: &[u8]) -> Option<usize> {
    within.windows(part.len()).position(|window| window == part)
}

fn status(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/1.1 ")
        .or_else(|| head.strip_prefix("HTTP/1.0 "))?
        .get(..3)?
        .parse()
        .ok()
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A refusal says why, unless the head could not even be read.
fn refusal(status: u16, body: &[u8]) -> Result<(), String> {
    if body.is_empty() {
        let is_of_the_head = matches!(status, 400 | 414 | 431);
        return if is_of_the_head { Ok(()) } else { Err("nothing is said".to_owned()) };
    }
    let said: Value = serde_json::from_slice(body).map_err(|_| "no JSON".to_owned())?;
    let names = [&said["code"], &said["__type"]];
    let is_named = names.iter().any(|name| name.as_str().is_some_and(|name| !name.is_empty()));
    let words = [&said["detail"], &said["message"]];
    let is_told = words.iter().any(|words| words.is_string());
    if is_named && is_told { Ok(()) } else { Err(format!("no refusal: {said}")) }
}
