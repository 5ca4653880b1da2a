//! Requests of the routes from anywhere: refused, or within what the route says.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| everstep::testing::fuzz::rest_request(data));
