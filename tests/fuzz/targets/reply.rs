//! Any bytes as a reply of Redis: the first eight say what is read of it.

#![no_main]

use redis_protocol::resp3::decode::complete::decode_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((readers, bytes)) = bytes.split_first_chunk() else { return };
    if let Ok(Some((frame, _))) = decode_bytes(&bytes.to_vec().into()) {
        gorilla::fuzzing::reply(u64::from_le_bytes(*readers), frame);
    }
});
