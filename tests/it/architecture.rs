//! What the compiler does not hold: which module may use which, what the pure modules never
//! mention, how long a file may be, and that the documents and the code name the same things.

use std::collections::BTreeSet;

use crate::source_text::{Source, files_below, lines_with, read, root};

/// Which top-level modules each top-level module may name. `lib.rs` re-exports and `main.rs` may
/// use anything. Every arrow must lead to a line further up.
const MAY_USE: &[(&str, &[&str])] = &[
    ("telemetry", &[]),
    ("language", &[]),
    ("engine", &["language"]),
    ("store", &["engine", "language"]),
    ("worker", &["engine", "language", "telemetry"]),
    ("runtime", &["engine", "language", "store", "worker", "telemetry"]),
    ("config", &["runtime", "worker", "telemetry"]),
    ("view", &["engine", "language", "store"]),
    ("traces", &["runtime", "worker", "view", "engine", "language"]),
    ("server", &["runtime", "worker", "view", "traces", "engine", "language", "telemetry"]),
    (
        "cli",
        &[
            "config",
            "engine",
            "language",
            "runtime",
            "server",
            "store",
            "telemetry",
            "traces",
            "view",
            "worker",
        ],
    ),
    ("testing", &["cli", "config", "engine", "language", "runtime", "server", "store", "worker"]),
];

/// Modules that know no clock, chance, thread or file.
const PURE: &[&str] = &["language", "engine"];

/// What a pure module must not mention.
const BANNED_IN_PURE: &[&str] = &[
    "tokio",
    "sled",
    "async fn",
    "async move",
    "std::fs",
    "std::net",
    "SystemTime",
    "Instant::",
    "rand::",
    "getrandom",
    "thread",
];

/// The most lines a file may have.
const MAX_LINES: usize = 600;

/// Files that are longer, with their length. Only ever make this shorter.
const TOLERATED: &[(&str, usize)] = &[];

/// Files whose texts in capitals are codes for programs, and need a heading in `docs/ERRORS.md`.
const CODE_FILES: &[&str] = &["error.rs", "rejection.rs", "diagnostic.rs"];

/// What stands before a code in those files.
const BEFORE_CODES: &[&str] = &["=> \"", ": &str = \"", ": &'static str = \""];

/// What stands before a code, or the name of a job's error, in every file.
const BEFORE_CODES_ANYWHERE: &[&str] = &[
    "code: \"",
    ".code = \"",
    "Fault::new(\"",
    "Problem::new(\"",
    "nowhere(\"",
    ": &str = \"Everstep.",
];

#[test]
fn arrows_lead_inward_only() {
    for (index, (module, uses)) in MAY_USE.iter().enumerate() {
        for used in *uses {
            assert!(
                MAY_USE.iter().take(index).any(|(earlier, _)| earlier == used),
                "{module} may not use {used}, which stands below it in MAY_USE"
            );
        }
    }
}

