//! Signed requests from anywhere: none is good that was not signed so.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::signatures(data));
