//! Any bytes as a body: refused with a sentence, and nothing was done; or taken, and metadata comes back to the letter.

use std::{cell::RefCell, collections::BTreeSet};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::value::RawValue;

use super::{
    json::{NO_JSON, NUMBERS, json, space, string},
    service::{Answer, Service},
};

const JSON: Option<&str> = Some("application/json");

/// An object with the fields of an acquire, most of them right.
fn acquire() -> impl Strategy<Value = String> {
    let owner = prop_oneof![8 => Just("\"me\"".to_string()), 1 => string(), 1 => json()];
    let timeout =
        prop_oneof![8 => Just("30".to_string()), 2 => select(NUMBERS.to_vec()).prop_map(String::from), 1 => json()];
    let wait = prop_oneof![6 => Just(None), 1 => json().prop_map(Some), 1 => select(NUMBERS.to_vec()).prop_map(|text| Some(text.into()))];
    let metadata = prop_oneof![1 => Just(None), 4 => json().prop_map(Some), 1 => (3900..4300usize).prop_map(|length| Some(format!("\"{}\"", "x".repeat(length))))];
    let names =
        vec!["owner", "timeout", "metadata", "wait", "Owner", "", "\\u006fwner", "tim\\u0065out", "fence", "\\ud800"];
    let broken = select(NO_JSON.to_vec()).prop_map(String::from);
    let other = prop_oneof![12 => Just(None), 1 => (select(names), prop_oneof![json(), broken]).prop_map(Some)];
    let rest = (space(), 0..4usize);
    (owner, timeout, metadata, wait, other, rest).prop_map(|(owner, timeout, metadata, wait, other, (space, turn))| {
        let mut fields = vec![format!("\"owner\":{owner}"), format!("\"timeout\"{space}:{timeout}")];
        fields.extend(metadata.map(|metadata| format!("\"metadata\":{space}{metadata}")));
        fields.extend(wait.map(|wait| format!("{space}\"wait\":{wait}")));
        fields.extend(other.map(|(name, value)| format!("\"{name}\":{value}")));
        let turn = turn % fields.len();
        fields.rotate_left(turn);
        format!("{space}{{{}{space}}}", fields.join(","))
    })
}

/// Something that happens to a body on its way.
#[derive(Clone, Debug)]
enum Edit {
    Put(usize, Vec<u8>),
    Flip(usize, u8),
    Cut(usize, usize),
    Repeat(usize, usize),
}

