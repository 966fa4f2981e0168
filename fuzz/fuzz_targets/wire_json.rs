//! The target `wire_json`; what it checks is in the crate `vestibule-fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vestibule_fuzzing::wire_json::check(octets));
