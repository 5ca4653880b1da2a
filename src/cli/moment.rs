//! Moments as people type them.

use super::exit::Exit;
use super::fault::Fault;
use super::wait::now;
use crate::engine::Timestamp;

/// Reads a moment: a time in RFC 3339, or how long ago it was.
///
/// # Errors
/// It is neither.
pub(super) fn since(text: &str) -> Result<Timestamp, Box<Fault>> {
    span_ms(text)
        .map(|ms| Timestamp(now().0.saturating_sub(ms)))
        .or_else(|| Timestamp::from_rfc_3339(text))
        .ok_or_else(|| {
            let message = format!("{text:?} is neither a time nor a time span");
            Fault::new("BAD_TIME", Exit::Usage, message)
                .hint("write 2026-11-23T15:06:32Z, or how long ago: 90s, 30m, 2h, 7d")
        })
}

/// `90s`, `30m`, `2h` or `7d`, in milliseconds.
pub(super) fn span_ms(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(seconds)?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago_it_was() {
        assert_eq!(span_ms("2h"), Some(7_200_000));
        assert_eq!(span_ms("x"), None);
        assert_eq!(span_ms("ü"), None);
        assert_eq!(since("2023-11-14T22:13:20Z").unwrap(), Timestamp(1_700_000_000_000));
        assert!(since("7d").unwrap() < now());
        assert_eq!(since("soon").unwrap_err().code, "BAD_TIME");
        assert_eq!(since("1969-01-01T00:00:00Z").unwrap_err().code, "BAD_TIME");
    }
}
