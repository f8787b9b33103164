//! What libFuzzer calls (`make fuzz`): the parts of Gorilla that take bytes from outside, and what must be true of
//! their results for all bytes. Compiled only for the fuzzer and for tests, because these parts are not public.

use std::time::Duration;

use bytes::Bytes;
use gorilla_domain::{Metadata, Owner, ResourceName};
use gorilla_scripts::{Keys, Malformed, Reader};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;

use crate::{api, settings::Limits};

/// Gorilla refuses a path, or makes a name of it that is the same after it was encoded as a path and as a key.
pub fn path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok((name, _)) = api::in_path(&format!("/api/v1/locks/{text}")) else { return };
    let again = format!("/api/v1/locks/{}", utf8_percent_encode(name.as_str(), NON_ALPHANUMERIC));
    assert!(api::in_path(&again).is_ok_and(|(other, _)| other == name), "{name:?} is another one once it was encoded");
    let keys = Keys::new("gorilla");
    let key = keys.lock(&name);
    assert_eq!(keys.resource(&key).as_deref(), Some(name.as_str()), "{key:?} belongs to another name");
    assert_eq!(key.matches(['{', '}']).collect::<String>(), "{}", "{key:?} belongs to another slot");
}

/// Gorilla refuses a body, or makes the fields of an acquire of it that are within their limits.
pub fn body(bytes: &[u8]) {
    let day = Duration::from_secs(24 * 60 * 60);
    let limits = Limits { max_timeout: day, max_wait: day, max_in_flight: 1, max_waiters: 1, max_holders: 1 };
    let Ok(resource) = ResourceName::parse("fuzzed") else { return };
    let Ok(asked) = api::parse_acquire(&limits, resource, || Ok(None), None, bytes) else { return };
    assert!((1..=Owner::LONGEST).contains(&asked.owner.as_str().len()));
    assert!((100..=86_400_000).contains(&asked.lease.as_millis()) && asked.wait <= day);
    let list = asked.metadata.as_str();
    assert!(list.len() <= Metadata::LONGEST && list.starts_with('['), "{list}");
    assert!(serde_json::from_str::<Vec<IgnoredAny>>(list).is_ok(), "{list}");
    // Gorilla keeps metadata as they were sent. So if a client sends back what Gorilla kept, Gorilla keeps the same
    // again.
    let raw = serde_json::from_str(list).ok();
    assert_eq!(api::metadata(raw), Ok(asked.metadata.clone()));
}

/// A reply becomes values or a failure. Each half-byte of `readers` says what to read next.
pub fn reply(readers: u64, bytes: &[u8]) {
    let data = Bytes::copy_from_slice(bytes);
    let Ok((_, mut reply)) = Reader::open(data) else { return };
    for at in 0..16 {
        let read = match readers >> (4 * at) & 7 {
            0 => reply.text().map(drop),
            1 => reply.number::<i64>().map(drop),
            2 => reply.number::<u64>().map(drop),
            3 => reply.some_number().map(drop),
            4 => reply.holder().map(drop),
            _ => reply.tenure().map(drop),
        };
        assert!(matches!(read, Ok(()) | Err(Malformed(_))), "{read:?}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Without a fuzzer this test keeps the targets from rotting.
        #[test]
        fn the_targets_hold_for_random_bytes_too(
            segment in "(%[0-9a-fA-F]{2}|[{}%./:a]|\\PC){0,9}", metadata in "[\\[\\]{}\",:0-9\\\\ud8 ]{0,12}", bytes in vec(any::<u8>(), 0..64),
        ) {
            super::path(segment.as_bytes());
            super::path(&bytes);
            super::body(format!("{{\"owner\":\"me\",\"timeout\":30,\"metadata\":{metadata}}}").as_bytes());
            super::body(&bytes);
            super::reply(0x0123_4567_0123_4567, &bytes);
        }
    }
}
