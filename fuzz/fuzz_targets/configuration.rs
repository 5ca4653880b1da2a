//! Config files from anywhere: a config or a fault with its place, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::configuration(data));
