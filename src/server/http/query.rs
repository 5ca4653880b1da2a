//! The query of a request: only parameters that the route has, each once, each of its kind.

use super::problem::Problem;
use super::route::{Kind, Param};

/// The most bytes of a text when a parameter says nothing else.
const MOST_PARAMETERS: usize = 32;

/// The parameters of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::server) struct Query {
    values: Vec<(&'static str, String)>,
}

impl Query {
    /// Reads a query, as `limit=50&status=running`.
    pub(super) fn read(query: &str, known: &'static [Param]) -> Result<Self, Problem> {
        let mut values: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            let param = known.iter().find(|param| param.name == name);
            let param = param.ok_or_else(|| unknown(&name, known))?;
            if values.len() >= MOST_PARAMETERS || values.iter().any(|(given, _)| *given == name) {
                return Err(bad(&format!("the parameter {name} is given twice")));
            }
            check(param, &value)?;
            values.push((param.name, value));
        }
        if let Some(missing) = known
            .iter()
            .find(|param| param.is_required && !values.iter().any(|v| v.0 == param.name))
        {
            return Err(bad(&format!("the parameter {} is missing", missing.name)));
        }
        Ok(Self { values })
    }

    /// A text, or a word.
    pub(in crate::server) fn text(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A number.
    pub(in crate::server) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// How many, with a default and a most.
    pub(in crate::server) fn count(&self, name: &str, usual: usize) -> usize {
        self.number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(usual).max(1)
    }

    /// Whether a flag is set.
    pub(in crate::server) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Words with commas between them.
    pub(in crate::server) fn words(&self, name: &str) -> Vec<&str> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').filter(|word| !word.is_empty()).collect()
    }
}

fn check(param: &Param, value: &str) -> Result<(), Problem> {
    let name = param.name;
    match param.kind {
        Kind::Text(most) if value.len() > most => {
            Err(bad(&format!("{name} has more than {most} bytes")))
        }
        Kind::Text(_) | Kind::Json => Ok(()),
        Kind::Number(most) => match value.parse::<u64>() {
            Ok(number) if number <= most => Ok(()),
            _ => Err(bad(&format!("{name} is no whole number from 0 to {most}"))),
        },
        Kind::Flag if matches!(value, "true" | "false") => Ok(()),
        Kind::Flag => Err(bad(&format!("{name} is neither true nor false"))),
        Kind::Word(words) if words.contains(&value) => Ok(()),
        Kind::Words(words) if value.split(',').all(|word| words.contains(&word)) => Ok(()),
        Kind::Word(words) => Err(bad(&format!("{name} is none of {}", words.join(", ")))),
        Kind::Words(words) => {
            Err(bad(&format!("{name} holds something else than {}", words.join(", "))))
        }
    }
}

fn unknown(name: &str, known: &[Param]) -> Problem {
    let names: Vec<&str> = known.iter().map(|param| param.name).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let name: String = name.chars().take(64).collect();
    bad(&format!("there is no parameter {name:?} here; known: {known}"))
}

fn bad(detail: &str) -> Problem {
    Problem::bad_request(detail)
}

/// Text without percent signs and plusses.
fn decoded(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value =
                    high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value
                    .ok_or_else(|| bad("the query has a % that no two hexadecimal digits follow"))?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad("the query is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Param] = &[
        Param::new("q", Kind::Text(8), ""),
        Param::new("limit", Kind::Number(100), ""),
        Param::new("status", Kind::Words(&["running", "failed"]), ""),
        Param::new("dry", Kind::Flag, ""),
    ];

    #[test]
    fn a_query_is_read_by_its_parameters() {
        let query = Query::read("q=a+b%C3%A4&limit=7&&status=failed,running&dry=true", KNOWN);
        let query = query.unwrap();
        assert_eq!((query.text("q"), query.number("limit")), (Some("a bä"), Some(7)));
        assert_eq!((query.words("status"), query.flag("dry")), (vec!["failed", "running"], true));
        assert_eq!(Query::read("", KNOWN).unwrap().count("limit", 50), 50);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for query in [
            "x=1",
            "q=1&q=2",
            "limit=101",
            "limit=-1",
            "limit=",
            "status=gone",
            "dry=1",
            "q=%f",
            "q=%ff",
            "q=123456789",
            "q=%zz",
        ] {
            assert!(Query::read(query, KNOWN).is_err(), "{query}");
        }
    }
}
