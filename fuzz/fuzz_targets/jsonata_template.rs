//! JSONata from anywhere: a value or an error within its limits, never a panic.
//!
//! The library panics now and then: see `hook`.
#![no_main]

mod hook;

libfuzzer_sys::fuzz_target!(
    init: hook::set(),
    |data: &[u8]| everstep::testing::fuzz::jsonata_template(data)
);
