//! Which codings of a body a browser takes.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;

/// Whether whoever sent these headers takes a body in this coding. Without a word about it nobody
/// does: then the file is sent as it is.
pub(super) fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let said = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let said: Vec<(&str, bool)> = said.flat_map(|value| value.split(',')).map(one).collect();
    let about = |name: &str| said.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    about(coding).or_else(|| about("*")).is_some_and(|(_, is_taken)| *is_taken)
}

/// A coding, as `br;q=0.8`, and whether it is taken: those of weight 0 are not.
fn one(text: &str) -> (&str, bool) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let is_taken = weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0));
    (name, is_taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_not_sent() {
        for (said, br, gzip) in [
            ("gzip, deflate, br, zstd", true, true),
            ("gzip", false, true),
            ("br;q=0.5, gzip;q=0", true, false),
            ("GZIP ; q=1.0", false, true),
            ("*", true, true),
            ("*;q=0.1, br;q=0.000", false, true),
            ("*;q=0", false, false),
            ("identity", false, false),
            ("", false, false),
            ("gzip;q=x, brotli", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, said.parse().unwrap());
            assert_eq!((takes(&headers, "br"), takes(&headers, "gzip")), (br, gzip), "{said:?}");
        }
        assert!(!takes(&HeaderMap::new(), "gzip"), "nothing was said");
    }

    #[test]
    fn several_headers_count_as_one() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, "gzip".parse().unwrap());
        headers.append(ACCEPT_ENCODING, "br".parse().unwrap());
        assert!(takes(&headers, "br") && takes(&headers, "gzip"));
    }
}
