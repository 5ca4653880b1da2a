//! The words after a program's name: each with what stands after it, or alone.

use std::env::Args;
use std::iter::Skip;
use std::str::FromStr;

/// What is left of them.
pub(crate) struct Words {
    rest: Skip<Args>,
    /// The one that was taken last.
    word: String,
}

impl Words {
    /// Those after this program's name.
    pub(crate) fn of_this_program() -> Self {
        Self { rest: std::env::args().skip(1), word: String::new() }
    }

    /// The next word, if there is one.
    pub(crate) fn next_word(&mut self) -> Option<String> {
        let word = self.rest.next()?;
        self.word.clone_from(&word);
        Some(word)
    }

    /// What stands after the word.
    pub(crate) fn text(&mut self) -> Result<String, String> {
        self.rest.next().ok_or_else(|| format!("{} needs something after it", self.word))
    }

    /// The number that stands after the word.
    pub(crate) fn number<N: FromStr>(&mut self) -> Result<N, String> {
        let text = self.text()?;
        text.parse().map_err(|_| format!("{} needs a number, and not {text:?}", self.word))
    }

    /// Says that nobody knows the word.
    pub(crate) fn unknown(&self) -> String {
        format!("{} is not known", self.word)
    }
}
