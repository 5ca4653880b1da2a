//! What is kept beside the log, from anywhere: read or refused, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::stored_values(data));
