//! Any bytes in the place of a name: refused with a sentence about the name, or a name like any other, which is told as
//! it was sent and shares its key with no other.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};

use super::service::Service;

/// A part of a segment, as it goes over the wire.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let special = select(b"/.{}%:+ \0\t\n\x7f\x80\x85\xa0\xc2\xc3\xed\xff*?\\\"#".to_vec());
    let byte = || prop_oneof![3 => special.clone(), 2 => any::<u8>()];
    // Each digit in a case of its own.
    let digits = |byte: u8, upper: (bool, bool)| -> String {
        let digit = |nibble: u8, upper: bool| {
            let digit = char::from_digit(nibble.into(), 16).unwrap_or_default();
            if upper { digit.to_ascii_uppercase() } else { digit }
        };
        [digit(byte >> 4, upper.0), digit(byte & 15, upper.1)].into_iter().collect()
    };
    let whole = [
        ".",
        "..",
        "%2e",
        "%2E%2e",
        ".%2E",
        "%7B",
        "{",
        "}",
        "}:lock",
        "%7D:lock",
        ":fence",
        "break",
        "%F0%9F%A6%8D",
        "🦍",
        "%c3%a9",
        "é",
        "e%CC%81",
        "%C2%85",
        "%ED%A0%80",
        "%C0%AF",
        "%",
        "%%",
        "%4",
        "%zz",
        "%u002e",
        "%25",
        "%2525",
        "a",
        "A",
        "+",
        "%20",
        ";x=1",
        "&",
        "<",
        "`",
        "|",
        "\\",
        "^",
        "\"",
    ];
    prop_oneof![
        4 => select(whole.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        4 => (byte(), any::<(bool, bool)>()).prop_map(move |(byte, upper)| format!("%{}", digits(byte, upper)).into_bytes()),
        1 => (byte(), any::<(bool, bool)>()).prop_map(move |(byte, upper)| format!("%25{}", digits(byte, upper)).into_bytes()),
        2 => "[a-z0-9._~:@!$'()*,=-]{1,3}".prop_map(String::into_bytes),
        1 => (select(vec!["x", "%78", "é", "%E9%94%81", "%00"]), 80..300usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
    ]
}

fn segment() -> impl Strategy<Value = Bytes> {
    vec(piece(), 0..6).prop_map(|pieces| pieces.concat().into())
}

/// What RFC 3986 makes of a segment; a percent sign without two digits stands for itself.
fn decoded(segment: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    let mut rest = segment;
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                name.push(byte);
                rest = &behind[2..];
            }
            None => {
                name.push(*first);
                rest = behind;
            }
        }
    }
    name
}

/// The name that a segment stands for, if the rules in docs/reference/http-requests.md allow it.
fn allowed(segment: &[u8]) -> Option<String> {
    let name = String::from_utf8(decoded(segment)).ok()?;
    let fits = (1..=256).contains(&name.len()) && name != "." && name != "..";
    (fits && !name.contains('/') && !name.chars().any(char::is_control)).then_some(name)
}

/// Whether the HTTP layer takes a segment for a part of a path at all.
fn is_http(segment: &[u8]) -> bool {
    std::str::from_utf8(segment).is_ok() && !segment.iter().any(|byte| b"<`".contains(byte))
}

fn key(name: &str) -> String {
    format!("gorilla:{{{}}}:lock", name.replace('%', "%25").replace('{', "%7B").replace('}', "%7D"))
}

#[test]
fn a_segment_is_refused_or_is_a_name_with_a_key_of_its_own() {
    let service = Service::start();
    service.for_all(300, vec(segment(), 1..6), async |segments: Vec<Bytes>| {
        service.redis("FLUSHDB", &[]).await;
        let mut owners = BTreeMap::new();
        for (number, segment) in segments.iter().enumerate() {
            let before = service.changes().await;
            let path = [b"/api/v1/locks/", segment.as_ref()].concat();
            let (owner, shown) = (format!("owner-{number}"), String::from_utf8_lossy(segment));
            let body = format!(r#"{{"owner":"{owner}","timeout":60}}"#);
            let answer = service.ask("POST", &path, &[], body.as_bytes()).await;
            match allowed(segment).filter(|_| is_http(segment)) {
                Some(name) => {
                    let first: &String = owners.entry(name.clone()).or_insert(owner.clone());
                    let (status, said) = (answer.status, answer.json());
                    assert_eq!(status, if *first == owner { 200 } else { 409 }, "{shown}: {said}");
                    assert_eq!((&said["resource"], &said["owner"]), (&name.as_str().into(), &first.as_str().into()));
                    let state = service.ask("GET", &path, &[], b"").await.json();
                    assert_eq!((&state["resource"], &state["owner"]), (&said["resource"], &said["owner"]), "{shown}");
                    let stored = service.redis("HGET", &[key(&name).as_bytes(), b"owner"]).await;
                    assert_eq!(stored.as_str().as_deref(), Some(first.as_str()), "{shown}");
                }
                None => {
                    assert_eq!(service.changes().await, before, "{shown} was refused and changed something");
                    match segment.is_empty() {
                        true => assert_eq!((answer.status, answer.refusal().as_str()), (404, "not_found")),
                        false if !is_http(segment) => assert!(answer.is_of_http(), "{shown}: {answer:?}"),
                        false => {
                            assert_eq!((answer.status, answer.refusal().as_str()), (400, "invalid_request"), "{shown}");
                            assert_eq!(answer.json()["field"], "resource", "{shown}");
                        }
                    }
                }
            }
        }
        let page = service.ask("GET", b"/api/v1/locks?limit=1000", &[], b"").await.json();
        let listed = page["locks"].as_array().expect("locks").iter();
        let listed: BTreeMap<_, _> = listed
            .map(|lock| (lock["resource"].as_str().unwrap_or_default(), lock["owner"].as_str().unwrap_or_default()))
            .collect();
        assert_eq!(listed, owners.iter().map(|(name, owner)| (name.as_str(), owner.as_str())).collect());
        // A lock and a fence each, and nothing else.
        assert_eq!(service.redis("DBSIZE", &[]).await.as_usize(), Some(2 * owners.len()));
    });
}

#[test]
fn a_token_of_any_bytes_is_nobodys() {
    let service = Service::start();
    let acquire = br#"{"owner":"me","timeout":86400}"#;
    let lock = service.for_one(async { service.ask("POST", b"/api/v1/locks/held", &[], acquire).await.json() });
    let not_a_route = |segment: &[u8]| segment.is_empty() || segment == b"break";
    let others = segment().prop_filter("a token", move |segment| !not_a_route(segment));
    service.for_all(300, others, async |segment: Bytes| {
        let (before, path) = (service.changes().await, [b"/api/v1/locks/held/", segment.as_ref()].concat());
        for (method, body, status, code) in [
            ("GET", "", 404, "token_not_found"),
            ("DELETE", "", 404, "token_not_found"),
            ("PUT", r#"{"timeout":86400}"#, 409, "token_mismatch"),
        ] {
            let answer = service.ask(method, &path, &[], body.as_bytes()).await;
            match is_http(&segment) {
                true => assert_eq!((answer.status, answer.refusal().as_str()), (status, code), "{method}: {answer:?}"),
                false => assert!(answer.is_of_http(), "{method}: {answer:?}"),
            }
        }
        assert_eq!(service.changes().await, before);
        let state = service.ask("GET", b"/api/v1/locks/held", &[], b"").await.json();
        assert_eq!(state["id"], lock["id"]);
    });
}
