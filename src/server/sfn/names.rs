//! Names, as clients may give them.

use super::operation::Shape;
use super::refusal::Refusal;

/// The longest name.
pub(super) const NAME: Shape = Shape::Text(1, 80);

/// Checks a name: letters, digits, `.`, `_` and `-`. AWS lets through some more.
///
/// # Errors
/// It has other characters.
pub(super) fn check(name: &str) -> Result<(), Refusal> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_good) {
        return Ok(());
    }
    Err(Refusal::of("InvalidName", format!("Invalid Name: '{name}'")))
}
