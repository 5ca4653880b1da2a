//! Why somebody stopped an execution: AWS has an error name and a cause, the engine one reason.

/// What stands between the two. People see a colon and a space; the space is one that does not break,
/// so that it is told from a colon that stands in a reason.
const BETWEEN: &str = ":\u{a0}";

/// One reason of both.
pub(super) fn reason(error: Option<&str>, cause: Option<&str>) -> Option<String> {
    match (error, cause) {
        (None, None) => None,
        (None, Some(cause)) if !cause.contains(BETWEEN) => Some(cause.to_owned()),
        (error, cause) => {
            let (error, cause) = (error.unwrap_or_default(), cause.unwrap_or_default());
            Some(format!("{}{BETWEEN}{cause}", error.replace(BETWEEN, ": ")))
        }
    }
}

/// Error and cause of a reason.
pub(super) fn error_and_cause(reason: &str) -> (Option<&str>, Option<&str>) {
    let some = |text: &str| (!text.is_empty()).then_some(());
    match reason.split_once(BETWEEN) {
        Some((error, cause)) => (some(error).map(|()| error), some(cause).map(|()| cause)),
        None => (None, some(reason).map(|()| reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_and_cause_come_back_out_of_the_reason() {
        for pair in [
            (None, None),
            (Some("E"), None),
            (None, Some("it: was so")),
            (Some("E"), Some("c")),
            (None, Some("a:\u{a0}b")),
        ] {
            let reason = reason(pair.0, pair.1);
            assert_eq!(reason.as_deref().map_or((None, None), error_and_cause), pair);
        }
        assert_eq!(
            error_and_cause("of another way: really"),
            (None, Some("of another way: really"))
        );
    }
}
