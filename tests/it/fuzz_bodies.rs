//! The bodies of `fuzz/` without a fuzzer: over every saved input, and over mutations of them from
//! a fixed seed. `EVERSTEP_FUZZ_RUNS` says how many mutations each body gets.

use everstep::testing::fuzz;
use everstep::testing::random::Random;

use crate::source_text::root;

const DEFAULT_RUNS: u64 = 2000;

fn runs() -> u64 {
    std::env::var("EVERSTEP_FUZZ_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(DEFAULT_RUNS)
}

fn saved_inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("fuzz/corpus").join(target);
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        inputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    inputs.sort();
    assert!(!inputs.is_empty(), "no inputs for {target} are saved");
    inputs
}

/// Runs `body` over everything; names the inputs it panics on.
fn run(target: &str, body: fn(&[u8])) {
    let saved = saved_inputs(target);
    let mut faults = Vec::new();
    let mut try_one = |name: String, data: &[u8]| {
        if std::panic::catch_unwind(|| body(data)).is_err() {
            faults.push(format!("{name}: {:?}", String::from_utf8_lossy(data)));
        }
    };
    for (name, data) in &saved {
        try_one(name.clone(), data);
    }
    for seed in 0..runs() {
        let mut random = Random::new(seed);
        let data = random.pick(&saved).map(|(_, data)| data.clone()).unwrap_or_default();
        try_one(format!("mutation {seed}"), &random.mutated(&data));
    }
    assert!(
        faults.is_empty(),
        "{} inputs of {target} fail, the first: {}",
        faults.len(),
        faults[0]
    );
}

#[test]
fn decode_record() {
    run("decode_record", fuzz::decode_record);
}

#[test]
fn parse_definition() {
    run("parse_definition", fuzz::parse_definition);
}

#[test]
fn command_sequence() {
    run("command_sequence", fuzz::command_sequence);
}

#[test]
fn cut_items() {
    run("cut_items", fuzz::cut_items);
}

#[test]
fn json_path() {
    run("json_path", fuzz::json_path);
}

#[test]
fn intrinsic_call() {
    run("intrinsic_call", fuzz::intrinsic_call);
}

#[test]
fn jsonata_template() {
    run("jsonata_template", fuzz::jsonata_template);
}

#[test]
fn reference_path() {
    run("reference_path", fuzz::reference_path);
}
