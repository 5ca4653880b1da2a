//! Timestamps as AWS accepts them: RFC 3339 with a capital `T`, and `Z` or an offset.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Reads an RFC 3339 timestamp, as `2026-11-23T08:00:00.250Z` or `2026-11-23T09:00:00+01:00`, into
/// milliseconds since 1970, negative before. `None` when the text is none: a `T` and `Z` in small
/// letters, a missing offset, or a day that the calendar lacks.
#[must_use]
pub fn timestamp_ms(text: &str) -> Option<i64> {
    parse(text).map(Timestamp::as_millisecond)
}

/// Reads a timestamp as AWS reads one that a Wait state works out, the "ISO-8601 extended offset
/// date-time" of its replies: also without seconds, and with a `t` and `z` in small letters.
#[must_use]
pub fn loose_timestamp_ms(text: &str) -> Option<i64> {
    let mut text = text.to_ascii_uppercase();
    let short = "0000-00-00T00:00".len();
    if text.as_bytes().get(short).is_some_and(|next| matches!(next, b'Z' | b'+' | b'-')) {
        text.insert_str(short, ":00");
    }
    timestamp_ms(&text)
}

/// Reads a timestamp; see [`timestamp_ms`].
pub(in crate::language) fn parse(text: &str) -> Option<Timestamp> {
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    literal(&mut rest, "-")?;
    let month = digits(&mut rest, 2)?;
    literal(&mut rest, "-")?;
    let day = digits(&mut rest, 2)?;
    literal(&mut rest, "T")?;
    let hour = digits(&mut rest, 2)?;
    literal(&mut rest, ":")?;
    let minute = digits(&mut rest, 2)?;
    literal(&mut rest, ":")?;
    let second = digits(&mut rest, 2)?;
    let nanosecond = fraction(&mut rest)?;
    let offset = offset(rest)?;
    let civil = DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        nanosecond,
    )
    .ok()?;
    offset.to_timestamp(civil).ok()
}

/// The text of a moment, as `2026-11-23T08:00:00.250Z`.
pub(super) fn format_ms(milliseconds: u64) -> Option<String> {
    let moment = Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()?;
    let civil = Offset::UTC.to_datetime(moment);
    Some(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second(),
        civil.millisecond()
    ))
}

fn literal(rest: &mut &str, expected: &str) -> Option<()> {
    *rest = rest.strip_prefix(expected)?;
    Some(())
}

fn digits(rest: &mut &str, count: usize) -> Option<i32> {
    let (head, tail) = rest.split_at_checked(count)?;
    if !head.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    *rest = tail;
    head.parse().ok()
}

/// Nanoseconds; digits past the ninth are dropped.
fn fraction(rest: &mut &str) -> Option<i32> {
    let Some(tail) = rest.strip_prefix('.') else { return Some(0) };
    let length = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    if length == 0 {
        return None;
    }
    let (head, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    let nine: String = head.chars().chain(std::iter::repeat('0')).take(9).collect();
    nine.parse().ok()
}

fn offset(rest: &str) -> Option<Offset> {
    if rest == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, mut rest) = match rest.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let hours = digits(&mut rest, 2)?;
    literal(&mut rest, ":")?;
    let minutes = digits(&mut rest, 2)?;
    if !rest.is_empty() || hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strict_timestamps_are_read() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2016-03-14T01:59:00Z", 1_457_920_740_000),
            ("2016-02-29T00:00:00-23:59", 1_456_790_340_000),
            ("1970-01-01T00:00:00.0015Z", 1),
            ("1970-01-01T00:00:00.1234567890123Z", 123),
        ];
        for (text, expected) in cases {
            assert_eq!(timestamp_ms(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_wait_reads_what_aws_reads() {
        let moment = timestamp_ms("2016-12-05T21:29:00Z");
        for text in ["2016-12-05T21:29Z", "2016-12-05t21:29:00z", "2016-12-05T22:29+01:00"] {
            assert_eq!(loose_timestamp_ms(text), moment, "{text}");
        }
        for text in ["", "2016-12-05 21:29:29Z", "2016-12-05T21:29:29", "2016-12-05T21:29", "é"] {
            assert_eq!(loose_timestamp_ms(text), None, "{text}");
        }
    }

    #[test]
    fn anything_looser_is_refused() {
        let cases = [
            "",
            "2016-03-14",
            "2016-03-14T01:59:00",
            "2016-03-14t01:59:00Z",
            "2016-03-14T01:59:00z",
            "2016-03-14 01:59:00Z",
            "2016-03-14T01:59Z",
            "2016-03-14T01:59:00.Z",
            "2016-03-14T01:59:60Z",
            "2016-03-14T24:00:00Z",
            "2016-02-30T00:00:00Z",
            "2016-13-01T00:00:00Z",
            "2016-03-14T01:59:00+0100",
            "2016-03-14T01:59:00+24:00",
            "2016-03-14T01:59:00ZZ",
            " 2016-03-14T01:59:00Z",
            "+016-03-14T01:59:00Z",
            "２016-03-14T01:59:00Z",
        ];
        for text in cases {
            assert_eq!(timestamp_ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_written_and_read_back() {
        assert_eq!(format_ms(1_457_920_740_007).unwrap(), "2016-03-14T01:59:00.007Z");
        assert_eq!(format_ms(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9TZ:+.\\-é ]{0,32}") {
            prop_assert!(timestamp_ms(&text).is_none_or(|ms| ms.abs() < 400_000_000_000_000));
        }

        #[test]
        fn every_moment_survives(moment in 0_u64..4_000_000_000_000) {
            prop_assert_eq!(timestamp_ms(&format_ms(moment).unwrap()), i64::try_from(moment).ok());
        }
    }
}
