//! That documents which name tests name tests that exist, and forget none of what they count.

use std::collections::BTreeSet;

use crate::source_text::{quoted, read, root, tests};

fn document(name: &str) -> String {
    read(root().join("docs/decisions").join(name)).text
}

#[test]
fn every_scenario_is_a_test() {
    let tests = tests();
    for number in 1..=40 {
        let name = format!("scenario_{number:02}_");
        assert!(tests.iter().any(|test| test.starts_with(&name)), "no test is called {name}…");
    }
}

#[test]
fn every_weakness_has_an_answer_and_a_test() {
    let tests = tests();
    let text = document("0010-weaknesses.md");
    let mut numbers = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| W")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, wrong, why, named] = cells.as_slice() else {
            panic!("a row has four cells: {line}");
        };
        assert!(wrong.len() > 10 && why.len() > 10 || *why == "the same", "{line}");
        let named = quoted(named);
        assert!(!named.is_empty(), "no test holds {number}");
        for name in named {
            assert!(tests.contains(&name), "{number} names the test {name}, which is not there");
        }
        numbers.insert(number[1..].parse::<u32>().unwrap());
    }
    assert_eq!(numbers, (1..=50).collect());
}
