//! A place in the text of an expression.

use serde_json::{Number, Value};

use super::scope::ExpressionFault;

/// How deep brackets, filters and calls may nest in one text.
const MAX_DEPTH: usize = 32;

/// Reads a text from its start to its end.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Where it stands, in bytes from the start.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Whether the text goes on with `prefix`.
    pub(super) fn sees(&self, prefix: &str) -> bool {
        self.rest().starts_with(prefix)
    }

    /// Steps over `prefix` if the text goes on with it.
    pub(super) fn eat(&mut self, prefix: &str) -> bool {
        let found = self.sees(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    /// Steps over `word` if it stands here as a word of its own.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let follows = self.rest().strip_prefix(word).map(|rest| rest.chars().next());
        match follows {
            Some(Some(next)) if next.is_alphanumeric() || next == '_' => false,
            Some(_) => self.eat(word),
            None => false,
        }
    }

    pub(super) fn expect(&mut self, prefix: &str) -> Result<(), ExpressionFault> {
        if self.eat(prefix) { Ok(()) } else { Err(self.unexpected(&format!("'{prefix}'"))) }
    }

    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// The text from `start` to where it stands.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> ExpressionFault {
        ExpressionFault::new(message, self.at)
    }

    /// The fault that something else than `wanted` stands here.
    pub(super) fn unexpected(&self, wanted: &str) -> ExpressionFault {
        match self.peek() {
            Some(found) => self.fault(format!("expected {wanted}, found '{found}'")),
            None => self.fault(format!("expected {wanted}, but the text ends")),
        }
    }

    pub(super) fn expect_end(&self) -> Result<(), ExpressionFault> {
        if self.is_at_end() { Ok(()) } else { Err(self.unexpected("the end of the expression")) }
    }

    /// Goes one level deeper while `read` runs.
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ExpressionFault>,
    ) -> Result<T, ExpressionFault> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fault(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads a number, spelled as in JSON.
    pub(super) fn number(&mut self) -> Result<Value, ExpressionFault> {
        let start = self.at;
        let text =
            self.take_while(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'));
        match serde_json::from_str::<Number>(text) {
            Ok(number) => Ok(Value::Number(number)),
            Err(_) => Err(ExpressionFault::new(format!("'{text}' is not a number"), start)),
        }
    }

    /// Reads `true`, `false` or `null`, if one stands here.
    pub(super) fn keyword(&mut self) -> Option<Value> {
        let words =
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)];
        words.into_iter().find_map(|(word, value)| self.eat_word(word).then_some(value))
    }
}
