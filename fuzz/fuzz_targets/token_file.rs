//! Files of tokens from anywhere: read back as they are, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::token_file(data));
