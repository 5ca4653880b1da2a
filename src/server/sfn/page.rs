//! Lists, page by page: tokens are places between keys, so pages do not overlap, whatever comes and
//! goes meanwhile.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::input::Input;
use super::operation::{Member, Shape};
use super::refusal::Refusal;

/// How many entries a page has when nobody says, or says 0.
const USUAL: usize = 100;
/// The most entries of a page.
const MOST: i64 = 1000;

/// How many entries are wanted.
pub(super) const MAX_RESULTS: Member = Member::new("maxResults", Shape::Whole(0, MOST));
/// Where the last page ended.
pub(super) const NEXT_TOKEN: Member = Member::new("nextToken", Shape::Text(1, 1024));

/// How many entries a request wants.
pub(super) fn wanted(input: &Input) -> usize {
    let said = input.whole("maxResults").and_then(|most| usize::try_from(most).ok());
    said.filter(|most| *most > 0).unwrap_or(USUAL)
}

/// The token for what follows `key` in the lists of an operation.
pub(super) fn token(operation: &str, key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{operation}\n{key}"))
}

/// The key that a request's token of this operation holds; none when it has no token.
///
/// # Errors
/// The token is not one that this operation gave.
pub(super) fn key(operation: &str, input: &Input) -> Result<Option<String>, Refusal> {
    let Some(token) = input.text("nextToken") else { return Ok(None) };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text
        .and_then(|text| text.strip_prefix(operation)?.strip_prefix('\n').map(ToOwned::to_owned));
    key.map(Some).ok_or_else(invalid_token)
}

/// The refusal of a token.
pub(super) fn invalid_token() -> Refusal {
    Refusal::of("InvalidToken", "Invalid Token: 'The token is not one of this list.'")
}

/// A page of what is sorted by its keys, and the token for the next.
///
/// # Errors
/// The token is not one that this operation gave.
pub(super) fn of<T>(
    operation: &str,
    input: &Input,
    sorted: impl IntoIterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let after = key(operation, input)?;
    let is_after = |(key, _): &(String, T)| after.as_ref().is_none_or(|after| key > after);
    let wanted = wanted(input);
    let mut rest = sorted.into_iter().filter(is_after);
    let (mut page, mut last) = (Vec::new(), None);
    for (key, value) in rest.by_ref().take(wanted) {
        page.push(value);
        last = Some(key);
    }
    let next = last.filter(|_| rest.next().is_some()).map(|key| token(operation, &key));
    Ok((page, next))
}

/// The output of a list.
pub(super) fn output(name: &str, entries: Vec<Value>, next: Option<String>) -> Value {
    let mut told = serde_json::Map::new();
    told.insert(name.to_owned(), entries.into());
    if let Some(next) = next {
        told.insert("nextToken".to_owned(), next.into());
    }
    told.into()
}

/// A key by which larger numbers come first.
pub(super) fn descending(number: u64) -> String {
    format!("{:020}", u64::MAX - number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(input: &Value, names: &[&str]) -> (Vec<String>, Option<String>) {
        let members = [MAX_RESULTS, NEXT_TOKEN];
        let input = Input::read(&input.to_string(), &members).unwrap();
        let sorted = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned()));
        of("ListThings", &input, sorted).unwrap()
    }

    #[test]
    fn pages_do_not_overlap_when_entries_come_and_go() {
        let (first, next) = page(&json!({"maxResults": 2}), &["a", "b", "c"]);
        assert_eq!(first, ["a", "b"]);
        let again = json!({"maxResults": 2, "nextToken": next.unwrap()});
        let (second, next) = page(&again, &["a", "aa", "c", "d"]);
        assert_eq!((second, next), (vec!["c".to_owned(), "d".to_owned()], None));
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        for token in [token("ListOthers", "a"), "%".to_owned(), "AAAA".to_owned()] {
            let input = json!({"nextToken": token}).to_string();
            let input = Input::read(&input, &[NEXT_TOKEN]).unwrap();
            let refused = of("ListThings", &input, [("a".to_owned(), 1)]).unwrap_err();
            assert_eq!(refused.kind, "InvalidToken");
        }
    }

    #[test]
    fn larger_numbers_come_first() {
        assert!(descending(2) < descending(1) && descending(u64::MAX) < descending(10));
    }
}
