//! The bodies of `fuzz/` without a fuzzer: over every saved input, and over mutations of them.
//! `EVERSTEP_FUZZ_RUNS` says how many mutations each body gets, `EVERSTEP_SEED` the number of the
//! first.

use everstep::testing::fuzz::{BODIES, Body, mutation, run as run_once, saved_inputs};

use crate::environment::number;
use crate::source_text::root;

const DEFAULT_RUNS: u64 = 2000;

/// Runs a body over everything; names the inputs it panics on.
fn run(name: &str) {
    let body = body(name);
    let saved = saved_inputs(&root().join("fuzz/corpus"), body).unwrap();
    assert!(!saved.is_empty(), "no inputs for {name} are saved");
    let (mut faults, mut taken) = (Vec::new(), 0);
    let mut try_one = |which: String, data: &[u8]| {
        let ran = run_once(body, data);
        taken += u64::from(ran.is_taken);
        if !ran.holds {
            faults.push(format!("{which}: {:?}", String::from_utf8_lossy(data)));
        }
    };
    for one in &saved {
        try_one(one.name.clone(), &one.bytes);
    }
    let first = number("EVERSTEP_SEED").unwrap_or(0);
    for run in 0..number("EVERSTEP_FUZZ_RUNS").unwrap_or(DEFAULT_RUNS) {
        let number = first.wrapping_add(run);
        try_one(format!("mutation {number}"), &mutation(&saved, number));
    }
    assert!(taken > 0, "all inputs of {name} are refused: they test nothing");
    assert!(faults.is_empty(), "{} inputs of {name} fail, the first: {}", faults.len(), faults[0]);
}

fn body(name: &str) -> &'static Body {
    BODIES.iter().find(|body| body.name == name).unwrap()
}

/// A test for each body, and one that none is forgotten.
macro_rules! bodies {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

bodies! {
    accepted_workflow
    command_sequence
    configuration
    control_lines
    cut_items
    decode_record
    intrinsic_call
    json_path
    jsonata_template
    log_lines
    names
    parse_definition
    reference_path
    rest_request
    server_answers
    signatures
    stored_values
    token_file
    wire_request
    worker_output
}

#[test]
fn every_body_is_tested_has_a_target_and_stands_in_the_documents() {
    let text = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let (targets, testing) = (text("fuzz/Cargo.toml"), text("docs/TESTING.md"));
    for Body { name, .. } in BODIES {
        assert!(TESTED.contains(name), "{name} is not tested");
        assert!(targets.contains(&format!("\"{name}\"")), "{name} is not in fuzz/Cargo.toml");
        let target = text(&format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(target.contains(&format!("fuzz::{name}(data)")), "the target {name} runs another");
        assert!(testing.contains(&format!("`{name}`")), "docs/TESTING.md leaves out {name}");
    }
    assert_eq!(BODIES.len(), TESTED.len());
}
