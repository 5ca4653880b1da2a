//! Reference paths from anywhere: what is written can be read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::reference_path(data));
