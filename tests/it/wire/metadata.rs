//! What a holder says about its lock comes back unchanged.

use reqwest::Method;

use crate::harness::{Api, Redis, Replica, lock_path, name, token};

/// Metadata as it is sent, and as it comes back. Compared as text: a parser would take 1.0 and 1 for the same.
const CASES: [(&str, &str); 16] = [
    ("null", "[]"),
    ("[ 1 , {\"a b\" :\t\"c  d\"}\n]", r#"[1,{"a b":"c  d"}]"#),
    ("[]", "[]"),
    ("[null]", "[null]"),
    ("true", "[true]"),
    ("false", "[false]"),
    ("0", "[0]"),
    ("\"\"", "[\"\"]"),
    ("{}", "[{}]"),
    ("[1.0,-0.0,1E5,0.10]", "[1.0,-0.0,1E5,0.10]"),
    ("[12345678901234567890,-98765432109876543210]", "[12345678901234567890,-98765432109876543210]"),
    (r#"{"z":1,"a":2,"m":{"y":[],"b":null}}"#, r#"[{"z":1,"a":2,"m":{"y":[],"b":null}}]"#),
    ("[[[[]]],[{}]]", "[[[[]]],[{}]]"),
    (r#"["é🦍","\u00e9\ud83e\udd8d","a \"b\" \\ \/"]"#, r#"["é🦍","\u00e9\ud83e\udd8d","a \"b\" \\ \/"]"#),
    (r#"{"a":1,"a":2}"#, r#"[{"a":1,"a":2}]"#),
    (r#""[{\"""#, r#"["[{\""]"#),
];

/// Acquires with raw metadata; the text of the answer.
async fn acquire(api: &Api, resource: &str, metadata: &str) -> String {
    let body = format!(r#"{{"metadata":{metadata},"owner":"me","timeout":30}}"#);
    let answer = api.send(Method::POST, &lock_path(resource), &[], Some(body)).await;
    assert_eq!(answer.status, 200, "{metadata}: {answer:?}");
    answer.text
}

/// The text of the member `metadata`; the members after it are known.
fn metadata(answer: &str) -> &str {
    let (_, rest) = answer.split_once(r#""metadata":"#).expect("metadata is in the answer");
    rest.rsplit_once(r#","createdAt""#).expect("createdAt follows").0
}

#[tokio::test]
async fn every_answer_has_the_metadata_as_it_was_given() {
    let (api, redis) = (Replica::shared().await, Redis::shared());
    for (sent, expected) in CASES {
        let resource = name("metadata");
        let acquired = acquire(&api, &resource, sent).await;
        let lock = serde_json::from_str::<serde_json::Value>(&acquired).expect("JSON");
        let status = api.status(&resource, token(&lock)).await.text;
        let state = api.get(&lock_path(&resource)).await.text;
        let listed = api.get(&format!("/api/v1/locks?prefix={resource}&limit=1000")).await.text;
        let extended = api.extend(&resource, token(&lock), 30).await.text;
        for answer in [acquired, status, state, listed, extended] {
            assert_eq!(metadata(&answer), expected, "{sent} in {answer}");
        }
        assert_eq!(redis.cli(&["HGET", &format!("gorilla:{{{resource}}}:lock"), "metadata"]), expected);
    }
}

#[tokio::test]
async fn absent_metadata_is_the_empty_list() {
    let (api, resource) = (Replica::shared().await, name("no-metadata"));
    assert_eq!(api.granted(&resource, "me", 30).await["metadata"], serde_json::json!([]));
}

#[tokio::test]
async fn the_longest_and_deepest_metadata_is_kept() {
    let api = Replica::shared().await;
    let longest = format!("[\"{}\"]", "x".repeat(4096 - 4));
    let deepest = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for kept in [longest, deepest] {
        assert_eq!(metadata(&acquire(&api, &name("metadata"), &kept).await), kept);
    }
}
