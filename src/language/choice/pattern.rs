//! Patterns of `StringMatches`.

/// A text with `*` for any characters, none included. `\*` is a star, `\\` a backslash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Any,
    One(char),
}

impl Pattern {
    /// Reads a pattern. A backslash before anything else stands for itself.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(next) = rest.next() {
            let token = match next {
                '*' => Token::Any,
                '\\' => Token::One(rest.next_if(|c| matches!(c, '*' | '\\')).unwrap_or('\\')),
                other => Token::One(other),
            };
            // Two stars in a row are as good as one.
            if token != Token::Any || tokens.last() != Some(&Token::Any) {
                tokens.push(token);
            }
        }
        Self(tokens)
    }

    /// Whether the whole text fits. Takes time in proportion to the lengths of both at worst.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut token = 0;
        // Where to go on when a character does not fit: after the last star, one character later.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            match (self.0.get(token), rest.clone().next()) {
                (Some(Token::Any), _) => {
                    token += 1;
                    retry = Some((token, rest.clone()));
                }
                (Some(Token::One(wanted)), Some(found)) if *wanted == found => {
                    token += 1;
                    rest.next();
                }
                (None, None) => return true,
                _ => {
                    let Some((after_star, from)) = &mut retry else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    token = *after_star;
                    rest = from.clone();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("log-*.txt", "log-1.txt", true),
            ("log-*.txt", "log-.txt", true),
            ("log-*.txt", "log-1.txt2", false),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXcXb", false),
            ("*a", "aaab", false),
            ("*ab", "aab", true),
            ("a**b", "ab", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "aXb", false),
            (r"a\\*", r"a\x", true),
            (r"a\b", r"a\b", true),
            (r"\", r"\", true),
            ("é*", "éa", true),
            ("abc", "ab", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        let pattern = Pattern::new(&"*a".repeat(200));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(5000))));
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_with_parts_left_out(
            head in "[a-c]{0,5}", middle in "[a-c*\\\\]{0,5}", tail in "[a-c]{0,5}",
        ) {
            let pattern = Pattern::new(&format!("{head}*{tail}"));
            let text = format!("{head}{middle}{tail}");
            prop_assert!(pattern.matches(&text));
        }
    }
}
