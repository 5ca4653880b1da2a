//! Requests of the Step Functions API from anywhere: refused, or as the operation says.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::wire_request(data));
