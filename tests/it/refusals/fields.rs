//! Fields of acquire, extend and break that break their rules.

use reqwest::Method;
use serde_json::json;

use super::{all_of, refused};
use crate::harness::{Redis, Replica, lock_path, name, token};

const OWNER: &[&str] = &["owner", "a string of 1 to 256 bytes"];
const TIMEOUT: &[&str] = &["timeout", "from 0.1 to 86400", "no endless lock"];

/// Values of `timeout` that no operation takes, with what the sentence says beside the rule.
const TIMEOUTS: [(&str, &str); 22] = [
    ("0", "too short"),
    ("0.0", "too short"),
    ("-1", "too short"),
    ("\"-1\"", "too short"),
    ("0.05", "too short"),
    ("0.0994", "too short"),
    ("\"0.05\"", "too short"),
    ("1e-400", "too short"),
    ("-1e308", "too short"),
    ("86400.001", "too long"),
    ("86401", "too long"),
    ("1e308", "too long"),
    ("1e999", "too long"),
    ("\"1e99\"", "too long"),
    ("18446744073709551616", "too long"),
    ("\"abc\"", "not a number"),
    ("\"NaN\"", "not a number"),
    ("\"inf\"", "not a number"),
    ("\"\"", "not a number"),
    ("\" 10\"", "not a number"),
    ("null", "null"),
    ("true", "a boolean"),
];

