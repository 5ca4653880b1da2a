//! Definitions from anywhere, once they are accepted: drawn, exported and run, all rules hold.
//!
//! A definition holds JSONata, and its library panics now and then: see `hook`.
#![no_main]

mod hook;

libfuzzer_sys::fuzz_target!(
    init: hook::set(),
    |data: &[u8]| everstep::testing::fuzz::accepted_workflow(data)
);
