//! JSONata from anywhere: a value or an error within its limits, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::jsonata_template(data));
