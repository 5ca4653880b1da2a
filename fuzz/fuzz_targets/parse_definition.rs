//! Definitions from anywhere: a workflow or diagnostics, never a panic.
//!
//! A definition holds JSONata, and its library panics now and then: see `hook`.
#![no_main]

mod hook;

libfuzzer_sys::fuzz_target!(
    init: hook::set(),
    |data: &[u8]| everstep::testing::fuzz::parse_definition(data)
);
