//! Words for people.

/// `text` in one line: control characters, which could drive a terminal, become spaces, and what is
/// longer than `most` characters is cut.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let mut line: String = text.chars().take(most).map(printable).collect();
    if text.chars().nth(most).is_some() {
        line.pop();
        line.push('…');
    }
    line
}

fn printable(c: char) -> char {
    // Text that changes the direction of what follows can make one name look like another.
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { ' ' } else { c }
}

/// `1 event`, `2 events`.
#[must_use]
pub fn counted(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

/// A time span as `0.4s`, `12s`, `4m02s`, `3h05m` or `2d04h`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..10 => format!("{seconds}.{}s", ms % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// An estimated time span, as `~1m20s`.
#[must_use]
pub fn about(seconds: u64) -> String {
    match seconds {
        0..10 => format!("~{seconds}s"),
        seconds => format!("~{}", duration(seconds.saturating_mul(1000))),
    }
}

/// How fast something goes and how long it may still take, as `12.4/s · ~1m20s left`; empty where
/// neither is known.
#[must_use]
pub fn pace(rate_per_second: Option<f64>, seconds_left: Option<u64>) -> String {
    let rate = rate_per_second.map(per_second);
    let left = seconds_left.map(|seconds| format!("{} left", about(seconds)));
    rate.into_iter().chain(left).collect::<Vec<_>>().join(" · ")
}

/// `12.4/s`; what is slow is told by the minute or the hour.
fn per_second(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => format!("{rate:.0}/s"),
        rate if rate >= 0.1 => format!("{rate:.1}/s"),
        rate if rate * 60.0 >= 0.1 => format!("{:.1}/min", rate * 60.0),
        rate => format!("{:.1}/h", rate * 3600.0),
    }
}

/// A time span in seconds, to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "spans below 100,000 years are exact")]
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\x1b[2Jb\nc", 80), "a [2Jb c");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("abcd", 4), "abcd");
    }

    #[test]
    fn a_pace_has_a_rate_and_a_rest_where_they_are_known() {
        assert_eq!(pace(Some(12.42), Some(80)), "12.4/s · ~1m20s left");
        assert_eq!(pace(None, Some(4)), "~4s left");
        assert_eq!(pace(Some(0.05), None), "3.0/min");
        assert_eq!(pace(Some(0.001), None), "3.6/h");
        assert_eq!(pace(Some(1234.5), None), "1234/s");
        assert_eq!(pace(None, None), "");
    }

    #[test]
    fn time_spans_have_two_units_at_most() {
        let shown: Vec<String> =
            [420, 12_000, 242_000, 11_100_000, 187_200_000].map(duration).into();
        assert_eq!(shown, ["0.4s", "12s", "4m02s", "3h05m", "2d04h"]);
    }
}
