//! Any bytes as a reply of Redis: the first eight say what is read of it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((readers, bytes)) = bytes.split_first_chunk() else { return };
    gorilla::fuzzing::reply(u64::from_le_bytes(*readers), bytes);
});
