//! What is said by the environment of a test run.

/// A whole number, where one is said.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a whole number, and not {text:?}")))
}
