//! Definitions from anywhere: a workflow or diagnostics, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::parse_definition(data));
