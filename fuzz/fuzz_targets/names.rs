//! Short texts that name something, from anywhere: what is read is written as it was.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::names(data));