impl Edit {
    fn apply(&self, body: &mut Vec<u8>) {
        let at = |index: usize, body: &Vec<u8>| index % (body.len() + 1);
        match self {
            Self::Put(index, bytes) => {
                let index = at(*index, body);
                body.splice(index..index, bytes.iter().copied());
            }
            Self::Flip(index, bits) => {
                let index = at(*index, body);
                body.iter_mut().skip(index).take(1).for_each(|byte| *byte ^= bits);
            }
            Self::Cut(index, length) => {
                let begin = at(*index, body);
                body.drain(begin..(begin + length).min(body.len()));
            }
            Self::Repeat(index, length) => {
                let begin = at(*index, body);
                let piece = body[begin..(begin + length).min(body.len())].to_vec();
                body.splice(begin..begin, piece);
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = || 0..4096usize;
    let bytes = prop_oneof![
        select(vec!["\u{feff}", "\0", "}", "{", "\"", ",", "\\", "/*c*/", "é", "\u{2028}", "1", "e", "-", "."])
            .prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        (index(), bytes).prop_map(|(at, bytes)| Edit::Put(at, bytes)),
        // Also at the very beginning, where a byte order mark would be.
        Just(Edit::Put(0, "\u{feff}".into())),
        (index(), any::<u8>()).prop_map(|(at, bits)| Edit::Flip(at, bits)),
        (index(), 1..20usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        (index(), 1..40usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn body() -> impl Strategy<Value = Bytes> {
    let edited = (acquire(), vec(edit(), 1..4)).prop_map(|(body, edits)| {
        let mut body = body.into_bytes();
        edits.iter().for_each(|edit| edit.apply(&mut body));
        body
    });
    let long = (acquire(), 16_300..16_500usize).prop_map(|(body, length)| format!("{body:<length$}").into_bytes());
    prop_oneof![
        6 => acquire().prop_map(String::into_bytes),
        6 => edited,
        2 => json().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..200),
        1 => (1..4000usize).prop_map(|deep| format!("{{\"metadata\":{}", "[{\"a\":".repeat(deep)).into_bytes()),
        1 => long,
    ]
    .prop_map(Bytes::from)
}

fn content_type() -> impl Strategy<Value = Option<&'static str>> {
    let others = [
        "application/problem+json",
        "text/plain",
        "application/jsonp",
        "",
        ";",
        "é",
        "application/json, text/html",
        "/",
        "+json",
    ];
    prop_oneof![6 => Just(Some("application/json")), 1 => Just(None), 1 => select(others.to_vec()).prop_map(Some)]
}

async fn send(service: &Service, method: &str, path: &str, content_type: Option<&str>, body: &[u8]) -> Answer {
    let headers: Vec<_> = content_type.map(|given| ("Content-Type", given.as_bytes())).into_iter().collect();
    service.ask_exactly(method, path.as_bytes(), &headers, body).await
}

/// Asserts a refusal that a body can have.
#[track_caller]
fn refused(answer: &Answer) {
    let code = answer.refusal();
    let known = [(400, "invalid_request"), (413, "body_too_large"), (415, "unsupported_media_type")];
    assert!(known.contains(&(answer.status, code.as_str())), "{answer:?}");
}

/// The member `metadata` of an answer, to the letter.
fn metadata(answer: &Answer) -> String {
    #[derive(serde::Deserialize)]
    struct Lock<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    let lock: Lock = serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    lock.metadata.get().to_string()
}

/// How the metadata of a body must come back: as a list, without white space outside of strings.
fn expected(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Sent<'a> {
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
    }
    let sent: Sent = serde_json::from_slice(body).expect("what is granted is JSON");
    // Between two quotes that aren't escaped lies a string; the pieces take turns.
    let text = sent.metadata.map_or("null", RawValue::get).replace("\\\\", "\u{e000}").replace("\\\"", "\u{e001}");
    let pieces = text.split('"').enumerate();
    let pieces: Vec<_> = pieces
        .map(|(n, piece)| if n % 2 == 1 { piece.into() } else { piece.replace([' ', '\t', '\r', '\n'], "") })
        .collect();
    let text = pieces.join("\"").replace('\u{e001}', "\\\"").replace('\u{e000}', "\\\\");
    match text.as_str() {
        "null" => "[]".into(),
        list if list.starts_with('[') => text,
        _ => format!("[{text}]"),
    }
}

#[test]
fn a_body_is_refused_or_its_metadata_comes_back_to_the_letter() {
    let (service, path) = (Service::start(), "/api/v1/locks/bodies");
    let seen = RefCell::new(BTreeSet::new());
    service.for_all(1000, (body(), content_type()), async |(body, content_type)| {
        service.redis("FLUSHDB", &[]).await;
        let before = service.changes().await;
        let answer = send(&service, "POST", path, content_type, &body).await;
        seen.borrow_mut().insert(answer.status);
        assert!(answer.status != 200 || content_type.is_some(), "taken without a type: {answer:?}");
        if answer.status != 200 {
            refused(&answer);
            assert_eq!(service.changes().await, before, "refused, and something was changed: {answer:?}");
            return;
        }
        assert_eq!(metadata(&answer), expected(&body));
        // The lease may be short: what follows may find it over.
        let state = service.ask("GET", path.as_bytes(), &[], b"").await;
        assert_eq!(state.status, 200, "{state:?}");
        let stored = service.redis("HGET", &[b"gorilla:{bodies}:lock", b"metadata"]).await;
        if let Some(stored) = stored.as_str() {
            assert_eq!(stored, expected(&body));
        }
    });
    assert_eq!(seen.into_inner(), BTreeSet::from([200, 400, 413, 415]), "too few cases, or too much alike");
}

#[test]
fn whatever_common_parsers_take_within_the_limits_is_taken() {
    let service = Service::start();
    let shallow = |text: &str| text.chars().filter(|&character| character == '[' || character == '{').count() < 60;
    let common = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let fits = json().prop_filter("within the limits", move |text| text.len() < 4000 && shallow(text) && common(text));
    service.for_all(500, fits, async |given| {
        service.redis("FLUSHDB", &[]).await;
        let body = format!(r#"{{"owner":"me","metadata":{given},"timeout":30}}"#);
        let path = "/api/v1/locks/valid";
        let answer = send(&service, "POST", path, JSON, body.as_bytes()).await;
        assert_eq!((answer.status, metadata(&answer)), (200, expected(body.as_bytes())), "{answer:?}");
        let state = service.ask("GET", path.as_bytes(), &[], b"").await;
        assert_eq!(metadata(&state), expected(body.as_bytes()));
    });
}

#[test]
fn bodies_of_extend_and_break_are_refused_or_do_what_they_say() {
    let service = Service::start();
    let fields = (
        select(vec!["timeout", "fence", "reason", "owner"]),
        prop_oneof![json(), select(NUMBERS.to_vec()).prop_map(String::from)],
    );
    let object = vec(fields, 0..3).prop_map(|fields| {
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        Bytes::from(format!("{{{}}}", fields.join(",")))
    });
    service.for_all(500, prop_oneof![4 => object, 1 => body()], async |body: Bytes| {
        service.redis("FLUSHDB", &[]).await;
        let lock = send(&service, "POST", "/api/v1/locks/held", JSON, br#"{"owner":"me","timeout":30}"#).await.json();
        let by_token = format!("/api/v1/locks/held/{}", lock["token"].as_str().unwrap_or_default());
        let before = service.changes().await;
        let extended = send(&service, "PUT", &by_token, JSON, &body).await;
        match extended.status {
            200 => {
                assert_eq!((&extended.json()["id"], extended.json()["token"] == lock["token"]), (&lock["id"], false))
            }
            409 => assert_eq!(extended.refusal(), "timeout_shorter"),
            _ => refused(&extended),
        }
        assert_eq!(service.changes().await == before, extended.status != 200, "{extended:?}");
        let before = service.changes().await;
        let broken = send(&service, "POST", "/api/v1/locks/held/break", JSON, &body).await;
        match broken.status {
            200 => assert_eq!(broken.json()["fence"], lock["fence"]),
            409 => assert_eq!(broken.refusal(), "fence_changed"),
            _ => refused(&broken),
        }
        assert_eq!(service.changes().await == before, broken.status != 200, "{broken:?}");
    });
}
