//! Keys that were changed by hand. Whatever stands in them, each operation has an honest end, the log says why, and
//! other resources are served.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use bytes::Bytes;
use gorilla_domain::Fingerprint;
use proptest::{collection::vec, prelude::*, sample::select};

use super::service::Service;
use crate::harness::eventually;

const ID: &str = "01a207bc-4cb5-75c8-b04d-e6e049346456";
const TOKEN: &str = "997f2fe4-d0cb-4d03-b066-beeea3b31eec";
const BY_TOKEN: &str = "/997f2fe4-d0cb-4d03-b066-beeea3b31eec";
/// The request record of every operation here that has an Idempotency-Key.
const KEYS: [&str; 5] = ["lock", "fence", "queue", "queue:turn", "request:k"];

/// What somebody put into a key.
#[derive(Clone, Debug)]
enum Stored {
    Nothing,
    Text(Bytes),
    Hash(Vec<(&'static str, Bytes)>),
    List(Vec<Bytes>),
    Set(Vec<Bytes>),
    SortedSet(Vec<(&'static str, Bytes)>),
    Stream,
}

impl Stored {
    async fn put(&self, service: &Service, what: &str, expires: bool) {
        let key = format!("gorilla:{{by-hand}}:{what}");
        let key = key.as_bytes();
        service.redis("DEL", &[key]).await;
        match self {
            Self::Nothing => return,
            Self::Text(text) => drop(service.redis("SET", &[key, text]).await),
            Self::Hash(fields) => {
                let fields = fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_ref()]);
                service.redis("HSET", &[key].into_iter().chain(fields).collect::<Vec<_>>()).await;
            }
            Self::List(items) | Self::Set(items) => {
                let command = if matches!(self, Self::List(_)) { "RPUSH" } else { "SADD" };
                let items = items.iter().map(|item| item.as_ref());
                service.redis(command, &[key].into_iter().chain(items).collect::<Vec<_>>()).await;
            }
            Self::SortedSet(members) => {
                let members = members.iter().flat_map(|(score, member)| [score.as_bytes(), member.as_ref()]);
                service.redis("ZADD", &[key].into_iter().chain(members).collect::<Vec<_>>()).await;
            }
            Self::Stream => drop(service.redis("XADD", &[key, b"*", b"owner", b"me"]).await),
        }
        if expires {
            service.redis("PEXPIRE", &[key, b"30000"]).await;
        }
    }
}

/// Text that is not a number, bytes that are not text, or text that is not JSON, where a script expects one of them.
fn odd() -> impl Strategy<Value = Bytes> {
    let known = [
        "",
        " ",
        "x",
        "0",
        "1",
        "-1",
        "1.5",
        "1e5",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "9007199254740993",
        "9223372036854775808",
        "99999999999999999999999",
        "null",
        "[]",
        "{}",
        "[null]",
        "[1,2]",
        "[[\"a\"]]",
        "\"text\"",
        "{\"1\":\"acquired\"}",
        "[",
        "{\"a\":",
        "[\"acquired\"]",
        "[\"waiting\"]",
        "[\"cancelled\"]",
        "[\"cancelled\",\"-x\",5,{}]",
        "[\"other\",\"\"]",
        "[\"\",\"\",\"\",\"\",\"\",\"\"]",
        TOKEN,
        ID,
    ];
    prop_oneof![
        6 => select(known.to_vec()).prop_map(Bytes::from),
        1 => vec(any::<u8>(), 0..20).prop_map(Bytes::from),
        1 => Just(Bytes::from("[".repeat(2000))),
    ]
}

/// A hash like that of a lock, where anything may be wrong or missing.
fn hash() -> impl Strategy<Value = Stored> {
    let right = [
        ("id", ID),
        ("token", TOKEN),
        ("owner", "me"),
        ("fence", "1795426110645374"),
        ("metadata", "[]"),
        ("created", "1795426110645"),
        ("updated", "1795426110645"),
    ];
    let fields: Vec<_> = right
        .into_iter()
        .map(|(name, value)| {
            // Owner and id are not secret, because the audit log has them. So no token is put there.
            let is_told = ["id", "owner"].contains(&name);
            let odd = odd().prop_map(move |odd| if is_told && odd == TOKEN { "x".into() } else { odd });
            let value = prop_oneof![8 => Just(Some(Bytes::from(value))), 1 => Just(None), 1 => odd.prop_map(Some)];
            value.prop_map(move |value| value.map(|value| (name, value)))
        })
        .collect();
    // A hash has a field at least.
    (fields, odd())
        .prop_map(|(fields, other)| Stored::Hash(fields.into_iter().flatten().chain([("other", other)]).collect()))
}

/// A request record of one of the operations below, or what is nearly one.
fn record() -> impl Strategy<Value = Stored> {
    let fingerprints = [
        Fingerprint::of(&["acquire", "me", "30000", "[]"]),
        Fingerprint::of(&["extend", TOKEN, "60000"]),
        Fingerprint::of(&["release", TOKEN]),
        Fingerprint::of(&["break", "", ""]),
    ];
    let fingerprints = fingerprints.map(|fingerprint| format!("\"{}\"", fingerprint.as_str())).to_vec();
    let outcome =
        select(vec!["\"acquired\"", "\"extended\"", "\"released\"", "\"broken\"", "\"waiting\"", "\"cancelled\"", "1"]);
    let fields = [
        "1",
        "\"1795426110645374\"",
        "\"x\"",
        "null",
        "[]",
        "{}",
        "true",
        "\"\"",
        "\"-\"",
        "1e400",
        "\"01a207bc-4cb5-75c8-b04d-e6e049346456\"",
    ];
    (outcome, select(fingerprints), vec(select(fields.to_vec()), 0..6)).prop_map(|(outcome, fingerprint, fields)| {
        let all: Vec<_> = [outcome, &fingerprint].into_iter().chain(fields).collect();
        Stored::Text(format!("[{}]", all.join(",")).into())
    })
}

/// Places in a queue, or what is nearly one.
fn queue() -> impl Strategy<Value = Stored> {
    let score = select(vec!["0", "1", "-1", "1.5", "1e300", "inf", "-inf", "1795426110645374", "9007199254740993"]);
    let member = select(vec![
        "01a207bc-4cb5-75c8-b04d-e6e049346456 gorilla:wake:x me",
        "a b",
        "a",
        "",
        " ",
        "a  b",
        "01a207bc4cb5 x y",
    ]);
    let member = prop_oneof![3 => member.prop_map(Bytes::from), 1 => odd()];
    vec((score, member), 1..5).prop_map(Stored::SortedSet)
}

fn stored() -> impl Strategy<Value = Stored> {
    let turn = select(vec![
        "0 a b",
        "1795426110645 a b",
        "99999999999999 a b",
        "1 01a207bc-4cb5-75c8-b04d-e6e049346456 gorilla:wake:x me",
    ]);
    prop_oneof![
        3 => Just(Stored::Nothing),
        3 => odd().prop_map(Stored::Text),
        3 => hash(),
        3 => queue(),
        2 => record(),
        1 => turn.prop_map(|text| Stored::Text(text.into())),
        1 => vec(odd(), 1..3).prop_map(Stored::List),
        1 => vec(odd(), 1..3).prop_map(Stored::Set),
        1 => Just(Stored::Stream),
    ]
}

/// Something for each key, of the right type for the most part.
fn all() -> impl Strategy<Value = [Stored; 5]> {
    let mostly = |right: BoxedStrategy<Stored>| prop_oneof![5 => right, 1 => Just(Stored::Nothing), 1 => stored()];
    let text = || odd().prop_map(Stored::Text).boxed();
    [mostly(hash().boxed()), mostly(text()), mostly(queue().boxed()), mostly(text()), mostly(record().boxed())]
}

#[test]
fn whatever_stands_in_its_keys_an_operation_ends_honestly_and_others_are_served() {
    let service = Service::start();
    let acquire = r#"{"owner":"me","timeout":30}"#;
    let seen = RefCell::new(BTreeSet::new());
    let operations = [
        ("POST", "", acquire, false),
        ("POST", "", acquire, true),
        ("POST", "", r#"{"owner":"me","timeout":30,"wait":0.02}"#, false),
        ("POST", "", r#"{"owner":"me","timeout":30,"wait":0.02}"#, true),
        ("GET", "", "", false),
        ("GET", BY_TOKEN, "", false),
        ("PUT", BY_TOKEN, r#"{"timeout":60}"#, false),
        ("PUT", BY_TOKEN, r#"{"timeout":60}"#, true),
        ("DELETE", BY_TOKEN, "", false),
        ("DELETE", BY_TOKEN, "", true),
        ("POST", "/break", "", false),
        ("POST", "/break", "", true),
    ];
    let cases = (all(), any::<[bool; 5]>(), select(operations.to_vec()));
    service.for_one(service.still_serves());
    service.for_all(600, cases, async |(all, expire, (method, end, body, once))| {
        for ((stored, what), expires) in all.iter().zip(KEYS).zip(expire) {
            stored.put(&service, what, expires).await;
        }
        // A list has the locks that can be read.
        let page = service.ask("GET", b"/api/v1/locks?limit=1000", &[], b"").await;
        let listed = page.json()["locks"].as_array().cloned().unwrap_or_default();
        let others = listed.iter().filter(|lock| lock["resource"] == "still-serves").count();
        assert_eq!((page.status, others), (200, 1), "{page:?}");
        let id = uuid::Uuid::new_v4().to_string();
        let headers: [(&str, &[u8]); 2] = [("X-Request-Id", id.as_bytes()), ("Idempotency-Key", b"k")];
        let path = format!("/api/v1/locks/by-hand{end}");
        let answer = service.ask(method, path.as_bytes(), &headers[..1 + usize::from(once)], body.as_bytes()).await;
        let codes = [
            "lock_held",
            "lock_reserved",
            "wait_timeout",
            "lock_gone",
            "token_mismatch",
            "timeout_shorter",
            "lock_not_found",
            "token_not_found",
            "idempotency_key_reused",
            "queue_full",
        ];
        seen.borrow_mut().insert(answer.status);
        match answer.status {
            200 => drop(answer.json()),
            204 => {}
            500 => {
                let error = answer.json();
                assert_eq!((&error["code"], &error["outcome"]), (&"internal_error".into(), &"unknown".into()));
                // The answer says nothing about what is wrong inside; the log does.
                assert!(!String::from_utf8_lossy(&answer.body).contains(TOKEN), "{answer:?}");
                eventually("the cause is in the log", Duration::from_secs(10), || async {
                    let log = service.replica.log();
                    log.lines()
                        .any(|line| line.contains(&id) && line.contains("\"cause\":\"") && line.contains("ERROR"))
                })
                .await;
            }
            _ => assert!(codes.contains(&answer.refusal().as_str()), "{answer:?}"),
        }
        service.still_serves().await;
    });
    let seen = seen.into_inner();
    for status in [200, 204, 404, 409, 422, 500] {
        assert!(seen.contains(&status), "no case of {status}: too few cases, or too much alike; seen: {seen:?}");
    }
    let left_out = "a lock that can't be read is left out of a list";
    let named = |line: &str| line.contains(left_out) && line.contains("\"resource\":\"by-hand\"");
    assert!(service.replica.log().lines().any(named), "no lock was left out");
    // What is wrong with a key is logged, and not what stands in it.
    assert!(!service.replica.log().contains(TOKEN), "{}", service.replica.log());
}
