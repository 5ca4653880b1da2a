//! That `docs/LANGUAGE.md` lists every part of the language, each with tests that exist.

use std::collections::BTreeSet;

use everstep::language::choice::COMPARATORS;

use crate::source_text::{quoted, read, root, tests};

/// A row of the tables.
struct Row {
    part: String,
    supported: String,
    tests: Vec<String>,
}

fn rows() -> Vec<Row> {
    let text = read(root().join("docs/LANGUAGE.md")).text;
    let section = text.split("\n## ").find(|part| part.starts_with("Every part")).unwrap();
    let rows: Vec<Row> = section.lines().filter_map(row).collect();
    assert!(rows.len() > 90, "only {} rows: has the form of the tables changed?", rows.len());
    rows
}

/// A line of a table that is neither its head nor the line below that.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    let [part, supported, tests] = cells.as_slice() else {
        panic!("a row has three cells: {line}");
    };
    let is_head = supported.trim() == "supported" || supported.starts_with("---");
    (!is_head).then(|| Row {
        part: (*part).to_owned(),
        supported: supported.trim().to_owned(),
        tests: quoted(tests),
    })
}

#[test]
fn every_part_names_tests_that_exist() {
    let tests = tests();
    assert!(tests.contains("every_part_names_tests_that_exist"));
    for Row { part, supported, tests: named } in rows() {
        assert!(!named.is_empty(), "no test holds {part}");
        for name in named {
            assert!(tests.contains(&name), "{part} names the test {name}, which is not there");
        }
        let reason = ["no: ", "in part: "].iter().find_map(|word| supported.strip_prefix(word));
        let is_told = supported == "yes" || reason.is_some_and(|reason| reason.len() > 10);
        assert!(is_told, "{part}: {supported:?} is neither yes nor has a reason");
    }
}

#[test]
fn no_part_is_forgotten() {
    let listed: BTreeSet<String> = rows().iter().flat_map(|row| quoted(&row.part)).collect();
    // These are no parts of the specification.
    let extensions = ["CountErrors", "Title", "Weight"];
    let mut parts: Vec<String> = texts("src/language/read/fields.rs", "Field(\"");
    parts.retain(|field| !extensions.contains(&field.as_str()));
    parts.extend(texts("src/language/read/retry.rs", "    \"States."));
    parts.extend(texts("src/language/expression/intrinsic/function.rs", ", \"States."));
    parts.extend(COMPARATORS.iter().map(ToString::to_string));
    assert!(
        parts.len() > 110,
        "only {} parts found: has the form of the code changed?",
        parts.len()
    );
    for part in parts {
        assert!(listed.contains(&part), "docs/LANGUAGE.md does not list {part}");
    }
}

/// The texts of a file that begin with the quote in `before`, and what of it follows the quote.
fn texts(path: &str, before: &str) -> Vec<String> {
    let source = read(root().join(path)).shipped_text();
    let (_, start) = before.split_once('"').unwrap();
    source
        .split(before)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|rest| format!("{start}{rest}"))
        .collect()
}
