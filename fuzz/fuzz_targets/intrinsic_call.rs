//! Intrinsic functions from anywhere: a value or an error, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::intrinsic_call(data));
