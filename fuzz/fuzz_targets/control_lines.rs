//! Lines of the control socket from anywhere: read back as they are, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::control_lines(data));
