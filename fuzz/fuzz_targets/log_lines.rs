//! Lines of exported logs from anywhere: an event or an error, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::log_lines(data));
