//! What a command may say on its standard error, line by line.
//!
//! A line that begins with `::` and a known word is addressed to us; every other line, also one
//! that begins so but is not well-formed, is ordinary text, so that its author sees it in the
//! cause of a failure and nothing is lost.

use crate::worker::ProgressReport;
use crate::worker::registry::MAX_ERROR_BYTES;

/// The most of a progress message that is kept, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 1024;

/// One line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `::progress …` or `::count …`.
    Progress(ProgressReport),
    /// `::heartbeat`.
    Heartbeat,
    /// `::errors 3`: how many things failed, should the command succeed all the same.
    Errors(u32),
    /// `::error NAME CAUSE`: what failed, should the command fail.
    Error { name: &'a str, cause: &'a str },
    /// Anything else.
    Text(&'a str),
}

/// Understands one line, given without its end.
pub(super) fn parse(line: &str) -> Line<'_> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    understood(line).unwrap_or(Line::Text(line))
}

fn understood(line: &str) -> Option<Line<'_>> {
    // The word follows at once: what stands further off is prose.
    let addressed = line.strip_prefix("::").filter(|rest| !rest.starts_with(char::is_whitespace));
    let (word, rest) = first_word(addressed?);
    match word {
        "progress" => progress(rest).map(Line::Progress),
        "count" => count(rest).map(Line::Progress),
        "heartbeat" => Some(Line::Heartbeat),
        "errors" => rest.trim().parse().ok().map(Line::Errors),
        "error" => {
            let (name, cause) = first_word(rest);
            let well_formed = !name.is_empty() && name.len() <= MAX_ERROR_BYTES;
            well_formed.then_some(Line::Error { name, cause })
        }
        _ => None,
    }
}

/// `45 message`, `45`, or `- message`.
fn progress(text: &str) -> Option<ProgressReport> {
    let (percent, message) = first_word(text);
    let percent = match percent {
        "-" => None,
        number => Some(number.parse::<u8>().ok().filter(|percent| *percent <= 100)?),
    };
    let message = kept_message(message);
    // `::progress -` says nothing.
    (percent.is_some() || message.is_some()).then(|| ProgressReport {
        percent,
        message,
        ..ProgressReport::default()
    })
}

/// `12/100 message` or `12 message`; the message is optional. A count of a known total is also a
/// percentage, so that a command that counts need not divide.
fn count(text: &str) -> Option<ProgressReport> {
    let (numbers, message) = first_word(text);
    let (processed, total) = match numbers.split_once('/') {
        Some((processed, total)) => (processed.parse().ok()?, Some(total.parse().ok()?)),
        None => (numbers.parse().ok()?, None),
    };
    let percent = total.and_then(|total| percent_of(processed, total));
    Some(ProgressReport {
        percent,
        message: kept_message(message),
        processed: Some(processed),
        total,
    })
}

fn percent_of(processed: u64, total: u64) -> Option<u8> {
    let percent = (u128::from(processed) * 100).checked_div(u128::from(total))?;
    u8::try_from(percent.min(100)).ok()
}

fn kept_message(text: &str) -> Option<String> {
    let text = text.get(..text.floor_char_boundary(MAX_MESSAGE_BYTES)).unwrap_or(text);
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

/// The text up to the first space, and what follows, without the space around it.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(percent: Option<u8>, message: Option<&str>) -> Line<'static> {
        let message = message.map(str::to_owned);
        Line::Progress(ProgressReport { percent, message, ..ProgressReport::default() })
    }

    #[test]
    fn progress_has_a_percentage_or_a_message_or_both() {
        assert_eq!(parse("::progress 45 half way"), report(Some(45), Some("half way")));
        assert_eq!(parse("::progress 45"), report(Some(45), None));
        assert_eq!(parse("::progress   0   x \r"), report(Some(0), Some("x")));
        assert_eq!(parse("::progress - reading"), report(None, Some("reading")));
    }

    #[test]
    fn a_count_of_a_total_is_also_a_percentage() {
        let counted = |percent, processed, total, message: Option<&str>| {
            let message = message.map(str::to_owned);
            Line::Progress(ProgressReport { percent, message, processed: Some(processed), total })
        };
        assert_eq!(parse("::count 12/100"), counted(Some(12), 12, Some(100), None));
        assert_eq!(parse("::count 2/3 files"), counted(Some(66), 2, Some(3), Some("files")));
        assert_eq!(parse("::count 7"), counted(None, 7, None, None));
        assert_eq!(parse("::count 0/0"), counted(None, 0, Some(0), None));
        assert_eq!(parse("::count 9/3"), counted(Some(100), 9, Some(3), None));
    }

    #[test]
    fn errors_have_a_name_and_perhaps_a_cause() {
        let named = Line::Error { name: "Shop.SoldOut", cause: "no cogs left" };
        assert_eq!(parse("::error Shop.SoldOut no cogs left"), named);
        assert_eq!(parse("::error A"), Line::Error { name: "A", cause: "" });
        assert_eq!(parse("::heartbeat"), Line::Heartbeat);
        assert_eq!(parse("::errors 3"), Line::Errors(3));
    }

    #[test]
    fn what_is_not_well_formed_is_text() {
        let lines = [
            "",
            "::",
            "hello",
            " ::heartbeat",
            ":: heartbeat",
            "::progress",
            "::progress -",
            "::progress 101",
            "::progress -1 x",
            "::progress 4.5",
            "::count",
            "::count a/b",
            "::count 1/",
            "::error",
            "::errors",
            "::errors some",
            "::errors -1",
            "::progressive 4",
            "::unknown 1",
        ];
        for line in lines {
            assert_eq!(parse(line), Line::Text(line), "{line:?}");
        }
        let long = format!("::error {} x", "n".repeat(MAX_ERROR_BYTES + 1));
        assert_eq!(parse(&long), Line::Text(&long));
    }

    proptest! {
        #[test]
        fn any_line_is_understood_within_the_limits(
            line in prop_oneof![".*", "::(progress|count|errors?|heartbeat) ?[-0-9/]{0,24} ?.*"]
        ) {
            match parse(&line) {
                Line::Progress(report) => {
                    prop_assert!(report.percent.is_none_or(|percent| percent <= 100));
                    if let Some(message) = &report.message {
                        prop_assert!((1..=MAX_MESSAGE_BYTES).contains(&message.len()));
                        prop_assert!(!message.contains(char::is_control));
                    }
                    prop_assert!(report != ProgressReport::default());
                }
                Line::Error { name, cause } => {
                    prop_assert!((1..=MAX_ERROR_BYTES).contains(&name.len()));
                    prop_assert!(!name.contains(char::is_whitespace));
                    prop_assert!(line.contains(name) && line.contains(cause));
                }
                Line::Heartbeat => prop_assert!(line.starts_with("::heartbeat")),
                Line::Errors(_) => prop_assert!(line.starts_with("::errors ")),
                Line::Text(text) => {
                    prop_assert_eq!(text, line.strip_suffix('\r').unwrap_or(&line));
                }
            }
        }

        #[test]
        fn a_written_report_is_read_back(
            percent in 0_u8..=100, message in "[a-zé]{1,20}( [a-z0-9/]{1,9}){0,3}"
        ) {
            let read = parse(&format!("::progress {percent} {message}")) == report(Some(percent), Some(&message));
            prop_assert!(read);
        }
    }
}
