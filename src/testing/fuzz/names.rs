//! Short texts that name something: who, what, when and where.

use super::{assert_reads_back, taken};
use crate::config::Listen;
use crate::engine::{CallbackToken, ExecutionId, Timestamp};
use crate::language::expression::{loose_timestamp_ms, timestamp_ms};

/// The first moment that has no text: where the calendar that is used ends.
const END_OF_TIME_MS: u64 = 253_402_207_201_000;

/// Names, tokens, moments and addresses: the first byte says which, the rest is the text. It is read
/// or refused, never a panic; what is read is written and read again as the same, and a token that
/// proves something has one text only.
///
/// # Panics
/// When that does not hold.
pub fn names(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match kind % 8 {
        0 => identity(text),
        1 => callback(text),
        2 => moment(text),
        3 => address(text),
        4 => span(text),
        other => of_server(other, text),
    }
}

fn identity(text: &str) {
    let Ok(id) = text.parse::<ExecutionId>() else { return };
    assert_reads_back(&id, ToString::to_string, |text| text.parse().ok());
    assert!(id.handle().starts_with(&id.short()), "{text:?}");
    id.made_at().iter().for_each(in_text);
}

fn callback(text: &str) {
    let Ok(token) = text.parse::<CallbackToken>() else { return };
    taken();
    assert_eq!(token.to_string(), text);
}

fn moment(text: &str) {
    Timestamp::from_rfc_3339(text).iter().for_each(in_text);
    if let Some(strict) = timestamp_ms(text) {
        assert_eq!(loose_timestamp_ms(text), Some(strict), "{text:?}");
    }
}

/// A moment can be told.
fn in_text(moment: &Timestamp) {
    if moment.0 < END_OF_TIME_MS {
        assert_reads_back(moment, ToString::to_string, Timestamp::from_rfc_3339);
    } else {
        assert!(!moment.to_string().is_empty());
    }
}

fn address(text: &str) {
    if let Ok(listen) = text.parse::<Listen>() {
        assert_reads_back(&listen, ToString::to_string, |text| text.parse().ok());
    }
    #[cfg(feature = "remote")]
    crate::worker::remote::fuzz::address(text);
}

#[cfg(feature = "cli")]
fn span(text: &str) {
    use crate::cli::fuzz::span;

    if let Some(ms) = span(text) {
        assert_eq!(span(&format!("{}s", ms / 1000)), Some(ms), "{text:?}");
    }
}

#[cfg(not(feature = "cli"))]
fn span(_: &str) {}

#[cfg(feature = "server")]
fn of_server(kind: u8, text: &str) {
    use crate::server::fuzz;

    match kind {
        5 => fuzz::arn(text),
        6 => fuzz::page_token(text),
        _ => fuzz::host_name(text),
    }
}

#[cfg(not(feature = "server"))]
fn of_server(_: u8, _: &str) {}
