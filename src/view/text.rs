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
    fn time_spans_have_two_units_at_most() {
        let shown: Vec<String> =
            [420, 12_000, 242_000, 11_100_000, 187_200_000].map(duration).into();
        assert_eq!(shown, ["0.4s", "12s", "4m02s", "3h05m", "2d04h"]);
    }
}
