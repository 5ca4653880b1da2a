//! Output of commands from anywhere: understood within its limits, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::worker_output(data));