#[test]
fn modules_name_only_what_they_may_use() {
    let mut faults = Vec::new();
    for source in files_below("src", ".rs") {
        if let Some(module) = top_module(&source.path) {
            let code = source.code();
            faults.extend(forbidden_arrows(module, &source.path, &code));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_forbidden_arrow_is_noticed() {
    let arrows = |path: &str, code: &str| forbidden_arrows(top_module(path).unwrap(), path, code);
    assert_eq!(arrows("src/engine/decide/mod.rs", "use crate::store::Error;").len(), 1);
    assert_eq!(arrows("src/engine/mod.rs", "use super::store::Error;").len(), 1);
    assert_eq!(
        arrows("src/engine/decide/job.rs", "use super::super::super::store::Error;").len(),
        1
    );
    assert_eq!(arrows("src/engine/apply.rs", "use crate::{store::Error, language};").len(), 1);
    assert_eq!(arrows("src/engine/apply.rs", "use crate::Orchestrator;").len(), 1);
    assert!(
        arrows("src/engine/apply.rs", "use crate::language::Json; crate::engine::x()").is_empty()
    );
    assert!(arrows("src/engine/apply.rs", "use super::event::Event;").is_empty());
}

#[test]
fn language_and_engine_are_pure() {
    let mut faults = Vec::new();
    for module in PURE {
        for source in files_below(&format!("src/{module}"), ".rs") {
            let code = source.code();
            for word in BANNED_IN_PURE {
                for line in lines_with(&code, word) {
                    faults.push(format!("{}:{line} mentions {word}", source.path));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_judge_of_simulated_lives_asks_nothing_of_the_engine() {
    let files = files_below("src/testing/sim/oracle", ".rs");
    assert!(files.len() > 1);
    for source in files {
        for word in ["crate::", "super::super"] {
            let lines = lines_with(&source.without_comments(), word);
            assert!(lines.is_empty(), "{}: lines {lines:?} mention {word}", source.path);
        }
    }
}

#[test]
fn files_stay_readable() {
    let mut faults = Vec::new();
    for source in files_below("src", ".rs").iter().chain(&files_below("tests", ".rs")) {
        let lines = source.text.lines().count();
        let tolerated = TOLERATED.iter().find(|(path, _)| *path == source.path);
        match tolerated {
            None if lines > MAX_LINES => {
                faults.push(format!("{} has {lines} lines, over {MAX_LINES}", source.path));
            }
            Some((path, most)) if lines > *most => {
                faults.push(format!("{path} grew from {most} to {lines} lines"));
            }
            Some((path, most)) if lines < *most => {
                faults.push(format!("{path} shrank to {lines} lines: write so in TOLERATED"));
            }
            _ => {}
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_integration_test_is_forgotten() {
    let main = read(root().join("tests/it/main.rs")).without_comments();
    for source in files_below("tests/it", ".rs") {
        let inside = source.path.trim_start_matches("tests/it/").trim_end_matches(".rs");
        let module = inside.trim_end_matches("/mod");
        if module != "main" && !module.contains('/') {
            assert!(
                main.contains(&format!("mod {module};")),
                "{} is not in tests/it/main.rs, so it never runs",
                source.path
            );
        }
    }
}

#[test]
fn every_error_code_is_explained() {
    let errors = read(root().join("docs/ERRORS.md")).text;
    let mut headings = BTreeSet::new();
    for line in errors.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(headings.insert(line.trim_matches('`')), "docs/ERRORS.md explains {line} twice");
    }
    let codes = error_codes();
    assert!(codes.len() > 10, "only {codes:?} found: has the form of the codes changed?");
    for (code, path) in codes {
        assert!(
            headings.contains(code.as_str()),
            "{path} has the code {code}, docs/ERRORS.md has no heading `### {code}`"
        );
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = files_below("docs", ".md");
    for name in ["README.md", "CHANGELOG.md"] {
        documents.push(read(root().join(name)));
    }
    let mut faults = Vec::new();
    for document in &documents {
        for link in links(&document.text) {
            if let Some(fault) = broken(document, link) {
                faults.push(format!("{}: {link}: {fault}", document.path));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn documents_that_the_code_names_exist() {
    let mut sources = files_below("src", ".rs");
    sources.extend(["Cargo.toml", "deny.toml"].map(|name| read(root().join(name))));
    for source in sources {
        for (at, _) in source.text.match_indices("docs/") {
            let path: String = source.text[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || "/-_.".contains(*c))
                .collect();
            let path = path.trim_end_matches(['.', '/']);
            assert!(root().join(path).exists(), "{} names {path}, which is not there", source.path);
        }
    }
}

/// The top-level module that the file belongs to; none for `lib.rs` and `main.rs`.
fn top_module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (module != "lib" && module != "main").then_some(module)
}

fn forbidden_arrows(module: &str, path: &str, code: &str) -> Vec<String> {
    let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{path}: module {module} has no line in MAY_USE")];
    };
    let allowed = |name: &str| name == module || may_use.contains(&name);
    let mut faults = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let place = format!("{path}:{}", index + 1);
        for name in names_after(line, "crate::") {
            if name.is_empty() {
                faults.push(format!("{place} groups modules of the crate: one `use` for each"));
            } else if !allowed(name) {
                faults.push(format!("{place} uses crate::{name}, {module} may not"));
            }
        }
        let to_root = "super::".repeat(module_depth(path));
        for name in names_after(line, &to_root) {
            if !allowed(name) && MAY_USE.iter().any(|(known, _)| *known == name) {
                faults.push(format!("{place} reaches {name} through super, {module} may not"));
            }
        }
    }
    faults
}

/// How many steps it is from the module of the file to the crate's root.
fn module_depth(path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').count()
}

/// The names that follow `prefix` in `line`; empty where no name follows.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    line.match_indices(prefix)
        .filter(|(at, _)| !line[..*at].ends_with(['_', '$', ':']))
        .map(|(at, _)| {
            let rest = &line[at + prefix.len()..];
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            &rest[..end]
        })
        .collect()
}

/// Codes and the files that have them.
fn error_codes() -> Vec<(String, String)> {
    let mut codes = Vec::new();
    for source in files_below("src", ".rs") {
        let name = source.path.rsplit('/').next().unwrap_or_default();
        let text = source.shipped_text();
        let mut add = |before: &str| {
            for (at, _) in text.match_indices(before) {
                // From the quote on, as `before` may hold the beginning of the code.
                let start = at + before.find('"').map_or(before.len(), |quote| quote + 1);
                let code = text[start..].split('"').next().unwrap_or_default();
                if is_code(code) {
                    codes.push((code.to_owned(), source.path.clone()));
                }
            }
        };
        BEFORE_CODES_ANYWHERE.iter().copied().for_each(&mut add);
        if CODE_FILES.contains(&name) {
            BEFORE_CODES.iter().copied().for_each(&mut add);
        }
    }
    codes
}

/// `STORE_IO` or `Everstep.CommandFailed`.
fn is_code(text: &str) -> bool {
    let capitals = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_name = text.strip_prefix("Everstep.").is_some_and(|name| !name.is_empty());
    is_name
        || (text.len() > 2 && text.starts_with(char::is_alphabetic) && text.chars().all(capitals))
}

/// The targets of `[words](target)` outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            links.extend(line[at + 2..].split(')').next());
        }
    }
    links
}

/// What is wrong with a link of `document`, if something is.
fn broken(document: &Source, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let here = root().join(&document.path);
    let target = if path.is_empty() { here } else { here.parent()?.join(path) };
    if !target.exists() {
        return Some("there is no such file".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    let text = std::fs::read_to_string(target).unwrap();
    let found = text.lines().any(|line| line.starts_with('#') && slug(line) == anchor);
    (!found).then(|| "there is no such heading".to_owned())
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
