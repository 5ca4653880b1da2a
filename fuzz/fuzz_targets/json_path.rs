//! JSONPath from anywhere: a value or an error, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::json_path(data));
