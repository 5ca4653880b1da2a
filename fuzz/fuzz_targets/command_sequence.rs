//! Any commands in any order: the invariants hold, and replay gives the live state.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::command_sequence(data));
