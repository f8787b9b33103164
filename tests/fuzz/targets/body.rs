//! Any bytes as the body of an acquire.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gorilla::fuzzing::body(bytes));
