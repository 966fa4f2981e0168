//! Datagrams from anybody, given to the verifier.

#![no_main]

#[path = "radius_response/body.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|datagram: &[u8]| body::check(datagram));
