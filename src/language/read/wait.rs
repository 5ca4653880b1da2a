//! Wait states.

use serde_json::Value;

use super::Reader;
use super::object::{At, MOST, Object};
use crate::language::diagnostic::{codes, quoted};
use crate::language::expression::Template;
use crate::language::model::{QueryLanguage, Wait};
use crate::language::source::Fault;

const TIMES: &[&str] = &["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];

impl Reader<'_, '_> {
    pub(super) fn wait(&mut self, object: &Object<'_>) -> Option<Wait> {
        let paths = object.language == QueryLanguage::JsonPath;
        let mut given = object
            .fields()
            .filter(|at| TIMES.contains(&at.key()) && (paths || !at.key().ends_with("Path")));
        let Some(at) = given.next() else {
            let hint = "how long to wait, or until when";
            let what = if paths {
                "`Seconds`, `SecondsPath`, `Timestamp` or `TimestampPath`"
            } else {
                "`Seconds` or `Timestamp`"
            };
            self.missing(object, what, Some(hint));
            return None;
        };
        let others: Vec<At<'_>> = given.collect();
        for other in &others {
            self.exclude(other, at.key());
        }
        if !others.is_empty() {
            return None;
        }
        match at.key() {
            "Seconds" | "SecondsPath" => {
                self.number(object, "Seconds", 0..=MOST).map(Wait::Seconds)
            }
            "TimestampPath" => self.path(&at).map(Template::Expression).map(Wait::Until),
            _ if at.is_jsonata() => self.jsonata(&at).map(Template::Expression).map(Wait::Until),
            _ => self.timestamp(&at).map(Wait::Until),
        }
    }

    fn timestamp(&mut self, at: &At<'_>) -> Option<Template> {
        let text = self.text(at)?;
        if !is_timestamp(text) {
            let message = format!("{} is no point in time", quoted(text));
            let fault = Fault::new(codes::VALUE, at.node.span, message)
                .hint("write it as RFC 3339 says, for example `2030-01-31T12:00:00Z`");
            self.faults.report(&at.place, fault);
            return None;
        }
        Some(Template::Literal(Value::String(text.to_owned())))
    }
}

/// Whether a text is a point in time as RFC 3339 and Amazon States Language demand: with seconds,
/// a capital `T`, and a capital `Z` or an offset.
fn is_timestamp(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let time = match rest.strip_suffix('Z') {
        Some(time) => time,
        None => {
            let Some(at) = rest.find(['+', '-']) else { return false };
            let (time, offset) = rest.split_at(at);
            let offset = offset.get(1..).unwrap_or_default();
            if !shaped(offset, "00:00") {
                return false;
            }
            time
        }
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let fraction_fits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    shaped(date, "0000-00-00")
        && shaped(whole, "00:00:00")
        && fraction_fits
        && text.parse::<jiff::Timestamp>().is_ok()
}

/// Whether a text has digits where the pattern has `0`, and otherwise the pattern's characters.
fn shaped(text: &str, pattern: &str) -> bool {
    let fits = |(c, p): (u8, u8)| if p == b'0' { c.is_ascii_digit() } else { c == p };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_strict() {
        for good in [
            "2016-03-14T01:59:00Z",
            "2016-03-14T01:59:00.123456Z",
            "2016-03-14T01:59:00+05:30",
            "2024-02-29T00:00:00-08:00",
        ] {
            assert!(is_timestamp(good), "{good}");
        }
        for bad in [
            "",
            "T",
            "2016-03-14",
            "2016-03-14 01:59:00Z",
            "2016-03-14t01:59:00Z",
            "2016-03-14T01:59:00",
            "2016-03-14T01:59Z",
            "2016-13-14T01:59:00Z",
            "2023-02-29T00:00:00Z",
            "2016-03-14T01:59:00.Z",
            "2016-03-14T01:59:00+5",
            "tomorrow",
            "2016-03-14T01:59:00+é0:00",
        ] {
            assert!(!is_timestamp(bad), "{bad}");
        }
    }
}
