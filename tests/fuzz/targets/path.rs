//! Any bytes as the path of a request.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gorilla::fuzzing::path(bytes));