#[tokio::test]
async fn acquire_refuses_every_owner_timeout_and_metadata_out_of_its_range() {
    let (api, resource) = (Replica::shared().await, name("fields"));
    let mut cases: Vec<(&str, String, Vec<&str>)> = Vec::new();
    let mut owner = |owner: &str, problem: &'static str| {
        cases.push(("owner", format!(r#"{{"owner":{owner},"timeout":30}}"#), [OWNER, &[problem]].concat()));
    };
    owner("\"\"", "0 bytes");
    owner(&json!("x".repeat(257)).to_string(), "257 bytes");
    owner(&json!("é".repeat(129)).to_string(), "258 bytes");
    owner("null", "is null");
    owner("5", "is a number");
    owner("true", "is a boolean");
    owner("[\"me\"]", "is an array");
    owner("{\"name\":\"me\"}", "is an object");
    owner("\"\\ud800\"", "not valid Unicode");
    cases.push(("owner", r#"{"timeout":30}"#.into(), [OWNER, &["missing"]].concat()));
    for (timeout, problem) in TIMEOUTS {
        let body = format!(r#"{{"owner":"me","timeout":{timeout}}}"#);
        cases.push(("timeout", body, [TIMEOUT, &[problem]].concat()));
    }
    cases.push(("timeout", r#"{"owner":"me"}"#.into(), [TIMEOUT, &["missing"]].concat()));
    for (headstart, problem) in [
        ("-1", "negative"),
        ("60.001", "too long"),
        ("\"soon\"", "not a number"),
        ("true", "a boolean"),
        ("[1]", "an array"),
    ] {
        let body = format!(r#"{{"owner":"me","timeout":30,"wait":1,"headstart":{headstart}}}"#);
        cases.push(("headstart", body, vec!["headstart", "a number of seconds from 0 to 60", problem]));
    }
    for (replaces, problem) in
        [("\"\"", "0 bytes"), ("7", "is a number"), ("[\"a\"]", "is an array"), ("\"\\ud800\"", "not valid Unicode")]
    {
        let body = format!(r#"{{"owner":"me","timeout":30,"wait":1,"replaces":{replaces}}}"#);
        cases.push(("replaces", body, vec!["replaces", "a string of 1 to 256 bytes", problem]));
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (metadata, says) in [
        (json!("x".repeat(5 * 1024)).to_string(), ["5124 bytes", "at most 4096"]),
        (json!("x".repeat(4096 - 3)).to_string(), ["4097 bytes", "at most 4096"]),
        (nested(65), ["65 deep", "at most 64"]),
        (nested(200), ["200 deep", "at most 64"]),
        (nested(2000), ["2000 deep", "at most 64"]),
        (format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200)), ["201 deep", "at most 64"]),
    ] {
        let body = format!(r#"{{"owner":"me","timeout":30,"metadata":{metadata}}}"#);
        cases.push(("metadata", body, [&["metadata"], &says[..]].concat()));
    }
    let before = all_of(&resource);
    for (field, body, says) in cases {
        let answer = api.send(Method::POST, &lock_path(&resource), &[], Some(body)).await;
        refused(&answer, 400, "invalid_request", &says);
        assert_eq!(answer.json()["field"], field, "{answer:?}");
    }
    assert_eq!(all_of(&resource), before);
    // What was refused before did no harm: the lock is free, and the longest owner may have it.
    assert_eq!(api.acquire(&resource, &"x".repeat(256), 30).await.status, 200);
}

#[tokio::test]
async fn extend_refuses_the_same_timeouts() {
    let (api, resource) = (Replica::shared().await, name("extend-fields"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = format!("{}/{}", lock_path(&resource), token(&lock));
    let before = all_of(&resource);
    let timeouts = TIMEOUTS.map(|(timeout, problem)| (format!(r#"{{"timeout":{timeout}}}"#), problem));
    for (body, problem) in timeouts.into_iter().chain([("{}".to_string(), "missing")]) {
        let answer = api.send(Method::PUT, &path, &[], Some(body)).await;
        refused(&answer, 400, "invalid_request", &[TIMEOUT, &[problem]].concat());
        assert_eq!(answer.json()["field"], "timeout");
    }
    assert_eq!(all_of(&resource), before);
}

#[tokio::test]
async fn extend_refuses_what_is_not_a_boolean_and_the_metadata_that_an_acquire_refuses() {
    let (api, resource) = (Replica::shared().await, name("extend-fields"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = format!("{}/{}", lock_path(&resource), token(&lock));
    let before = all_of(&resource);
    for (field, value, says) in [
        ("rotate", "1", ["is 1", "true or false"]),
        ("rotate", "\"false\"", ["is \"false\"", "true or false"]),
        ("rotate", "[]", ["is []", "true or false"]),
        ("metadata", &json!("x".repeat(4096 - 3)).to_string(), ["4097 bytes", "at most 4096"]),
        ("metadata", &format!("{}{}", "[".repeat(65), "]".repeat(65)), ["65 deep", "at most 64"]),
        ("mode", "\"open\"", ["is \"open\"", "\"exclusive\" or \"shared\""]),
        ("limit", "0", ["is 0", "from 1 to 1000000"]),
        ("permits", "\"1\"", ["is \"1\"", "from 1 to 1000000"]),
    ] {
        let body = format!(r#"{{"timeout":60,"{field}":{value}}}"#);
        let answer = api.send(Method::PUT, &path, &[], Some(body)).await;
        refused(&answer, 400, "invalid_request", &[field, says[0], says[1]]);
        assert_eq!(answer.json()["field"], field, "{answer:?}");
    }
    assert_eq!(all_of(&resource), before);
}

#[tokio::test]
async fn break_refuses_what_is_no_fence_and_no_reason() {
    let (api, resource) = (Replica::shared().await, name("break-fields"));
    api.granted(&resource, "me", 30).await;
    let path = format!("{}/break", lock_path(&resource));
    let before = all_of(&resource);
    let fence = ["fence", "a whole number from 1 below 2^53"];
    let reason = ["reason", "a string of at most 256 bytes"];
    let grace = ["grace", "a number of seconds from 0 to 86400"];
    for (body, says) in [
        (json!({ "fence": 0 }), fence),
        (json!({ "fence": -1 }), fence),
        (json!({ "fence": 1.5 }), fence),
        (json!({ "fence": 1_u64 << 53 }), fence),
        (json!({ "fence": "1" }), fence),
        (json!({ "fence": [1] }), fence),
        (json!({ "fence": true }), fence),
        (json!({ "grace": -1 }), grace),
        (json!({ "grace": "-0" }), grace),
        (json!({ "grace": 86_400.001 }), grace),
        (json!({ "grace": "ten" }), grace),
        (json!({ "grace": true }), grace),
        (json!({ "grace": [1] }), grace),
        (json!({ "reason": 5 }), reason),
        (json!({ "reason": ["gone"] }), reason),
        (json!({ "reason": "x".repeat(257) }), reason),
    ] {
        let answer = api.send(Method::POST, &path, &[], Some(body.to_string())).await;
        refused(&answer, 400, "invalid_request", &says);
        assert_eq!(answer.json()["field"], says[0], "{body}");
    }
    assert_eq!(all_of(&resource), before);
}

#[tokio::test]
async fn the_longest_timeout_is_a_setting() {
    let replica = Replica::with(&Redis::shared().url(), &[("GORILLA__LIMITS__MAX_TIMEOUT", "10s")]).await;
    let resource = name("max-timeout");
    refused(&replica.api.acquire(&resource, "me", 10.001).await, 400, "invalid_request", &["from 0.1 to 10,"]);
    let lock = replica.api.granted(&resource, "me", 10).await;
    let answer = replica.api.extend(&resource, token(&lock), 11).await;
    refused(&answer, 400, "invalid_request", &["from 0.1 to 10,"]);
}
