//! Files of items from anywhere: an array of items or an error, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::cut_items(data));
