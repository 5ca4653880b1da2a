//! Rust source as text: enough of the language to leave out comments, texts and tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A source file of the project.
pub(crate) struct Source {
    /// Its path from the project's root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl Source {
    /// The text without comments.
    pub(crate) fn without_comments(&self) -> String {
        blanked(&self.text, false)
    }

    /// The text without comments, without the content of texts and characters, and without items
    /// under `#[cfg(test)]`. Lines stay where they are.
    pub(crate) fn code(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        without_test_items(&blanked(&self.text, true))
    }

    /// The text without comments and without tests, but with its texts. Lines are not kept.
    pub(crate) fn shipped_text(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        // By convention unit tests are the last item of a file.
        let text = self.without_comments();
        text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
    }

    /// Whether the whole file is a test: it stands in `tests`, or it or a module around it is
    /// declared under `#[cfg(test)]`; or it holds bodies of fuzz targets, which stand beside what they
    /// read and are in no shipped program.
    fn is_test(&self) -> bool {
        if self.path.starts_with("tests/") || self.path.ends_with("/fuzz.rs") {
            return true;
        }
        let mut module = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        while let Some((around, name)) = module.rsplit_once('/') {
            let file = if around == "src" { "src/lib.rs" } else { &format!("{around}/mod.rs") };
            if std::fs::read_to_string(root().join(file))
                .is_ok_and(|text| declares_test(&blanked(&text, true), name))
            {
                return true;
            }
            module = around;
        }
        false
    }
}

/// Whether `code` has `#[cfg(test)] mod name;`.
fn declares_test(code: &str, name: &str) -> bool {
    code.split("#[cfg(test)]").skip(1).any(|after| {
        let item = after.split([';', '{']).next().unwrap_or_default();
        item.split_whitespace().rev().take(2).eq([name, "mod"])
    })
}

/// Where the project is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` whose names end with `suffix`, in the order of their paths.
pub(crate) fn files_below(folder: &str, suffix: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(suffix) {
                found.push(read(path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no file ends with {suffix} below {folder}");
    found
}

/// The file at `path`.
pub(crate) fn read(path: PathBuf) -> Source {
    let text = std::fs::read_to_string(&path).unwrap();
    let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    Source { path, text }
}

/// Where `word` stands in `code` as a whole word, as line numbers from 1.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let starts_as_word = word.starts_with(is_part);
    let ends_as_word = word.ends_with(is_part);
    let mut lines = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let hit = line.match_indices(word).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + word.len()..]);
            let in_longer_word = (starts_as_word && before.ends_with(is_part))
                || (ends_as_word && after.starts_with(is_part));
            !in_longer_word
        });
        if hit {
            lines.push(index + 1);
        }
    }
    lines
}

/// What stands between backquotes.
pub(crate) fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names of all functions under `#[test]` or `#[tokio::test…]`.
pub(crate) fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in files_below("src", ".rs").iter().chain(&files_below("tests", ".rs")) {
        let text = source.without_comments();
        for mark in ["#[test]", "#[tokio::test"] {
            for after in text.split(mark).skip(1) {
                let name = after.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
                names.extend(name.map(str::to_owned));
            }
        }
    }
    names
}

/// `text` with comments, and if asked texts and characters, overwritten by spaces.
fn blanked(text: &str, texts_too: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, keep) = token(rest);
        let (now, later) = rest.split_at(length);
        let keep = match keep {
            Kind::Code => true,
            Kind::Text => !texts_too,
            Kind::Comment => false,
        };
        if keep {
            out.push_str(now);
        } else {
            out.extend(now.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = later;
    }
    out
}

enum Kind {
    Code,
    Text,
    Comment,
}

/// The length in bytes and the kind of what `rest`, which is not empty, begins with.
fn token(rest: &str) -> (usize, Kind) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Kind::Comment);
    }
    if let Some(length) = raw_text(rest) {
        return (length, Kind::Text);
    }
    if rest.starts_with('"') {
        return (quoted_text(rest, '"'), Kind::Text);
    }
    if let Some(after) = rest.strip_prefix('\'') {
        // A lifetime has a name and no quote after its first character.
        let mut characters = after.chars();
        let first = characters.next();
        if first == Some('\\') || characters.next() == Some('\'') {
            return (quoted_text(rest, '\''), Kind::Text);
        }
        return (1, Kind::Code);
    }
    // A whole name at once, so that the `r` at its end does not begin a raw text.
    let name = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let one = rest.chars().next().map_or(1, char::len_utf8);
    (name.max(one), Kind::Code)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn raw_text(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body_length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + body_length)
}

fn quoted_text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// `code`, which holds no comments and texts, with items under `#[cfg(test)]` overwritten.
fn without_test_items(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, item) = rest.split_at(at);
        let (item, later) = item.split_at(item_length(item));
        out.push_str(before);
        out.extend(item.chars().filter(|c| *c == '\n'));
        rest = later;
    }
    out.push_str(rest);
    out
}

/// Up to the first `;` outside of braces, or the end of the first braces.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    item.len()
}

#[cfg(test)]
mod tests {
    use super::{Source, declares_test, lines_with};

    fn source(text: &str) -> Source {
        Source { path: "src/x.rs".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn comments_and_texts_are_left_out_and_lines_stay() {
        let code = source(concat!(
            "a // tokio\n",
            "/* tokio /* tokio */\n tokio */ b\n",
            "\"tokio \\\" tokio\" c r#\"tokio \" tokio\"# d\n",
            "'\"' e '\\'' f<'tokio2> 'x' g\n",
        ))
        .code();
        assert!(lines_with(&code, "tokio").is_empty(), "{code}");
        for (word, line) in [("a", 1), ("b", 3), ("c", 4), ("d", 4), ("e", 5), ("f", 5), ("g", 5)] {
            assert_eq!(lines_with(&code, word), [line], "{word} in {code}");
        }
    }

    #[test]
    fn test_items_are_left_out() {
        let code = source(
            "one;\n#[cfg(test)]\nmod tests {\n fn f() { two }\n}\nthree;\n#[cfg(test)]\nmod four;\nfive;",
        )
        .code();
        assert!(lines_with(&code, "two").is_empty(), "{code}");
        assert!(lines_with(&code, "four").is_empty(), "{code}");
        assert_eq!(lines_with(&code, "three"), [6]);
        assert_eq!(lines_with(&code, "five"), [9]);
    }

    #[test]
    fn a_module_declared_for_tests_is_a_test() {
        let code = "mod a;\n#[cfg(test)]\npub(crate) mod b;\nmod c;\n#[cfg(test)]\nmod d;";
        let tests: Vec<&str> =
            ["a", "b", "c", "d"].into_iter().filter(|name| declares_test(code, name)).collect();
        assert_eq!(tests, ["b", "d"]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(lines_with("thread_local!()\nstd::thread::spawn", "thread"), [2]);
        assert_eq!(lines_with("my_rand::x\nrand::x", "rand::"), [2]);
    }
}
